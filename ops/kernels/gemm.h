// Matrix products over tensors: picks the tier by the size of the work and never materialises a transpose.
#pragma once

#include "tapegrad/core/tensor.h"
#include "tapegrad/ops/kernels/way.h"

namespace tapegrad::kernels {

// C[m,n] = op(a) op(b) (+ bias[n]); op transposes where asked. With `into` (contiguous, [m,n]) the product is added to
// it and it is returned. a and b are matrices of one floating dtype whose inner sizes agree; the caller has checked. Those of
// bfloat16 and of two dtypes: gemm_bfloat16.h.
// `activation` (relu, sigmoid, tanh; not with `into`, nor for bfloat16) then goes over the rows that have just been computed.
Tensor gemm(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b, const Tensor& bias = {},
            const Tensor& into = {}, simd::Map activation = kNoActivation);

// The same for each matrix of a batch: a[i], b[i]; `into` is [batch, m, n].
Tensor batched_gemm(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b,
                    const Tensor& into = {});

// y[n] = sum over the rows of x[m,n]; with `into` added to it. As `dtype`, where given: the sums of bfloat16 are float32.
Tensor column_sums(const char* name, const Tensor& x, const Tensor& into = {}, std::optional<DType> dtype = {});

// dz = f(dy, y) and its column sums, both [m,n], in one pass: rows are summed while they are in the cache. `sums` is added to
// if it is defined, else made. f takes two operands. `in_place`: dz is dy, which is contiguous.
Tensor map_and_column_sums(const char* name, simd::Map f, const Tensor& dy, const Tensor& y, bool in_place,
                           Tensor& sums);

}  // namespace tapegrad::kernels
