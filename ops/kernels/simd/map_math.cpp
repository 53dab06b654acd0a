// Elementwise kernels: exponentials, logarithms, reciprocals, sin, cos, tan, erf.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/map_math.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/erf-inl.h"
#include "tapegrad/ops/kernels/simd/exp_log-inl.h"
#include "tapegrad/ops/kernels/simd/tile-inl.h"
#include "tapegrad/ops/kernels/simd/trigonometry-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

struct Exp2 {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return exp2(d, x); }
};
struct Expm1 {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return expm1(d, x); }
};
struct Log1p {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log1p(d, x); }
};
struct Log2 {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log2(d, x); }
};
struct Log10 {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log10(d, x); }
};
struct Rsqrt {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return hn::Div(constant(d, 1), hn::Sqrt(x)); }
};
struct Reciprocal {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return hn::Div(constant(d, 1), x); }
};
struct Sin {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return sin<Lane<D>>(x); }
};
struct Cos {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return cos<Lane<D>>(x); }
};
struct Tan {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return tan<Lane<D>>(x); }
};
struct Erf {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return erf(d, x); }
};
struct Erfc {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return erfc(d, x); }
};
struct SinBackward {
  template <class D, class V> HWY_INLINE V operator()(D, V dy, V x) const { return hn::Mul(dy, cos<Lane<D>>(x)); }
};
struct CosBackward {
  template <class D, class V> HWY_INLINE V operator()(D, V dy, V x) const {
    return hn::Neg(hn::Mul(dy, sin<Lane<D>>(x)));
  }
};

}  // namespace

void fill_map_math(Table& t) {
  offer<Exp2, 1, false>(t, Map::exp2);
  offer<Expm1, 1, false>(t, Map::expm1);
  offer<Log1p, 1, false>(t, Map::log1p);
  offer<Log2, 1, false>(t, Map::log2);
  offer<Log10, 1, false>(t, Map::log10);
  offer<Rsqrt, 1>(t, Map::rsqrt);
  offer<Reciprocal, 1>(t, Map::reciprocal);
  offer<Sin, 1, false>(t, Map::sin);
  offer<Cos, 1, false>(t, Map::cos);
  offer<Tan, 1, false>(t, Map::tan);
  offer<Erf, 1, false>(t, Map::erf);
  offer<Erfc, 1, false>(t, Map::erfc);
  offer<SinBackward, 2, false>(t, Map::sin_backward);
  offer<CosBackward, 2, false>(t, Map::cos_backward);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
