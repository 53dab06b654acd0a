// Scans as other rules need them. Internal.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// For every element the product of all others along dim (not of a 0-dim tensor), without a division: zeros do no harm.
Tensor products_of_others(const Tensor& x, int64_t dim);

}  // namespace tapegrad
