// Products, variances, truth and counts over all elements (no dims) or over some. keepdim leaves reduced dims at size 1.
// Errors: IndexError for a dim out of range or named twice; DTypeError for integers where x must be floating.
#pragma once

#include <concepts>
#include <optional>
#include <tuple>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = product of x, 1 over nothing;  dx[i] = dy times the product of all other elements, right where x has zeros. bool and
// integers multiply in int64. dtype: x is converted to it first.
TAPEGRAD_API Tensor prod(const Tensor& x, std::optional<DType> dtype = {});
TAPEGRAD_API Tensor prod(const Tensor& x, int64_t dim, bool keepdim = false, std::optional<DType> dtype = {});

// y = sum (x - mean)^2 / (n - correction), NaN where there is nothing to divide;  dx = dy 2 (x - mean) / (n - correction).
// correction is 1 unless given; unbiased = false means 0. Floating dtypes only.
TAPEGRAD_API Tensor var(const Tensor& x, IntArrayRef dim = {}, const std::optional<Scalar>& correction = {},
                        bool keepdim = false);
// y = sqrt(var);  dx = dy (x - mean) / (y (n - correction)), 0 where y = 0.
TAPEGRAD_API Tensor std(const Tensor& x, IntArrayRef dim = {}, const std::optional<Scalar>& correction = {},
                        bool keepdim = false);
// (var, mean) and (std, mean).
TAPEGRAD_API std::tuple<Tensor, Tensor> var_mean(const Tensor& x, IntArrayRef dim = {},
                                                 const std::optional<Scalar>& correction = {}, bool keepdim = false);
TAPEGRAD_API std::tuple<Tensor, Tensor> std_mean(const Tensor& x, IntArrayRef dim = {},
                                                 const std::optional<Scalar>& correction = {}, bool keepdim = false);

// The same by `unbiased`. Only a bool is taken for it: var(x, 1) is over dim 1.
template <std::same_as<bool> B> Tensor var(const Tensor& x, B unbiased) { return var(x, {}, unbiased ? 1 : 0); }
template <std::same_as<bool> B> Tensor var(const Tensor& x, IntArrayRef dim, B unbiased, bool keepdim = false) {
  return var(x, dim, Scalar(unbiased ? 1 : 0), keepdim);
}
template <std::same_as<bool> B> Tensor std(const Tensor& x, B unbiased) {
  return tapegrad::std(x, {}, unbiased ? 1 : 0);
}
template <std::same_as<bool> B> Tensor std(const Tensor& x, IntArrayRef dim, B unbiased, bool keepdim = false) {
  return tapegrad::std(x, dim, Scalar(unbiased ? 1 : 0), keepdim);
}
template <std::same_as<bool> B>::std::tuple<Tensor, Tensor> var_mean(const Tensor& x, B unbiased) {
  return var_mean(x, {}, unbiased ? 1 : 0);
}
template <std::same_as<bool> B>
::std::tuple<Tensor, Tensor> var_mean(const Tensor& x, IntArrayRef dim, B unbiased, bool keepdim = false) {
  return var_mean(x, dim, Scalar(unbiased ? 1 : 0), keepdim);
}
template <std::same_as<bool> B>::std::tuple<Tensor, Tensor> std_mean(const Tensor& x, B unbiased) {
  return std_mean(x, {}, unbiased ? 1 : 0);
}
template <std::same_as<bool> B>
::std::tuple<Tensor, Tensor> std_mean(const Tensor& x, IntArrayRef dim, B unbiased, bool keepdim = false) {
  return std_mean(x, dim, Scalar(unbiased ? 1 : 0), keepdim);
}

// Whether all elements (any element) are not 0; NaN is not 0. bool, uint8 for uint8. Of nothing: true (false). No gradient.
TAPEGRAD_API Tensor all(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor any(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
// How many elements are not 0, int64. No gradient.
TAPEGRAD_API Tensor count_nonzero(const Tensor& x, IntArrayRef dim = {});

}  // namespace tapegrad
