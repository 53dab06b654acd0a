// elu and its kin, bounds and thresholds, shrinkage.
#include "tapegrad/ops/rectifier.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/lowered_parts.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::binary;
using kernels::Map;
using kernels::ternary;
using kernels::unary;

namespace {

// e^min(x, 0): what is not taken must not overflow, or its zero cotangent would become NaN.
Tensor exp_of_negatives(const Tensor& x) { return exp(clamp(x, {}, 0)); }

// y = x where x > 0, else alpha (e^x - 1);  dx = dy, and dy alpha e^x there
struct Elu {
  static constexpr const char* name = "elu";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  double alpha;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::elu, x.save(v), out, {alpha, 1}); }
  Grads backward(const Tensor& dy) const { return {where(*x > 0, dy, dy * (exp_of_negatives(*x) * alpha))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::elu_backward, dy, *x, {}, {alpha, 1})}; }
};

// y = s x where x > 0, else s a (e^x - 1);  dx = s dy, and dy s a e^x there
struct Selu {
  static constexpr const char* name = "selu";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  static constexpr double s = 1.0507009873554804934193349852946, sa = s * 1.6732632423543772848170429916717;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::elu, x.save(v), out, {sa, s}); }
  Grads backward(const Tensor& dy) const { return {where(*x > 0, dy * s, dy * (exp_of_negatives(*x) * sa))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::elu_backward, dy, *x, {}, {sa, s})}; }
};

// y = x where x > 0, else alpha (e^(x / alpha) - 1);  dx = dy, and dy e^(x / alpha) there
struct Celu {
  static constexpr const char* name = "celu";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  double alpha;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::celu, x.save(v), out, {alpha}); }
  Grads backward(const Tensor& dy) const { return {where(*x > 0, dy, dy * exp(clamp(*x, {}, 0) / alpha))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::celu_backward, dy, *x, {}, {alpha})}; }
};

// y = min(max(x, lo), hi);  dx = dy where lo < y < hi, else 0
struct Hardtanh {
  static constexpr const char* name = "hardtanh";
  static constexpr bool elementwise = true;
  double lo, hi;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::clamp, x, out, {lo, hi})); }
  Grads backward(const Tensor& dy) const { return {where(*y <= lo, 0, where(*y >= hi, 0, dy))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::hardtanh_backward, dy, *y, {}, {lo, hi})}; }
};

// y = value where x <= bound, else x;  dx = 0 there, else dy
struct Threshold {
  static constexpr const char* name = "threshold";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  double bound, value;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) {
    return unary(name, Map::threshold, x.save(v), out, {bound, value});
  }
  Grads backward(const Tensor& dy) const { return {where(*x <= bound, 0, dy)}; }
  Grads backward_fused(const Tensor& dy) const {
    return {binary(name, Map::threshold_backward, dy, *x, {}, {bound, value})};
  }
};

// y = x where x > 0, else w x;  dx = dy, and w dy there;  dw = 0, and x dy there
struct Prelu {
  static constexpr const char* name = "prelu";
  static constexpr bool elementwise = true;
  SavedInput x{"x"}, w{"weight"};
  Tensor forward(const Tensor& v, const Tensor& weight) { return binary(name, Map::prelu, x.save(v), w.save(weight)); }
  Grads backward(const Tensor& dy) const {
    return {autograd::needs(0) ? where(*x > 0, dy, dy * *w) : Tensor(),
            autograd::needs(1) ? where(*x > 0, 0, dy * *x) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    return {autograd::needs(0) ? ternary(name, Map::prelu_backward, dy, *x, *w) : Tensor(),
            autograd::needs(1) ? binary(name, Map::prelu_backward_weight, dy, *x) : Tensor()};
  }
};

// y = x - lambda where x > lambda, x + lambda where x < -lambda, else 0;  dx = dy, dy, 0
struct Softshrink {
  static constexpr const char* name = "softshrink";
  static constexpr bool elementwise = true;
  double lambda;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::softshrink, x.save(v), {}, {lambda}); }
  Grads backward(const Tensor& dy) const { return {where(abs(*x) <= lambda, 0, dy)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::shrink_backward, dy, *x, {}, {lambda})}; }
};

// y = x where |x| > lambda, else 0;  dx = dy, and 0 there
struct Hardshrink {
  static constexpr const char* name = "hardshrink";
  static constexpr bool elementwise = true;
  double lambda;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::hardshrink, x.save(v), {}, {lambda}); }
  Grads backward(const Tensor& dy) const { return {where(abs(*x) <= lambda, 0, dy)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::shrink_backward, dy, *x, {}, {lambda})}; }
};

// y = x - tanh x;  dx = dy tanh(x)^2
struct Tanhshrink {
  static constexpr const char* name = "tanhshrink";
  static constexpr bool elementwise = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::tanhshrink, x.save(v)); }
  Grads backward(const Tensor& dy) const { return {dy * square(tanh(*x))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::tanhshrink_backward, dy, *x)}; }
};

// y = x / (1 + |x|);  dx = dy / (1 + |x|)^2
struct Softsign {
  static constexpr const char* name = "softsign";
  static constexpr bool elementwise = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::softsign, x.save(v)); }
  Grads backward(const Tensor& dy) const { return {dy / square(1 + abs(*x))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::softsign_backward, dy, *x)}; }
};

void check_alpha(const char* op, double alpha) {
  if (alpha == 0) throw ValueError(std::string(op) + ": alpha must not be 0, got 0");
}

// The bounds of an integer tensor are integers.
void check_bounds(const char* op, const Tensor& x, double lo, double hi) {
  check_defined(op, x, "x");
  if (x.dtype() == kBool) throw DTypeError(std::string(op) + ": bool is not a dtype it takes");
  if (x.dtype() == kUInt8 && (lo <= -1 || hi <= -1))
    throw ValueError(std::string(op) + ": the bounds of a uint8 tensor must not be negative, got " +
                     std::to_string(static_cast<int64_t>(lo)) + " and " + std::to_string(static_cast<int64_t>(hi)) +
                     " (did you mean x.to(kInt32)?)");
}

Tensor bounded(const char* op, const Tensor& x, double lo, double hi) {
  check_bounds(op, x, lo, hi);
  if (x.is_floating_point()) return apply(Hardtanh{lo, hi}, x);
  return clamp(x, static_cast<int64_t>(lo), static_cast<int64_t>(hi));
}

Tensor& bound_in_place(const char* op, const Tensor& x, double lo, double hi) {
  check_bounds(op, x, lo, hi);
  if (x.is_floating_point()) return apply_in_place_as(op, Hardtanh{lo, hi}, x);
  return clamp_(x, static_cast<int64_t>(lo), static_cast<int64_t>(hi));
}

// The weight shaped to meet x: one number, or one per index along dim 1.
Tensor across_channels(const Tensor& x, const Tensor& weight) {
  if (weight.dim() <= 1 && weight.numel() == 1) return reshape(weight, {});
  const int64_t channels = x.dim() < 2 ? 1 : x.sizes()[1];
  if (weight.dim() != 1 || weight.numel() != channels)
    throw ShapeError("prelu: weight must have one element, or one per index along dim 1 of x, got weight " +
                     to_string(weight.sizes()) + " and x " + to_string(x.sizes()));
  Shape sizes = Shape::filled(x.dim(), 1);
  sizes[1] = channels;
  return reshape(weight, sizes);
}

}  // namespace

Tensor elu(const Tensor& x, double alpha) {
  check_defined("elu", x, "x");
  return apply(Elu{alpha}, real(x));
}
Tensor selu(const Tensor& x) {
  check_defined("selu", x, "x");
  return apply(Selu{}, real(x));
}
Tensor celu(const Tensor& x, double alpha) {
  check_defined("celu", x, "x");
  check_alpha("celu", alpha);
  return apply(Celu{alpha}, real(x));
}

Tensor hardtanh(const Tensor& x, double min_val, double max_val) { return bounded("hardtanh", x, min_val, max_val); }
Tensor relu6(const Tensor& x) { return bounded("relu6", x, 0, 6); }

Tensor threshold(const Tensor& x, const Scalar& threshold, const Scalar& value) {
  check_defined("threshold", x, "x");
  if (x.is_floating_point()) return apply(Threshold{threshold.to<double>(), value.to<double>()}, x);
  return where(x <= threshold, number_of(value, x.dtype(), "threshold"), x);
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  check_defined("prelu", x, "x");
  check_defined("prelu", weight, "weight");
  if (lowers(x, weight) && x.dtype() != weight.dtype()) return prelu(x, to(weight, x.dtype()));
  if (x.dtype() != weight.dtype() || !x.is_floating_point())
    throw DTypeError(std::string("prelu: x and weight must have one floating dtype, got x ") + name_of(x.dtype()) +
                     " and weight " + name_of(weight.dtype()) + " (did you mean x.to(weight.dtype())?)");
  return apply_binary(Prelu{}, x, across_channels(x, weight), x.dtype());
}

Tensor softshrink(const Tensor& x, double lambda) {
  check_defined("softshrink", x, "x");
  if (!(lambda >= 0)) throw ValueError("softshrink: lambda must not be negative, got " + std::to_string(lambda));
  return apply(Softshrink{lambda}, real(x));
}
Tensor hardshrink(const Tensor& x, double lambda) {
  check_defined("hardshrink", x, "x");
  return apply(Hardshrink{lambda}, real(x));
}
Tensor tanhshrink(const Tensor& x) {
  check_defined("tanhshrink", x, "x");
  return apply(Tanhshrink{}, real(x));
}
Tensor softsign(const Tensor& x) {
  check_defined("softsign", x, "x");
  return apply(Softsign{}, real(x));
}

Tensor& elu_(const Tensor& x, double alpha) { return in_place_unary(Elu{alpha}, x, true); }
Tensor& selu_(const Tensor& x) { return in_place_unary(Selu{}, x, true); }
Tensor& celu_(const Tensor& x, double alpha) {
  check_alpha("celu_", alpha);
  return in_place_unary(Celu{alpha}, x, true);
}
Tensor& hardtanh_(const Tensor& x, double min_val, double max_val) {
  return bound_in_place("hardtanh_", x, min_val, max_val);
}
Tensor& relu6_(const Tensor& x) { return bound_in_place("relu6_", x, 0, 6); }
Tensor& threshold_(const Tensor& x, const Scalar& threshold, const Scalar& value) {
  check_defined("threshold_", x, "x");
  if (x.is_floating_point()) return apply_in_place(Threshold{threshold.to<double>(), value.to<double>()}, x);
  return copy_(x, tapegrad::threshold(x, threshold, value));
}

}  // namespace tapegrad
