// The margin loss of several classes per row.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// l[n] for scores x [n, c], see ops/margin_losses.h, and its derivatives by x in `slopes`, which is contiguous and like x. IndexError
// naming `name` for a class outside [0, c).
Tensor multilabel_margin(const char* name, const Tensor& x, const Tensor& target, const Tensor& slopes);

}  // namespace tapegrad::kernels
