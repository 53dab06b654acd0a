// Blocked and packed matrix product (Goto and van de Geijn, 2008): panels of A in the second-level cache, of B in the third.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/gemm.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/gemm-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// R rows by two vectors fill the registers: 32 in AVX-512, 16 below it (where SSE4 needs some for the products).
constexpr int R = HWY_TARGET == HWY_AVX3 ? 12 : HWY_TARGET == HWY_AVX2 ? 6 : 4;
template <class T> constexpr int64_t kWidth = 2 * kLanes<T>;
template <class T> constexpr int64_t kDepth = sizeof(T) == 4 ? 384 : 256;
template <class T> constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));  // of the cache
constexpr int64_t kRows = 96;       // A's panel: 144 KB (float), 192 KB (double)
constexpr int64_t kColumns = 2048;  // B's panel: 3 MB, 4 MB

constexpr int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// dst[i/R][p][i%R]: R rows of op(A) at a time, zeros below the last.
template <class T> void pack_a(const T* a, int64_t row, int64_t col, int64_t m, int64_t k, T* dst) {
  for (int64_t i = 0; i < m; i += R, a += R * row, dst += R * k) {
    const int64_t rows = std::min<int64_t>(R, m - i);
    if (rows == R && row == 1) {
      for (int64_t p = 0; p < k; ++p) std::memcpy(dst + p * R, a + p * col, R * sizeof(T));
    } else if (rows == R && col == 1) {
      transpose(a, row, R, k, dst, R);
    } else {
      for (int64_t p = 0; p < k; ++p) {
        for (int64_t r = 0; r < R; ++r) dst[p * R + r] = r < rows ? a[r * row + p * col] : T{0};
      }
    }
  }
}

// dst[j/W][p][j%W]: W columns of op(B) at a time, zeros right of the last. Transposed: b[j * ldb + p].
template <class T> void pack_b(const T* b, int64_t ldb, bool trans, int64_t k, int64_t n, T* dst) {
  constexpr int64_t W = kWidth<T>;
  for (int64_t j = 0; j < n; j += W, dst += W * k) {
    const int64_t cols = std::min(W, n - j);
    if (trans && cols == W) {
      transpose(b + j * ldb, ldb, W, k, dst, W);
    } else if (trans) {
      for (int64_t c = 0; c < W; ++c) {
        for (int64_t p = 0; p < k; ++p) dst[p * W + c] = c < cols ? b[(j + c) * ldb + p] : T{0};
      }
    } else if (cols == W) {
      for (int64_t p = 0; p < k; ++p) std::memcpy(dst + p * W, b + p * ldb + j, W * sizeof(T));
    } else {
      for (int64_t p = 0; p < k; ++p) {
        for (int64_t c = 0; c < W; ++c) dst[p * W + c] = c < cols ? b[p * ldb + j + c] : T{0};
      }
    }
  }
}

// A block at the border is computed whole and written back in part.
template <class T>
HWY_INLINE void store_border(const Block<T, R, 2>& x, int64_t rows, int64_t cols, const Target<T>& t) {
  constexpr int64_t N = kLanes<T>;
  for (int64_t r = 0; r < rows; ++r) {
    T* c = t.c + r * t.ldc;
    if (cols >= N) x.template put<false>(x.acc[r][0], t, c, 0, 0);
    else x.template put<true>(x.acc[r][0], t, c, 0, cols);
    if (cols == 2 * N) x.template put<false>(x.acc[r][1], t, c, N, 0);
    else if (cols > N) x.template put<true>(x.acc[r][1], t, c, N, cols - N);
  }
}

template <class T> HWY_NOINLINE void whole_block(int64_t k, const T* a, const T* b, const Target<T>& t) {
  Block<T, R, 2> x;
  for (int64_t r = 0; r < R; ++r) {
    for (int64_t j = 0; j < kWidth<T>; j += kLine<T>) hwy::Prefetch(t.c + r * t.ldc + j);
  }
  x.template product<false>(k, a, 1, R, b, kWidth<T>, 0);
  x.template store<false>(t, 0);
}

template <class T>
HWY_NOINLINE void border_block(int64_t k, const T* a, const T* b, int64_t rows, int64_t cols, const Target<T>& t) {
  Block<T, R, 2> x;
  x.template product<false>(k, a, 1, R, b, kWidth<T>, 0);
  store_border(x, rows, cols, t);
}

template <class T> void multiply_packed(int64_t m, int64_t n, int64_t k, const T* a, const T* b, const Target<T>& t) {
  constexpr int64_t W = kWidth<T>;
  for (int64_t j = 0; j < n; j += W) {
    for (int64_t i = 0; i < m; i += R) {
      const Target<T> at{t.c + i * t.ldc + j, t.ldc, t.bias ? t.bias + j : nullptr, t.overwrite};
      const int64_t rows = std::min<int64_t>(R, m - i), cols = std::min(W, n - j);
      if (rows == R && cols == W) whole_block(k, a + i * k, b + j * k, at);
      else border_block(k, a + i * k, b + j * k, rows, cols, at);
    }
  }
}

template <class T> int64_t gemm_workspace(int64_t m, int64_t n, int64_t k) {
  const int64_t depth = std::min(k, kDepth<T>);
  return depth * (std::min(round_up(m, R), kRows) + std::min(round_up(n, kWidth<T>), kColumns));
}

template <class T> void gemm(const Gemm<T>& g, T* workspace) {
  const int64_t a_row = g.trans_a ? 1 : g.lda, a_col = g.trans_a ? g.lda : 1;
  T* packed_b = workspace;
  T* packed_a = workspace + std::min(g.k, kDepth<T>) * std::min(round_up(g.n, kWidth<T>), kColumns);
  for (int64_t j = 0; j < g.n; j += kColumns) {
    const int64_t n = std::min(kColumns, g.n - j);
    for (int64_t p = 0; p == 0 || p < g.k; p += kDepth<T>) {
      const int64_t k = std::min(kDepth<T>, g.k - p);
      pack_b(g.trans_b ? g.b + j * g.ldb + p : g.b + p * g.ldb + j, g.ldb, g.trans_b, k, n, packed_b);
      const bool first = p == 0;
      for (int64_t i = 0; i < g.m; i += kRows) {
        const int64_t m = std::min(kRows, g.m - i);
        pack_a(g.a + i * a_row + p * a_col, a_row, a_col, m, k, packed_a);
        const Target<T> t{g.c + i * g.ldc + j, g.ldc, first && g.bias ? g.bias + j : nullptr, first && !g.accumulate};
        multiply_packed(m, n, k, packed_a, packed_b, t);
      }
    }
  }
}

}  // namespace

void fill_gemm(Table& t) {
  t.f32.gemm = &gemm<float>;
  t.f64.gemm = &gemm<double>;
  t.f32.gemm_workspace = &gemm_workspace<float>;
  t.f64.gemm_workspace = &gemm_workspace<double>;
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
