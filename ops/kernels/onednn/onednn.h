// Held oneDNN primitives over raw memory; the one place that knows oneDNN and its versions (2.6 and 3.x).
#pragma once

#include <cstdint>

#include "tapegrad/core/dtype.h"

namespace tapegrad::kernels::onednn {

enum class Activation : uint8_t { none, relu, sigmoid, tanh };

// C[m,n] (+)= act(op(A)[m,k] op(B)[k,n] + bias[n]), float32, row-major. trans_a: A is stored [k,m]; trans_b: B is stored [n,k].
// accumulate adds the activated term to the old C. C overlaps no input. NaN propagates through every activation.
// Batched when batch > 1: consecutive matrices lie stride_* elements apart; stride_a or stride_b 0 repeats one matrix.
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
  int64_t batch = 1, stride_a = 0, stride_b = 0, stride_c = 0;
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
// On the calling thread, at sizes above 0. Denormal numbers count as 0, as the instructions have it.
TAPEGRAD_API void matmul(const LowMatmul&);
TAPEGRAD_API const char* implementation(const LowMatmul&);

// Runs on at most `threads` threads, fewer where more would not pay; the bits never depend on it. Primitives are created once
// per distinct problem and held (bounded, least recently used out); arguments and scratchpad belong to the calling thread.
// Never picks a reference implementation: throws Error if it would.
TAPEGRAD_API void matmul(const Matmul&, int threads);

// Problems that run through dnnl_sgemm hold no primitive and do not count. The hits of other threads count when they end.
struct CacheStats {
  int64_t primitives, hits, misses;
};
TAPEGRAD_API CacheStats cache_stats();
TAPEGRAD_API void clear_cache();
// Bounds the number of held primitives (default 1024).
TAPEGRAD_API void set_cache_capacity(int64_t primitives);

// Name of the implementation the problem runs, e.g. "gemm:jit", "brg:avx512_core"; "none" for an empty one.
TAPEGRAD_API const char* implementation(const Matmul&, int threads);
// "2.6.3", as loaded.
TAPEGRAD_API const char* version();

}  // namespace tapegrad::kernels::onednn
