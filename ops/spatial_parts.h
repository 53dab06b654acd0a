// Arguments that come as one number for all spatial dims or one for each. Internal.
#pragma once

#include <array>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// One number for each of the last `rank` of three dims, `rest` for the others; ValueError for another count, or a number below `least` (0 or
// 1) or beyond 32 bits.
std::array<int64_t, 3> spatial(const char* op, const char* argument, IntArrayRef given, int64_t rank, int64_t least,
                               int64_t rest);
// The last `rank` sizes of x, 1 in front of them.
std::array<int64_t, 3> spatial_sizes(const Tensor& x, int64_t rank);
// The sizes of x with these in place of its last `rank`.
Shape with_spatial(const Tensor& x, const std::array<int64_t, 3>& sizes, int64_t rank);
// x is defined, floating, and has `rank` spatial dims behind channels, with or without a batch in front.
void check_spatial(const char* op, const Tensor& x, int64_t rank);

}  // namespace tapegrad
