// Elementwise kernels: rounding, remainders (integers too), hypot, and functions of three operands.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/map_rounding.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/fmod-inl.h"
#include "tapegrad/ops/kernels/simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

struct Floor {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Floor(x); }
};
struct Ceil {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Ceil(x); }
};
struct Trunc {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Trunc(x); }
};
struct Round {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Round(x); }
};
struct Frac {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Sub(x, hn::Trunc(x)); }
};

// Where x p overflows, x has no digits there; where nothing is left, p may be too large to be multiplied with 0.
struct RoundDecimals {
  double p;
  bool before;  // digits before the point
  explicit RoundDecimals(const double* attr) : p(attr[0]), before(attr[1] < 0) {}
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V power = constant(d, p);
    const V scaled = before ? hn::Div(x, power) : hn::Mul(x, power);
    const V whole = hn::Round(scaled);
    const V y = before ? hn::Mul(whole, power) : hn::Div(whole, power);
    const auto finite = hn::Lt(hn::Abs(scaled), hn::Set(d, kInf<Lane<D>>));
    return hn::IfThenElse(finite, hn::IfThenElse(hn::Eq(whole, hn::Zero(d)), whole, y), x);
  }
};

struct NanToNum {
  double nan, above, below;
  explicit NanToNum(const double* attr) : nan(attr[0]), above(attr[1]), below(attr[2]) {}
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V inf = hn::Set(d, kInf<Lane<D>>);
    const V y = hn::IfThenElse(hn::IsNaN(x), constant(d, nan), x);
    return hn::IfThenElse(hn::Eq(x, inf), constant(d, above),
                          hn::IfThenElse(hn::Eq(x, hn::Neg(inf)), constant(d, below), y));
  }
};

struct Fmod {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const { return fmod<Lane<D>>(a, b); }
};
struct Remainder {
  template <class D, class V> HWY_INLINE V operator()(D d, V a, V b) const {
    const V r = fmod<Lane<D>>(a, b), zero = hn::Zero(d);
    const auto other_side =
        hn::Or(hn::And(hn::Lt(r, zero), hn::Gt(b, zero)), hn::And(hn::Gt(r, zero), hn::Lt(b, zero)));
    return hn::IfThenElse(other_side, hn::Add(r, b), r);
  }
};
struct Hypot {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const { return hypot<Lane<D>>(a, b); }
};

// From the nearer end, so that weight 1 gives `end` exactly.
struct Lerp {
  template <class D, class V> HWY_INLINE V operator()(D d, V start, V end, V weight) const {
    const V way = hn::Sub(end, start);
    const V from_start = hn::Add(start, hn::Mul(weight, way));
    const V from_end = hn::Sub(end, hn::Mul(way, hn::Sub(constant(d, 1), weight)));
    return hn::IfThenElse(hn::Lt(hn::Abs(weight), constant(d, 0.5)), from_start, from_end);
  }
};
struct Factor {
  double value;
  explicit Factor(const double* attr) : value(attr[0]) {}
};
struct Addcmul : Factor {
  using Factor::Factor;
  template <class D, class V> HWY_INLINE V operator()(D d, V x, V a, V b) const {
    return hn::Add(x, hn::Mul(hn::Mul(constant(d, value), a), b));
  }
};
struct Addcdiv : Factor {
  using Factor::Factor;
  template <class D, class V> HWY_INLINE V operator()(D d, V x, V a, V b) const {
    return hn::Add(x, hn::Div(hn::Mul(constant(d, value), a), b));
  }
};

// Whoever divides by 0 has been refused before. -1 divides the smallest integer to one beyond the largest.
template <class T> struct IntegerFmod {
  HWY_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_signed_v<T>) {
      if (b == T{-1}) return 0;
    }
    return b == T{0} ? T{0} : static_cast<T>(a % b);
  }
};
template <class T> struct IntegerRemainder {
  HWY_INLINE T operator()(T a, T b) const {
    const T r = IntegerFmod<T>()(a, b);
    return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
  }
};

template <class T> void fill_integer(Table& t) {
  constexpr int dtype = static_cast<int>(dtype_of<T>());
  t.map[static_cast<int>(Map::fmod)][dtype] = &tile<ScalarKernel<T, IntegerFmod<T>, T, T>>;
  t.map[static_cast<int>(Map::remainder)][dtype] = &tile<ScalarKernel<T, IntegerRemainder<T>, T, T>>;
}

}  // namespace

void fill_map_rounding(Table& t) {
  offer<Floor, 1>(t, Map::floor);
  offer<Ceil, 1>(t, Map::ceil);
  offer<Trunc, 1>(t, Map::trunc);
  offer<Round, 1>(t, Map::round);
  offer<Frac, 1>(t, Map::frac);
  offer<RoundDecimals, 1>(t, Map::round_decimals);
  offer<NanToNum, 1>(t, Map::nan_to_num);
  offer<Fmod, 2, false>(t, Map::fmod);
  offer<Remainder, 2, false>(t, Map::remainder);
  offer<Hypot, 2, false>(t, Map::hypot);
  offer<Lerp, 3>(t, Map::lerp);
  offer<Addcmul, 3>(t, Map::addcmul);
  offer<Addcdiv, 3>(t, Map::addcdiv);
  fill_integer<uint8_t>(t);
  fill_integer<int32_t>(t);
  fill_integer<int64_t>(t);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
