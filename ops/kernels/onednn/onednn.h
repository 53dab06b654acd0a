// oneDNN's products over raw memory; the one place that knows oneDNN and its versions (2.6 and 3.x).
#pragma once

#include <algorithm>
#include <cstdint>

#include "tapegrad/core/dtype.h"

namespace tapegrad::kernels::onednn {

enum class Activation : uint8_t { none, relu, sigmoid, tanh };

// C[m,n] (+)= act(op(A)[m,k] op(B)[k,n] + bias[n]), float32, row-major. trans_a: A is stored [k,m]; trans_b: B is stored [n,k].
// accumulate adds to the old C, without activation. C overlaps no input. NaN propagates through every activation.
struct Matmul {
  int64_t m, n, k;
  const float* a;
  int64_t lda;
  bool trans_a;
  const float* b;
  int64_t ldb;
  bool trans_b;
  float* c;
  int64_t ldc;
  const float* bias = nullptr;
  bool accumulate = false;
  Activation activation = Activation::none;
};

// The same with A and B in bfloat16, added up in float32, and C either. Without activation; bias is float32.
struct LowMatmul {
  int64_t m, n, k;
  const BFloat16* a;
  int64_t lda;
  bool trans_a;
  const BFloat16* b;
  int64_t ldb;
  bool trans_b;
  void* c;
  int64_t ldc;
  bool float_c;
  const float* bias = nullptr;
  bool accumulate = false;
};
// Whether the CPU has instructions for it, as far as ONEDNN_MAX_CPU_ISA lets oneDNN use them: without, don't ask. And whether these
// multiply whole tiles (AMX).
TAPEGRAD_API bool has_bfloat16();
TAPEGRAD_API bool has_tiles();
// On the calling thread, at sizes above 0, by a primitive that is created once per distinct problem and held (bounded, least recently
// used out); arguments and scratchpad belong to the thread. Denormal numbers count as 0, as the instructions have it.
TAPEGRAD_API void matmul(const LowMatmul&);

// By sgemm, on at most `threads` threads, fewer where more would not pay; the bits never depend on it.
TAPEGRAD_API void matmul(const Matmul&, int threads);

// Names of the implementations: "gemm:jit", "brg:avx512_core_bf16"; "none" for an empty product. A product that only a reference
// implementation would run is an Error instead.
TAPEGRAD_API const char* implementation(const Matmul&);
TAPEGRAD_API const char* implementation(const LowMatmul&);

// Multiply-adds from which a product is cut into pieces, 0.1-0.2 ms: below, a second thread costs more than it gives.
inline constexpr int64_t kPieceWork = int64_t{1} << 23;
// How many rows a piece has: cut by the problem, never by the thread count, since oneDNN's bits change with the number of rows (sgemm's
// on AVX2 in 42 percent of the shapes tried). So many that cutting costs one thread at most about 3 percent: each piece packs all of B
// again, and below 1/rows + 1/n = 0.0038 sgemm packs, where it is up to twice as fast for a large C.
inline int64_t rows_of_piece(int64_t m, int64_t n, int64_t k) {
  if (m < 512 || m * n * k < kPieceWork) return m;
  const int64_t pieces = std::max<int64_t>(1, m / (n <= 512 ? 256 : m < 1024 ? 352 : m < 2048 ? 512 : 1024));
  return ((m + pieces - 1) / pieces + 7) / 8 * 8;
}

}  // namespace tapegrad::kernels::onednn
