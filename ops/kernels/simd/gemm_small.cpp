// Matrix products too small to pack: A is read through two strides, a transposed B through a panel on the stack.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/gemm_small.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/gemm-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

constexpr int kMaxRows = 4;
constexpr int64_t kPanelDepth = 256;

template <class T> struct Strided {  // element (i, p) of op(A) is at[i * row + p * col]
  const T* at;
  int64_t row, col;
};

template <class T, int R, int V, bool kTail>
HWY_INLINE void block(int64_t k, const Strided<T>& a, const T* b, int64_t ldb, const Target<T>& t, int64_t last) {
  Block<T, R, V> x;
  x.template product<kTail>(k, a.at, a.row, a.col, b, ldb, last);
  x.template store<kTail>(t, last);
}

// One strip of R rows, all n columns.
template <class T, int R>
HWY_INLINE void strip(int64_t n, int64_t k, const Strided<T>& a, const T* b, int64_t ldb, const Target<T>& t) {
  constexpr int64_t N = kLanes<T>;
  Target<T> at = t;
  for (; n >= 2 * N; n -= 2 * N, b += 2 * N, at.c += 2 * N) {
    block<T, R, 2, false>(k, a, b, ldb, at, 0);
    if (at.bias) at.bias += 2 * N;
  }
  if (n > N) return block<T, R, 2, true>(k, a, b, ldb, at, n - N);
  if (n == N) return block<T, R, 1, false>(k, a, b, ldb, at, 0);
  if (n > 0) block<T, R, 1, true>(k, a, b, ldb, at, n);
}

// Arguments by reference and everything below inlined: copies of the structs would stall on store forwarding.
template <class T>
HWY_NOINLINE void strips(int64_t m, int64_t n, int64_t k, const Strided<T>& a, const T* b, int64_t ldb,
                         const Target<T>& t) {
  Strided<T> x = a;
  Target<T> at = t;
  for (; m >= kMaxRows; m -= kMaxRows, x.at += kMaxRows * x.row, at.c += kMaxRows * at.ldc)
    strip<T, kMaxRows>(n, k, x, b, ldb, at);
  if (m == 3) strip<T, 3>(n, k, x, b, ldb, at);
  if (m == 2) strip<T, 2>(n, k, x, b, ldb, at);
  if (m == 1) strip<T, 1>(n, k, x, b, ldb, at);
}

template <class T> void transposed_b(const Gemm<T>& g, const Strided<T>& a) {
  constexpr int64_t N = kLanes<T>;
  HWY_ALIGN T panel[kPanelDepth * 2 * N];
  for (int64_t j = 0; j < g.n; j += 2 * N) {
    const int64_t n = std::min(2 * N, g.n - j), width = n > N ? 2 * N : N;
    for (int64_t p = 0; p == 0 || p < g.k; p += kPanelDepth) {
      const int64_t k = std::min(kPanelDepth, g.k - p);
      for (int64_t r = 0; n < width && r < k; ++r)
        hn::StoreU(hn::Zero(Full<T>()), Full<T>(), panel + (r + 1) * width - N);
      transpose(g.b + j * g.ldb + p, g.ldb, n, k, panel, width);
      const bool first = p == 0;
      const Target<T> t{g.c + j, g.ldc, first && g.bias ? g.bias + j : nullptr, first && !g.accumulate};
      strips(g.m, n, k, Strided<T>{a.at + p * a.col, a.row, a.col}, panel, width, t);
    }
  }
}

template <class T> void gemm_small(const Gemm<T>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  const Strided<T> a{g.a, g.trans_a ? 1 : g.lda, g.trans_a ? g.lda : 1};
  if (g.trans_b) return transposed_b(g, a);
  strips(g.m, g.n, g.k, a, g.b, g.ldb, Target<T>{g.c, g.ldc, g.bias, !g.accumulate});
}

// ---- one row ----

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

void fill_gemm_small(Table& t) {
  t.f32.gemm_small = &gemm_small<float>;
  t.f64.gemm_small = &gemm_small<double>;
  t.f32.gemv = &gemv<float>;
  t.f64.gemv = &gemv<double>;
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
