// Elements chosen by a condition: masks, the places that are not zero, distinct values.
#pragma once

#include <tuple>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = value where mask (bool), else x; both broadcast, in place mask to x;  dx = dy elsewhere, dvalue = the sum of dy there. value
// is a number or a 0-dim tensor. DTypeError: a mask that is not bool. ShapeError: shapes that do not broadcast.
TAPEGRAD_API Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value);
TAPEGRAD_API Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);
TAPEGRAD_API Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Scalar& value);
TAPEGRAD_API Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value);
// y = x with the elements of source, in order, where mask;  dx = dy elsewhere, dsource = dy there. ValueError: too few elements.
TAPEGRAD_API Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);
TAPEGRAD_API Tensor& masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source);
// The elements of x where mask, as a vector; both broadcast;  dx = dy there, else 0.
TAPEGRAD_API Tensor masked_select(const Tensor& x, const Tensor& mask);

// Where x is not 0: one row of int64 indices per element, in row-major order, [n, dims of x]. No gradient.
TAPEGRAD_API Tensor nonzero(const Tensor& x);
TAPEGRAD_API Tensor argwhere(const Tensor& x);
// The same as one vector per dim, to index with; a 0-dim x counts as a vector. PyTorch's nonzero(as_tuple = true).
TAPEGRAD_API std::vector<Tensor> nonzero_numpy(const Tensor& x);

// (values, inverse, counts): the distinct elements in ascending order, each NaN by itself at the end; for every element of x the
// index of its value; how often each value stands in x. What is not asked for is empty, as in PyTorch's _unique2. No gradient.
TAPEGRAD_API std::tuple<Tensor, Tensor, Tensor> unique(const Tensor& x, bool sorted = true, bool return_inverse = false,
                                                       bool return_counts = false);

}  // namespace tapegrad
