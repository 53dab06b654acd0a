// Matrix products with bfloat16 among the operands: by the machine's instructions where it has them and they pay, else in float32.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// Whether the machine multiplies bfloat16 by itself.
TAPEGRAD_API bool has_bfloat16();

// Whether `products` products of m k n multiply-adds each are faster in bfloat16, `rounded` float32 elements having to be rounded
// for them first. False where the machine has no instructions for it.
bool bfloat16_pays(int64_t m, int64_t n, int64_t k, int64_t rounded, int64_t products = 1);

// x as another dtype in a layout of its own: a transposed matrix stays one.
Tensor converted_as_stored(const Tensor& x, DType dtype);

inline bool takes_bfloat16(const Tensor& a, const Tensor& b) {
  return a.dtype() == kBFloat16 || b.dtype() == kBFloat16;
}

// C[m,n] = op(a) op(b) (+ bias[n]) as `dtype`, bfloat16 or float32, rounded once; a, b and bias are each bfloat16 or float32, and
// float32 factors are rounded to bfloat16 where that pays. With `into` (contiguous, of that dtype) the product is added to it.
Tensor gemm_bfloat16(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b, const Tensor& bias,
                     const Tensor& into, DType dtype);
// The same for each matrix of a batch, without bias.
Tensor batched_gemm_bfloat16(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b,
                             const Tensor& into, DType dtype);

}  // namespace tapegrad::kernels
