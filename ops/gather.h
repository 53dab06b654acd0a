// Elements named by an index along one dim: taken, put, added up. Index tensors are int64 or int32 (DTypeError otherwise).
// IndexError, with nothing written, where an index does not lie in [0, size of dim); x and src have one dtype (DTypeError).
// Where several writes meet in one element they happen in the order of the index, so results never depend on the thread count.
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y[i, j, k] = x[i, index[i, j, k], k] (dim = 1), in index's shape;  dx = dy added up at the index. ShapeError: index has
// another number of dims than x, or is larger than x in another dim.
TAPEGRAD_API Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
// y = x with y[i, index[i, j, k], k] = src[i, j, k] (dim = 1), or a number;  dx = dy with zeros there, dsrc = dy at the index. Of
// several for one place the last stays and has the gradient. src may be larger than index. ShapeError as gather.
TAPEGRAD_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
TAPEGRAD_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value);
TAPEGRAD_API Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
TAPEGRAD_API Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value);
// y = x with y[i, index[i, j, k], k] += src[i, j, k] (dim = 1);  dx = dy, dsrc = dy at the index.
TAPEGRAD_API Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
TAPEGRAD_API Tensor& scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);

// y[..., j, ...] = x[..., index[j], ...] for a vector of indices;  dx = dy added up at the index.
TAPEGRAD_API Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
// y = x with y[..., index[j], ...] += alpha source[..., j, ...];  dx = dy, dsource = alpha dy at the index. ShapeError: source has
// not x's sizes with index's length at dim.
TAPEGRAD_API Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                              const Scalar& alpha = 1);
TAPEGRAD_API Tensor& index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                                const Scalar& alpha = 1);
// The same with = instead of +=, the last of several stays;  dx = dy with zeros there, dsource = dy at the index.
TAPEGRAD_API Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
TAPEGRAD_API Tensor& index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
// With one number (a 0-dim tensor's, with its gradient: the sum of dy there) at the indices; negative ones count from the end.
TAPEGRAD_API Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value);
TAPEGRAD_API Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);
TAPEGRAD_API Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value);
TAPEGRAD_API Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);

// y = the elements of the flattened x at index, in index's shape; negative ones count from the end;  dx = dy added up there.
TAPEGRAD_API Tensor take(const Tensor& x, const Tensor& index);
// gather with x and indices broadcast against each other in the other dims; without dim, of both flattened.
TAPEGRAD_API Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim = {});

// y[..., :] = weight[indices[...], :] for a matrix of rows;  dweight = dy added up by row, in the order of the indices, with row
// padding_idx left out (-1: none). scale_grad_by_freq divides each contribution by how often its row is named.
TAPEGRAD_API Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx = -1,
                              bool scale_grad_by_freq = false);
// y[..., c] = 1 where x[...] = c, else 0, int64, no gradient; num_classes of -1: one more than the largest. ValueError: a negative
// class, one that is not below num_classes, no classes at all.
TAPEGRAD_API Tensor one_hot(const Tensor& x, int64_t num_classes = -1);

}  // namespace tapegrad
