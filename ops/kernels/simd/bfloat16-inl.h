// bfloat16 as vectors of float32: widened when loaded, rounded to nearest (ties to even) when stored.
#if defined(TAPEGRAD_SIMD_BFLOAT16_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_BFLOAT16_INL
#undef TAPEGRAD_SIMD_BFLOAT16_INL
#else
#define TAPEGRAD_SIMD_BFLOAT16_INL
#endif

#include "tapegrad/ops/kernels/simd/common-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

using Wide = hn::Rebind<uint32_t, Full<float>>;
using WideSigned = hn::Rebind<int32_t, Full<float>>;
using Halves = hn::Rebind<uint16_t, Full<float>>;

HWY_INLINE Vec<float> load_as_float(const float* x) { return hn::LoadU(Full<float>(), x); }
HWY_INLINE Vec<float> load_as_float(const BFloat16* x) {
  const auto bits = hn::PromoteTo(Wide(), hn::LoadU(Halves(), reinterpret_cast<const uint16_t*>(x)));
  return hn::BitCast(Full<float>(), hn::ShiftLeft<16>(bits));
}

// What BFloat16(float) does, lane by lane. The processor's own instruction would turn denormal numbers into 0.
HWY_INLINE void store_rounded(Vec<float> v, BFloat16* y) {
  const Wide d;
  const auto bits = hn::BitCast(d, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  const auto up = hn::Add(bits, hn::Add(hn::Set(d, 0x7FFF), odd));
  const auto quiet = hn::Or(bits, hn::Set(d, 0x400000));
  const auto high = hn::ShiftRight<16>(hn::IfThenElse(hn::RebindMask(d, hn::IsNaN(v)), quiet, up));
  hn::StoreU(hn::DemoteTo(Halves(), hn::BitCast(WideSigned(), high)), Halves(), reinterpret_cast<uint16_t*>(y));
}

HWY_INLINE void widen_run(float* y, const BFloat16* x, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes<float> <= n; i += kLanes<float>) hn::StoreU(load_as_float(x + i), Full<float>(), y + i);
  for (; i < n; ++i) y[i] = x[i];
}

HWY_INLINE void narrow_run(BFloat16* y, const float* x, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes<float> <= n; i += kLanes<float>) store_rounded(hn::LoadU(Full<float>(), x + i), y + i);
  for (; i < n; ++i) y[i] = BFloat16(x[i]);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
