// exp, log, tanh, sigmoid, softplus on vectors of float and double: a few ulp, C's values at infinities, NaN and zero.
#if defined(TAPEGRAD_SIMD_MATH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_MATH_INL
#undef TAPEGRAD_SIMD_MATH_INL
#else
#define TAPEGRAD_SIMD_MATH_INL
#endif

#include "tapegrad/ops/kernels/simd/common-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

template <class D> using Lane = hn::TFromD<D>;
template <class D> constexpr bool kIsFloat = sizeof(Lane<D>) == 4;
template <class D> HWY_INLINE hn::Vec<D> constant(D d, double x) { return hn::Set(d, static_cast<Lane<D>>(x)); }

// x limited to [lo, hi]; NaN stays NaN, because x86's min and max return their second operand for it.
template <class D, class V> HWY_INLINE V limit(D d, V x, double lo, double hi) {
  const V l = constant(d, lo), h = constant(d, hi);
  if constexpr (kX86) return hn::Min(h, hn::Max(l, x));
  return hn::IfThenElse(hn::Gt(x, h), h, hn::IfThenElse(hn::Lt(x, l), l, x));
}

// Adding and subtracting it rounds to an integer, which then sits in the low bits of the sum.
template <class D> HWY_INLINE hn::Vec<D> rounder(D d) {
  return constant(d, kIsFloat<D> ? 12582912.0 : 6755399441055744.0);
}

// 2^n for the integer n in the low bits of t = n + rounder.
template <class D, class V> HWY_INLINE V power_of_two(D d, V t) {
  const hn::RebindToUnsigned<D> du;
  using U = hn::TFromD<decltype(du)>;
  const auto biased = hn::Add(hn::BitCast(du, t), hn::Set(du, static_cast<U>(kIsFloat<D> ? 127 : 1023)));
  return hn::BitCast(d, hn::ShiftLeft < kIsFloat<D> ? 23 : 52 > (biased));
}

// exp(r) - 1 for |r| <= ln(2)/2, relative error below one ulp. float: Cephes' expf; double: Taylor to r^13. Pairs of terms
// first (Estrin): the latency of a chain is what limits the throughput.
template <class D, class V> HWY_INLINE V expm1_reduced(D d, V r) {
  const V s = hn::Mul(r, r);
  const auto pair = [&](V x, double high, double low)
                        HWY_ATTR { return hn::MulAdd(constant(d, high), x, constant(d, low)); };
  if constexpr (kIsFloat<D>) {
    const V p = hn::MulAdd(pair(r, 1.9875691500E-4, 1.3981999507E-3), s, pair(r, 8.3334519073E-3, 4.1665795894E-2));
    return hn::MulAdd(hn::MulAdd(p, s, pair(r, 1.6666665459E-1, 5.0000001201E-1)), s, r);
  } else {
    const V q = hn::Mul(s, s);
    V p = hn::MulAdd(pair(r, 1.0 / 6227020800, 1.0 / 479001600), s, pair(r, 1.0 / 39916800, 1.0 / 3628800));
    p = hn::MulAdd(p, q, hn::MulAdd(pair(r, 1.0 / 362880, 1.0 / 40320), s, pair(r, 1.0 / 5040, 1.0 / 720)));
    p = hn::MulAdd(p, q, hn::MulAdd(pair(r, 1.0 / 120, 1.0 / 24), s, pair(r, 1.0 / 6, 0.5)));
    return hn::MulAdd(p, s, r);
  }
}

// x = n ln(2) + r: returns r, and t = n + rounder.
template <class D, class V> HWY_INLINE V reduce_by_ln2(D d, V x, V& t, V& n) {
  t = hn::MulAdd(x, constant(d, 1.4426950408889634), rounder(d));
  n = hn::Sub(t, rounder(d));
  const V r = hn::NegMulAdd(n, constant(d, kIsFloat<D> ? 0.693359375 : 6.93147180369123816490e-01), x);
  return hn::NegMulAdd(n, constant(d, kIsFloat<D> ? -2.12194440e-4 : 1.90821492927058770002e-10), r);
}

template <class D, class V> HWY_INLINE V exp(D d, V x) {
  V t, n;
  const V r = reduce_by_ln2(d, limit(d, x, kIsFloat<D> ? -105.0 : -750.0, kIsFloat<D> ? 90.0 : 711.0), t, n);
  // Two factors: 2^n alone overflows at the top and would lose the denormal results at the bottom.
  const V half = hn::MulAdd(n, constant(d, 0.5), rounder(d));
  const V rest = hn::Add(hn::Sub(n, hn::Sub(half, rounder(d))), rounder(d));
  const V scale = power_of_two(d, half);
  return hn::Mul(hn::MulAdd(expm1_reduced(d, r), scale, scale), power_of_two(d, rest));
}

// exp for x <= 0, where results below the smallest normal number may become zero: softmax and its kin.
template <class D, class V> HWY_INLINE V exp_of_negative(D d, V x) {
  const double lowest = kIsFloat<D> ? -87.3 : -708.3;
  V t, n;
  const V limited =
      kX86 ? hn::Max(constant(d, lowest), x) : hn::IfThenElse(hn::Lt(x, constant(d, lowest)), constant(d, lowest), x);
  const V p = expm1_reduced(d, reduce_by_ln2(d, limited, t, n));
  const V scale = power_of_two(d, t);
  return hn::IfThenZeroElse(hn::Lt(x, constant(d, lowest)), hn::MulAdd(p, scale, scale));
}

// x = 2^k (1 + f) with sqrt(1/2) < 1 + f < sqrt(2): returns f. For positive finite x.
template <class D, class V> HWY_INLINE V split_exponent(D d, V x, V& k) {
  const hn::RebindToUnsigned<D> du;
  using U = hn::TFromD<decltype(du)>;
  constexpr int kShift = kIsFloat<D> ? 23 : 52;
  constexpr U kOne = kIsFloat<D> ? static_cast<U>(0x3F800000) : static_cast<U>(0x3FF0000000000000);
  constexpr U kRootHalf = kIsFloat<D> ? static_cast<U>(0x3F3504F3) : static_cast<U>(0x3FE6A09E00000000);
  const auto tiny = hn::Lt(x, constant(d, kIsFloat<D> ? 1.175494351e-38 : 2.2250738585072014e-308));
  const V scaled = hn::IfThenElse(tiny, hn::Mul(x, constant(d, kIsFloat<D> ? 33554432.0 : 18014398509481984.0)), x);
  const auto bits = hn::Add(hn::BitCast(du, scaled), hn::Set(du, static_cast<U>(kOne - kRootHalf)));
  const auto biased = hn::ShiftRight<kShift>(bits);
  // The biased exponent as the low bits of 2^kShift, minus 2^kShift: a conversion that every instruction set has.
  const U magic = kIsFloat<D> ? static_cast<U>(0x4B000000) : static_cast<U>(0x4330000000000000);
  k = hn::Sub(hn::BitCast(d, hn::Or(biased, hn::Set(du, magic))),
              constant(d, kIsFloat<D> ? 8388608.0 + 127 : 4503599627370496.0 + 1023));
  k = hn::Sub(k, hn::IfThenElseZero(tiny, constant(d, kIsFloat<D> ? 25 : 54)));
  const auto mantissa = hn::And(bits, hn::Set(du, static_cast<U>((U{1} << kShift) - 1)));
  return hn::Sub(hn::BitCast(d, hn::Add(mantissa, hn::Set(du, kRootHalf))), constant(d, 1));
}

// fdlibm's log(1 + f) = f - (h - s (h + R(s^2))) with h = f^2/2, s = f / (2 + f): returns s (h + R).
template <class D, class V> HWY_INLINE V log1p_tail(D d, V f, V h) {
  const V s = hn::Div(f, hn::Add(f, constant(d, 2)));
  const V z = hn::Mul(s, s), w = hn::Mul(z, z);
  V r;
  if constexpr (kIsFloat<D>) {
    const V odd = hn::Mul(w, hn::MulAdd(w, constant(d, 0.24279078841), constant(d, 0.40000972152)));
    r = hn::MulAdd(z, hn::MulAdd(w, constant(d, 0.28498786688), constant(d, 0.66666662693)), odd);
  } else {
    V t1 = hn::MulAdd(w, constant(d, 1.531383769920937332e-01), constant(d, 2.222219843214978396e-01));
    t1 = hn::Mul(w, hn::MulAdd(w, t1, constant(d, 3.999999999940941908e-01)));
    V t2 = hn::MulAdd(w, constant(d, 1.479819860510658591e-01), constant(d, 1.818357216161805012e-01));
    t2 = hn::MulAdd(w, t2, constant(d, 2.857142874366239149e-01));
    r = hn::MulAdd(z, hn::MulAdd(w, t2, constant(d, 6.666666666666735130e-01)), t1);
  }
  return hn::Mul(s, hn::Add(h, r));
}

// y where x is positive and finite, else what a logarithm has there: -inf at 0, NaN below, inf and NaN as they are.
template <class D, class V> HWY_INLINE V log_or_special(D d, V x, V y) {
  const V zero = hn::Zero(d), inf = hn::Set(d, kInf<Lane<D>>);
  const V special =
      hn::IfThenElse(hn::Eq(x, zero), hn::Neg(inf), hn::IfThenElse(hn::Lt(x, zero), hn::Set(d, kNan<Lane<D>>), x));
  return hn::IfThenElse(hn::And(hn::Gt(x, zero), hn::Lt(x, inf)), y, special);
}

template <class D, class V> HWY_INLINE V log(D d, V x) {
  V k;
  const V f = split_exponent(d, x, k);
  const V h = hn::Mul(constant(d, 0.5), hn::Mul(f, f));
  const V lo =
      hn::MulAdd(k, constant(d, kIsFloat<D> ? 9.0580006145e-06 : 1.90821492927058770002e-10), log1p_tail(d, f, h));
  const V y = hn::MulAdd(k, constant(d, kIsFloat<D> ? 6.9313812256e-01 : 6.93147180369123816490e-01),
                         hn::Add(hn::Sub(lo, h), f));
  return log_or_special(d, x, y);
}

// log(1 + e) for 0 <= e <= 1: 2 atanh(s) with s = e / (2 + e) <= 1/3, by its Taylor series.
template <class D, class V> HWY_INLINE V log1p_of_unit(D d, V e) {
  constexpr int kTerms = kIsFloat<D> ? 8 : 17;
  const V s = hn::Div(e, hn::Add(e, constant(d, 2))), z = hn::Mul(s, s), s2 = hn::Add(s, s);
  V p = constant(d, 1.0 / (2 * kTerms + 1));
  for (int k = kTerms - 1; k > 0; --k) p = hn::MulAdd(p, z, constant(d, 1.0 / (2 * k + 1)));
  return hn::MulAdd(hn::Mul(p, z), s2, s2);
}

// From t = expm1(2|x|): tanh |x| = t / (t + 2).
template <class D, class V> HWY_INLINE V tanh(D d, V x) {
  const V a = hn::Abs(x);
  V t, n;
  const V top = constant(d, kIsFloat<D> ? 10 : 22);
  const V limited = kX86 ? hn::Min(top, a) : hn::IfThenElse(hn::Gt(a, top), top, a);
  const V p = expm1_reduced(d, reduce_by_ln2(d, hn::Add(limited, limited), t, n));
  const V scale = power_of_two(d, t);
  const V e = hn::MulAdd(p, scale, hn::Sub(scale, constant(d, 1)));
  return hn::CopySign(hn::Div(e, hn::Add(e, constant(d, 2))), x);
}

// 1 / (1 + exp(-x)), by a single power of two: left of where that overflows the result would be subnormal, and is zero.
template <class D, class V> HWY_INLINE V sigmoid(D d, V x) {
  const double far = kIsFloat<D> ? 88.3 : 709.3;
  const V one = constant(d, 1);
  V t, n;
  const V p = expm1_reduced(d, reduce_by_ln2(d, hn::Neg(limit(d, x, -far, kIsFloat<D> ? 87.0 : 708.0)), t, n));
  const V scale = power_of_two(d, t);
  const V y = hn::Div(one, hn::Add(hn::MulAdd(p, scale, scale), one));
  return hn::IfThenZeroElse(hn::Lt(x, constant(d, -far)), y);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
