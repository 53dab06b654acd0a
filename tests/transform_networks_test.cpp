// The transformations on the tutorial networks: against extrapolated differences and against each other, 1e-9 relative.
#include <cmath>
#include <functional>

#include "../examples/common/numpy_random.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using autograd::ForwardMode;
using autograd::JacobianStrategy;
using Tensors = std::vector<Tensor>;

namespace {

constexpr double kRelative = 1e-9;

// All elements of some tensors in one row.
Tensor flat(const Tensors& list) {
  Tensors parts;
  for (const Tensor& t : list) parts.push_back(reshape(t.detach(), {-1}));
  return cat(parts, 0);
}

Tensors moved(const Tensors& x, const Tensors& v, double h) {
  Tensors at;
  for (size_t i = 0; i < x.size(); ++i) at.push_back(x[i] + v[i] * h);
  return at;
}

// Of a size that moves the sums of a layer by about 1.
Tensors directions(const Tensors& x) {
  Tensors v;
  for (const Tensor& t : x) v.push_back(randn_like(t) / std::sqrt(static_cast<double>(t.sizes()[t.dim() - 1])));
  return v;
}

// d f(t) / dt at 0: central differences at halved steps, extrapolated to step 0.
Tensor slope(const std::function<Tensor(double)>& f) {
  std::vector<Tensor> row;
  double h = 0.1;
  for (int k = 0; k < 6; ++k, h /= 2) {
    Tensor d = (f(h) - f(-h)) / (2 * h);
    double power = 4;
    for (Tensor& previous : row) {
      Tensor better = d + (d - previous) / (power - 1);
      previous = d;
      d = better;
      power *= 4;
    }
    row.push_back(d);
  }
  return row.back();
}

void check_near(const char* what, const Tensor& a, const Tensor& b) {
  const double off = max(abs(a - b)).item<double>();
  const double size = max(abs(b)).item<double>();
  CAPTURE(what, off, size);
  CHECK(size > 0);
  CHECK(off <= kRelative * size);
}

struct Network {
  std::function<Tensor(const Tensors&)> outputs, loss;
  Tensors weights;
  bool whole = true;  // whether the Hessian is small enough to be made
};

void check_network(const Network& n) {
  const auto outputs = [&](const Tensors& w) { return n.outputs(w); };
  const auto loss = [&](const Tensors& w) { return n.loss(w); };
  const Tensors v = directions(n.weights);

  const Tensor tangent = flat(autograd::jvp(outputs, n.weights, v).second);
  const Tensor by_sweeps = flat(autograd::jvp(outputs, n.weights, v, {.mode = ForwardMode::double_backward}).second);
  const Tensor numeric = slope([&](double h) { return flat({outputs(moved(n.weights, v, h))}); });
  check_near("jvp against differences", tangent, numeric);
  check_near("jvp against double backward", by_sweeps, tangent);

  const auto gradient = [&](const Tensors& w) { return flat(autograd::vjp(loss, w).second); };
  const Tensor along = flat(v);
  const Tensor first = slope([&](double h) { return flat({loss(moved(n.weights, v, h))}); });
  check_near("vjp against differences", reshape(sum(gradient(n.weights) * along), {1}), first);

  const Tensor product = flat(autograd::hvp(loss, n.weights, v).second);
  const Tensor twice = flat(autograd::hvp(loss, n.weights, v, {.mode = ForwardMode::double_backward}).second);
  const Tensor swept = flat(autograd::vhp(loss, n.weights, v).second);
  const Tensor second = slope([&](double h) { return gradient(moved(n.weights, v, h)); });
  check_near("hvp against differences", product, second);
  check_near("hvp against double backward", twice, product);
  check_near("vhp against hvp", swept, product);
  if (!n.whole) return;

  for (const auto strategy : {JacobianStrategy::reverse, JacobianStrategy::forward}) {
    const auto blocks = autograd::hessian(loss, n.weights, {.strategy = strategy});
    Tensors rows;
    for (size_t i = 0; i < blocks.size(); ++i) {
      Tensors row;
      for (size_t j = 0; j < blocks.size(); ++j)
        row.push_back(reshape(blocks[i][j], {n.weights[i].numel(), n.weights[j].numel()}));
      rows.push_back(cat(row, 1));
    }
    const Tensor h = cat(rows, 0);
    check_near("hessian times v against hvp", mv(h, along), product);
    check_near("hessian is symmetric", t(h), h);
    // Every column against differences of the gradient.
    for (int64_t k = 0; k < h.sizes()[1]; k += std::max<int64_t>(1, h.sizes()[1] / 20)) {
      Tensor e = zeros_like(along);
      e[k] = 1;
      Tensors unit;
      int64_t start = 0;
      for (const Tensor& w : n.weights) {
        unit.push_back(reshape(narrow(e, 0, start, w.numel()), w.sizes()));
        start += w.numel();
      }
      const Tensor column = slope([&](double step) { return gradient(moved(n.weights, unit, step)); });
      check_near("a column of the hessian against differences", h.index({indexing::Slice(), k}), column);
    }
  }
}

Tensor half_square(const Tensor& y, const Tensor& target) { return 0.5 * sum(square(target - y)); }

}  // namespace

TEST_CASE("transformations of T1, one layer in eleven lines", "[transform][networks]") {
  manual_seed(21);
  const Tensor X = tensor({{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}}, kFloat64);
  const Tensor y = tensor({{0}, {0}, {1}, {1}}, kFloat64);
  examples::NumpyRandom random(1);
  const auto net = [X](const Tensors& w) { return sigmoid(mm(X, w[0])); };
  check_network({net, [=](const Tensors& w) { return half_square(net(w), y); }, {2 * random.random({3, 1}) - 1}});
}

TEST_CASE("transformations of T2, two layers in eleven lines", "[transform][networks]") {
  manual_seed(22);
  const Tensor X = tensor({{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}}, kFloat64);
  const Tensor y = tensor({{0}, {1}, {1}, {0}}, kFloat64);
  examples::NumpyRandom random(1);
  const auto net = [X](const Tensors& w) { return sigmoid(mm(sigmoid(mm(X, w[0])), w[1])); };
  const Tensor w0 = 2 * random.random({3, 4}) - 1;
  const Tensor w1 = 2 * random.random({4, 1}) - 1;
  check_network({net, [=](const Tensors& w) { return half_square(net(w), y); }, {w0, w1}});
}

TEST_CASE("transformations of T3, exclusive or by hand", "[transform][networks]") {
  manual_seed(23);
  const Tensor x = tensor({{1, 1}}, kFloat64);
  const Tensor W1 = tensor({{.8, .4, .3}, {.2, .9, .5}}, kFloat64);
  const Tensor W2 = tensor({{.3}, {.5}, {.9}}, kFloat64);
  const auto net = [x](const Tensors& w) { return sigmoid(mm(sigmoid(mm(x, w[0])), w[1])); };
  check_network({net, [=](const Tensors& w) { return half_square(net(w), zeros({1, 1}, kFloat64)); }, {W1, W2}});
}

TEST_CASE("transformations of a perceptron with softmax and cross-entropy", "[transform][networks]") {
  manual_seed(24);
  const auto perceptron = [](int64_t in, int64_t hidden, int64_t classes, int64_t batch, bool whole) {
    const Tensor x = rand({batch, in}, kFloat64);
    const Tensor target = randint(classes, {batch});
    const double scale = 1 / std::sqrt(static_cast<double>(in));
    const auto net = [x](const Tensors& w) { return linear(tanh(linear(x, w[0], w[1])), w[2], w[3]); };
    Network n;
    n.outputs = [net](const Tensors& w) { return softmax(net(w), 1); };
    n.loss = [net, target](const Tensors& w) { return cross_entropy(net(w), target); };
    n.weights = {randn({hidden, in}, kFloat64) * scale, randn({hidden}, kFloat64) * 0.1,
                 randn({classes, hidden}, kFloat64) * 0.5, randn({classes}, kFloat64) * 0.1};
    n.whole = whole;
    check_network(n);
  };
  SECTION("7-6-3, the whole Hessian") { perceptron(7, 6, 3, 5, true); }
  SECTION("784-12-10, products") { perceptron(784, 12, 10, 8, false); }
}
