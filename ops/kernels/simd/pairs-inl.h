// Products of pairs of bfloat16, and the rounding of their sums, by the processor's own instructions.
#if defined(TAPEGRAD_SIMD_PAIRS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_PAIRS_INL
#undef TAPEGRAD_SIMD_PAIRS_INL
#else
#define TAPEGRAD_SIMD_PAIRS_INL
#endif

#include "tapegrad/ops/kernels/simd/bfloat16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// What an element of A or B stands for: a term, or (in float32's place) two of bfloat16, whose products are added up in float32.
enum class Terms { one, pair };

// *x, whatever was written there: two BFloat16 in a float's place are no float to the compiler.
HWY_INLINE float element(const float* x) {
  using Any [[gnu::may_alias]] = float;
  return *reinterpret_cast<const Any*>(x);
}
HWY_INLINE double element(const double* x) { return *x; }

// The instructions below by their names: they belong to no target that Highway has here.
#if HWY_TARGET == HWY_AVX3
inline bool has_pairs() { return __builtin_cpu_supports("avx512bf16"); }
#else
inline bool has_pairs() { return false; }
#endif

// acc + a b. Of pairs, denormal numbers count as 0.
template <Terms terms, class T> HWY_INLINE Vec<T> multiply_add(Vec<T> a, Vec<T> b, Vec<T> acc) {
#if HWY_TARGET == HWY_AVX3
  if constexpr (terms == Terms::pair) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(acc.raw) : "v"(a.raw), "v"(b.raw));
    return acc;
  }
#endif
  return hn::MulAdd(a, b, acc);
}

#if HWY_TARGET == HWY_AVX3
// Rounded to nearest, ties to even; denormal numbers become 0.
HWY_INLINE hn::Vec<Halves> narrowed(Vec<float> v) {
  hn::Vec<Halves> half;
  asm("vcvtneps2bf16 %1, %0" : "=v"(half.raw) : "v"(v.raw));
  return half;
}
HWY_INLINE void store_narrow(Vec<float> v, BFloat16* y) {
  hn::StoreU(narrowed(v), Halves(), reinterpret_cast<uint16_t*>(y));
}
HWY_INLINE void store_narrow_few(Vec<float> v, BFloat16* y, int64_t n) {
  const auto few = hn::FirstN(Halves(), static_cast<size_t>(n));
  hn::BlendedStore(narrowed(v), few, Halves(), reinterpret_cast<uint16_t*>(y));
}
#endif

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
