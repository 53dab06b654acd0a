// Correct but nasty functions, every one of which the gradient checker must accept.
#include <cmath>

#include "planting.h"

using namespace planting;

TEST_CASE("gradcheck accepts correct but nasty functions", "[gradcheck]") {
  const auto f = [](const char*, GradcheckFunction g, const Tensors& in) { accepted(g, in); };
  f("large offset", [](const Tensor& x) { return 1e8 + x * x * x; }, {leaf({3})});
  f("log near 1e-7", [](const Tensor& x) { return tapegrad::log(x); }, {leaf_at({1e-7, 3e-7, 1e-6})});
  f("sqrt near 1e-4 and at 0", [](const Tensor& x) { return tapegrad::sqrt(x); }, {leaf_at({1e-4, 0, 2e-4})});
  f("x^3 at 1e4", [](const Tensor& x) { return pow(x, 3); }, {leaf_at({1e4, -1e4})});
  f("1/x at 0.01", [](const Tensor& x) { return 1 / x; }, {leaf_at({0.01, -0.01})});
  f("fast oscillation",
    planted(
        [](const Tensor& v) {
          const Tensor y = clone(v);
          for (int64_t i = 0; i < y.numel(); ++i) y.data_ptr<double>()[i] = std::sin(1000 * y.data_ptr<double>()[i]);
          return y;
        },
        [](const Tensor& dy, const Tensor& v) {
          const Tensor g = clone(v.detach());
          for (int64_t i = 0; i < g.numel(); ++i)
            g.data_ptr<double>()[i] = 1000 * std::cos(1000 * g.data_ptr<double>()[i]);
          return g * dy;
        }),
    {leaf_at({1, 0.3})});
  f("tanh at 9", [](const Tensor& x) { return tapegrad::tanh(x); }, {leaf_at({9, -9})});
  f("relu away from, at, and 5e-7 from 0", [](const Tensor& x) { return relu(x); }, {leaf_at({1, -1, 0, 5e-7, -5e-7})});
  f("a slope that rounding hides", [](const Tensor& x) { return tapegrad::erf(x); }, {leaf_at({20, -20})});
  for (double gap = 0.05; gap < 1; gap += 0.05) {
    // The larger of two, by way of a noisy sum: the slope by the smaller is 0, and the long steps reach across the kink.
    f("slope 0 near a kink", [](const Tensor& x) { return std::get<0>(std_mean(x, {0}, 0)) + mean(x); },
      {leaf_at({1.6, 1.6 + gap})});
  }
  f("abs at 0", [](const Tensor& x) { return tapegrad::abs(x); }, {leaf_at({0, 1, -1})});
  f("max with ties", [](const Tensor& x) { return max(x); }, {leaf_at({1, 3, 3, 2})});
  f("max with ties per dim", [](const Tensor& x) { return std::get<0>(max(x, 0)); }, {leaf_at({1, 3, 3, 2})});
  f("clamp at the bound", [](const Tensor& x) { return clamp(x, -1, 1); }, {leaf_at({-1, 1, 0.5, 2})});
  f("outside the domain", [](const Tensor& x) { return tapegrad::log(x); }, {leaf_at({-1, 2})});
  f("norm at the origin", [](const Tensor& x) { return norm(x); }, {leaf_at({0, 0, 0})});
  f("empty", [](const Tensor& x) { return tapegrad::exp(x); }, {leaf({3, 0})});
  f("0-dim", [](const Tensor& x) { return tapegrad::exp(x); }, {leaf({})});
  f("constant", [](const Tensor& x) { return x * 0 + 3; }, {leaf({3})});
  f("unused", [](const Tensors& in) { return in[0] * 2; }, {leaf({3}), leaf({2})});
  f("no graph at all", [](const Tensor& x) { return zeros_like(x.detach()); }, {leaf({3})});
  f("sign", [](const Tensor& x) { return sign(x); }, {leaf_at({1, -2, 0.3})});
  f("sign at 0", [](const Tensor& x) { return sign(x); }, {leaf_at({0, 1})});
  f("logsumexp at 1e4", [](const Tensor& x) { return logsumexp(x, 0); }, {leaf_at({1e4, 1e4 + 1, 9999})});
  f("softmax", [](const Tensor& x) { return softmax(x, 1); }, {leaf({3, 5})});
  f("layer norm",
    [](const Tensor& x) {
      const Tensor c = x - mean(x, 1, true);
      return c / tapegrad::sqrt(mean(c * c, 1, true) + 1e-5);
    },
    {leaf({3, 5})});
  f("outputs of 1e-12", [](const Tensor& x) { return tapegrad::exp(x) * 1e-12; }, {leaf({3})});
  f("a reduction of 10,000", [](const Tensor& x) { return sum(tapegrad::tanh(x)); }, {leaf({10000})});
  f("float32 exp", [](const Tensor& x) { return tapegrad::exp(x); }, {leaf({3, 4}, -1, 1, kFloat32)});
  f("float32 matmul", [](const Tensor& a, const Tensor& b) { return mm(a, b); },
    {leaf({3, 5}, -1, 1, kFloat32), leaf({5, 2}, -1, 1, kFloat32)});
  f("float32 softmax", [](const Tensor& x) { return softmax(x, 0); }, {leaf({7}, -3, 3, kFloat32)});
  f("pow with base 1e-3", [](const Tensor& x, const Tensor& p) { return pow(x, p); },
    {leaf_at({1e-3, 2e-3}), leaf_at({2.5, 0.5})});
  f("the same tensor twice", [](const Tensor& x) { return x * x + x; }, {leaf({3})});
  f("exp(-1/x^2)", [](const Tensor& x) { return tapegrad::exp(-1 / (x * x)); }, {leaf_at({0.2, 0.05, 1})});
  f("|x|^1.5 near 0", [](const Tensor& x) { return pow(tapegrad::abs(x), 1.5); }, {leaf_at({0, 1e-5, -1e-8})});
  f("gather with repeats", [](const Tensor& x) { return x[tensor({0, 2, 2, 1, 0})]; }, {leaf({3, 2})});
  f("bce with logit 30",
    [](const Tensor& x) {
      return binary_cross_entropy_with_logits(x, tensor({1, 0, 1}, kFloat64), {.reduction = kNone});
    },
    {leaf_at({30, 30, -30})});
  f("views and transposes", [](const Tensor& x) { return (t(x)[1] * x.select(1, 0)).sum(); }, {leaf({3, 3})});
  f("its own gradient",
    [](const Tensor& x) {
      const Tensor v = x.requires_grad() ? x : x.detach().requires_grad_();
      return autograd::grad({sum(v * v * v)}, {v}, {}, true, true)[0];
    },
    {leaf({3})});
}
