// A network nobody has a class for: residual blocks around an activation of one's own, which the library has never heard
// of. It learns which of three rings a point lies in.
#include <cstdio>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

// An operation: y = e^(-x^2);  dx = -2 x y dy. Its rule is made of operations, so it has derivatives of every order.
struct Bell {
  static constexpr const char* name = "bell";
  static constexpr bool elementwise = true;  // forward mode follows from the rule
  SavedInput x{"x"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    return y.save(exp(-square(v)));
  }
  Grads backward(const Tensor& dy) const { return {-2 * *x * *y * dy}; }
};
Tensor bell(const Tensor& x) { return apply(Bell{}, x); }

// A layer: y = x + scale * fc2(bell(fc1(x))), with a scale for each feature that starts small: a new block changes little.
struct Residual : nn::Cloneable<Residual> {
  explicit Residual(int64_t n)
      : fc1(register_module("fc1", nn::Linear(n, n))),
        fc2(register_module("fc2", nn::Linear(n, n))),
        scale(register_parameter("scale", full({n}, 0.1))) {}
  Tensor forward(const Tensor& x) { return x + scale * fc2(bell(fc1(x))); }

  nn::Linear fc1, fc2;
  nn::Parameter scale;
};

struct Net : nn::Cloneable<Net> {
  nn::Linear stem = register_module("stem", nn::Linear(2, 16));
  nn::Sequential blocks = register_module("blocks", nn::Sequential(Residual(16), Residual(16), Residual(16)));
  nn::Linear head = register_module("head", nn::Linear(16, 3));
  Tensor forward(const Tensor& x) { return head(blocks(stem(x))); }
};

int main() {
  manual_seed(1);
  const Tensor probe = randn({4, 3}, dtype(kFloat64).requires_grad(true));
  gradgradcheck([](const std::vector<Tensor>& in) { return bell(in[0]); }, {probe});  // throws, and says what is wrong
  std::puts("bell: first and second derivatives agree with numerical ones");

  const Tensor points = randn({600, 2}), radius = norm(points, 2, {1});
  const Tensor ring = (radius > 0.8).to(kInt64) + (radius > 1.5).to(kInt64);
  Net net;
  std::printf("%s", net.summary().c_str());
  optim::Adam adam(net.parameters(), {.lr = 0.01});
  for (int step = 0; step <= 300; ++step) {
    const Tensor scores = net(points), loss = cross_entropy(scores, ring);
    const double right = (argmax(scores, 1) == ring).to(kFloat32).mean().item<double>();
    if (step % 50 == 0) std::printf("step %3d  loss %.4f  accuracy %.3f\n", step, loss.item<double>(), right);
    if (step == 300) return right > 0.97 ? 0 : 1;
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
}
