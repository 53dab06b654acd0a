// Normalisation along rows and down columns: the affine map, the sums its gradient needs, and the gradient.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/normalization.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/columns-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// `count` is a vector's or, at the end of a row, less.
template <class T> HWY_INLINE Vec<T> load(const T* p, int64_t count) {
  const Full<T> d;
  return count == kLanes<T> ? hn::LoadU(d, p) : load_few(p, count);
}
template <class T> HWY_INLINE void store(Vec<T> v, T* p, int64_t count) {
  const Full<T> d;
  if (count == kLanes<T>) hn::StoreU(v, d, p);
  else store_few(v, p, count);
}
template <class T, class F> HWY_INLINE void each_vector_of(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) f(i, kLanes<T>);
  if (i < n) f(i, n - i);
}

template <class T> void normalize(const T* x, T* y, int64_t n, T mean, T scale, T shift) {
  const Full<T> d;
  const Vec<T> m = hn::Set(d, mean), a = hn::Set(d, scale), b = hn::Set(d, shift);
  each_vector_of<T>(n, [&](int64_t i, int64_t count)
                           HWY_ATTR { store<T>(hn::MulAdd(hn::Sub(load(x + i, count), m), a, b), y + i, count); });
}

template <class T> void normalize_row(const T* x, T* y, const T* w, const T* v, int64_t n, T mean, T scale, T shift) {
  const Full<T> d;
  const Vec<T> m = hn::Set(d, mean), a = hn::Set(d, scale), b = hn::Set(d, shift);
  each_vector_of<T>(n, [&](int64_t i, int64_t count) HWY_ATTR {
    const Vec<T> h = hn::MulAdd(hn::Sub(load(x + i, count), m), a, b);
    store<T>(hn::MulAdd(h, load(w + i, count), load(v + i, count)), y + i, count);
  });
}

template <class T>
void normalize_cols(const T* x, T* y, const T* m, const T* a, const T* b, int64_t rows, int64_t cols, int64_t ld) {
  for (int64_t r = 0; r < rows; ++r, x += ld, y += ld) {
    each_vector_of<T>(cols, [&](int64_t c, int64_t count) HWY_ATTR {
      const Vec<T> v = hn::Sub(load(x + c, count), load(m + c, count));
      store<T>(hn::MulAdd(v, load(a + c, count), load(b + c, count)), y + c, count);
    });
  }
}

template <class T, bool kWeighted>
HWY_INLINE void sums_of(const T* dy, const T* x, const T* w, int64_t n, T mean, T* sums) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  const Vec<T> m = hn::Set(d, mean);
  PairwiseSum<T> first, second;
  for (int64_t start = 0; start < n; start += kSumBlock) {
    const int64_t end = std::min(n, start + kSumBlock);
    Vec<T> s0 = hn::Zero(d), s1 = s0, q0 = s0, q1 = s0;
    const auto take = [&](int64_t i, int64_t count, Vec<T>& s, Vec<T>& q) HWY_ATTR {
      Vec<T> g = load(dy + i, count);  // zeros behind the end, so that nothing is added there
      if constexpr (kWeighted) g = hn::Mul(g, load(w + i, count));
      Vec<T> v = hn::Sub(load(x + i, count), m);
      if (count < N) v = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(count)), v);  // a mean may be infinite
      s = hn::Add(s, g);
      q = hn::MulAdd(g, v, q);
    };
    int64_t i = start;
    for (; i + 2 * N <= end; i += 2 * N) {
      take(i, N, s0, q0);
      take(i + N, N, s1, q1);
    }
    for (; i < end; i += N) take(i, std::min(N, end - i), s0, q0);
    first.add(sum_lanes<T>(hn::Add(s0, s1)));
    second.add(sum_lanes<T>(hn::Add(q0, q1)));
  }
  sums[0] = first.total();
  sums[1] = second.total();
}

template <class T> void normalize_sums(const T* dy, const T* x, const T* w, int64_t n, T m, T* sums) {
  if (w) sums_of<T, true>(dy, x, w, n, m, sums);
  else sums_of<T, false>(dy, x, w, n, m, sums);
}

template <class T>
void normalize_sums_cols(const T* dy, const T* x, const T* mean, T* first, T* second, int64_t rows, int64_t cols,
                         int64_t ld) {
  const Full<T> d;
  for (int64_t start = 0; start < cols; start += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, cols - start);
    HWY_ALIGN T m[kColumnBlock] = {};
    HWY_ALIGN T sum[kColumnBlock];
    HWY_ALIGN T product[kColumnBlock];
    std::copy_n(mean + start, width, m);
    BlockedSums<T> s(sum), q(product);
    for (int64_t r = 0; r < rows; ++r) {
      each_vectors(dy + r * ld + start, x + r * ld + start, width, [&](int64_t c, Vec<T> g, Vec<T> v) HWY_ATTR {
        s.add(c, g);
        q.add(c, hn::Mul(g, hn::Sub(v, hn::Load(d, m + c))));
      });
      s.next_row(width);
      q.next_row(width);
    }
    s.finish(width);
    q.finish(width);
    std::copy_n(sum, width, first + start);
    std::copy_n(product, width, second + start);
  }
}

// The products are rounded before they meet: what cancels does so exactly.
template <class T>
void normalize_slope(const T* dy, const T* x, T* dx, int64_t n, T mean, T weight, T scale, T by_x, T shift) {
  const Full<T> d;
  const Vec<T> m = hn::Set(d, mean), w = hn::Set(d, weight), a = hn::Set(d, scale);
  const Vec<T> b = hn::Set(d, by_x), c = hn::Set(d, shift);
  each_vector_of<T>(n, [&](int64_t i, int64_t count) HWY_ATTR {
    const Vec<T> rest = hn::MulAdd(hn::Sub(load(x + i, count), m), b, c);
    store<T>(hn::Mul(hn::Add(hn::Mul(load(dy + i, count), w), rest), a), dx + i, count);
  });
}

template <class T>
void normalize_slope_cols(const T* dy, const T* x, T* dx, const T* m, const T* a, const T* b, const T* c, int64_t rows,
                          int64_t cols, int64_t ld) {
  for (int64_t r = 0; r < rows; ++r, dy += ld, x += ld, dx += ld) {
    each_vector_of<T>(cols, [&](int64_t i, int64_t count) HWY_ATTR {
      const Vec<T> v = hn::Sub(load(x + i, count), load(m + i, count));
      const Vec<T> rest = hn::MulAdd(v, load(b + i, count), load(c + i, count));
      store<T>(hn::Mul(hn::Add(load(dy + i, count), rest), load(a + i, count)), dx + i, count);
    });
  }
}

template <class T, bool kAdds>
HWY_INLINE void slope_row(const T* dy, const T* x, const T* w, T* dx, T* dw, T* dv, int64_t n, T mean, T scale, T by_x,
                          T shift) {
  const Full<T> d;
  const Vec<T> m = hn::Set(d, mean), a = hn::Set(d, scale), b = hn::Set(d, by_x), c = hn::Set(d, shift);
  each_vector_of<T>(n, [&](int64_t i, int64_t count) HWY_ATTR {
    const Vec<T> g = load(dy + i, count), v = hn::Sub(load(x + i, count), m);
    const Vec<T> weighted = hn::Mul(g, load(w + i, count));
    store<T>(hn::Mul(hn::Add(weighted, hn::MulAdd(v, b, c)), a), dx + i, count);
    if constexpr (kAdds) {
      store<T>(hn::MulAdd(hn::Mul(g, a), v, load(dw + i, count)), dw + i, count);
      store<T>(hn::Add(g, load(dv + i, count)), dv + i, count);
    }
  });
}

template <class T>
void normalize_slope_row(const T* dy, const T* x, const T* w, T* dx, T* dw, T* dv, int64_t n, T m, T a, T b, T c) {
  if (dw) slope_row<T, true>(dy, x, w, dx, dw, dv, n, m, a, b, c);
  else slope_row<T, false>(dy, x, w, dx, dw, dv, n, m, a, b, c);
}

template <class T> void fill_floating(Floating<T>& f) {
  f.normalize = &normalize<T>;
  f.normalize_row = &normalize_row<T>;
  f.normalize_cols = &normalize_cols<T>;
  f.normalize_sums = &normalize_sums<T>;
  f.normalize_sums_cols = &normalize_sums_cols<T>;
  f.normalize_slope = &normalize_slope<T>;
  f.normalize_slope_cols = &normalize_slope_cols<T>;
  f.normalize_slope_row = &normalize_slope_row<T>;
}

}  // namespace

void fill_normalization(Table& t) {
  fill_floating(t.f32);
  fill_floating(t.f64);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
