// The variance over any dims of float32 and float64 tensors of any layout.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// sum (x - mean)^2 / freedom over the dims in `mask`; freedom 0 gives NaN or inf, as the division does.
Tensor variance(const char* name, const Tensor& x, uint32_t mask, bool keepdim, double freedom);

}  // namespace tapegrad::kernels
