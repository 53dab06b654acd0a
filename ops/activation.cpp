// Elementwise activations.
#include "tapegrad/ops/activation.h"

#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::binary;
using kernels::Map;
using kernels::unary;

namespace {

// y = 1 / (1 + e^-x);  dx = dy y (1 - y)
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::sigmoid, x, out)); }
  Grads backward(const Tensor& dy) const {
    const Tensor s = *y;
    return {dy * s * (1 - s)};
  }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::sigmoid_backward, dy, *y)}; }
};

// y = tanh x;  dx = dy (1 - y^2)
struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::tanh, x, out)); }
  Grads backward(const Tensor& dy) const { return {dy * (1 - square(*y))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::tanh_backward, dy, *y)}; }
};

// y = max(x, 0);  dx = 0 where y <= 0, else dy
struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::relu, x, out)); }
  Grads backward(const Tensor& dy) const { return {where(*y <= 0, 0, dy)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::relu_backward, dy, *y)}; }
};

// y = x where x > 0, else slope x;  dx = dy where x > 0, else slope dy
struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  double slope;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) {
    return unary(name, Map::leaky_relu, x.save(v), out, {slope});
  }
  Grads backward(const Tensor& dy) const { return {where(*x > 0, dy, dy * slope)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::leaky_relu_backward, dy, *x, {}, {slope})}; }
};

// y = ln(1 + e^(beta x)) / beta;  dx = dy sigmoid(beta x);  both linear where beta x > threshold
struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr bool elementwise = true;
  double beta, threshold;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) { return unary(name, Map::softplus, x.save(v), {}, {beta, threshold}); }
  Grads backward(const Tensor& dy) const {
    const Tensor z = *x * beta;
    return {where(z > threshold, dy, dy * sigmoid(z))};
  }
  Grads backward_fused(const Tensor& dy) const {
    return {binary(name, Map::softplus_backward, dy, *x, {}, {beta, threshold})};
  }
};

}  // namespace

Tensor sigmoid(const Tensor& x) {
  check_defined("sigmoid", x, "x");
  return apply(Sigmoid{}, real(x));
}
Tensor tanh(const Tensor& x) {
  check_defined("tanh", x, "x");
  return apply(Tanh{}, real(x));
}
Tensor relu(const Tensor& x) {
  check_defined("relu", x, "x");
  return apply(Relu{}, x);
}
Tensor leaky_relu(const Tensor& x, double negative_slope) {
  check_defined("leaky_relu", x, "x");
  return apply(LeakyRelu{negative_slope}, real(x));
}
Tensor softplus(const Tensor& x, double beta, double threshold) {
  check_defined("softplus", x, "x");
  if (beta == 0) throw ValueError("softplus: beta must not be 0");
  return apply(Softplus{beta, threshold}, real(x));
}

Tensor& sigmoid_(const Tensor& x) { return in_place_unary(Sigmoid{}, x, true); }
Tensor& tanh_(const Tensor& x) { return in_place_unary(Tanh{}, x, true); }
Tensor& relu_(const Tensor& x) { return in_place_unary(Relu{}, x, false); }
Tensor& leaky_relu_(const Tensor& x, double negative_slope) {
  return in_place_unary(LeakyRelu{negative_slope}, x, true);
}

}  // namespace tapegrad
