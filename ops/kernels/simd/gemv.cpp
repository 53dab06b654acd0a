// Products of one row, or of a few, with a matrix.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/gemv.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/pairs-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

constexpr int64_t kPanelDepth = 256;

// y[x * ldy + w] += the product of row x of X and row w of W, each a sum of one chain of vectors (two for a single row of X,
// which has too few otherwise), so it does not depend on what is computed beside it.
template <Terms terms, int RX, int RW, class T>
HWY_INLINE void dots(const T* x, int64_t ldx, const T* w, int64_t ldw, int64_t k, T* y, int64_t ldy) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  constexpr int kChains = RX == 1 ? 2 : 1;
  Vec<T> s[RX][RW][kChains];
  for (int i = 0; i < RX; ++i)
    for (int r = 0; r < RW; ++r)
      for (int c = 0; c < kChains; ++c) s[i][r][c] = hn::Zero(d);
  const auto term = [&](int c, int64_t p, int64_t count) HWY_ATTR {
    const auto from = [&](const T* at) HWY_ATTR { return count == N ? hn::LoadU(d, at) : load_few(at, count); };
    Vec<T> row[RW];
    for (int r = 0; r < RW; ++r) row[r] = from(w + r * ldw + p);
    for (int i = 0; i < RX; ++i) {
      const Vec<T> v = from(x + i * ldx + p);
      for (int r = 0; r < RW; ++r) s[i][r][c] = multiply_add<terms, T>(v, row[r], s[i][r][c]);
    }
  };
  int64_t p = 0;
  for (; p + kChains * N <= k; p += kChains * N)
    for (int c = 0; c < kChains; ++c) term(c, p + c * N, N);
  for (; p < k; p += N) term(0, p, std::min(N, k - p));
  for (int i = 0; i < RX; ++i) {
    for (int r = 0; r < RW; ++r) {
      const Vec<T> sum = kChains == 2 ? hn::Add(s[i][r][0], s[i][r][kChains - 1]) : s[i][r][0];
      y[i * ldy + r] += sum_lanes<T>(sum);
    }
  }
}

// y += x W over at most kPanelDepth rows of W, eight at a time, so y's columns are touched once in eight.
template <class T> HWY_INLINE void add_rows(const T* x, const T* w, int64_t ldw, int64_t k, int64_t n, T* y) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  int64_t p = 0;
  for (; p + 8 <= k; p += 8, w += 8 * ldw) {
    Vec<T> a[8];
    for (int r = 0; r < 8; ++r) a[r] = hn::Set(d, x[p + r]);
    int64_t j = 0;
    for (; j + N <= n; j += N) {
      Vec<T> s = hn::LoadU(d, y + j);
      for (int r = 0; r < 8; ++r) s = hn::MulAdd(a[r], hn::LoadU(d, w + r * ldw + j), s);
      hn::StoreU(s, d, y + j);
    }
    if (j == n) continue;
    Vec<T> s = load_few(y + j, n - j);
    for (int r = 0; r < 8; ++r) s = hn::MulAdd(a[r], load_few(w + r * ldw + j, n - j), s);
    store_few(s, y + j, n - j);
  }
  for (; p < k; ++p, w += ldw) {
    const Vec<T> a = hn::Set(d, x[p]);
    int64_t j = 0;
    for (; j + N <= n; j += N) hn::StoreU(hn::MulAdd(a, hn::LoadU(d, w + j), hn::LoadU(d, y + j)), d, y + j);
    if (j < n) store_few(hn::MulAdd(a, load_few(w + j, n - j), load_few(y + j, n - j)), y + j, n - j);
  }
}

template <class T> void start_rows(const Gemm<T>& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    T* y = g.c + i * g.ldc;
    for (int64_t j = 0; j < g.n; ++j) y[j] = (g.accumulate ? y[j] : T{0}) + (g.bias ? g.bias[j] : T{0});
  }
}

// Four rows of B at a time for all rows of A, as many of those together as there are registers for.
template <class T, Terms terms = Terms::one> void gemm_few(const Gemm<T>& g) {
  constexpr int kTogether = HWY_TARGET == HWY_AVX3 ? 4 : 2;
  start_rows(g);
  const auto columns = [&]<int RW>(int64_t j) HWY_ATTR {
    const T* w = g.b + j * g.ldb;
    int64_t i = 0;
    for (; i + kTogether <= g.m; i += kTogether)
      dots<terms, kTogether, RW>(g.a + i * g.lda, g.lda, w, g.ldb, g.k, g.c + i * g.ldc + j, g.ldc);
    for (; i < g.m; ++i) dots<terms, 1, RW>(g.a + i * g.lda, g.lda, w, g.ldb, g.k, g.c + i * g.ldc + j, g.ldc);
  };
  int64_t j = 0;
  for (; j + 4 <= g.n; j += 4) columns.template operator()<4>(j);
  for (; j < g.n; ++j) columns.template operator()<1>(j);
}

template <class T> void gemv(const Gemm<T>& g) {
  constexpr Terms terms = Terms::one;
  const int64_t step = g.trans_a ? g.lda : 1;
  if (g.trans_b && step == 1) return gemm_few(g);
  start_rows(g);
  HWY_ALIGN T gathered[kPanelDepth];
  const int64_t depth = step == 1 ? std::max<int64_t>(g.k, 1) : kPanelDepth;
  for (int64_t p = 0; p < g.k; p += depth) {
    const int64_t k = std::min(depth, g.k - p);
    const T* x = g.a + p;
    if (step != 1) {
      for (int64_t i = 0; i < k; ++i) gathered[i] = g.a[(p + i) * step];
      x = gathered;
    }
    if (!g.trans_b) {
      add_rows(x, g.b + p * g.ldb, g.ldb, k, g.n, g.c);
      continue;
    }
    int64_t j = 0;
    for (; j + 4 <= g.n; j += 4) dots<terms, 1, 4>(x, 0, g.b + j * g.ldb + p, g.ldb, k, g.c + j, 0);
    for (; j < g.n; ++j) dots<terms, 1, 1>(x, 0, g.b + j * g.ldb + p, g.ldb, k, g.c + j, 0);
  }
}

}  // namespace

void fill_gemv(Table& t) {
  t.f32.gemm_few = &gemm_few<float>;
  t.f64.gemm_few = &gemm_few<double>;
  t.f32.gemv = &gemv<float>;
  t.f64.gemv = &gemv<double>;
#if HWY_TARGET == HWY_AVX3
  if (has_pairs()) t.pairs.gemm_few = &gemm_few<float, Terms::pair>;
#endif
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
