// silu, gelu, mish and their kin: x times a gate, and the gates.
#include "tapegrad/ops/gated.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::binary;
using kernels::Map;
using kernels::ternary;
using kernels::unary;

namespace {

// y = x s, s = sigmoid(x);  dx = dy s (1 + x (1 - s))
struct Silu {
  static constexpr const char* name = "silu";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::silu, x.save(v), out); }
  Grads backward(const Tensor& dy) const {
    const Tensor s = sigmoid(*x);
    return {dy * (s * (1 + *x * (1 - s)))};
  }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::silu_backward, dy, *x)}; }
};

// y = e^(-x^2 / 2) / sqrt(2 pi)
Tensor normal_density(const Tensor& x) { return exp(square(x) * -0.5) * 0.39894228040143267794; }

// y = (1 + erf(x / sqrt 2)) / 2;  dx = dy e^(-x^2 / 2) / sqrt(2 pi)
struct NormalCdf {
  static constexpr const char* name = "normal_cdf";
  static constexpr bool elementwise = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::normal_cdf, x.save(v)); }
  Grads backward(const Tensor& dy) const { return {dy * normal_density(*x)}; }
};

// y = x p, p = (1 + erf(x / sqrt 2)) / 2;  dx = dy (p + x e^(-x^2 / 2) / sqrt(2 pi))
struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr bool elementwise = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::gelu, x.save(v)); }
  Grads backward(const Tensor& dy) const { return {dy * (apply(NormalCdf{}, *x) + *x * normal_density(*x))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::gelu_backward, dy, *x)}; }
};

// y = x (1 + tanh u) / 2 = x s, s = sigmoid(2 u), 2 u = a (x + b x^3);  dx = dy s (1 + x (1 - s) a (1 + 3 b x^2))
struct GeluTanh {
  static constexpr const char* name = "gelu_tanh";
  static constexpr bool elementwise = true;
  static constexpr double a = 1.59576912160573071175, b = 0.044715;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::gelu_tanh, x.save(v)); }
  Grads backward(const Tensor& dy) const {
    const Tensor x2 = square(*x);
    const Tensor s = sigmoid(*x * (a + x2 * (a * b)));
    return {dy * (s * (1 + *x * (1 - s) * (a + x2 * (3 * a * b))))};
  }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::gelu_tanh_backward, dy, *x)}; }
};

// y = x t, t = tanh(ln(1 + e^x));  dx = dy (t + x (1 - t^2) sigmoid(x))
struct Mish {
  static constexpr const char* name = "mish";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::mish, x.save(v), out); }
  Grads backward(const Tensor& dy) const {
    const Tensor t = tanh(softplus(*x));
    return {dy * (t + *x * (1 - square(t)) * sigmoid(*x))};
  }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::mish_backward, dy, *x)}; }
};

Tensor between(const Tensor& x, double lo, double hi) { return logical_and(x > lo, x < hi); }

// y = min(max(x + 3, 0), 6) / 6;  dx = dy / 6 where -3 < x < 3, else 0
struct Hardsigmoid {
  static constexpr const char* name = "hardsigmoid";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::hardsigmoid, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {where(between(*x, -3, 3), dy * (1.0 / 6), 0)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::hardsigmoid_backward, dy, *x)}; }
};

// y = x min(max(x + 3, 0), 6) / 6;  dx = dy where x >= 3, dy (x / 3 + 1/2) where -3 < x < 3, else 0
struct Hardswish {
  static constexpr const char* name = "hardswish";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::hardswish, x.save(v), out); }
  Grads backward(const Tensor& dy) const {
    return {where(*x <= -3, 0, where(*x >= 3, dy, dy * (*x * (1.0 / 3) + 0.5)))};
  }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::hardswish_backward, dy, *x)}; }
};

// y = -ln(1 + e^-x);  dx = dy sigmoid(-x)
struct LogSigmoid {
  static constexpr const char* name = "logsigmoid";
  static constexpr bool elementwise = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::log_sigmoid, x.save(v)); }
  Grads backward(const Tensor& dy) const { return {dy * sigmoid(neg(*x))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::log_sigmoid_backward, dy, *x)}; }
};

// The first (0) or second (1) half of x along dim, in the same memory.
Tensor half_of(const Tensor& x, int64_t dim, int64_t which) {
  Shape sizes = x.sizes();
  sizes[dim] /= 2;
  return alias(x, sizes, x.strides(), which * sizes[dim] * x.strides()[dim]);
}

// y = a s, s = sigmoid(b), x = [a, b] along dim;  da = dy s, db = dy a s (1 - s)
struct Glu {
  static constexpr const char* name = "glu";
  int64_t dim;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    return binary(name, Map::glu, half_of(v, dim, 0), half_of(v, dim, 1));
  }
  Tensor half(const Tensor& v, int64_t which) const {
    const int64_t length = v.sizes()[dim] / 2;
    return narrow(v, dim, which * length, length);
  }
  Grads backward(const Tensor& dy) const {
    const Tensor s = sigmoid(half(*x, 1));
    const Tensor da = dy * s;
    return {cat({da, da * half(*x, 0) * (1 - s)}, dim)};
  }
  Grads backward_fused(const Tensor& dy) const {
    const Tensor dx = new_tensor((*x).sizes(), dy.dtype());
    const Tensor a = half_of(*x, dim, 0), b = half_of(*x, dim, 1);
    binary(name, Map::glu, dy, b, half_of(dx, dim, 0));
    ternary(name, Map::glu_backward_gate, dy, a, b, half_of(dx, dim, 1));
    return {dx};
  }
  Tensor tangent(const Tensor& dx) const {
    const Tensor s = sigmoid(half(*x, 1));
    return half(dx, 0) * s + half(dx, 1) * half(*x, 0) * s * (1 - s);
  }
};

}  // namespace

Tensor silu(const Tensor& x) {
  check_defined("silu", x, "x");
  return apply(Silu{}, real(x));
}

Tensor gelu(const Tensor& x, std::string_view approximate) {
  check_defined("gelu", x, "x");
  if (approximate == "none") return apply(Gelu{}, real(x));
  if (approximate == "tanh") return apply(GeluTanh{}, real(x));
  throw ValueError("gelu: approximate must be \"none\" or \"tanh\", got \"" + std::string(approximate) + "\"");
}

Tensor mish(const Tensor& x) {
  check_defined("mish", x, "x");
  return apply(Mish{}, real(x));
}
Tensor hardsigmoid(const Tensor& x) {
  check_defined("hardsigmoid", x, "x");
  return apply(Hardsigmoid{}, real(x));
}
Tensor hardswish(const Tensor& x) {
  check_defined("hardswish", x, "x");
  return apply(Hardswish{}, real(x));
}
Tensor logsigmoid(const Tensor& x) {
  check_defined("logsigmoid", x, "x");
  return apply(LogSigmoid{}, real(x));
}

Tensor glu(const Tensor& x, int64_t dim) {
  check_defined("glu", x, "x");
  if (x.dim() == 0) throw ShapeError("glu: x must have a dim to halve, got shape []");
  const int64_t d = x.dim_index(dim, "glu");
  if (x.sizes()[d] % 2 != 0)
    throw ShapeError("glu: the size along dim must be even, got " + std::to_string(x.sizes()[d]) + " at dim " +
                     std::to_string(dim) + " of " + to_string(x.sizes()));
  return apply(Glu{.dim = d}, real(x));
}

Tensor& silu_(const Tensor& x) { return in_place_unary(Silu{}, x, true); }
Tensor& mish_(const Tensor& x) { return in_place_unary(Mish{}, x, true); }
Tensor& hardsigmoid_(const Tensor& x) { return in_place_unary(Hardsigmoid{}, x, true); }
Tensor& hardswish_(const Tensor& x) { return in_place_unary(Hardswish{}, x, true); }

}  // namespace tapegrad
