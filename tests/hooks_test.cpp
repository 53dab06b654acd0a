// Hooks and grad() where they are easy to get wrong: what a hook may return, sweeps inside sweeps, inputs named twice.
#include "leaf.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

// The sum of (i + 1) * x_i over scalars x_i, by a balanced tree so that values stay exact enough to compare.
Tensor weighted_sum(const std::vector<Tensor>& x) {
  std::vector<Tensor> level;
  for (size_t i = 0; i < x.size(); ++i) level.push_back(x[i] * static_cast<double>(i % 100 + 1));
  while (level.size() > 1) {
    std::vector<Tensor> next;
    for (size_t i = 0; i + 1 < level.size(); i += 2) next.push_back(level[i] + level[i + 1]);
    if (level.size() % 2 == 1) next.push_back(level.back());
    level = std::move(next);
  }
  return level[0];
}

}  // namespace

TEST_CASE("a hook must keep its gradient's shape and dtype", "[hooks]") {
  const Tensor x = ones({1000, 1000}, requires_grad());
  const Tensor y = softmax(x, 1);
  y.register_hook([](const Tensor&) { return ones({3}); });
  CHECK(
      message_of<AutogradError>([&] { sum(y).backward(); }) ==
      "backward: a hook must keep its gradient's shape and dtype, got gradient [1000, 1000] float32 and result [3] float32"
      " (of a hook on a result of softmax)");
  CHECK_FALSE(x.grad().defined());
  const Tensor u = ones({100000}, requires_grad());
  const Tensor v = sigmoid(u);
  const unsigned id = v.register_hook([](const Tensor&) { return zeros({1}); });
  CHECK_THAT(message_of<AutogradError>([&] { sum(v).backward(); }), Contains("result [1] float32"));
  v.remove_hook(id);
  const Tensor w = sigmoid(u);
  w.register_hook([](const Tensor& g) { return g.to(kFloat64); });
  CHECK_THAT(message_of<AutogradError>([&] { sum(w).backward(); }),
             Contains("got gradient [100000] float32 and result [100000] float64"));
}

TEST_CASE("a hook on a leaf must keep shape and dtype too, in backward and in grad", "[hooks]") {
  const Tensor x = ones({4}, requires_grad());
  const unsigned id = x.register_hook([](const Tensor&) { return ones({2}); });
  const std::string expected =
      "backward: a hook must keep its gradient's shape and dtype, got gradient [4] float32 and result [2] float32"
      " (of a hook on a leaf)";
  CHECK(message_of<AutogradError>([&] { sum(x * 2).backward(); }) == expected);
  CHECK(message_of<AutogradError>([&] { autograd::grad({sum(x * 2)}, {x}); }) == expected);
  x.remove_hook(id);
  x.register_hook([](const Tensor& g) { return g * 10; });
  CHECK(equal(autograd::grad({sum(x * 2)}, {x})[0], full({4}, 20.0)));
}

TEST_CASE("the hooks of an input that is named twice run once", "[hooks]") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor h = x * 3;
  int leaf_calls = 0, inner_calls = 0;
  x.register_hook([&](const Tensor& g) {
    ++leaf_calls;
    return g * 10;
  });
  h.register_hook([&](const Tensor&) { ++inner_calls; });
  const auto g = autograd::grad({sum(h * h)}, {x, h, x, h});
  CHECK(leaf_calls == 1);
  CHECK(inner_calls == 1);
  for (size_t i : {0, 2}) CHECK(equal(g[i], values({180.0, 360.0})));
  for (size_t i : {1, 3}) CHECK(equal(g[i], values({6.0, 12.0})));
}

TEST_CASE("no hook runs when an input of grad is not reached", "[hooks]") {
  const Tensor x = leaf({1.0}), other = leaf({1.0});
  int calls = 0;
  x.register_hook([&](const Tensor&) { ++calls; });
  CHECK_THROWS_AS(autograd::grad({sum(x * 2)}, {x, other}), AutogradError);
  CHECK(calls == 0);
}

TEST_CASE("grad() inside a hook is the grad() outside", "[hooks]") {
  const Tensor a = full({2}, 0.5, dtype(kFloat64).requires_grad(true));
  const Tensor b = full({2}, 0.7, dtype(kFloat64).requires_grad(true));
  const Tensor p = a * 1;
  const Tensor h = exp(p) * exp(b) + p * b;
  const Tensor h2 = h * 1, h3 = h2 * 2;
  const Tensor outside = autograd::grad({h2}, {b}, {ones({2}, kFloat64)}, true)[0];
  const Tensor expected = autograd::grad({sum(h3)}, {a}, {}, true)[0];
  Tensor inside, innermost;
  h2.register_hook([&](const Tensor&) {
    if (!innermost.defined()) innermost = autograd::grad({h}, {b}, {ones({2}, kFloat64)}, true)[0];
  });
  h3.register_hook(
      [&](const Tensor&) { inside = autograd::grad({h2}, {b}, {ones({2}, kFloat64)}, true, false, true)[0]; });
  const Tensor g = autograd::grad({sum(h3)}, {a}, {}, true)[0];
  CHECK(equal(inside, outside));
  CHECK(equal(innermost, outside));  // two levels down: h3's hook sweeps h2, whose hook sweeps h
  CHECK(equal(g, expected));         // the outer sweep goes on as if nothing had been
  CHECK(equal(autograd::grad({sum(h3)}, {b}, {}, true)[0], outside * 2));
}

TEST_CASE("an error in a sweep inside a hook leaves the graph usable", "[hooks]") {
  const Tensor a = leaf({0.5}), b = leaf({0.7}), unrelated = leaf({1.0});
  const Tensor h = a * b;
  const Tensor y = h * 2;
  const unsigned id = y.register_hook([&](const Tensor&) { autograd::grad({h}, {unrelated}, {}, true); });
  CHECK_THROWS_AS(autograd::grad({y}, {a}, {}, true), AutogradError);
  y.remove_hook(id);
  CHECK(autograd::grad({y}, {a}, {}, true)[0].item<double>() == 1.4);
  CHECK(autograd::grad({y}, {b}, {}, true)[0].item<double>() == 1.0);
}

TEST_CASE("grad by many inputs", "[hooks]") {
  constexpr size_t kCount = 5000;  // bench_tape shows that its time is in proportion
  std::vector<Tensor> x, h;
  for (size_t i = 0; i < kCount; ++i) {
    x.push_back(zeros({}, requires_grad()));
    h.push_back(x.back() * 1);
  }
  const Tensor y = weighted_sum(h);
  const std::vector<Tensor> by_leaves = autograd::grad({y}, x, {}, true);
  const std::vector<Tensor> by_recorded = autograd::grad({y}, h, {}, true);
  for (size_t i = 0; i < kCount; ++i) {
    CHECK(by_leaves[i].item<float>() == static_cast<float>(i % 100 + 1));
    CHECK(by_recorded[i].item<float>() == static_cast<float>(i % 100 + 1));
  }
}
