// Parts and strided views of a tensor: each shares its memory, so writing to a result writes to x.
#pragma once

#include <optional>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Pieces of split_size (the last one may be smaller), or of the given sizes, along dim;  dx = their gradients joined.
// ValueError: sizes that are negative or do not sum to the dim's; a split_size of 0 where the dim is not empty.
TAPEGRAD_API std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim = 0);
TAPEGRAD_API std::vector<Tensor> split(const Tensor& x, IntArrayRef split_sizes, int64_t dim = 0);
TAPEGRAD_API std::vector<Tensor> split_with_sizes(const Tensor& x, IntArrayRef split_sizes, int64_t dim = 0);
// At most chunks pieces of one size, the last one smaller. ValueError for chunks < 1.
TAPEGRAD_API std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
// As many pieces as sections says, the first size % sections of them larger by 1; or cut in front of every index, as slices are.
TAPEGRAD_API std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim = 0);
TAPEGRAD_API std::vector<Tensor> tensor_split(const Tensor& x, IntArrayRef indices, int64_t dim = 0);
// x[..., i, ...] for every i at dim;  dx = their gradients stacked.
TAPEGRAD_API std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0);

// One dim under several sizes, whose product is its size; one of them may be -1. The opposite of flatten. ShapeError for another
// product or no sizes, IndexError for a 0-dim tensor.
TAPEGRAD_API Tensor unflatten(const Tensor& x, int64_t dim, IntArrayRef sizes);

// The dims at source moved to destination, the others in their old order. ShapeError unless as many are named in both.
TAPEGRAD_API Tensor movedim(const Tensor& x, int64_t source, int64_t destination);
TAPEGRAD_API Tensor movedim(const Tensor& x, IntArrayRef source, IntArrayRef destination);
// As transpose.
TAPEGRAD_API Tensor swapaxes(const Tensor& x, int64_t dim0, int64_t dim1);

// y[..., i] = x[i, i + offset] over dim1 and dim2, which go away;  dx = dy on that diagonal, else 0. An offset beyond the
// matrix gives size 0. IndexError when both dims are the same one.
TAPEGRAD_API Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
// y[..., i, ..., j, ...] = x[..., k] on that diagonal between the new dims dim1 and dim2, else 0;  dx = diagonal(dy). A copy.
TAPEGRAD_API Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);

// Windows along dim: y[..., i, ..., j] = x[..., i step + j, ...] for j < size;  dx = dy summed where windows meet.
// ValueError: size not in [0, size of dim], step < 1. Windows that overlap cannot be written.
TAPEGRAD_API Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step);
// y[i, j, ...] = the element at storage_offset (x's own by default) + i stride[0] + j stride[1] + ... of x's memory;
// dx = dy summed at those of them that are elements of x. ValueError: negative values. ShapeError: beyond the memory.
TAPEGRAD_API Tensor as_strided(const Tensor& x, IntArrayRef size, IntArrayRef stride,
                               std::optional<int64_t> storage_offset = {});

}  // namespace tapegrad
