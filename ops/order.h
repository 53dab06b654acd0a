// Order along a dim. NaN counts as the largest element; of equal elements the one with the lower index comes first. Gradients
// go to the places the values came from. Indices are int64 and carry no gradient.
// Errors: IndexError for a dim out of range, and for a k that is; ShapeError for the median of nothing.
#pragma once

#include <optional>
#include <tuple>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// (values, indices) of x in ascending order along dim, always stable.
TAPEGRAD_API std::tuple<Tensor, Tensor> sort(const Tensor& x, int64_t dim = -1, bool descending = false);
// The indices alone.
TAPEGRAD_API Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false);
// (values, indices) of the k largest (smallest) elements, in descending (ascending) order if `sorted`, else in any.
TAPEGRAD_API std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true,
                                             bool sorted = true);
// (value, index) of the k-th smallest element, k from 1.
TAPEGRAD_API std::tuple<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim = -1, bool keepdim = false);
// The median, the lower one of the two in the middle; NaN if there is one, and of no floats;  dy is shared evenly among the
// elements equal to y.
TAPEGRAD_API Tensor median(const Tensor& x);
// (value, index) along dim, the first NaN if there is one;  dy goes to that element alone.
TAPEGRAD_API std::tuple<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim = false);

// As PyTorch's forms with `stable` (true, false or nullopt) before dim.
template <Stable B>
std::tuple<Tensor, Tensor> sort(const Tensor& x, B /*stable*/, int64_t dim = -1, bool descending = false) {
  return sort(x, dim, descending);
}
template <Stable B> Tensor argsort(const Tensor& x, B /*stable*/, int64_t dim = -1, bool descending = false) {
  return argsort(x, dim, descending);
}

}  // namespace tapegrad
