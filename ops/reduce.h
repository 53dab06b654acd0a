// Reductions over all elements (no dims) or over some. keepdim leaves reduced dims at size 1.
// Errors: IndexError for a dim out of range or named twice; ShapeError for max and its kin over no elements.
#pragma once

#include <optional>
#include <tuple>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = sum x;  dx = dy, expanded. bool and integers sum in int64. The sum over nothing is 0. With a dtype, x is converted
// to it first.
TAPEGRAD_API Tensor sum(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor sum(const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype);
TAPEGRAD_API Tensor sum(const Tensor& x, DType dtype);
// y = sum x / n;  dx = dy / n. Floating dtypes only (DTypeError); the mean over nothing is NaN.
TAPEGRAD_API Tensor mean(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor mean(const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype);
TAPEGRAD_API Tensor mean(const Tensor& x, DType dtype);
// The largest (smallest) element, NaN if there is one;  dy is shared evenly among the elements equal to y.
TAPEGRAD_API Tensor max(const Tensor& x);
TAPEGRAD_API Tensor min(const Tensor& x);
// (values, indices) along dim, the first of equals, the first NaN if there is one;  dy goes to that element alone.
TAPEGRAD_API std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim = false);
TAPEGRAD_API std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim = false);
// As maximum and minimum.
TAPEGRAD_API Tensor max(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor min(const Tensor& a, const Tensor& b);
// Index (int64) of the first largest (smallest) element along dim, or in the flattened tensor. No gradient.
TAPEGRAD_API Tensor argmax(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor argmin(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
// The largest (smallest) element over dims;  dy is shared evenly among the elements equal to y.
TAPEGRAD_API Tensor amax(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor amin(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
// y = ln sum e^x, stable;  dx = dy e^(x - y).
TAPEGRAD_API Tensor logsumexp(const Tensor& x, IntArrayRef dim, bool keepdim = false);
// y = (sum |x|^p)^(1/p); p = 0 counts nonzeros, +-inf take the largest or smallest |x|. Floating dtypes only.
// dx = dy sign(x) |x|^(p-1) y^(1-p), 0 where y = 0.
TAPEGRAD_API Tensor norm(const Tensor& x, const Scalar& p = 2);
TAPEGRAD_API Tensor norm(const Tensor& x, const Scalar& p, IntArrayRef dim, bool keepdim = false);

}  // namespace tapegrad
