// Matrix products. Operands must be of one dtype, unless AutocastGuard brings them to bfloat16. ShapeError names both shapes and hints at a forgotten transpose.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y[m,n] = a[m,k] b[k,n];  da = dy b^T, db = a^T dy.
TAPEGRAD_API Tensor mm(const Tensor& a, const Tensor& b);
// The same for each of a batch: y[i,m,n] = a[i,m,k] b[i,k,n].
TAPEGRAD_API Tensor bmm(const Tensor& a, const Tensor& b);
// By rank: dot product (1,1), matrix-vector (2,1), vector-matrix (1,2), mm (2,2), else batched with broadcast batches.
TAPEGRAD_API Tensor matmul(const Tensor& a, const Tensor& b);
// y[...,out] = x[...,in] weight[out,in]^T + bias[out];  dx = dy weight, dweight = dy^T x, dbias = sum dy. bias may be undefined.
TAPEGRAD_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace tapegrad
