// Products of one row with a matrix.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/gemv.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/common-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

constexpr int64_t kPanelDepth = 256;

// Four rows of W at a time share the loads of x; a row's sum is the same in every group.
template <class T, int R> HWY_INLINE void dots(const T* x, const T* w, int64_t ldw, int64_t k, T* y) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  Vec<T> s[R][2];
  for (int r = 0; r < R; ++r) s[r][0] = s[r][1] = hn::Zero(d);
  int64_t p = 0;
  for (; p + 2 * N <= k; p += 2 * N) {
    const Vec<T> x0 = hn::LoadU(d, x + p), x1 = hn::LoadU(d, x + p + N);
    for (int r = 0; r < R; ++r) {
      s[r][0] = hn::MulAdd(x0, hn::LoadU(d, w + r * ldw + p), s[r][0]);
      s[r][1] = hn::MulAdd(x1, hn::LoadU(d, w + r * ldw + p + N), s[r][1]);
    }
  }
  for (; p < k; p += N) {
    const int64_t count = std::min(N, k - p);
    const Vec<T> x0 = count == N ? hn::LoadU(d, x + p) : load_few(x + p, count);
    for (int r = 0; r < R; ++r) {
      const T* row = w + r * ldw + p;
      s[r][0] = hn::MulAdd(x0, count == N ? hn::LoadU(d, row) : load_few(row, count), s[r][0]);
    }
  }
  for (int r = 0; r < R; ++r) y[r] = sum_lanes<T>(hn::Add(s[r][0], s[r][1]));
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

template <class T> void gemv(const Gemm<T>& g) {
  const int64_t step = g.trans_a ? g.lda : 1;
  HWY_ALIGN T gathered[kPanelDepth];
  for (int64_t j = 0; j < g.n; ++j) g.c[j] = (g.accumulate ? g.c[j] : T{0}) + (g.bias ? g.bias[j] : T{0});
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
    T y[4];
    for (; j + 4 <= g.n; j += 4) {
      dots<T, 4>(x, g.b + j * g.ldb + p, g.ldb, k, y);
      for (int r = 0; r < 4; ++r) g.c[j + r] += y[r];
    }
    for (; j < g.n; ++j) {
      dots<T, 1>(x, g.b + j * g.ldb + p, g.ldb, k, y);
      g.c[j] += y[0];
    }
  }
}

}  // namespace

void fill_gemv(Table& t) {
  t.f32.gemv = &gemv<float>;
  t.f64.gemv = &gemv<double>;
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
