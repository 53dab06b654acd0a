// Elements taken and put by index along a dim, on the tape: what max(x, dim) and the class losses are made of. Internal.
#pragma once

#include "tapegrad/ops/kernels/extrema.h"

namespace tapegrad {

// y = x[..., index, ...] at dim, in index's shape (that of x without dim, or with size 1 there), 0 where index == skip;
// dx = dy put at the indices. IndexError naming `op` for another index outside [0, size of dim).
Tensor take_along(const char* op, const Tensor& x, const Tensor& index, int64_t dim, int64_t skip = kernels::kSkipNone);
// Its adjoint, of x's sizes.
Tensor put_along(const char* op, const Tensor& dy, const Tensor& index, const Shape& sizes, int64_t dim,
                 int64_t skip = kernels::kSkipNone);

}  // namespace tapegrad
