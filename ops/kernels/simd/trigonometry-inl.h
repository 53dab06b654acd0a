// sin, cos and tan on vectors: Cody and Waite's reduction, the C library for huge arguments. A few ulp.
#if defined(TAPEGRAD_SIMD_TRIGONOMETRY_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_TRIGONOMETRY_INL
#undef TAPEGRAD_SIMD_TRIGONOMETRY_INL
#else
#define TAPEGRAD_SIMD_TRIGONOMETRY_INL
#endif

#include "tapegrad/ops/kernels/simd/math-inl.h"
#include "tapegrad/ops/kernels/simd/through_double-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// pi/2 in three parts; the first two have 33 bits, so that their products with |n| < 2^20 are exact in double.
constexpr double kHalfPi[3] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69};

// x - n pi/2 rounded to float's digits, in doubles.
struct ReduceFloat {
  template <class D, class V> HWY_INLINE V operator()(D d, V x, V n) const {
    const V r = hn::Sub(x, hn::Mul(n, constant(d, kHalfPi[0])));
    return hn::Sub(r, hn::Mul(n, constant(d, kHalfPi[1])));
  }
};

// x = n pi/2 + r + tail with |r| <= pi/4 or hardly more; quadrant: n in the low bits.
template <class T> struct Angle {
  using D = Full<T>;
  using Bits = hn::Vec<hn::RebindToUnsigned<D>>;
  Vec<T> r, tail;
  Bits quadrant;

  explicit HWY_INLINE Angle(Vec<T> x) {
    const D d;
    const Vec<T> t = hn::Add(hn::Mul(x, constant(d, 0.63661977236758138)), rounder(d));
    const Vec<T> n = hn::Sub(t, rounder(d));
    quadrant = hn::BitCast(hn::RebindToUnsigned<D>(), t);
    if constexpr (sizeof(T) == 4) {
      r = through_double(ReduceFloat(), x, n);
      tail = hn::Zero(d);
    } else {
      const Vec<T> a = hn::Sub(x, hn::Mul(n, constant(d, kHalfPi[0]))), b = hn::Mul(n, constant(d, kHalfPi[1]));
      const Vec<T> s = hn::Sub(a, b), back = hn::Sub(s, a);  // s + lost = a - b exactly
      const Vec<T> lost = hn::Sub(hn::Sub(a, hn::Sub(s, back)), hn::Add(b, back));
      const Vec<T> rest = hn::Sub(lost, hn::Mul(n, constant(d, kHalfPi[2])));
      r = hn::Add(s, rest);
      tail = hn::Add(hn::Sub(s, r), rest);
    }
  }

  // Cephes' sinf and cosf, fdlibm's __kernel_sin and __kernel_cos.
  HWY_INLINE Vec<T> sin_of_rest() const {
    const D d;
    const Vec<T> z = hn::Mul(r, r), v = hn::Mul(z, r);
    if constexpr (sizeof(T) == 4) {
      Vec<T> p = hn::MulAdd(constant(d, -1.9515295891e-4), z, constant(d, 8.3321608736e-3));
      p = hn::MulAdd(p, z, constant(d, -1.6666654611e-1));
      return hn::MulAdd(p, v, r);
    } else {
      Vec<T> p = hn::MulAdd(constant(d, 1.58969099521155010221e-10), z, constant(d, -2.50507602534068634195e-08));
      p = hn::MulAdd(p, z, constant(d, 2.75573137070700676789e-06));
      p = hn::MulAdd(p, z, constant(d, -1.98412698298579493134e-04));
      p = hn::MulAdd(p, z, constant(d, 8.33333333332248946124e-03));
      const Vec<T> inner = hn::Sub(hn::Mul(constant(d, 0.5), tail), hn::Mul(v, p));
      const Vec<T> low = hn::Sub(hn::Mul(z, inner), tail);
      return hn::Sub(r, hn::Sub(low, hn::Mul(v, constant(d, -1.66666666666666324348e-01))));
    }
  }
  HWY_INLINE Vec<T> cos_of_rest() const {
    const D d;
    const Vec<T> z = hn::Mul(r, r), one = constant(d, 1);
    Vec<T> p;
    if constexpr (sizeof(T) == 4) {
      p = hn::MulAdd(constant(d, 2.443315711809948e-5), z, constant(d, -1.388731625493765e-3));
      p = hn::MulAdd(p, z, constant(d, 4.166664568298827e-2));
    } else {
      p = hn::MulAdd(constant(d, -1.13596475577881948265e-11), z, constant(d, 2.08757232129817482790e-09));
      p = hn::MulAdd(p, z, constant(d, -2.75573143513906633035e-07));
      p = hn::MulAdd(p, z, constant(d, 2.48015872894767294178e-05));
      p = hn::MulAdd(p, z, constant(d, -1.38888888888741095749e-03));
      p = hn::MulAdd(p, z, constant(d, 4.16666666666666019037e-02));
    }
    const Vec<T> half = hn::Mul(constant(d, 0.5), z), w = hn::Sub(one, half);
    const Vec<T> low = hn::Sub(hn::Mul(hn::Mul(z, z), p), hn::Mul(r, tail));
    return hn::Add(w, hn::Add(hn::Sub(hn::Sub(one, w), half), low));
  }

  static HWY_INLINE auto odd(Bits bits) {
    const hn::RebindToUnsigned<D> du;
    return hn::RebindMask(D(), hn::TestBit(bits, hn::Set(du, 1)));
  }
  // Minus in the second half of the circle.
  static HWY_INLINE Vec<T> with_sign(Vec<T> y, Bits bits) {
    const hn::RebindToUnsigned<D> du;
    const Bits sign = hn::ShiftLeft<sizeof(T) * 8 - 2>(hn::And(bits, hn::Set(du, 2)));
    return hn::BitCast(D(), hn::Xor(hn::BitCast(du, y), sign));
  }
  HWY_INLINE Vec<T> sin() const {
    return with_sign(hn::IfThenElse(odd(quadrant), cos_of_rest(), sin_of_rest()), quadrant);
  }
  HWY_INLINE Vec<T> cos() const {
    const Bits next = hn::Add(quadrant, hn::Set(hn::RebindToUnsigned<D>(), 1));
    return with_sign(hn::IfThenElse(odd(quadrant), sin_of_rest(), cos_of_rest()), next);
  }
  HWY_INLINE Vec<T> tan() const {
    const auto swapped = odd(quadrant);
    const Vec<T> s = sin_of_rest(), c = cos_of_rest();
    return hn::Div(hn::IfThenElse(swapped, hn::Neg(c), s), hn::IfThenElse(swapped, s, c));
  }
};

// f on every lane, by the C library.
template <class T, class F> HWY_NOINLINE Vec<T> lane_by_lane(F f, Vec<T> x) {
  const Full<T> d;
  HWY_ALIGN T lane[kLanes<T>];
  hn::Store(x, d, lane);
  for (T& v : lane) v = static_cast<T>(f(static_cast<double>(v)));
  return hn::Load(d, lane);
}

// Where a lane is too far from 0 for the reduction, the vector takes the C library's values.
template <class T> HWY_INLINE bool has_huge_angle(Vec<T> x) {
  const Full<T> d;
  const Vec<T> limit = constant(d, sizeof(T) == 4 ? 1e5 : 1.6e6);
  return !hn::AllFalse(d, hn::Gt(hn::Abs(x), limit));
}

template <class T> HWY_INLINE Vec<T> sin(Vec<T> x) {
  if (HWY_UNLIKELY(has_huge_angle<T>(x))) return lane_by_lane<T>([](double v) { return std::sin(v); }, x);
  return hn::IfThenElse(hn::Eq(x, hn::Zero(Full<T>())), x, Angle<T>(x).sin());
}
template <class T> HWY_INLINE Vec<T> cos(Vec<T> x) {
  if (HWY_UNLIKELY(has_huge_angle<T>(x))) return lane_by_lane<T>([](double v) { return std::cos(v); }, x);
  return Angle<T>(x).cos();
}
template <class T> HWY_INLINE Vec<T> tan(Vec<T> x) {
  if (HWY_UNLIKELY(has_huge_angle<T>(x))) return lane_by_lane<T>([](double v) { return std::tan(v); }, x);
  return hn::IfThenElse(hn::Eq(x, hn::Zero(Full<T>())), x, Angle<T>(x).tan());
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
