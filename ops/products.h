// Further products of vectors and matrices. Floating operands must be of one dtype. ShapeError names both shapes.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y[m,n] = beta input + alpha a[m,k] b[k,n], input broadcasts to y and is not read for beta = 0;
// dinput = beta dy, da = alpha dy b^T, db = alpha a^T dy.
TAPEGRAD_API Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                          const Scalar& alpha = 1);
// The same for each of a batch: y[i,m,n] = beta input + alpha a[i,m,k] b[i,k,n].
TAPEGRAD_API Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                            const Scalar& alpha = 1);
// y[m] = a[m,k] v[k].
TAPEGRAD_API Tensor mv(const Tensor& a, const Tensor& v);
// y = sum a[i] b[i] over two vectors of one size and dtype, integers included;  da = dy b, db = dy a.
TAPEGRAD_API Tensor dot(const Tensor& a, const Tensor& b);
// y[i,j] = a[i] b[j];  any dtypes, promoted.
TAPEGRAD_API Tensor outer(const Tensor& a, const Tensor& b);
// y[...,o] = sum over i, j of x1[...,i] weight[o,i,j] x2[...,j], + bias[o] where it is defined.
TAPEGRAD_API Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias = {});
// y[...,i,j] = (sum over k of |x1[...,i,k] - x2[...,j,k]|^p)^(1/p), batches broadcast; p = 0 counts, infinity takes the largest.
// dx1[i,k] = sum over j of dy[i,j] sign(d) |d|^(p-1) y[i,j]^(1-p) with d = x1[i,k] - x2[j,k], 0 where y = 0 or d = 0; dx2 likewise.
// For infinity the elements that are largest share dy. ValueError for a negative p.
TAPEGRAD_API Tensor cdist(const Tensor& x1, const Tensor& x2, double p = 2);

}  // namespace tapegrad
