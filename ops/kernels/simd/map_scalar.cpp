// Elementwise kernels on integers and bool, selection, and pow: plain loops the compiler vectorises.
#include "tapegrad/ops/kernels/simd/targets.h"
#if defined(HWY_WANT_SSE4)  // AVX-512's table takes AVX2's: these loops are bound by memory
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL | HWY_AVX3 | HWY_SCALAR | HWY_EMU128)
#endif
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/map_scalar.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// Arithmetic wraps: int64 in uint64; narrower types too, as signed overflow is undefined and unsigned is not.
template <class T> using Wrapping = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
template <class T> HWY_INLINE Wrapping<T> wrap(T x) { return static_cast<Wrapping<T>>(x); }

template <class T> struct Neg {
  HWY_INLINE T operator()(T x) const { return static_cast<T>(0 - wrap(x)); }
};
template <class T> struct Abs {
  HWY_INLINE T operator()(T x) const { return x < T{0} ? static_cast<T>(0 - wrap(x)) : x; }
};
template <class T> struct Square {
  HWY_INLINE T operator()(T x) const { return static_cast<T>(wrap(x) * wrap(x)); }
};
template <class T> struct Relu {
  HWY_INLINE T operator()(T x) const { return x > T{0} ? x : T{0}; }
};
template <class T> struct Sign {
  HWY_INLINE T operator()(T x) const { return static_cast<T>((x > T{0}) - (x < T{0})); }
};
template <class T> struct Add {
  HWY_INLINE T operator()(T a, T b) const { return static_cast<T>(wrap(a) + wrap(b)); }
};
template <class T> struct Sub {
  HWY_INLINE T operator()(T a, T b) const { return static_cast<T>(wrap(a) - wrap(b)); }
};
template <class T> struct Mul {
  HWY_INLINE T operator()(T a, T b) const { return static_cast<T>(wrap(a) * wrap(b)); }
};
template <class T> struct Maximum {
  HWY_INLINE T operator()(T a, T b) const { return a > b ? a : b; }
};
template <class T> struct Minimum {
  HWY_INLINE T operator()(T a, T b) const { return a < b ? a : b; }
};

// Bounds beyond T's range become its limits.
template <class T> struct Clamp {
  T lo, hi;
  explicit Clamp(const double* attr) : lo(saturate(attr[0])), hi(saturate(attr[1])) {}
  static T saturate(double x) {
    if (!(x > static_cast<double>(std::numeric_limits<T>::min()))) return std::numeric_limits<T>::min();
    if (x >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(x);
  }
  HWY_INLINE T operator()(T x) const {
    const T y = x < lo ? lo : x;
    return y > hi ? hi : y;
  }
};

template <class T> struct Pow {
  HWY_INLINE T operator()(T base, T exponent) const {
    if constexpr (std::is_signed_v<T>) {
      if (exponent < 0) return base == 1 ? T{1} : base == -1 ? static_cast<T>(exponent % 2 ? -1 : 1) : T{0};
    }
    Wrapping<T> y = 1, b = wrap(base), e = wrap(exponent);
    for (; e; e >>= 1, b *= b) {
      if (e & 1) y *= b;
    }
    return static_cast<T>(y);
  }
};
// The C library's pow is exact to half an ulp or so; the frequent exponents need not pay for it.
template <class T> struct PowFloat {
  HWY_INLINE T operator()(T x, T e) const {
    if (e == T{2}) return x * x;
    if (e == T{1}) return x;
    if (e == T{-1}) return T{1} / x;
    return std::pow(x, e);
  }
};

template <class T> struct Not {
  HWY_INLINE bool operator()(T x) const { return x == T{0}; }
};
template <class T> struct Always {
  HWY_INLINE bool operator()(T) const { return true; }
};
template <class T> struct Never {
  HWY_INLINE bool operator()(T) const { return false; }
};
template <class T> struct Eq {
  HWY_INLINE bool operator()(T a, T b) const { return a == b; }
};
template <class T> struct Ne {
  HWY_INLINE bool operator()(T a, T b) const { return a != b; }
};
template <class T> struct Lt {
  HWY_INLINE bool operator()(T a, T b) const { return a < b; }
};
template <class T> struct Le {
  HWY_INLINE bool operator()(T a, T b) const { return a <= b; }
};
template <class T> struct Gt {
  HWY_INLINE bool operator()(T a, T b) const { return a > b; }
};
template <class T> struct Ge {
  HWY_INLINE bool operator()(T a, T b) const { return a >= b; }
};
template <class T> struct BitOr {
  HWY_INLINE T operator()(T a, T b) const { return static_cast<T>(a | b); }
};
template <class T> struct BitAnd {
  HWY_INLINE T operator()(T a, T b) const { return static_cast<T>(a & b); }
};
template <class T> struct Where {
  HWY_INLINE T operator()(uint8_t c, T a, T b) const { return c ? a : b; }
};

// bool is stored, compared and selected as the bytes 0 and 1; reading a `bool` would let the compiler assume it.
template <class T> Tile& at(Table& t, Map op) { return t.map[static_cast<int>(op)][static_cast<int>(dtype_of<T>())]; }
template <class T> using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <class T, template <class> class Op> void unary(Table& t, Map op) {
  at<T>(t, op) = &tile<ScalarKernel<Stored<T>, Op<Stored<T>>, Stored<T>>>;
}
template <class T, template <class> class Op> void binary(Table& t, Map op) {
  at<T>(t, op) = &tile<ScalarKernel<Stored<T>, Op<Stored<T>>, Stored<T>, Stored<T>>>;
}
template <class T, template <class> class Op> void test(Table& t, Map op) {
  at<T>(t, op) = &tile<ScalarKernel<uint8_t, Op<Stored<T>>, Stored<T>>>;
}
template <class T, template <class> class Op> void compare(Table& t, Map op) {
  at<T>(t, op) = &tile<ScalarKernel<uint8_t, Op<Stored<T>>, Stored<T>, Stored<T>>>;
}

template <class T> void offer_where(Table& t) {
  at<T>(t, Map::where) = &tile<ScalarKernel<Stored<T>, Where<Stored<T>>, uint8_t, Stored<T>, Stored<T>>>;
}

template <class T> void fill_tests(Table& t) {
  test<T, Not>(t, Map::logical_not);
  test<T, Never>(t, Map::isnan);
  test<T, Never>(t, Map::isinf);
  test<T, Always>(t, Map::isfinite);
  compare<T, Eq>(t, Map::eq);
  compare<T, Ne>(t, Map::ne);
  compare<T, Lt>(t, Map::lt);
  compare<T, Le>(t, Map::le);
  compare<T, Gt>(t, Map::gt);
  compare<T, Ge>(t, Map::ge);
  offer_where<T>(t);
}

template <class T> void fill_integer(Table& t) {
  unary<T, Neg>(t, Map::neg);
  unary<T, Abs>(t, Map::abs);
  unary<T, Square>(t, Map::square);
  unary<T, Relu>(t, Map::relu);
  unary<T, Clamp>(t, Map::clamp);
  unary<T, Sign>(t, Map::sign);
  binary<T, Add>(t, Map::add);
  binary<T, Sub>(t, Map::sub);
  binary<T, Mul>(t, Map::mul);
  binary<T, Maximum>(t, Map::maximum);
  binary<T, Minimum>(t, Map::minimum);
  binary<T, Pow>(t, Map::pow);
}

}  // namespace

void fill_map_scalar(Table& t) {
  fill_tests<bool>(t);
  fill_tests<uint8_t>(t);
  fill_tests<int32_t>(t);
  fill_tests<int64_t>(t);
  offer_where<float>(t);
  offer_where<double>(t);
  fill_integer<uint8_t>(t);
  fill_integer<int32_t>(t);
  fill_integer<int64_t>(t);
  binary<float, PowFloat>(t, Map::pow);
  binary<double, PowFloat>(t, Map::pow);
  binary<bool, BitOr>(t, Map::add);
  binary<bool, BitAnd>(t, Map::mul);
  binary<bool, BitAnd>(t, Map::logical_and);
  binary<bool, BitOr>(t, Map::maximum);
  binary<bool, BitAnd>(t, Map::minimum);
  unary<bool, Sign>(t, Map::sign);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
