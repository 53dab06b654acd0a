// Doubles inside float kernels: where a float computation would lose digits or overflow, two vectors of double do it.
#if defined(TAPEGRAD_SIMD_THROUGH_DOUBLE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_THROUGH_DOUBLE_INL
#undef TAPEGRAD_SIMD_THROUGH_DOUBLE_INL
#else
#define TAPEGRAD_SIMD_THROUGH_DOUBLE_INL
#endif

#include "tapegrad/ops/kernels/simd/common-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

constexpr bool kHalves = kLanes<double> < kLanes<float>;
template <class T> using InDoubles = std::conditional_t<kHalves, hn::Half<Full<T>>, Full<T>>;

HWY_INLINE auto lower_part(Vec<float> x) {
  if constexpr (kHalves) return hn::LowerHalf(InDoubles<float>(), x);
  else return x;
}

// f on the lower and on the upper half of float vectors, converted to double; its results rounded to float again.
template <class F, class... V> HWY_INLINE Vec<float> through_double(const F& f, V... x) {
  const Full<double> dd;
  const InDoubles<float> dh;
  const auto low = hn::DemoteTo(dh, f(dd, hn::PromoteTo(dd, lower_part(x))...));
  if constexpr (kHalves) {
    return hn::Combine(Full<float>(), hn::DemoteTo(dh, f(dd, hn::PromoteTo(dd, hn::UpperHalf(dh, x))...)), low);
  } else {
    return low;
  }
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
