// prod, var, std, all, any, count_nonzero.
#include "tapegrad/ops/statistics.h"

#include <algorithm>

#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/moments.h"
#include "tapegrad/ops/kernels/scan.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/reduce_parts.h"
#include "tapegrad/ops/scan_parts.h"

namespace tapegrad {
namespace {

// y = product of x along dim;  dx[i] = dy times the product of the others
struct Prod {
  static constexpr const char* name = "prod";
  int64_t dim;
  bool keepdim;
  SavedInput x{"x"};
  uint32_t mask() const { return uint32_t{1} << dim; }
  Tensor forward(const Tensor& v) { return kernels::prod(name, x.save(v), mask(), keepdim); }
  Grads backward(const Tensor& dy) const { return {with_dims(dy, (*x).sizes(), mask()) * products_of_others(*x, dim)}; }
  Grads backward_fused(const Tensor& dy) const { return {kernels::products_of_others(name, dy, *x, dim)}; }
  Tensor tangent(const Tensor& dx) const { return sum(dx * products_of_others(*x, dim), dim, keepdim); }
};

// y = sum (x - mean)^2 / freedom;  dx = dy 2 (x - mean) / freedom
struct Var {
  static constexpr const char* name = "var";
  uint32_t mask;
  bool keepdim;
  double freedom;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return kernels::variance(name, x.save(v), mask, keepdim, freedom); }
  Tensor slope() const { return (*x - mean(*x, dims_of(mask), true)) * (2 / freedom); }
  Grads backward(const Tensor& dy) const { return {with_dims(dy, (*x).sizes(), mask) * slope()}; }
  Tensor tangent(const Tensor& dx) const { return sum(dx * slope(), dims_of(mask), keepdim); }
};

// y = sqrt(sum (x - mean)^2 / freedom);  dx = dy (x - mean) / (y freedom), 0 where y = 0
struct Std {
  static constexpr const char* name = "std";
  uint32_t mask;
  bool keepdim;
  double freedom;
  SavedInput x{"x"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    const Tensor square = kernels::variance(name, v, mask, keepdim, freedom);
    return y.save(kernels::unary(name, kernels::Map::sqrt, square, square));
  }
  // t / (y freedom). Zeros are taken out before the quotient sees them, so that no derivative of any order meets 0 * inf.
  Tensor scaled(const Tensor& t) const {
    const Tensor none = *y == 0;
    return where(none, 0, t / (where(none, 1, *y) * freedom));
  }
  Tensor deviation() const { return *x - mean(*x, dims_of(mask), true); }
  Grads backward(const Tensor& dy) const { return {with_dims(scaled(dy), (*x).sizes(), mask) * deviation()}; }
  Tensor tangent(const Tensor& dx) const { return scaled(sum(dx * deviation(), dims_of(mask), keepdim)); }
};

template <class Op>
Tensor moment(const Tensor& x, IntArrayRef dim, const std::optional<Scalar>& correction, bool keepdim) {
  const uint32_t mask = checked_mask(Op::name, x, dim);
  check_floating(Op::name, x);
  const auto n = static_cast<double>(kernels::reduced_count(x.sizes(), mask));
  const double freedom = std::max(0.0, n - correction.value_or(1).to<double>());
  return apply(Op{.mask = mask, .keepdim = keepdim, .freedom = freedom}, x);
}

Tensor product(const Tensor& x, int64_t dim, bool keepdim) { return apply(Prod{.dim = dim, .keepdim = keepdim}, x); }

// As x is multiplied: in `dtype`, by default int64 for bool and integers. All integers multiply in int64.
Tensor multiplied(const Tensor& x, std::optional<DType> dtype, DType& wanted) {
  wanted = dtype.value_or(x.is_floating_point() ? x.dtype() : kInt64);
  const Tensor from = to(x, wanted);
  return from.is_floating_point() ? from : to(from, kInt64);
}

Tensor truth(const char* op, const Tensor& x, IntArrayRef dim, bool keepdim, bool all) {
  const uint32_t mask = checked_mask(op, x, dim);
  const Tensor y = kernels::truth(op, x, mask, keepdim, all);
  return x.dtype() == kUInt8 ? converted(y, kUInt8) : y;
}

}  // namespace

Tensor prod(const Tensor& x, std::optional<DType> dtype) {
  check_defined("prod", x, "x");
  DType wanted;
  const Tensor from = multiplied(x, dtype, wanted);
  const Tensor y = product(reshape(from, -1), 0, false);
  return from.is_floating_point() ? y : to(y, wanted);
}

Tensor prod(const Tensor& x, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  check_defined("prod", x, "x");
  const int64_t d = x.dim_index(dim, "prod");
  if (x.dim() == 0) return prod(x, dtype);
  DType wanted;
  const Tensor from = multiplied(x, dtype, wanted);
  const Tensor y = product(from, d, keepdim);
  return from.is_floating_point() ? y : to(y, wanted);
}

Tensor var(const Tensor& x, IntArrayRef dim, const std::optional<Scalar>& correction, bool keepdim) {
  return moment<Var>(x, dim, correction, keepdim);
}

Tensor std(const Tensor& x, IntArrayRef dim, const std::optional<Scalar>& correction, bool keepdim) {
  return moment<Std>(x, dim, correction, keepdim);
}

std::tuple<Tensor, Tensor> var_mean(const Tensor& x, IntArrayRef dim, const std::optional<Scalar>& correction,
                                    bool keepdim) {
  check_defined("var_mean", x, "x");
  return {var(x, dim, correction, keepdim), mean(x, dim, keepdim)};
}

std::tuple<Tensor, Tensor> std_mean(const Tensor& x, IntArrayRef dim, const std::optional<Scalar>& correction,
                                    bool keepdim) {
  check_defined("std_mean", x, "x");
  return {tapegrad::std(x, dim, correction, keepdim), mean(x, dim, keepdim)};
}

Tensor all(const Tensor& x, IntArrayRef dim, bool keepdim) { return truth("all", x, dim, keepdim, true); }
Tensor any(const Tensor& x, IntArrayRef dim, bool keepdim) { return truth("any", x, dim, keepdim, false); }

Tensor count_nonzero(const Tensor& x, IntArrayRef dim) {
  return kernels::count_nonzero("count_nonzero", x, checked_mask("count_nonzero", x, dim));
}

}  // namespace tapegrad
