// Elementwise kernels on float and double.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/map_float.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/math-inl.h"
#include "tapegrad/ops/kernels/simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

template <class D, class V> HWY_INLINE V sign_of(D d, V x) {
  const V one = constant(d, 1), zero = hn::Zero(d);
  return hn::IfThenElse(hn::Eq(x, zero), zero, hn::IfThenElse(hn::IsNaN(x), x, hn::CopySign(one, x)));
}

struct Neg {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Neg(x); }
};
struct Abs {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Abs(x); }
};
struct Square {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Mul(x, x); }
};
struct Sqrt {
  template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Sqrt(x); }
};
struct Exp {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return exp(d, x); }
};
struct Log {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log(d, x); }
};
struct Sigmoid {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return sigmoid(d, x); }
};
struct Tanh {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return tanh(d, x); }
};
struct Relu {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x);
  }
};
struct Sign {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return sign_of(d, x); }
};

struct Slope {
  double slope;
  explicit Slope(const double* attr) : slope(attr[0]) {}
};
struct LeakyRelu : Slope {
  using Slope::Slope;
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(x, constant(d, slope)));
  }
};
struct LeakyReluBackward : Slope {
  using Slope::Slope;
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), dy, hn::Mul(dy, constant(d, slope)));
  }
};

struct Bent {
  double beta, threshold;
  explicit Bent(const double* attr) : beta(attr[0]), threshold(attr[1]) {}
};
struct Softplus : Bent {
  using Bent::Bent;
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V z = hn::Mul(x, constant(d, beta));
    const V tail = log1p_of_unit(d, exp(d, hn::Neg(hn::Abs(z))));
    const V y = hn::Div(hn::Add(hn::IfThenZeroElse(hn::Lt(z, hn::Zero(d)), z), tail), constant(d, beta));
    return hn::IfThenElse(hn::Gt(z, constant(d, threshold)), x, y);
  }
};
struct SoftplusBackward : Bent {
  using Bent::Bent;
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const V z = hn::Mul(x, constant(d, beta));
    return hn::IfThenElse(hn::Gt(z, constant(d, threshold)), dy, hn::Mul(dy, sigmoid(d, z)));
  }
};

struct Bounds {
  double lo, hi;
  explicit Bounds(const double* attr) : lo(attr[0]), hi(attr[1]) {}
};
struct Clamp : Bounds {
  using Bounds::Bounds;
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V l = constant(d, lo), h = constant(d, hi);
    const V y = hn::IfThenElse(hn::Lt(x, l), l, x);
    return hn::IfThenElse(hn::Gt(y, h), h, y);
  }
};
struct ClampBackward : Bounds {
  using Bounds::Bounds;
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    return hn::IfThenElseZero(hn::And(hn::Ge(x, constant(d, lo)), hn::Le(x, constant(d, hi))), dy);
  }
};

struct Add {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const { return hn::Add(a, b); }
};
struct Sub {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const { return hn::Sub(a, b); }
};
struct Mul {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const { return hn::Mul(a, b); }
};
struct Div {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const { return hn::Div(a, b); }
};
struct Maximum {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
  }
};
struct Minimum {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
  }
};
struct MulAdd {
  template <class D, class V> HWY_INLINE V operator()(D, V a, V b, V c) const { return hn::Add(hn::Mul(a, b), c); }
};

struct SigmoidBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V y) const {
    return hn::Mul(hn::Mul(dy, y), hn::Sub(constant(d, 1), y));
  }
};
struct TanhBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V y) const {
    return hn::Mul(dy, hn::Sub(constant(d, 1), hn::Mul(y, y)));
  }
};
struct ReluBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V y) const {
    return hn::IfThenZeroElse(hn::Le(y, hn::Zero(d)), dy);
  }
};
struct SqrtBackward {
  template <class D, class V> HWY_INLINE V operator()(D, V dy, V y) const { return hn::Div(dy, hn::Add(y, y)); }
};
struct AbsBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const { return hn::Mul(dy, sign_of(d, x)); }
};
struct SquareBackward {
  template <class D, class V> HWY_INLINE V operator()(D, V dy, V x) const { return hn::Mul(hn::Add(dy, dy), x); }
};

}  // namespace

void fill_map_float(Table& t) {
  offer<Neg, 1>(t, Map::neg);
  offer<Abs, 1>(t, Map::abs);
  offer<Square, 1>(t, Map::square);
  offer<Sqrt, 1>(t, Map::sqrt);
  offer<Exp, 1, false>(t, Map::exp);
  offer<Log, 1, false>(t, Map::log);
  offer<Sigmoid, 1, false>(t, Map::sigmoid);
  offer<Tanh, 1, false>(t, Map::tanh);
  offer<Relu, 1>(t, Map::relu);
  offer<LeakyRelu, 1>(t, Map::leaky_relu);
  offer<Softplus, 1, false>(t, Map::softplus);
  offer<Clamp, 1>(t, Map::clamp);
  offer<Sign, 1>(t, Map::sign);
  offer<Add, 2>(t, Map::add);
  offer<Sub, 2>(t, Map::sub);
  offer<Mul, 2>(t, Map::mul);
  offer<Div, 2>(t, Map::div);
  offer<Maximum, 2>(t, Map::maximum);
  offer<Minimum, 2>(t, Map::minimum);
  offer<MulAdd, 3>(t, Map::mul_add);
  offer<SigmoidBackward, 2>(t, Map::sigmoid_backward);
  offer<TanhBackward, 2>(t, Map::tanh_backward);
  offer<ReluBackward, 2>(t, Map::relu_backward);
  offer<LeakyReluBackward, 2>(t, Map::leaky_relu_backward);
  offer<SoftplusBackward, 2, false>(t, Map::softplus_backward);
  offer<ClampBackward, 2>(t, Map::clamp_backward);
  offer<SqrtBackward, 2>(t, Map::sqrt_backward);
  offer<AbsBackward, 2>(t, Map::abs_backward);
  offer<SquareBackward, 2>(t, Map::square_backward);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
