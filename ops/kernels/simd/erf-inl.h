// The error function on vectors of float and double, within two ulp; C's values at infinities, NaN and zero.
#if defined(TAPEGRAD_SIMD_ERF_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_ERF_INL
#undef TAPEGRAD_SIMD_ERF_INL
#else
#define TAPEGRAD_SIMD_ERF_INL
#endif

#include "tapegrad/ops/kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// first x^n + ... + last, by Horner's rule.
template <class D, class V, class... C> HWY_INLINE V polynomial(D d, V x, double first, C... rest) {
  V p = constant(d, first);
  ((p = hn::MulAdd(p, x, constant(d, rest))), ...);
  return p;
}

// erf(x) / x - 1 in z = x^2, up to |x| = 0.92 (float) or 1 (double). Minimax in the relative error of erf: 2^-31, 2^-57.
template <class D, class V> HWY_INLINE V erf_near_zero(D d, V z) {
  if constexpr (kIsFloat<D>) {
    return polynomial(d, z, 8.38239084680417165e-05, -8.14559763021900619e-04, 5.20128609304455567e-03,
                      -2.68595001121916206e-02, 1.12836973252421751e-01, -3.76126338542603114e-01,
                      1.28379166649831250e-01);
  } else {
    return polynomial(d, z, -7.77946851568970477485e-10, 1.37109804189348977452e-08, -1.62063137649988337167e-07,
                      1.64471315723673903698e-06, -1.49247123021192019516e-05, 1.20552935769075209278e-04,
                      -8.54832592931476559352e-04, 5.22397760611848016250e-03, -2.68661706431114680516e-02,
                      1.12837916709441847246e-01, -3.76126389031835195390e-01, 1.28379167095512565654e-01);
  }
}

// -ln(1 - erf(t)) from there to t = 4 (float) or 6 (double), beyond which erf rounds to 1. Minimax in the relative error of
// erf: 2^-29, 2^-57.
template <class D, class V> HWY_INLINE V minus_log_erfc(D d, V t) {
  if constexpr (kIsFloat<D>) {
    return polynomial(d, t, -1.95937199896338867e-04, 3.04321705646862518e-03, -2.22269191132381913e-02,
                      1.03931594558365014e-01, 6.37182249733582051e-01, 1.12767562502371744e+00,
                      1.95675912555276635e-04);
  } else {
    return polynomial(d, t, 4.92905656851154607210e-12, -2.04512952905742117053e-10, 3.93455802966285251182e-09,
                      -4.64261809395278562750e-08, 3.73327964241316249631e-07, -2.13581676945637456868e-06,
                      8.66774859283992081928e-06, -2.28243974119358495263e-05, 2.02714743846265383284e-05,
                      1.35040736003848335969e-04, -7.70628055376246803395e-04, 1.91592474308467258671e-03,
                      -4.10610335852784091056e-04, -1.89901913715907372315e-02, 1.02703446028099925903e-01,
                      6.36643625755358848059e-01, 1.12837408999089252411e+00, 5.02797074724907183164e-07);
  }
}

// x + x P(x^2) near zero, +-(1 - exp(-Q(|x|))) beyond: 1 - erf is below 0.2 there, so errors of Q and exp hardly count.
template <class D, class V> HWY_INLINE V erf(D d, V x) {
  const V a = hn::Abs(x);
  const V t = limit(d, a, 0, kIsFloat<D> ? 4 : 6);
  const V near = hn::MulAdd(erf_near_zero(d, hn::Mul(t, t)), x, x);
  const V far = hn::Sub(constant(d, 1), exp_of_negative(d, hn::Neg(minus_log_erfc(d, t))));
  return hn::IfThenElse(hn::Lt(a, constant(d, kIsFloat<D> ? 0.92 : 1)), near, hn::CopySign(far, x));
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
