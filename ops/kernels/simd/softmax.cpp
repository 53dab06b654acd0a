// Softmax, log-softmax, logsumexp and cross-entropy over contiguous rows, with the dot product they share.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/softmax.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/math-inl.h"
#include "tapegrad/ops/kernels/simd/reduce-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// y[i] = f(a[i], b[i]); the tail runs the same vector code.
template <class T, class F> HWY_INLINE void each(const T* a, const T* b, T* y, int64_t n, const F& f) {
  const Full<T> d;
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  if (i < n) store_few(f(load_few(a + i, n - i), load_few(b + i, n - i)), y + i, n - i);
}

// NaN is left out: it comes back through exp(NaN - max).
template <class T> HWY_INLINE T row_max(const T* x, int64_t n) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  const Vec<T> lowest = hn::Set(d, -kInf<T>);
  Vec<T> m0 = lowest, m1 = lowest;
  int64_t i = 0;
  for (; i + 2 * N <= n; i += 2 * N) {
    m0 = hn::Max(hn::LoadU(d, x + i), m0);
    m1 = hn::Max(hn::LoadU(d, x + i + N), m1);
  }
  for (; i + N <= n; i += N) m0 = hn::Max(hn::LoadU(d, x + i), m0);
  if (i < n)
    m1 = hn::Max(hn::IfThenElse(hn::FirstN(d, static_cast<size_t>(n - i)), load_few(x + i, n - i), lowest), m1);
  return extreme_lane<T>(hn::Max(m0, m1));
}

// The sum of exp(x - max), and the terms themselves in y unless it is null.
template <class T, bool kKeep> HWY_INLINE T exp_sum(const T* x, T* y, int64_t n, T max) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  const Vec<T> m = hn::Set(d, max);
  PairwiseSum<T> total;
  int64_t i = 0;
  while (i < n) {
    const int64_t end = std::min(n, i + kSumBlock);
    Vec<T> s0 = hn::Zero(d), s1 = s0;
    for (; i + 2 * N <= end; i += 2 * N) {
      const Vec<T> e0 = exp_of_negative(d, hn::Sub(hn::LoadU(d, x + i), m));
      const Vec<T> e1 = exp_of_negative(d, hn::Sub(hn::LoadU(d, x + i + N), m));
      if constexpr (kKeep) hn::StoreU(e0, d, y + i);
      if constexpr (kKeep) hn::StoreU(e1, d, y + i + N);
      s0 = hn::Add(s0, e0);
      s1 = hn::Add(s1, e1);
    }
    for (; i < end; i += N) {
      const int64_t count = std::min(N, end - i);
      if (count == N) {
        const Vec<T> e = exp_of_negative(d, hn::Sub(hn::LoadU(d, x + i), m));
        if constexpr (kKeep) hn::StoreU(e, d, y + i);
        s0 = hn::Add(s0, e);
      } else {
        const Vec<T> e = exp_of_negative(d, hn::Sub(load_few(x + i, count), m));
        if constexpr (kKeep) store_few(e, y + i, count);
        s1 = hn::Add(s1, hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(count)), e));
      }
    }
    i = end;
    if (end == n && total.count == 0) return sum_lanes<T>(hn::Add(s0, s1));
    total.add(sum_lanes<T>(hn::Add(s0, s1)));
  }
  return total.total();
}

template <class T> HWY_INLINE T log_of(T x) {
  const One<T> d;
  return hn::GetLane(log(d, hn::Set(d, x)));
}

template <class T> void softmax(const T* x, T* y, int64_t rows, int64_t cols, bool log) {
  const Full<T> d;
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const T max = row_max(x, cols);
    if (log) {
      const Vec<T> m = hn::Set(d, max), l = hn::Set(d, log_of(exp_sum<T, false>(x, y, cols, max)));
      each(x, x, y, cols, [&](Vec<T> v, Vec<T>) HWY_ATTR { return hn::Sub(hn::Sub(v, m), l); });
    } else {
      const Vec<T> scale = hn::Set(d, T{1} / exp_sum<T, true>(x, y, cols, max));
      each(y, y, y, cols, [&](Vec<T> v, Vec<T>) HWY_ATTR { return hn::Mul(v, scale); });
    }
  }
}

template <class T> void softmax_backward(const T* dy, const T* y, T* dx, int64_t rows, int64_t cols, bool log) {
  const Full<T> d;
  for (int64_t r = 0; r < rows; ++r, dy += cols, y += cols, dx += cols) {
    const Vec<T> s = hn::Set(d, log ? row_sum(dy, cols) : sum_blocks<T, true>(dy, y, cols));
    if (log)
      each(dy, y, dx, cols, [&](Vec<T> g, Vec<T> v) HWY_ATTR { return hn::NegMulAdd(exp_of_negative(d, v), s, g); });
    else each(dy, y, dx, cols, [&](Vec<T> g, Vec<T> v) HWY_ATTR { return hn::Mul(v, hn::Sub(g, s)); });
  }
}

template <class T> void logsumexp(const T* x, T* y, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r, x += cols) {
    const T max = row_max(x, cols);
    if (std::isinf(max))
      y[r] = row_extreme<T, false>(x, cols);  // inf - inf would be NaN where the limit is the infinity
    else y[r] = max + log_of(exp_sum<T, false>(x, nullptr, cols, max));
  }
}

template <class T> void cross_entropy(const T* x, const int64_t* target, T* loss, T* lse, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r, x += cols) {
    const T max = row_max(x, cols);
    const T log_sum = log_of(exp_sum<T, false>(x, nullptr, cols, max));
    lse[r] = max + log_sum;
    const int64_t t = target[r];
    loss[r] = t >= 0 && t < cols ? log_sum - (x[t] - max) : T{0};
  }
}

template <class T>
void cross_entropy_backward(const T* x, const T* lse, const int64_t* target, const T* scale, T* dx, int64_t rows,
                            int64_t cols) {
  const Full<T> d;
  for (int64_t r = 0; r < rows; ++r, x += cols, dx += cols) {
    if (scale[r] == T{0}) {
      std::fill_n(dx, cols, T{0});
      continue;
    }
    const Vec<T> l = hn::Set(d, lse[r]), s = hn::Set(d, scale[r]);
    const One<T> one;
    const T at = hn::GetLane(exp_of_negative(one, hn::Set(one, x[target[r]] - lse[r])));
    each(x, x, dx, cols, [&](Vec<T> v, Vec<T>) HWY_ATTR { return hn::Mul(s, exp_of_negative(d, hn::Sub(v, l))); });
    dx[target[r]] = scale[r] * (at - T{1});
  }
}

template <class T> T dot(const T* a, const T* b, int64_t n) { return sum_blocks<T, true>(a, b, n); }

template <class T> void fill_floating(Floating<T>& f) {
  f.softmax = &softmax<T>;
  f.softmax_backward = &softmax_backward<T>;
  f.logsumexp = &logsumexp<T>;
  f.cross_entropy = &cross_entropy<T>;
  f.cross_entropy_backward = &cross_entropy_backward<T>;
  f.dot = &dot<T>;
}

}  // namespace

void fill_softmax(Table& t) {
  fill_floating(t.f32);
  fill_floating(t.f64);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
