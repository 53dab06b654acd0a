// sum, mean, logsumexp, norm.
#include "tapegrad/ops/reduce.h"

#include <cmath>

#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/kernels/extrema.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/reduce_parts.h"

namespace tapegrad {

using kernels::Map;
using kernels::reduced_count;
using kernels::spread;

namespace {

// The same repeated to the sizes of what was reduced.
Tensor repeated(const Tensor& y, const Shape& sizes, uint32_t mask) {
  return expand(y.dim() == 0 ? y : with_dims(y, sizes, mask), sizes);
}

// y = sum x;  dx = dy, repeated
struct Sum {
  static constexpr const char* name = "sum";
  static constexpr bool takes_bfloat16 = true;
  static constexpr bool linear = true;
  uint32_t mask;
  bool keepdim;
  Shape sizes{};
  Tensor forward(const Tensor& x) {
    sizes = x.sizes();
    return kernels::sum(name, x, mask, keepdim);
  }
  Grads backward(const Tensor& dy) const { return {repeated(dy, sizes, mask)}; }
  Grads backward_fused(const Tensor& dy) const { return {spread(dy, sizes, mask)}; }
};

// y = sum x / n;  dx = dy / n, repeated
struct Mean {
  static constexpr const char* name = "mean";
  static constexpr bool takes_bfloat16 = true;
  static constexpr bool linear = true;
  uint32_t mask;
  bool keepdim;
  Shape sizes{};
  Tensor forward(const Tensor& x) {
    sizes = x.sizes();
    return kernels::mean(name, x, mask, keepdim);
  }
  Grads backward(const Tensor& dy) const { return {repeated(dy / reduced_count(sizes, mask), sizes, mask)}; }
  Grads backward_fused(const Tensor& dy) const {
    return {spread(kernels::binary_scalar(name, Map::div, dy, reduced_count(sizes, mask)), sizes, mask)};
  }
};

// y = ln sum e^x;  dx = dy e^(x - y), 0 where all x are -inf
struct LogSumExp {
  static constexpr const char* name = "logsumexp";
  uint32_t mask;
  bool keepdim;
  SavedInput x{"x"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& v) { return y.save(kernels::logsumexp(name, x.save(v), mask, keepdim)); }
  Tensor weights() const {
    const Tensor total = *y;
    const Tensor finite = where(total == -INFINITY, 0, total);
    return exp(*x - with_dims(finite, (*x).sizes(), mask));
  }
  Grads backward(const Tensor& dy) const { return {with_dims(dy, (*x).sizes(), mask) * weights()}; }
  Tensor tangent(const Tensor& dx) const { return apply(Sum{.mask = mask, .keepdim = keepdim}, dx * weights()); }
};

// y = (sum |x|^p)^(1/p);  dx = dy sign(x) |x|^(p-1) y^(1-p), 0 where y = 0
struct Norm {
  static constexpr const char* name = "norm";
  double p;
  uint32_t mask;
  bool keepdim;
  SavedInput x{"x"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& v) { return y.save(kernels::norm(name, x.save(v), p, mask, keepdim)); }
  Grads backward(const Tensor& dy) const {
    return {p == 0 ? zeros_like(*x) : slope(with_dims(dy, (*x).sizes(), mask))};
  }
  Tensor tangent(const Tensor& dx) const {
    if (p == 0) return zeros_like(*y);
    const Tensor one = ones_like(with_dims((*y).detach(), (*x).sizes(), mask));
    return apply(Sum{.mask = mask, .keepdim = keepdim}, dx * slope(one));
  }
  Tensor slope(const Tensor& dy) const { return norm_slope(name, dy, *x, with_dims(*y, (*x).sizes(), mask), mask, p); }
};

}  // namespace

// Zeros are taken out before a power or a quotient sees them, so that no derivative of any order meets 0 * inf.
Tensor norm_slope(const char* op, const Tensor& dy, const Tensor& v, const Tensor& total, uint32_t mask, double p) {
  if (p == 1) return dy * sign(v);
  if (std::isinf(p)) return dy * (sign(v) * kernels::extreme_share(op, kernels::unary(op, Map::abs, v), total, mask));
  const Tensor none = total == 0;
  const Tensor safe = where(none, 1, total);
  if (p == 2) return v * where(none, 0, dy / safe);
  const Tensor zero = v == 0;
  const Tensor powers = where(zero, 0, pow(where(zero, 1, abs(v)), p - 1));
  return sign(v) * powers * where(none, 0, dy * pow(safe, 1 - p));
}

Tensor sum(const Tensor& x, IntArrayRef dim, bool keepdim) {
  return apply(Sum{.mask = checked_mask("sum", x, dim), .keepdim = keepdim}, x);
}

Tensor sum(const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype) {
  if (!dtype) return sum(x, dim, keepdim);
  check_defined("sum", x, "x");
  return to(sum(to(x, *dtype), dim, keepdim), *dtype);  // integers sum in int64
}

Tensor sum(const Tensor& x, DType dtype) { return sum(x, {}, false, dtype); }

Tensor mean(const Tensor& x, IntArrayRef dim, bool keepdim) {
  const uint32_t mask = checked_mask("mean", x, dim);
  check_floating("mean", x);
  return apply(Mean{.mask = mask, .keepdim = keepdim}, x);
}

Tensor mean(const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype) {
  if (!dtype) return mean(x, dim, keepdim);
  check_defined("mean", x, "x");
  if (!is_floating_point(*dtype))
    throw DTypeError(std::string("mean: dtype must be float32 or float64, got ") + name_of(*dtype));
  return mean(to(x, *dtype), dim, keepdim);
}

Tensor mean(const Tensor& x, DType dtype) { return mean(x, {}, false, dtype); }

Tensor logsumexp(const Tensor& x, IntArrayRef dim, bool keepdim) {
  const uint32_t mask = checked_mask("logsumexp", x, dim);
  return apply(LogSumExp{.mask = mask, .keepdim = keepdim}, real(x));
}

Tensor norm(const Tensor& x, const Scalar& p) { return norm(x, p, IntArrayRef()); }

Tensor norm(const Tensor& x, const Scalar& p, IntArrayRef dim, bool keepdim) {
  const uint32_t mask = checked_mask("norm", x, dim);
  check_floating("norm", x);
  const double order = p.to<double>();
  if ((std::isinf(order) || order < 0) && reduced_count(x.sizes(), mask) == 0)
    throw ShapeError("norm: p must be finite and not negative over no elements, got p " + std::to_string(order) +
                     " and shape " + to_string(x.sizes()));
  return apply(Norm{.p = order, .mask = mask, .keepdim = keepdim}, x);
}

}  // namespace tapegrad
