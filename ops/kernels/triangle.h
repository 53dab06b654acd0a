// Triangles of matrices.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// Sets x[..., i, j] to 0 where j - i > diagonal (upper: < diagonal); any layout without overlap.
void clear_triangle(const char* name, const Tensor& x, int64_t diagonal, bool upper);

// The same for a contiguous copy of x.
Tensor triangle(const char* name, const Tensor& x, int64_t diagonal, bool upper);

}  // namespace tapegrad::kernels
