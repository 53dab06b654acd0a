// max, min, amax, amin, argmax, argmin.
#include "tapegrad/ops/kernels/extrema.h"
#include "tapegrad/ops/along.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/reduce_parts.h"

namespace tapegrad {
namespace {

struct Max {
  static constexpr const char* name = "max";
  static constexpr bool smallest = false;
};
struct Min {
  static constexpr const char* name = "min";
  static constexpr bool smallest = true;
};
struct Amax : Max {
  static constexpr const char* name = "amax";
};
struct Amin : Min {
  static constexpr const char* name = "amin";
};

// y = the extreme of x;  dx = dy share, where share is 1 / (number of elements equal to y) at those, else 0
template <class Which> struct Extreme {
  static constexpr const char* name = Which::name;
  uint32_t mask;
  bool keepdim;
  SavedInput x{"x"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& v) { return y.save(kernels::extreme(name, x.save(v), mask, keepdim, Which::smallest)); }
  Tensor share() const { return kernels::extreme_share(name, *x, *y, mask); }
  Grads backward(const Tensor& dy) const {
    const Shape& sizes = (*x).sizes();
    return {with_dims(dy, sizes, mask) * share()};
  }
  Tensor tangent(const Tensor& dx) const { return sum(dx * share(), dims_of(mask), keepdim); }
};

// y = x at the indices of its extremes along dim;  dx = dy put there
template <class Which> struct ExtremeAlong {
  static constexpr const char* name = Which::name;
  int64_t dim;
  Shape sizes{};
  SavedInput index{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    sizes = x.sizes();
    return kernels::take_along(name, x, index.save(at), dim);
  }
  Grads backward(const Tensor& dy) const { return {put_along(name, dy, *index, sizes, dim)}; }
  Tensor tangent(const Grads& dx) const { return take_along(name, dx[0], *index, dim); }
};

void check_not_empty(const char* op, const Tensor& x, uint32_t mask) {
  if (kernels::reduced_count(x.sizes(), mask) == 0)
    throw ShapeError(std::string(op) + ": there must be an element to choose, got shape " + to_string(x.sizes()));
}

template <class Which> Tensor extreme(const Tensor& x, IntArrayRef dim, bool keepdim) {
  const uint32_t mask = checked_mask(Which::name, x, dim);
  check_not_empty(Which::name, x, mask);
  return apply(Extreme<Which>{.mask = mask, .keepdim = keepdim}, x);
}

Tensor indices(const char* op, const Tensor& x, int64_t dim, bool keepdim, bool smallest) {
  check_not_empty(op, x, x.dim() == 0 ? 0 : uint32_t{1} << dim);
  return kernels::arg_extreme(op, x, dim, keepdim, smallest);
}

template <class Which> std::tuple<Tensor, Tensor> extreme_along(const Tensor& x, int64_t dim, bool keepdim) {
  check_defined(Which::name, x, "x");
  const int64_t d = wrap_dim(dim, x.dim(), Which::name);
  Tensor index = indices(Which::name, x, d, keepdim, Which::smallest);
  Tensor value = apply(ExtremeAlong<Which>{.dim = d}, x, index);
  return {std::move(value), std::move(index)};
}

Tensor arg(const char* op, const Tensor& x, std::optional<int64_t> dim, bool keepdim, bool smallest) {
  check_defined(op, x, "x");
  if (dim) return indices(op, x, wrap_dim(*dim, x.dim(), op), keepdim, smallest);
  check_not_empty(op, x, (uint32_t{1} << x.dim()) - 1);
  const Tensor flat = contiguous_of(x);
  const Tensor index = kernels::arg_extreme(op, alias(flat, {x.numel()}, {1}, 0), 0, false, smallest);
  if (!keepdim) return index;
  const Shape ones = Shape::filled(x.dim(), 1);
  return alias(index, ones, ones, 0);
}

}  // namespace

Tensor max(const Tensor& x) { return extreme<Max>(x, {}, false); }
Tensor min(const Tensor& x) { return extreme<Min>(x, {}, false); }
Tensor amax(const Tensor& x, IntArrayRef dim, bool keepdim) { return extreme<Amax>(x, dim, keepdim); }
Tensor amin(const Tensor& x, IntArrayRef dim, bool keepdim) { return extreme<Amin>(x, dim, keepdim); }

std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim) {
  return extreme_along<Max>(x, dim, keepdim);
}
std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim) {
  return extreme_along<Min>(x, dim, keepdim);
}

Tensor max(const Tensor& a, const Tensor& b) { return maximum(a, b); }
Tensor min(const Tensor& a, const Tensor& b) { return minimum(a, b); }

Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return arg("argmax", x, dim, keepdim, false);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return arg("argmin", x, dim, keepdim, true);
}

}  // namespace tapegrad
