// exp2, expm1, log1p, log2, log10 on vectors: exp and log of math-inl.h, varied. A few ulp; powers of 2 and 10 come out exactly.
#if defined(TAPEGRAD_SIMD_EXP_LOG_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_EXP_LOG_INL
#undef TAPEGRAD_SIMD_EXP_LOG_INL
#else
#define TAPEGRAD_SIMD_EXP_LOG_INL
#endif

#include "tapegrad/ops/kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// The integer n = t - rounder in two halves, whose powers of two neither overflow nor underflow where 2^n does.
template <class D, class V> HWY_INLINE V half_of(D d, V n) { return hn::MulAdd(n, constant(d, 0.5), rounder(d)); }
template <class D, class V> HWY_INLINE V other_half(D d, V n, V half) {
  return hn::Add(hn::Sub(n, hn::Sub(half, rounder(d))), rounder(d));
}

// 2^x = 2^n exp(ln(2) (x - n)) for the integer n next to x.
template <class D, class V> HWY_INLINE V exp2(D d, V x) {
  const V limited = limit(d, x, kIsFloat<D> ? -152.0 : -1078.0, kIsFloat<D> ? 129.0 : 1025.0);
  const V n = hn::Sub(hn::Add(limited, rounder(d)), rounder(d));
  const V r = hn::Mul(hn::Sub(limited, n), constant(d, 0.69314718055994531));
  const V half = half_of(d, n), scale = power_of_two(d, half);
  return hn::Mul(hn::MulAdd(expm1_reduced(d, r), scale, scale), power_of_two(d, other_half(d, n, half)));
}

// x = n ln(2) + r: 2^n expm1(r) + (2^n - 1), with 2^n in two factors s1 s2: ((expm1(r) s1 + (s1 - 1/s2)) s2.
template <class D, class V> HWY_INLINE V expm1(D d, V x) {
  V t, n;
  const V r = reduce_by_ln2(d, limit(d, x, -45, kIsFloat<D> ? 90.0 : 711.0), t, n);
  const V half = half_of(d, n), scale = power_of_two(d, half);
  const V rest = hn::Sub(n, hn::Sub(half, rounder(d)));
  const V offset = hn::Sub(scale, power_of_two(d, hn::Sub(rounder(d), rest)));
  const V y = hn::Mul(hn::MulAdd(expm1_reduced(d, r), scale, offset), power_of_two(d, hn::Add(rest, rounder(d))));
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, y);  // keeps the sign of zero
}

// u = 1 + x loses c = 1 + x - u: log u + c / u. Where u lies in the middle, f = x itself loses nothing.
template <class D, class V> HWY_INLINE V log1p(D d, V x) {
  const V one = constant(d, 1);
  const V u = hn::Add(x, one);
  V k;
  const V split = split_exponent(d, u, k);
  const auto middle = hn::Eq(k, hn::Zero(d));
  const V f = hn::IfThenElse(middle, x, split);
  const V lost = hn::IfThenElse(hn::Gt(k, hn::Zero(d)), hn::Sub(one, hn::Sub(u, x)), hn::Sub(x, hn::Sub(u, one)));
  const V c = hn::IfThenZeroElse(middle, hn::Div(lost, u));
  const V h = hn::Mul(constant(d, 0.5), hn::Mul(f, f));
  const V lo = hn::Add(hn::MulAdd(k, constant(d, kIsFloat<D> ? 9.0580006145e-06 : 1.90821492927058770002e-10), c),
                       log1p_tail(d, f, h));
  const V y = hn::MulAdd(k, constant(d, kIsFloat<D> ? 6.9313812256e-01 : 6.93147180369123816490e-01),
                         hn::Add(hn::Sub(lo, h), f));
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, log_or_special(d, u, y));
}

// x = 2^k (1 + f), log(1 + f) = hi + lo with few bits in hi, so that hi times the upper part of 1 / ln(base) is exact
// (FreeBSD's log2 and log10).
template <class D, class V> struct LogParts {
  V k, hi, lo;
  HWY_INLINE LogParts(D d, V x) {
    const hn::RebindToUnsigned<D> du;
    using U = hn::TFromD<decltype(du)>;
    constexpr U kUpper = kIsFloat<D> ? static_cast<U>(0xFFFFF000) : static_cast<U>(0xFFFFFFFF00000000);
    const V f = split_exponent(d, x, k);
    const V h = hn::Mul(constant(d, 0.5), hn::Mul(f, f));
    hi = hn::BitCast(d, hn::And(hn::BitCast(du, hn::Sub(f, h)), hn::Set(du, kUpper)));
    lo = hn::Add(hn::Sub(hn::Sub(f, hi), h), log1p_tail(d, f, h));
  }
  // hi + lo times upper + lower, and k unit + extra, summed from the largest down.
  HWY_INLINE V times(D d, double upper, double lower, V unit, V extra) const {
    const V u = constant(d, upper);
    const V tail = hn::Add(extra, hn::Add(hn::Mul(hn::Add(lo, hi), constant(d, lower)), hn::Mul(lo, u)));
    const V head = hn::Mul(hi, u), sum = hn::Add(unit, head);
    return hn::Add(hn::Add(tail, hn::Add(hn::Sub(unit, sum), head)), sum);
  }
};

template <class D, class V> HWY_INLINE V log2(D d, V x) {
  const LogParts<D, V> parts(d, x);
  constexpr double upper = kIsFloat<D> ? 1.44287109375 : 1.44269504072144627571e+00;
  constexpr double lower = kIsFloat<D> ? -1.76052854e-04 : 1.67517131648865118353e-10;
  return log_or_special(d, x, parts.times(d, upper, lower, parts.k, hn::Zero(d)));
}

template <class D, class V> HWY_INLINE V log10(D d, V x) {
  const LogParts<D, V> parts(d, x);
  constexpr double upper = kIsFloat<D> ? 4.3432617188e-01 : 4.34294481878168880939e-01;
  constexpr double lower = kIsFloat<D> ? -3.16899714e-05 : 2.50829467116452752298e-11;
  const V unit = hn::Mul(parts.k, constant(d, kIsFloat<D> ? 3.0102920532e-01 : 3.01029995663611771306e-01));
  const V extra = hn::Mul(parts.k, constant(d, kIsFloat<D> ? 7.9034168700e-07 : 3.69423907715893078616e-13));
  return log_or_special(d, x, parts.times(d, upper, lower, unit, extra));
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
