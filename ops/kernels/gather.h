// Elements named by an index along one dim: taking, putting, adding up. Indices are int64 of any layout and are trusted:
// check_index goes first. Where writes meet in one element they happen in the order of the index along dim, at any thread count.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// IndexError naming op, index, dim and size unless all lie in [0, size), or in [-size, size) where `negative`.
void check_index(const char* name, const Tensor& index, int64_t size, int64_t dim, bool negative = false);
// Throws the IndexError of check_index.
[[noreturn]] void index_outside(const char* name, int64_t index, int64_t size, int64_t dim, bool negative);
// The index with size added to what is negative, contiguous.
Tensor wrapped_index(const char* name, const Tensor& index, int64_t size);

// A one-dim index as one of the rank of `sizes`, the same for all lines along dim: strides of 0, no copy.
Tensor along(const Tensor& index, const Shape& sizes, int64_t dim);

// y = x with its dim read at index: y[i, j, k] = x[i, index[i, j, k], k]. Other dims of x may be longer than those of index.
Tensor gather(const char* name, const Tensor& x, int64_t dim, const Tensor& index);
// The same for a one-dim index; whole blocks are copied where they are contiguous.
Tensor index_select(const char* name, const Tensor& x, int64_t dim, const Tensor& index);

// y[i, index[i, j, k], k] = src[i, j, k]; src broadcasts to index. The last of several stays.
void scatter(const char* name, const Tensor& y, int64_t dim, const Tensor& index, const Tensor& src);
// y[i, index[i, j, k], k] += src[i, j, k].
void scatter_add(const char* name, const Tensor& y, int64_t dim, const Tensor& index, const Tensor& src);
// Whether scatter lets the element stay: bool of index's sizes, false where a later one along dim names the same place.
Tensor stays(const char* name, int64_t dim, const Tensor& index, int64_t size);

}  // namespace tapegrad::kernels
