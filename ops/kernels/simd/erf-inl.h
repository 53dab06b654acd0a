// erf and erfc on vectors: a few ulp everywhere, erfc's tail included.
#if defined(TAPEGRAD_SIMD_ERF_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_ERF_INL
#undef TAPEGRAD_SIMD_ERF_INL
#else
#define TAPEGRAD_SIMD_ERF_INL
#endif

#include "tapegrad/ops/kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// Polynomials through the Chebyshev nodes, from quadruple precision.
// erf(x) / x - 1 in powers of x^2, for x^2 in [0, 1].
constexpr float kErf32[] = {0.128379166f,   -0.37612626f,    0.112835944f,   -0.0268542115f,
                            0.00518908724f, -0.00080168643f, 7.87587487e-05f};
constexpr double kErf64[] = {0.12837916709551256,     -0.37612638903183543,    0.11283791670945006,
                             -0.02686617064323777,    0.0052239776071164225,   -0.00085483259753896918,
                             0.00012055294904839707,  -1.4924736907419661e-05, 1.6447424703317362e-06,
                             -1.6208483801871705e-07, 1.3720064546777686e-08,  -7.7958988270021425e-10};
// (1 + 2x) exp(x^2) erfc(x) in powers of t = (x - 4) / (x + 4), for x >= 0 up to where erfc underflows.
constexpr float kErfc32[] = {1.23299515f,   -0.139621049f,  0.0153775141f,  0.0680926517f,
                             -0.100994527f, 0.0938259587f,  -0.0666024238f, 0.0364255644f,
                             -0.015989013f, 0.00690645445f, 0.000842882029f};
constexpr double kErfc64[] = {
    1.2329951186255526,      -0.13962111684056253,    0.015379652102619577,    0.068097054254693479,
    -0.1010390660362956,     0.093732834998321399,    -0.066330365812388659,   0.037167515537922649,
    -0.016197734056192747,   0.0050319699742931651,   -0.00075777329647634336, -0.00019925667587989877,
    0.00015062169605217738,  -2.4399274806735163e-05, -1.1222054159467881e-05, 5.7098534417646498e-06,
    2.9381751568737868e-07,  -8.2556100317195338e-07, 7.4640169088950043e-08,  1.1011918537215051e-07,
    -1.7920360316356552e-08, -1.4096503348569252e-08, 1.8368212617851965e-09,  1.2537550125450754e-09};

template <class D, class V, class T, size_t N> HWY_INLINE V polynomial(D d, V x, const T (&c)[N]) {
  V p = hn::Set(d, c[N - 1]);
  for (size_t i = N - 1; i-- > 0;) p = hn::MulAdd(p, x, hn::Set(d, c[i]));
  return p;
}

// x^2 = s + error exactly, from the halves of x (Dekker): a rounded s alone would be off by ulps times x^2 in exp(-s).
template <class D, class V> HWY_INLINE V square_error(D d, V x, V s) {
  const hn::RebindToUnsigned<D> du;
  using U = hn::TFromD<decltype(du)>;
  constexpr U kUpper = kIsFloat<D> ? static_cast<U>(0xFFFFF000) : static_cast<U>(0xFFFFFFFFF8000000);
  const V hi = hn::BitCast(d, hn::And(hn::BitCast(du, x), hn::Set(du, kUpper)));
  const V lo = hn::Sub(x, hi), cross = hn::Mul(hi, lo);
  return hn::Add(hn::Add(hn::Sub(hn::Mul(hi, hi), s), hn::Add(cross, cross)), hn::Mul(lo, lo));
}

// erfc of x >= 0 (NaN stays).
template <class D, class V> HWY_INLINE V erfc_of_positive(D d, V x) {
  const V a = limit(d, x, 0, kIsFloat<D> ? 10.3 : 27.5);  // beyond, the result is 0
  const V one = constant(d, 1), four = constant(d, 4);
  const V t = hn::Div(hn::Sub(a, four), hn::Add(a, four));
  V p;
  if constexpr (kIsFloat<D>) p = polynomial(d, t, kErfc32);
  else p = polynomial(d, t, kErfc64);
  const V s = hn::Mul(a, a);
  const V e = exp(d, hn::Neg(s));
  const V scaled = hn::Div(p, hn::Add(one, hn::Add(a, a)));
  return hn::Mul(e, hn::Sub(scaled, hn::Mul(scaled, square_error(d, a, s))));
}

template <class D, class V> HWY_INLINE V erfc(D d, V x) {
  const V y = erfc_of_positive(d, hn::Abs(x));
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Sub(constant(d, 2), y), y);
}

template <class D, class V> HWY_INLINE V erf(D d, V x) {
  const V a = hn::Abs(x), one = constant(d, 1);
  const V z = hn::Mul(x, x);
  V p;
  if constexpr (kIsFloat<D>) p = polynomial(d, z, kErf32);
  else p = polynomial(d, z, kErf64);
  const V far = hn::CopySign(hn::Sub(one, erfc_of_positive(d, a)), x);
  return hn::IfThenElse(hn::Lt(a, one), hn::MulAdd(x, p, x), far);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
