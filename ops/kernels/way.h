// Which kernel a matrix product takes, by its size: the thresholds, as bench_tiers finds them.
#pragma once

#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {

// One row; dot products; nothing packed; C^T = B A^T; blocked; oneDNN's sgemm.
enum class Way : uint8_t { row, few, small, turned, blocked, library };

// For op(A)[m, k] op(B)[k, n]; work is counted in multiply-adds, m n k.
struct ProductTiers {
  int64_t few_rows = 8;                    // dot products up to here, where B is stored transposed and A is not,
  int64_t few_depth = 80;                  // and k is so large
  int64_t small_work = 65536;              // small up to here
  int64_t turned_rows = 256;               // turned up to here, where B is stored transposed and m < n,
  int64_t narrow = 16;                     // or n is so small
  int64_t library_side = 448;              // float32 goes to the library where the smallest of m, n, k is so large
  int64_t shared_sets = 768;               // but not where columns of a tall A^T share sets of the cache, n up to here
  int64_t thread_work = int64_t{1} << 19;  // what a thread gets at least
};
inline constexpr ProductTiers kProductTiers{};

// Settled by the whole problem, so that pieces of it give the bits of the whole. T is float or double.
template <class T> Way way_of(const ProductTiers& tiers, const simd::Gemm<T>& g);
inline constexpr simd::Map kNoActivation = simd::Map::count_;
// On as many threads as pay; the bits do not depend on how many. `row` needs m = 1, `few` and `turned` trans_b,
// `few` no trans_a, `library` float32. The activation (relu, sigmoid or tanh; not with g.accumulate) goes over each piece once that
// is computed.
template <class T> void run_way(const simd::Gemm<T>& g, Way way, simd::Map activation = kNoActivation);
// What oneDNN would run.
const char* library_implementation(const simd::Gemm<float>& g);

}  // namespace tapegrad::kernels
