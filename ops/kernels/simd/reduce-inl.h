// Reductions of one contiguous row: sum, dot product, extreme.
#if defined(TAPEGRAD_SIMD_REDUCE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_REDUCE_INL
#undef TAPEGRAD_SIMD_REDUCE_INL
#else
#define TAPEGRAD_SIMD_REDUCE_INL
#endif

#include "tapegrad/ops/kernels/simd/common-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// Up to kSumBlock terms in four accumulators; `kDot` multiplies by b first.
template <class T, bool kDot> HWY_INLINE T sum_block(const T* a, const T* b, int64_t n) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  Vec<T> s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 4 * N <= n; i += 4 * N) {
    if constexpr (kDot) {
      s0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
      s1 = hn::MulAdd(hn::LoadU(d, a + i + N), hn::LoadU(d, b + i + N), s1);
      s2 = hn::MulAdd(hn::LoadU(d, a + i + 2 * N), hn::LoadU(d, b + i + 2 * N), s2);
      s3 = hn::MulAdd(hn::LoadU(d, a + i + 3 * N), hn::LoadU(d, b + i + 3 * N), s3);
    } else {
      s0 = hn::Add(s0, hn::LoadU(d, a + i));
      s1 = hn::Add(s1, hn::LoadU(d, a + i + N));
      s2 = hn::Add(s2, hn::LoadU(d, a + i + 2 * N));
      s3 = hn::Add(s3, hn::LoadU(d, a + i + 3 * N));
    }
  }
  for (; i + N <= n; i += N) {
    if constexpr (kDot) s0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
    else s0 = hn::Add(s0, hn::LoadU(d, a + i));
  }
  if (i < n) {
    if constexpr (kDot) s1 = hn::MulAdd(load_few(a + i, n - i), load_few(b + i, n - i), s1);
    else s1 = hn::Add(s1, load_few(a + i, n - i));
  }
  return sum_lanes<T>(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
}

template <class T, bool kDot> HWY_INLINE T sum_blocks(const T* a, const T* b, int64_t n) {
  if (n <= kSumBlock) return sum_block<T, kDot>(a, b, n);
  PairwiseSum<T> sum;
  for (int64_t i = 0; i < n; i += kSumBlock) {
    const int64_t left = n - i;
    sum.add(sum_block<T, kDot>(a + i, b + i, left < kSumBlock ? left : kSumBlock));
  }
  return sum.total();
}

template <class T> HWY_INLINE T row_sum(const T* x, int64_t n) { return sum_blocks<T, false>(x, x, n); }

// NaN wins over everything; an empty row gives the operation's identity.
template <class T, bool kMin> HWY_INLINE T row_extreme(const T* x, int64_t n) {
  if constexpr (!std::is_floating_point_v<T>) {
    T best = kMin ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min();
    for (int64_t i = 0; i < n; ++i) best = (kMin ? x[i] < best : x[i] > best) ? x[i] : best;
    return best;
  } else {
    const Full<T> d;
    constexpr int64_t N = kLanes<T>;
    const Vec<T> start = hn::Set(d, kMin ? kInf<T> : -kInf<T>);
    Vec<T> m0 = start, m1 = start, m2 = start, m3 = start;
    auto nan = hn::IsNaN(start);
    const auto take = [&](Vec<T>& m, Vec<T> v) HWY_ATTR {
      nan = hn::Or(nan, hn::IsNaN(v));
      m = kMin ? hn::Min(v, m) : hn::Max(v, m);
    };
    int64_t i = 0;
    for (; i + 4 * N <= n; i += 4 * N) {
      take(m0, hn::LoadU(d, x + i));
      take(m1, hn::LoadU(d, x + i + N));
      take(m2, hn::LoadU(d, x + i + 2 * N));
      take(m3, hn::LoadU(d, x + i + 3 * N));
    }
    for (; i + N <= n; i += N) take(m0, hn::LoadU(d, x + i));
    if (i < n) take(m1, hn::IfThenElse(hn::FirstN(d, static_cast<size_t>(n - i)), load_few(x + i, n - i), start));
    if (!hn::AllFalse(d, nan)) return kNan<T>;
    const Vec<T> m = kMin ? hn::Min(hn::Min(m0, m1), hn::Min(m2, m3)) : hn::Max(hn::Max(m0, m1), hn::Max(m2, m3));
    return extreme_lane<T, kMin>(m);
  }
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
