// Layout: views that share memory with their input, joining, copying, converting.
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// x under other sizes, one of which may be -1. view never copies (ShapeError where strides forbid it); reshape may.
TAPEGRAD_API Tensor view(const Tensor& x, IntArrayRef sizes);
TAPEGRAD_API Tensor view_as(const Tensor& x, const Tensor& other);
TAPEGRAD_API Tensor reshape(const Tensor& x, IntArrayRef sizes);
// Joins dims start_dim ... end_dim into one.
TAPEGRAD_API Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
TAPEGRAD_API Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
// y.size(i) = x.size(dims[i]); every dim exactly once (IndexError, ShapeError).
TAPEGRAD_API Tensor permute(const Tensor& x, IntArrayRef dims);
// The transpose of a matrix; vectors and 0-dim tensors as they are. ShapeError above two dims.
TAPEGRAD_API Tensor t(const Tensor& x);
// Without its dims of size 1, or without this one, or those of these, that have size 1.
TAPEGRAD_API Tensor squeeze(const Tensor& x);
TAPEGRAD_API Tensor squeeze(const Tensor& x, int64_t dim);
TAPEGRAD_API Tensor squeeze(const Tensor& x, IntArrayRef dims);
// With a new dim of size 1 at dim in [-(rank+1), rank].
TAPEGRAD_API Tensor unsqueeze(const Tensor& x, int64_t dim);
// Dims of size 1 repeated to the given sizes without copying; -1 keeps a size; new dims in front.
TAPEGRAD_API Tensor expand(const Tensor& x, IntArrayRef sizes);
TAPEGRAD_API Tensor expand_as(const Tensor& x, const Tensor& other);
// x[..., index, ...] at dim, which goes away. IndexError out of range; negative counts from the end.
TAPEGRAD_API Tensor select(const Tensor& x, int64_t dim, int64_t index);
// x[..., start:end:step, ...]; bounds are clamped as Python's. ValueError for step < 1.
TAPEGRAD_API Tensor slice(const Tensor& x, int64_t dim = 0, std::optional<int64_t> start = {},
                          std::optional<int64_t> end = {}, int64_t step = 1);
// length elements from start. IndexError where they leave the dim.
TAPEGRAD_API Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);

// Joined along an existing (cat) or a new (stack) dim. ShapeError unless the other sizes agree; ValueError for an empty list.
TAPEGRAD_API Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0);
TAPEGRAD_API Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0);

// x itself if contiguous, else a contiguous copy; a copy always; converted, x itself if it has that dtype.
TAPEGRAD_API Tensor contiguous(const Tensor& x);
TAPEGRAD_API Tensor clone(const Tensor& x);
TAPEGRAD_API Tensor to(const Tensor& x, DType dtype);
TAPEGRAD_API Tensor to(const Tensor& x, const Tensor& other);  // the dtype of other

}  // namespace tapegrad
