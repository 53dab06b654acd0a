// Matrix products over tensors: picks the tier by the size of the work and never materialises a transpose.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// C[m,n] = op(a) op(b) (+ bias[n]); op transposes where asked. With `into` (contiguous, [m,n]) the product is added to
// it and it is returned. a and b are matrices of one floating dtype whose inner sizes agree; the caller has checked.
Tensor gemm(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b, const Tensor& bias = {},
            const Tensor& into = {});

// The same for each matrix of a batch: a[i], b[i]; `into` is [batch, m, n].
Tensor batched_gemm(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b,
                    const Tensor& into = {});

// y[n] = sum over the rows of x[m,n]; with `into` added to it.
Tensor column_sums(const char* name, const Tensor& x, const Tensor& into = {});

}  // namespace tapegrad::kernels
