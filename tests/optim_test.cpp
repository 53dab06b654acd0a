// Optimizers against written-out references, in double, step by step.
#include <tapegrad/tapegrad.h>

#include <cmath>

#include "message.h"
#include "optim_reference.h"

using namespace tapegrad;
using optim_reference::compare_layouts;
using optim_reference::leaf;

namespace {

// PyTorch's algorithms for one number.
struct SgdReference {
  optim::SGDOptions o;
  double buffer = 0;
  int steps = 0;
  double operator()(double p, double g) {
    if (o.maximize) g = -g;
    g += o.weight_decay * p;
    if (o.momentum != 0) {
      buffer = steps++ == 0 ? g : o.momentum * buffer + (1 - o.dampening) * g;
      g = o.nesterov ? g + o.momentum * buffer : buffer;
    }
    return p - o.lr * g;
  }
};

struct AdamReference {
  optim::AdamOptions o;
  double m = 0, v = 0;
  int steps = 0;
  double operator()(double p, double g) {
    ++steps;
    if (o.maximize) g = -g;
    g += o.weight_decay * p;
    m = o.betas.first * m + (1 - o.betas.first) * g;
    v = o.betas.second * v + (1 - o.betas.second) * g * g;
    const double c1 = 1 - std::pow(o.betas.first, steps), c2 = 1 - std::pow(o.betas.second, steps);
    return p - o.lr / c1 * m / (std::sqrt(v) / std::sqrt(c2) + o.eps);
  }
};

void set_grad(const Tensor& p, const Tensor& grad) { p.mutable_grad() = grad; }

}  // namespace

TEST_CASE("SGD follows PyTorch's algorithm", "[optim]") {
  using O = optim::SGDOptions;
  for (const O& o : {O{.lr = 0.1}, O{.lr = 0.1, .momentum = 0.9}, O{.lr = 0.1, .momentum = 0.9, .dampening = 0.3},
                     O{.lr = 0.05, .momentum = 0.8, .weight_decay = 0.01, .nesterov = true},
                     O{.lr = 0.1, .weight_decay = 0.1, .maximize = true}, O{.lr = 0}})
    compare_layouts<optim::SGD, SgdReference>(o);
}

TEST_CASE("Adam follows PyTorch's algorithm", "[optim]") {
  using O = optim::AdamOptions;
  for (const O& o : {O{}, O{.lr = 0.1, .betas = {0.5, 0.6}}, O{.lr = 0.01, .eps = 1e-3, .weight_decay = 0.1},
                     O{.lr = 0.01, .maximize = true}})
    compare_layouts<optim::Adam, AdamReference>(o);
}

TEST_CASE("the numbers of one SGD and one Adam step worked out by hand", "[optim]") {
  Tensor p = leaf(tensor({1.0, -2.0}, kFloat64));
  set_grad(p, tensor({0.5, 0.25}, kFloat64));
  optim::SGD sgd({p}, {.lr = 0.1, .momentum = 0.9});
  sgd.step();  // b = g
  CHECK(allclose(p.detach(), tensor({0.95, -2.025}, kFloat64), 1e-15));
  sgd.step();  // b = 0.9 g + g
  CHECK(allclose(p.detach(), tensor({0.855, -2.0725}, kFloat64), 1e-15));

  Tensor q = leaf(tensor({1.0, -2.0}, kFloat64));
  set_grad(q, tensor({0.5, -4.0}, kFloat64));
  optim::Adam adam({q}, {.lr = 0.1, .eps = 0});
  adam.step();  // the first step is lr * sign(g)
  CHECK(allclose(q.detach(), tensor({0.9, -1.9}, kFloat64), 1e-14));
}

TEST_CASE("an optimizer fits a line", "[optim]") {
  const Tensor x = linspace(-1, 1, 32).reshape({32, 1}), y = x * 3 - 1;
  for (const bool adam : {false, true}) {
    manual_seed(5);
    nn::Linear fc(1, 1);
    optim::SGD descent(fc.parameters(), {.lr = 0.3});
    optim::Adam moments(fc.parameters(), {.lr = 0.05});
    optim::Optimizer& optimizer = adam ? static_cast<optim::Optimizer&>(moments) : descent;
    Tensor loss;
    for (int i = 0; i < 400; ++i) {
      loss = optimizer.step([&] {
        optimizer.zero_grad();
        Tensor l = mse_loss(fc(x), y);
        l.backward();
        return l;
      });
    }
    CHECK(loss.item<double>() < 1e-6);
    CHECK(fc.weight.item<double>() == Approx(3).epsilon(1e-3));
  }
}

TEST_CASE("groups have options of their own, and handles set them", "[optim]") {
  Tensor a = leaf(ones({2})), b = leaf(ones({2})), c = leaf(ones({2}));
  optim::SGD sgd({a}, {.lr = 0.1});
  sgd.add_param_group({b, c}, {.lr = 0.2, .weight_decay = 0.5});
  for (const Tensor& p : {a, b}) set_grad(p, ones({2}));
  sgd.step();
  CHECK(allclose(a.detach(), full({2}, 0.9)));
  CHECK(allclose(b.detach(), full({2}, 0.7)));
  CHECK(equal(c.detach(), ones({2})));  // no gradient, no step
  REQUIRE(sgd.param_groups().size() == 2);
  CHECK(sgd.param_groups()[1].params()[1].is_same(c));
  for (auto& group : sgd.param_groups()) group.options().lr *= 10;
  optim::Optimizer& any = sgd;
  CHECK(any.param_groups()[1].lr() == 2.0);
  any.param_groups()[0].set_lr(0);
  sgd.step();
  CHECK(allclose(a.detach(), full({2}, 0.9)));
  sgd.zero_grad(false);
  CHECK(equal(a.grad(), zeros({2})));
  CHECK_FALSE(c.grad().defined());
  sgd.zero_grad();
  CHECK_FALSE(a.grad().defined());
}

TEST_CASE("momentum may be turned on later", "[optim]") {
  Tensor p = leaf(zeros({1}));
  set_grad(p, ones({1}));
  optim::SGD sgd({p}, {.lr = 1});
  sgd.step();
  sgd.param_groups()[0].options().momentum = 0.5;
  sgd.step();  // starts the buffer at g
  sgd.step();  // 0.5 + 1
  CHECK(p.item<double>() == -3.5);
}

TEST_CASE("a step is seen by a graph that saved the parameter, and records nothing", "[optim]") {
  for (const bool adam : {false, true}) {
    Tensor p = leaf(randn({3}));
    optim::SGD sgd({p}, {.lr = 0.1});
    optim::Adam moments({p});
    set_grad(p, ones({3}));
    const Tensor loss = (p * p).sum();
    const int64_t nodes = autograd::live_nodes();
    adam ? moments.step() : sgd.step();
    CHECK(autograd::live_nodes() == nodes);
    CHECK((p.is_leaf() && p.requires_grad()));
    CHECK_THROWS_AS(loss.backward(), AutogradError);
  }
}

TEST_CASE("kept launches of a step run again with the options and step counts of now", "[optim]") {
  for (const bool adam : {false, true}) {
    Tensor kept = leaf(ones({5})), eager = leaf(ones({5}));
    const Tensor g = randn({5});
    set_grad(kept, g.clone());
    set_grad(eager, g.clone());
    optim::SGD s1({kept}, {.lr = 0.1, .momentum = 0.9}), s2({eager}, {.lr = 0.1, .momentum = 0.9});
    optim::Adam a1({kept}), a2({eager});
    optim::Optimizer& first = adam ? static_cast<optim::Optimizer&>(a1) : s1;
    optim::Optimizer& second = adam ? static_cast<optim::Optimizer&>(a2) : s2;
    LaunchList list;
    first.step();
    list.stop();
    second.step();
    first.param_groups()[0].set_lr(0.01);
    second.param_groups()[0].set_lr(0.01);
    for (int i = 0; i < 3; ++i) {
      list.run();
      second.step();
    }
    CHECK(equal(kept.detach(), eager.detach()));
  }
}

TEST_CASE("threads do not change the bits of a step", "[optim]") {
  const int before = get_num_threads();
  const Tensor start = randn({200003}), g = randn({200003});
  std::vector<Tensor> results;
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    Tensor p = leaf(start), q = leaf(start);
    set_grad(p, g);
    set_grad(q, g);
    optim::Adam adam({p}, {.weight_decay = 0.01});
    optim::SGD sgd({q}, {.lr = 0.1, .momentum = 0.9});
    for (int i = 0; i < 3; ++i) adam.step(), sgd.step();
    results.push_back(p.detach());
    results.push_back(q.detach());
  }
  set_num_threads(before);
  CHECK(equal(results[0], results[2]));
  CHECK(equal(results[1], results[3]));
}

TEST_CASE("optimizers refuse what cannot be optimized", "[optim]") {
  Tensor p = leaf(ones({2}));
  CHECK_THAT(message_of<ValueError>([&] { optim::SGD({}, {.lr = 0.1}); }), Contains("empty"));
  CHECK_THAT(message_of<ValueError>([&] { optim::SGD({p}, {.lr = -0.1}); }), Contains("lr") && Contains("-0.1"));
  CHECK_THAT(message_of<ValueError>([&] { optim::SGD({p}, {.lr = 0.1, .nesterov = true}); }), Contains("nesterov"));
  CHECK_THROWS_AS(optim::SGD({p}, {.lr = 0.1, .momentum = 0.9, .dampening = 0.1, .nesterov = true}), ValueError);
  CHECK_THROWS_AS(optim::SGD({p}, {.lr = std::nan("")}), ValueError);
  CHECK_THAT(message_of<ValueError>([&] { optim::Adam({p, p}); }), Contains("once"));
  CHECK_THAT(message_of<ValueError>([&] { optim::Adam({p * 2}); }), Contains("leaf"));
  CHECK_THAT(message_of<ValueError>([&] {
               optim::Adam({p, Tensor()});
             }),
             Contains("parameter 1") && Contains("undefined"));
  CHECK_THROWS_AS(optim::Adam({arange(3)}), DTypeError);
  CHECK_THROWS_AS(optim::Adam({p}, {.betas = {0.9, 1.0}}), ValueError);
  CHECK_THROWS_AS(optim::Adam({p}, {.lr = -1}), ValueError);
  optim::Adam adam({p});
  CHECK_THROWS_AS(adam.add_param_group({p}), ValueError);
  CHECK(adam.param_groups().size() == 1);
}

TEST_CASE("a step that fails has changed no parameter", "[optim]") {
  nn::Linear a(2, 2), b(2, 2);
  std::vector<Tensor> params = a.parameters();
  for (const Tensor& p : b.parameters()) params.push_back(p);
  optim::Adam adam(params);
  b.to(kFloat64);
  for (const Tensor& p : params) set_grad(p, ones_like(p));
  const Tensor before = a.weight.detach().clone();
  CHECK_THAT(message_of<DTypeError>([&] { adam.step(); }), Contains("float64") && Contains("before the optimizer"));
  CHECK(equal(a.weight.detach(), before));
}

TEST_CASE("averages that have decayed below the normalised numbers are zero, and only inside the step", "[optim]") {
  const Tensor p = leaf(zeros({19}));
  optim::SGD optimizer({p}, {.lr = 1e38, .momentum = 0.5});
  p.mutable_grad() = full({19}, 2e-38);
  optimizer.step();
  const Tensor after_first = p.detach().clone();
  CHECK(allclose(after_first, full({19}, -2.0)));
  p.mutable_grad() = zeros({19});
  optimizer.step();  // the buffer would be 1e-38, the parameter -3
  CHECK(equal(p, after_first));
  volatile float tiny = 1e-38f;
  CHECK(tiny * 0.5f > 0);
}

TEST_CASE("a group that cannot be made leaves the optimizer as it was", "[optim]") {
  const Tensor p = leaf(ones({3}));
  optim::Adam adam({p}, 0.5);
  optim::SGD sgd({p}, {.lr = 0.5, .momentum = 0.9});
  const Tensor huge = ones({1}).expand({int64_t{1} << 42});  // a state for it takes 16 TB
  CHECK_THROWS_AS(adam.add_param_group({huge}), OutOfMemoryError);
  CHECK_THROWS_AS(sgd.add_param_group({huge}, {.lr = 0.5, .momentum = 0.9}), OutOfMemoryError);
  CHECK(adam.param_groups().size() == 1);
  CHECK(sgd.param_groups().size() == 1);
  p.mutable_grad() = ones({3});
  adam.step();
  CHECK(p[0].item<double>() == Approx(0.5));
}

TEST_CASE("an optimizer moves with its state", "[optim]") {
  const Tensor p = leaf(zeros({1})), q = leaf(zeros({1}));
  optim::SGD stays({p}, {.lr = 1, .momentum = 0.5});
  optim::SGD first({q}, {.lr = 1, .momentum = 0.5});
  const auto step = [](const Tensor& x, optim::SGD& optimizer) {
    x.mutable_grad() = ones({1});
    optimizer.step();
  };
  step(p, stays);
  step(q, first);
  optim::SGD moved = std::move(first);
  step(p, stays);
  step(q, moved);
  CHECK(equal(p, q));
  CHECK(p.item<double>() == -2.5);
}
