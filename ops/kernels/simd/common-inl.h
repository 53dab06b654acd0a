// Vector vocabulary shared by the kernels of one instruction set: tags, partial loads and stores, pairwise sums.
#if defined(TAPEGRAD_SIMD_COMMON_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_COMMON_INL
#undef TAPEGRAD_SIMD_COMMON_INL
#else
#define TAPEGRAD_SIMD_COMMON_INL
#endif

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T> using Full = hn::ScalableTag<T>;
template <class T> using One = hn::CappedTag<T, 1>;  // same instructions per lane, so the same bits
template <class T> using Vec = hn::Vec<Full<T>>;
template <class T> constexpr int64_t kLanes = static_cast<int64_t>(HWY_LANES(T));

constexpr bool kX86 = HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128;

template <class T> constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T> constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

// Copies n < lanes elements with a few fixed-size moves; a loop or memcpy call would cost more than the arithmetic.
template <class T> HWY_INLINE void copy_few(T* dst, const T* src, int64_t n) {
  int64_t i = 0;
  if constexpr (kLanes < T >> 8) {
    if (n & 8) {
      std::memcpy(dst, src, 8 * sizeof(T));
      i = 8;
    }
  }
  if constexpr (kLanes < T >> 4) {
    if (n & 4) {
      std::memcpy(dst + i, src + i, 4 * sizeof(T));
      i += 4;
    }
  }
  if constexpr (kLanes < T >> 2) {
    if (n & 2) {
      std::memcpy(dst + i, src + i, 2 * sizeof(T));
      i += 2;
    }
  }
  if (n & 1) std::memcpy(dst + i, src + i, sizeof(T));
}

// The first n < lanes elements, zeros behind them. Never touches memory behind src[n - 1].
template <class T> HWY_INLINE Vec<T> load_few(const T* src, int64_t n) {
  const Full<T> d;
  if constexpr (HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3) {
    return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(n)), d, src);
  } else {
    HWY_ALIGN T buffer[kLanes<T>] = {};
    copy_few(buffer, src, n);
    return hn::Load(d, buffer);
  }
}

template <class T> HWY_INLINE void store_few(Vec<T> v, T* dst, int64_t n) {
  const Full<T> d;
  if constexpr (HWY_TARGET == HWY_AVX3) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(n)), d, dst);
  } else {  // AMD's masked stores before Zen 4 are microcoded; a store and a few forwarded copies are not
    HWY_ALIGN T buffer[kLanes<T>];
    hn::Store(v, d, buffer);
    copy_few(dst, buffer, n);
  }
}

template <class T> HWY_INLINE T sum_lanes(Vec<T> v) {
  const Full<T> d;
  return hn::GetLane(hn::SumOfLanes(d, v));
}

// The largest (smallest) lane, NaN aside. Highway 1.0.3's emulation starts from the largest finite number, so it does not do.
template <class T, bool kMin = false> HWY_INLINE T extreme_lane(Vec<T> v) {
  const Full<T> d;
  if constexpr (kX86) return hn::GetLane(kMin ? hn::MinOfLanes(d, v) : hn::MaxOfLanes(d, v));
  HWY_ALIGN T lane[kLanes<T>];
  hn::Store(v, d, lane);
  for (int64_t i = 1; i < kLanes<T>; ++i) {
    if (kMin ? lane[i] < lane[0] : lane[i] > lane[0]) lane[0] = lane[i];
  }
  return lane[0];
}

// Adds values pairwise as they come: a binary counter whose digits are partial sums.
template <class T> struct PairwiseSum {
  T level[64];
  uint64_t count = 0;
  HWY_INLINE void add(T x) {
    int i = 0;
    for (uint64_t c = count; c & 1; c >>= 1) x = level[i++] + x;
    level[i] = x;
    ++count;
  }
  HWY_INLINE T total() const {
    T sum = 0;
    bool any = false;
    int i = 0;
    for (uint64_t c = count; c; c >>= 1, ++i) {
      if (!(c & 1)) continue;
      sum = any ? level[i] + sum : level[i];
      any = true;
    }
    return sum;
  }
};

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
