// Activations and their first-order rules on float and double, beyond those of map_float.cpp.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/map_activation.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/erf-inl.h"
#include "tapegrad/ops/kernels/simd/math-inl.h"
#include "tapegrad/ops/kernels/simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// e^x - 1, by half a power of two, so that the whole one may be beyond the range.
template <class D, class V> HWY_INLINE V expm1_of(D d, V x) {
  V t, n;
  const V limited = limit(d, x, kIsFloat<D> ? -30 : -40, kIsFloat<D> ? 89 : 710);
  const V p = expm1_reduced(d, reduce_by_ln2(d, limited, t, n));
  const V half = power_of_two(d, hn::Sub(t, constant(d, 1)));
  const V e = hn::MulAdd(p, half, hn::Sub(half, constant(d, 0.5)));
  return hn::Add(e, e);
}

template <class D, class V> HWY_INLINE V normal_cdf(D d, V x) {
  const V y = erf(d, hn::Mul(x, constant(d, 0.70710678118654752440)));
  return hn::MulAdd(y, constant(d, 0.5), constant(d, 0.5));
}
template <class D, class V> HWY_INLINE V normal_density(D d, V x) {
  const V e = exp_of_negative(d, hn::Mul(hn::Mul(x, x), constant(d, -0.5)));
  return hn::Mul(e, constant(d, 0.39894228040143267794));
}

struct Single {
  double a;
  explicit Single(const double* attr) : a(attr[0]) {}
};
struct Pair {
  double a, b;
  explicit Pair(const double* attr) : a(attr[0]), b(attr[1]) {}
};

struct Elu : Pair {
  using Pair::Pair;
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Mul(x, constant(d, b)), hn::Mul(expm1_of(d, x), constant(d, a)));
  }
};
struct EluBackward : Pair {
  using Pair::Pair;
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const V slope = hn::IfThenElse(hn::Gt(x, hn::Zero(d)), constant(d, b), hn::Mul(exp(d, x), constant(d, a)));
    return hn::Mul(dy, slope);
  }
};
struct Celu : Single {
  using Single::Single;
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V alpha = constant(d, a);
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(expm1_of(d, hn::Div(x, alpha)), alpha));
  }
};
struct CeluBackward : Single {
  using Single::Single;
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), dy, hn::Mul(dy, exp(d, hn::Div(x, constant(d, a)))));
  }
};

// x / (1 + e^-x), which keeps its digits where the sigmoid alone would be subnormal
struct Silu {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(x, hn::Add(exp(d, hn::Neg(x)), constant(d, 1)));
  }
};
struct SiluBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const V one = constant(d, 1), s = sigmoid(d, x);
    return hn::Mul(dy, hn::Mul(s, hn::MulAdd(x, hn::Sub(one, s), one)));
  }
};

// With e = e^x and n = e (e + 2): tanh(ln(1 + e)) = n / (n + 2), and 1 beyond `kLinear`.
template <class D> constexpr double kLinear = kIsFloat<D> ? 20 : 40;
struct Mish {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V e = exp(d, limit(d, x, -1000, kLinear<D>)), two = constant(d, 2), n = hn::Mul(e, hn::Add(e, two));
    return hn::Mul(x, hn::Div(n, hn::Add(n, two)));
  }
};
// d tanh(ln(1 + e)) / dx = 4 e (1 + e) / (n + 2)^2
struct MishBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const V e = exp(d, limit(d, x, -1000, kLinear<D>)), two = constant(d, 2), n = hn::Mul(e, hn::Add(e, two));
    const V below = hn::Div(constant(d, 1), hn::Add(n, two));
    const V rise = hn::Mul(hn::Mul(constant(d, 4), hn::MulAdd(e, e, e)), hn::Mul(below, below));
    const V slope = hn::MulAdd(x, rise, hn::Mul(n, below));
    return hn::IfThenElse(hn::Gt(x, constant(d, kLinear<D>)), dy, hn::Mul(dy, slope));
  }
};

struct NormalCdf {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return normal_cdf(d, x); }
};
struct Gelu {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return hn::Mul(x, normal_cdf(d, x)); }
};
struct GeluBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    return hn::Mul(dy, hn::MulAdd(x, normal_density(d, x), normal_cdf(d, x)));
  }
};

// x (1 + tanh u) / 2 = x sigmoid(2 u) with 2 u = x (kSlope + kCubic x^2), which loses nothing left of zero
constexpr double kSlope = 1.59576912160573071175, kCubic = 0.044715 * kSlope;
struct GeluTanh {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V z = hn::Mul(x, hn::MulAdd(hn::Mul(x, x), constant(d, kCubic), constant(d, kSlope)));
    return hn::Div(x, hn::Add(exp(d, hn::Neg(z)), constant(d, 1)));
  }
};
struct GeluTanhBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const V square = hn::Mul(x, x), one = constant(d, 1);
    const V s = sigmoid(d, hn::Mul(x, hn::MulAdd(square, constant(d, kCubic), constant(d, kSlope))));
    const V inner = hn::Mul(x, hn::MulAdd(square, constant(d, 3 * kCubic), constant(d, kSlope)));
    return hn::Mul(dy, hn::Mul(s, hn::MulAdd(inner, hn::Sub(one, s), one)));
  }
};

template <class D, class V> HWY_INLINE V hardsigmoid(D d, V x) {
  return hn::Mul(limit(d, hn::Add(x, constant(d, 3)), 0, 6), constant(d, 1.0 / 6));
}
struct Hardsigmoid {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return hardsigmoid(d, x); }
};
struct HardsigmoidBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const auto rises = hn::And(hn::Gt(x, constant(d, -3)), hn::Lt(x, constant(d, 3)));
    return hn::IfThenElseZero(rises, hn::Mul(dy, constant(d, 1.0 / 6)));
  }
};
struct Hardswish {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return hn::Mul(x, hardsigmoid(d, x)); }
};
struct HardswishBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const V bent = hn::Mul(dy, hn::MulAdd(x, constant(d, 1.0 / 3), constant(d, 0.5)));
    return hn::IfThenZeroElse(hn::Le(x, constant(d, -3)), hn::IfThenElse(hn::Ge(x, constant(d, 3)), dy, bent));
  }
};

struct Softsign {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(x, hn::Add(hn::Abs(x), constant(d, 1)));
  }
};
struct SoftsignBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const V s = hn::Add(hn::Abs(x), constant(d, 1));
    return hn::Div(dy, hn::Mul(s, s));
  }
};

struct LogSigmoid {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V tail = log1p_of_unit(d, exp(d, hn::Neg(hn::Abs(x))));
    return hn::Sub(hn::IfThenZeroElse(hn::Gt(x, hn::Zero(d)), x), tail);
  }
};
struct LogSigmoidBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    return hn::Mul(dy, sigmoid(d, hn::Neg(x)));
  }
};

// (x - tanh x) / x^3 in z = x^2 <= 1, minimax in the relative error: 2^-27.5, 2^-56.
template <class D, class V> HWY_INLINE V tanhshrink_near_zero(D d, V z) {
  if constexpr (kIsFloat<D>) {
    return polynomial(d, z, -1.42823939680510200e-04, 9.23609201282892972e-04, -3.20695356700546607e-03,
                      8.69795097972928585e-03, -2.18295854613989761e-02, 5.39634209501657699e-02,
                      -1.33333106950413333e-01, 3.33333331571364318e-01);
  } else {
    return polynomial(d, z, -2.51604411168663621222e-08, 2.63348481255044497850e-07, -1.37931947801096702209e-06,
                      4.98803824059126271345e-06, -1.46065019237478369958e-05, 3.83899514785316119443e-05,
                      -9.64630051721158493656e-05, 2.38957161057483220763e-04, -5.89979331921453526312e-04,
                      1.45582470113050049335e-03, -3.59212668086737437777e-03, 8.86323540474114139268e-03,
                      -2.18694885291397388744e-02, 5.39682539680467408573e-02, -1.33333333333330905689e-01,
                      3.33333333333333328597e-01);
  }
}
struct Tanhshrink {
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V z = hn::Mul(x, x), near = hn::Mul(hn::Mul(x, z), tanhshrink_near_zero(d, z));
    return hn::IfThenElse(hn::Lt(hn::Abs(x), constant(d, 1)), near, hn::Sub(x, tanh(d, x)));
  }
};
struct TanhshrinkBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    const V t = tanh(d, x);
    return hn::Mul(dy, hn::Mul(t, t));
  }
};

struct Softshrink : Single {
  using Single::Single;
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    const V l = constant(d, a);
    return hn::IfThenZeroElse(hn::Le(hn::Abs(x), l), hn::Sub(x, hn::CopySign(l, x)));
  }
};
// y = v where |x| > lambda (or is NaN), else 0: hardshrink with v = x, and the rule of both with v = dy
struct Hardshrink : Single {
  using Single::Single;
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenZeroElse(hn::Le(hn::Abs(x), constant(d, a)), x);
  }
};
struct ShrinkBackward : Single {
  using Single::Single;
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    return hn::IfThenZeroElse(hn::Le(hn::Abs(x), constant(d, a)), dy);
  }
};

struct Threshold : Pair {
  using Pair::Pair;
  template <class D, class V> HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Le(x, constant(d, a)), constant(d, b), x);
  }
};
struct ThresholdBackward : Pair {
  using Pair::Pair;
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    return hn::IfThenZeroElse(hn::Le(x, constant(d, a)), dy);
  }
};
struct HardtanhBackward : Pair {
  using Pair::Pair;
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V y) const {
    return hn::IfThenZeroElse(hn::Or(hn::Le(y, constant(d, a)), hn::Ge(y, constant(d, b))), dy);
  }
};

struct Prelu {
  template <class D, class V> HWY_INLINE V operator()(D d, V x, V w) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(w, x));
  }
};
struct PreluBackward {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x, V w) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), dy, hn::Mul(w, dy));
  }
};
struct PreluBackwardWeight {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V x) const {
    return hn::IfThenZeroElse(hn::Gt(x, hn::Zero(d)), hn::Mul(x, dy));
  }
};
struct Glu {
  template <class D, class V> HWY_INLINE V operator()(D d, V a, V b) const { return hn::Mul(a, sigmoid(d, b)); }
};
struct GluBackwardGate {
  template <class D, class V> HWY_INLINE V operator()(D d, V dy, V a, V b) const {
    const V s = sigmoid(d, b);
    return hn::Mul(hn::Mul(dy, a), hn::Mul(s, hn::Sub(constant(d, 1), s)));
  }
};

}  // namespace

void fill_map_activation(Table& t) {
  offer<Elu, 1, false>(t, Map::elu);
  offer<Celu, 1, false>(t, Map::celu);
  offer<Silu, 1, false>(t, Map::silu);
  offer<Mish, 1, false>(t, Map::mish);
  offer<Gelu, 1, false>(t, Map::gelu);
  offer<GeluTanh, 1, false>(t, Map::gelu_tanh);
  offer<NormalCdf, 1, false>(t, Map::normal_cdf);
  offer<Hardsigmoid, 1>(t, Map::hardsigmoid);
  offer<Hardswish, 1>(t, Map::hardswish);
  offer<Softsign, 1>(t, Map::softsign);
  offer<LogSigmoid, 1, false>(t, Map::log_sigmoid);
  offer<Tanhshrink, 1, false>(t, Map::tanhshrink);
  offer<Softshrink, 1>(t, Map::softshrink);
  offer<Hardshrink, 1>(t, Map::hardshrink);
  offer<Threshold, 1>(t, Map::threshold);
  offer<Prelu, 2>(t, Map::prelu);
  offer<Glu, 2, false>(t, Map::glu);
  offer<EluBackward, 2, false>(t, Map::elu_backward);
  offer<CeluBackward, 2, false>(t, Map::celu_backward);
  offer<SiluBackward, 2, false>(t, Map::silu_backward);
  offer<MishBackward, 2, false>(t, Map::mish_backward);
  offer<GeluBackward, 2, false>(t, Map::gelu_backward);
  offer<GeluTanhBackward, 2, false>(t, Map::gelu_tanh_backward);
  offer<HardsigmoidBackward, 2>(t, Map::hardsigmoid_backward);
  offer<HardswishBackward, 2>(t, Map::hardswish_backward);
  offer<SoftsignBackward, 2>(t, Map::softsign_backward);
  offer<LogSigmoidBackward, 2, false>(t, Map::log_sigmoid_backward);
  offer<TanhshrinkBackward, 2, false>(t, Map::tanhshrink_backward);
  offer<ShrinkBackward, 2>(t, Map::shrink_backward);
  offer<ThresholdBackward, 2>(t, Map::threshold_backward);
  offer<HardtanhBackward, 2>(t, Map::hardtanh_backward);
  offer<PreluBackward, 3>(t, Map::prelu_backward);
  offer<PreluBackwardWeight, 2>(t, Map::prelu_backward_weight);
  offer<GluBackwardGate, 3, false>(t, Map::glu_backward_gate);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
