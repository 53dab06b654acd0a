// Which kernel a matrix product of bfloat16 takes, by its size.
#pragma once

#include "tapegrad/ops/kernels/onednn/onednn.h"
#include "tapegrad/ops/kernels/way.h"

namespace tapegrad::kernels {

// Thresholds of products of bfloat16 by the machine's instructions; the rest is float32's.
struct LowProductTiers {
  int64_t few_rows = 8;         // dot products up to here, where B is stored transposed and A is not,
  int64_t few_depth = 80;       // and k is so large
  int64_t small_work = 262144;  // small up to here
  int64_t turned_rows = 64;     // turned up to here, where B is stored transposed and m < n
  int64_t library_side = 448;   // the library where the smallest of m, n, k is so large,
  int64_t tiny_work = 32768;    // and past here where it multiplies tiles; up to here, its call would take longest
};
inline constexpr LowProductTiers kLowProductTiers{};

// few, small, turned, blocked or library.
Way way_of(const LowProductTiers& tiers, const onednn::LowMatmul& p);
// On as many threads as pay; the bits do not depend on how many. `turned` and `few` need trans_b, `few` no trans_a, `library` sizes
// above 0.
void run_way(const onednn::LowMatmul& p, Way way);
// What oneDNN would run.
const char* library_implementation(const onednn::LowMatmul& p);

}  // namespace tapegrad::kernels
