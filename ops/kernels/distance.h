// Distances between all pairs of rows of two matrices, batched, without the pairs' differences in memory.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// y[b,i,j] = (sum over k of |a[b,i,k] - c[b,j,k]|^p)^(1/p), see ops/products.h.
Tensor distances(const char* name, const Tensor& a, const Tensor& c, double p);
// The gradient by a, from dy and y [b,i,j]. That by c comes of the operands exchanged and dy and y transposed.
Tensor distances_backward(const char* name, const Tensor& dy, const Tensor& y, const Tensor& a, const Tensor& c,
                          double p);

}  // namespace tapegrad::kernels
