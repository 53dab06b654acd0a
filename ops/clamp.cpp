// clamp by tensors, and by one bound.
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::binary;
using kernels::Map;

namespace {

// y = min(max(x, lo), hi);  dx = dy where lo <= x <= hi, dlo = dy where x < lo < hi, dhi = dy where x > hi or lo > hi
struct ClampBetween {
  static constexpr const char* name = "clamp";
  static constexpr bool elementwise = true;
  static constexpr bool optional_inputs = true;
  SavedInput x{"x"}, lo{"min"}, hi{"max"};
  Tensor forward(const Tensor& v, const Tensor& min, const Tensor& max) {
    x.save(v);
    Tensor y = v;
    if (min.defined()) {
      lo.save(min);
      y = binary(name, Map::maximum, y, min);
    }
    if (max.defined()) {
      hi.save(max);
      y = binary(name, Map::minimum, y, max);
    }
    return y;
  }
  Grads backward(const Tensor& dy) const {
    const Tensor v = *x;
    Tensor dx, dlo, dhi;
    if (autograd::needs(0)) dx = where(inside(), dy, 0);
    if (autograd::needs(1)) {
      const Tensor below = v < *lo;
      dlo = where(hi.defined() ? logical_and(below, *lo < *hi) : below, dy, 0);
    }
    if (autograd::needs(2)) {
      const Tensor above = v > *hi;
      dhi = where(lo.defined() ? logical_or(above, *lo > *hi) : above, dy, 0);
    }
    return {dx, dlo, dhi};
  }
  Tensor inside() const {
    const Tensor v = *x;
    if (!hi.defined()) return v >= *lo;
    return lo.defined() ? logical_and(v >= *lo, v <= *hi) : v <= *hi;
  }
};

// One dtype and shape for x and the bounds that are there.
Tensor clamped(const char* op, const Tensor& x, const Tensor& min, const Tensor& max) {
  check_defined(op, x, "x");
  DType dtype = x.dtype();
  Shape shape = x.sizes();
  for (const Tensor* bound : {&min, &max}) {
    if (!bound->defined()) continue;
    dtype = promote_types(dtype, result_type(x, *bound));
    shape = broadcast_shapes(shape, bound->sizes(), op);
  }
  if (dtype == kBool) throw DTypeError(std::string(op) + ": bool is not a dtype it takes");
  const auto meet = [&](const Tensor& t) { return t.defined() ? operand(t, dtype, shape) : t; };
  return apply(ClampBetween{}, meet(x), meet(min), meet(max));
}

}  // namespace

Tensor clamp(const Tensor& x, const std::optional<Tensor>& min, const std::optional<Tensor>& max) {
  if (!min && !max) return clamp(x, std::optional<Scalar>(), std::optional<Scalar>());
  if (min) check_defined("clamp", *min, "min");
  if (max) check_defined("clamp", *max, "max");
  return clamped("clamp", x, min.value_or(Tensor()), max.value_or(Tensor()));
}

Tensor clamp_min(const Tensor& x, const Scalar& min) {
  check_defined("clamp_min", x, "x");
  return clamp(x, min);
}

Tensor clamp_min(const Tensor& x, const Tensor& min) {
  check_defined("clamp_min", min, "min");
  return clamped("clamp_min", x, min, Tensor());
}

Tensor clamp_max(const Tensor& x, const Scalar& max) {
  check_defined("clamp_max", x, "x");
  return clamp(x, std::nullopt, max);
}

Tensor clamp_max(const Tensor& x, const Tensor& max) {
  check_defined("clamp_max", max, "max");
  return clamped("clamp_max", x, Tensor(), max);
}

}  // namespace tapegrad
