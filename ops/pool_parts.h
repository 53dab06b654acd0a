// Pooling as the modules call it. Internal.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// adaptive_max_pool1d/2d/3d without the indices.
Tensor adaptive_max_pool(const char* op, const Tensor& x, IntArrayRef output_size, int64_t rank);

}  // namespace tapegrad
