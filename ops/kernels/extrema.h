// Where the extremes are, and how gradients get there: indices along a dim, elements taken and put by index.
#pragma once

#include <limits>

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// int64 indices along dim, of the first of equals, of the first NaN if there is one; the dim must not be empty.
Tensor arg_extreme(const char* name, const Tensor& x, int64_t dim, bool keepdim, bool smallest);

// For y, the extremes of x over the dims in `mask`: 1 / (number of elements equal to y) at those elements, else 0.
Tensor extreme_share(const char* name, const Tensor& x, const Tensor& y, uint32_t mask);

inline constexpr int64_t kSkipNone = std::numeric_limits<int64_t>::min();

// y = x[..., index, ...] at dim, in index's shape (that of x without dim, or with size 1 there); 0 where index == skip.
// IndexError naming position and value for another index outside [0, size of dim).
Tensor take_along(const char* name, const Tensor& x, const Tensor& index, int64_t dim, int64_t skip = kSkipNone);
// Its adjoint: zeros of `sizes` with dy at the indices.
Tensor put_along(const char* name, const Tensor& dy, const Tensor& index, const Shape& sizes, int64_t dim,
                 int64_t skip = kSkipNone);

// Throws the IndexError of the functions above.
[[noreturn]] void index_out_of_range(const char* name, int64_t index, int64_t position, int64_t size);

}  // namespace tapegrad::kernels
