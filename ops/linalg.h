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

enum class LinearActivation : uint8_t { relu, sigmoid, tanh };
// y = f(linear(x, weight, bias)) as one operation, with the bits of the two: the activation goes over rows of the product while they
// are in the cache, and nothing but y is kept of it.  dz = dy f'(z) from y, in one pass with its sums; dx = dz weight,
// dweight = dz^T x, dbias = sum dz. bias may be undefined. nn::Sequential runs a Linear and the ReLU, Sigmoid or Tanh behind it so.
TAPEGRAD_API Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias, LinearActivation f);

}  // namespace tapegrad
