// fmod and hypot on vectors, exact and without overflow; the C library where a vector cannot be.
#if defined(TAPEGRAD_SIMD_FMOD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_FMOD_INL
#undef TAPEGRAD_SIMD_FMOD_INL
#else
#define TAPEGRAD_SIMD_FMOD_INL
#endif

#include "tapegrad/ops/kernels/simd/math-inl.h"
#include "tapegrad/ops/kernels/simd/through_double-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// f on every pair of lanes, by the C library.
template <class T, class F> HWY_NOINLINE Vec<T> lane_by_lane(F f, Vec<T> a, Vec<T> b) {
  const Full<T> d;
  HWY_ALIGN T x[kLanes<T>];
  HWY_ALIGN T y[kLanes<T>];
  hn::Store(a, d, x);
  hn::Store(b, d, y);
  for (int64_t i = 0; i < kLanes<T>; ++i) x[i] = f(x[i], y[i]);
  return hn::Load(d, x);
}

// a - q b for the quotient q cut to an integer, and one b more where the division had rounded q up. The product must be
// exact: a multiply-add in double, or floats in doubles with |q| < 2^29.
struct ExactRest {
  template <class D, class V> HWY_INLINE V operator()(D d, V a, V b) const {
    const V q = hn::Trunc(hn::Div(a, b));
    const V r = hn::NegMulAdd(q, b, a);
    const V x = hn::Abs(r);
    const auto wrong =
        hn::And(hn::Lt(hn::Mul(hn::CopySign(constant(d, 1), a), r), hn::Zero(d)), hn::Gt(x, hn::Zero(d)));
    return hn::CopySign(hn::IfThenElse(wrong, hn::Sub(hn::Abs(b), x), x), a);
  }
};

template <class T> HWY_INLINE Vec<T> fmod(Vec<T> a, Vec<T> b) {
  const Full<T> d;
  const auto scalar = [](T x, T y) { return std::fmod(x, y); };
  constexpr bool kExact = sizeof(T) == 4 || HWY_NATIVE_FMA;
  if constexpr (!kExact) {
    return lane_by_lane<T>(scalar, a, b);
  } else {
    // Division by zero, infinities and NaN are not below the limit, or leave an infinite b.
    const Vec<T> q = hn::Abs(hn::Div(a, b)), limit = constant(d, sizeof(T) == 4 ? 0x1p28 : 0x1p51);
    const auto small = hn::And(hn::Lt(q, limit), hn::Lt(hn::Abs(b), hn::Set(d, kInf<T>)));
    if (HWY_UNLIKELY(!hn::AllTrue(d, small))) return lane_by_lane<T>(scalar, a, b);
    if constexpr (sizeof(T) == 4) return through_double(ExactRest(), a, b);
    else return ExactRest()(d, a, b);
  }
}

struct RootOfSquares {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Sqrt(hn::Add(hn::Mul(a, a), hn::Mul(b, b)));
  }
};

template <class T> HWY_INLINE Vec<T> hypot(Vec<T> a, Vec<T> b) {
  const Full<T> d;
  if constexpr (sizeof(T) == 4) {
    const Vec<T> inf = hn::Set(d, kInf<T>);
    const auto far = hn::Or(hn::Eq(hn::Abs(a), inf), hn::Eq(hn::Abs(b), inf));
    return hn::IfThenElse(far, inf, through_double(RootOfSquares(), a, b));  // inf also beside NaN
  } else {
    const Vec<T> sum = hn::Add(hn::Mul(a, a), hn::Mul(b, b));
    const auto safe = hn::And(hn::Gt(sum, constant(d, 1e-280)), hn::Lt(sum, hn::Set(d, kInf<T>)));
    if (HWY_LIKELY(hn::AllTrue(d, safe))) return hn::Sqrt(sum);
    return lane_by_lane<T>([](T x, T y) { return std::hypot(x, y); }, a, b);
  }
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
