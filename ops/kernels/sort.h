// Order along a dim, as indices: all sorted, the first k, the k-th. NaN counts as the largest; of equals the one with the
// lower index comes first. And elements taken and put by such indices.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// int64, of x's sizes: position i of a line holds the index of its i-th element in order.
Tensor sort_indices(const char* name, const Tensor& x, int64_t dim, bool descending);
// The first k of these, with size k at dim; in order if `sorted`.
Tensor top_indices(const char* name, const Tensor& x, int64_t dim, int64_t k, bool largest, bool sorted);
// The k-th smallest (from 0) alone, dim gone or kept at size 1; with `nan_wins`, the first NaN where a line has one.
Tensor kth_indices(const char* name, const Tensor& x, int64_t dim, int64_t k, bool keepdim, bool nan_wins);

// y[..., i, ...] = x[..., index[..., i, ...], ...] at dim; index has any size there, or no such dim for size 1. The indices
// are those of the functions above: they are not checked.
Tensor take_lines(const char* name, const Tensor& x, const Tensor& index, int64_t dim);
// Its adjoint: zeros of `sizes` with dy at the indices, each of which occurs once in its line.
Tensor put_lines(const char* name, const Tensor& dy, const Tensor& index, const Shape& sizes, int64_t dim);

}  // namespace tapegrad::kernels
