// The engine: depth, memory, accumulation, hooks, retained and freed graphs, higher derivatives, replay, anomaly mode, jvp.
#include <cmath>
#include <thread>

#include "leaf.h"
#include "message.h"
#include "tapegrad/core/kept_launch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

// Nodes and bytes in use when it began; checks that both are back.
class Baseline {
 public:
  Baseline() : nodes_(autograd::live_nodes()), bytes_(allocator_stats().allocated_bytes) {}
  void check() const {
    CHECK(autograd::live_nodes() == nodes_);
    CHECK(allocator_stats().allocated_bytes == bytes_);
  }

 private:
  int64_t nodes_, bytes_;
};

Tensor number(double value) { return tensor(value, dtype(kFloat64).requires_grad()); }

// y = sum and difference, two outputs.
struct SumDifference {
  static constexpr const char* name = "sum_difference";
  std::vector<Tensor> forward(const Tensor& a, const Tensor& b) {
    const NoGradGuard no_grad;
    return {a + b, a - b};
  }
  Grads backward(Grads& dy) const {
    const Tensor s = dy[0].defined() ? dy[0] : dy[1] * 0;
    const Tensor d = dy[1].defined() ? dy[1] : dy[0] * 0;
    return {s + d, s - d};
  }
};

// y = x^3, with its own tangent.
struct Cube {
  static constexpr const char* name = "cube";
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    const NoGradGuard no_grad;
    return v * v * v;
  }
  Grads backward(const Tensor& dy) const { return {dy * *x * *x * 3}; }
  Tensor tangent(const Tensor& dx) const { return dx * *x * *x * 3; }
};

struct Failing {
  static constexpr const char* name = "failing";
  Tensor forward(const Tensor& x) {
    const NoGradGuard no_grad;
    return x * 1;
  }
  Grads backward(const Tensor&) const { throw ValueError("failing: its rule throws"); }
};

}  // namespace

TEST_CASE("a chain of a million nodes", "[engine]") {
  const Tensor x = number(1);
  const Tensor factor = tensor(1.0, kFloat64);
  const auto chain = [&] {
    Tensor y = x;
    for (int i = 0; i < 1000000; ++i) y = y * factor;
    return y;
  };
  chain().backward();
  x.mutable_grad() = Tensor();
  const Baseline baseline;
  {
    const Tensor y = chain();
    CHECK(autograd::live_nodes() == 1000000);
    y.backward();
    CHECK(x.grad().item<double>() == 1);
    CHECK(autograd::live_nodes() == 1);  // the last one, held by y
  }
  x.mutable_grad() = Tensor();
  baseline.check();
  { const Tensor never_swept = chain(); }
  baseline.check();
  {
    const Tensor y = chain();
    CHECK(autograd::grad({y}, {x}, {}, true)[0].item<double>() == 1);
    CHECK(autograd::jvp({y}, {x}, {tensor(3.0, kFloat64)})[0].item<double>() == 3);
  }
  baseline.check();
}

TEST_CASE("a wide and a deep graph with shared parts is swept once per node", "[engine]") {
  const Tensor x = number(1);
  Tensor y = x;
  for (int i = 0; i < 60; ++i) y = y + y;  // 2^60 paths
  y.backward();
  CHECK(x.grad().item<double>() == std::ldexp(1, 60));
  Tensor sum = tensor(0.0, kFloat64);
  for (int i = 0; i < 1000; ++i) sum = sum + x;
  x.mutable_grad() = Tensor();
  sum.backward();
  CHECK(x.grad().item<double>() == 1000);
}

TEST_CASE("a tensor used several times by one node gets the sum", "[engine]") {
  const Tensor x = leaf({1.5, -2.0});
  const Tensor w = values({0.5, 3.0});
  for (const bool create : {false, true}) {
    CAPTURE(create);
    const auto by = [&](const Tensor& y) { return autograd::grad({y}, {x}, {w}, false, create)[0].detach(); };
    CHECK(equal(by(x + x), w * 2));
    CHECK(equal(by(x - x), w * 0));
    CHECK(equal(by(x * x), w * 2 * x.detach()));
    CHECK(equal(by(x + x * 1), w * 2));
    const Tensor v = x * 1;
    CHECK(equal(by(v + v), w * 2));
  }
  const Tensor m = leaf({{1.0, 2.0}, {3.0, 5.0}});
  const Tensor dy = values({{1.0, -1.0}, {0.5, 2.0}});
  const Tensor expected = mm(dy, m.detach().t()) + mm(m.detach().t(), dy);
  CHECK(allclose(autograd::grad({mm(m, m)}, {m}, {dy})[0], expected));
}

TEST_CASE("second and third derivatives", "[engine]") {
  const Tensor x = number(0.7);
  Tensor y = tapegrad::exp(x);
  for (int order = 1; order <= 3; ++order) {
    y = autograd::grad({y}, {x}, {}, true, true)[0];
    CHECK(y.item<double>() == Approx(std::exp(0.7)).epsilon(1e-14));
  }
  Tensor s = tapegrad::sigmoid(x);
  for (int order = 1; order <= 3; ++order) s = autograd::grad({s}, {x}, {}, true, true)[0];
  const double p = 1 / (1 + std::exp(-0.7));
  CHECK(s.item<double>() == Approx(p * (1 - p) * (1 - 6 * p + 6 * p * p)).epsilon(1e-12));
  const Tensor z = x * x * x;
  z.backward({}, true, true);
  const Tensor first = x.grad();
  CHECK(first.requires_grad());
  x.mutable_grad() = Tensor();
  first.backward();
  CHECK(x.grad().item<double>() == Approx(6 * 0.7));
}

TEST_CASE("a graph is freed by its sweep unless retained", "[engine]") {
  const Tensor x = number(3);
  const Tensor y = x * x;
  y.backward({}, true);
  y.backward({}, true);
  CHECK(x.grad().item<double>() == 12);
  y.backward();
  CHECK(x.grad().item<double>() == 18);
  CHECK(
      message_of<AutogradError>([&] { y.backward(); }) ==
      "backward: the graph through mul was freed by an earlier backward (pass retain_graph = true to the first to sweep it twice)");
  const Tensor shared = x * 2;
  const Tensor a = shared * x, b = shared + x, c = shared + x, d = shared + x;
  a.backward();  // takes the part they share with it
  CHECK_THROWS_AS(b.backward(), AutogradError);
  CHECK_THROWS_AS(autograd::grad({c}, {x}), AutogradError);
  CHECK(autograd::grad({d}, {shared})[0].item<double>() == 1);
  CHECK(x.grad().item<double>() == 18 + 12);
}

TEST_CASE("errors of backward and grad", "[engine]") {
  const Tensor x = leaf({1.0, 2.0});
  CHECK_THAT(message_of<AutogradError>([&] { (x * 2).backward(); }),
             Contains("one-element outputs only, got shape [2]"));
  CHECK_THAT(message_of<AutogradError>([&] { values({1.0}).backward(); }), Contains("has no graph"));
  CHECK_THAT(message_of<ShapeError>([&] { (x * 2).backward(ones({3}, kFloat64)); }),
             Contains("got gradient [3] and output [2]"));
  CHECK_THAT(message_of<DTypeError>([&] { (x * 2).backward(ones({2})); }), Contains("float32"));
  const Tensor other = number(1);
  const Tensor y = sum(x * 2);
  CHECK_THAT(message_of<AutogradError>([&] {
               autograd::grad({y}, {x, other}, {}, true);
             }),
             Contains("no output depends on input 1"));
  const auto g = autograd::grad({y}, {x, other}, {}, true, false, true);
  CHECK(g[0].defined());
  CHECK(!g[1].defined());
  CHECK_THROWS_AS(autograd::grad({y}, {values({1.0})}), AutogradError);
  CHECK_THROWS_AS(arange(3).requires_grad_(), DTypeError);
}

TEST_CASE("grad computes only what leads to its inputs and leaves .grad alone", "[engine]") {
  const Tensor x = number(2), other = number(5);
  const Tensor y = x * x + apply(Failing{}, other);  // the failing rule is not on the way
  CHECK(autograd::grad({y}, {x})[0].item<double>() == 4);
  CHECK(!x.grad().defined());
  const Tensor inner = x * 3;
  const Tensor z = inner * inner * x;
  const auto g = autograd::grad({z}, {inner, x});
  CHECK(g[0].item<double>() == 2 * 6 * 2);
  CHECK(g[1].item<double>() == 36 + 24 * 3);
}

TEST_CASE("a failed backward leaves .grad untouched", "[engine]") {
  const Tensor x = number(2), w = number(3);
  (x * w).backward();
  const Tensor before = x.grad();
  const Tensor y = x * w + apply(Failing{}, x);
  CHECK(message_of<ValueError>([&] { y.backward(); }) == "failing: its rule throws");
  CHECK(x.grad().is_same(before));
  CHECK(x.grad().item<double>() == 3);
  CHECK(w.grad().item<double>() == 2);
  (x * w).backward();  // the engine works on
  CHECK(x.grad().item<double>() == 6);
}

TEST_CASE("a node whose forward throws leaves nothing behind", "[engine]") {
  const Tensor a = leaf({{1.0, 2.0}});
  const Baseline baseline;
  CHECK_THROWS_AS(mm(a, a), ShapeError);
  CHECK_THROWS_AS(a.t().view({2, 1, 5}), ShapeError);
  CHECK_THROWS_AS(slice(a, 0, 0, 1).select(0, 4), IndexError);
  baseline.check();
}

TEST_CASE("a saved tensor that was written is named", "[engine]") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor v = x * 1;
  const Tensor y = v * v;
  v.add_(1);
  CHECK_THAT(
      message_of<AutogradError>([&] { sum(y).backward(); }),
      Contains(
          "mul: the saved tensor \"b\", shape [2], was written in place after it was saved: it is at version 1, saved at version 0"));
  const Tensor e = tapegrad::exp(x);
  e.mul_(2);
  CHECK_THAT(message_of<AutogradError>([&] { sum(e).backward(); }), Contains("exp: the saved tensor \"y\""));
  const Tensor u = x * 1;
  const Tensor through_view = square(u);
  u[0] = 5.0;
  CHECK_THROWS_AS(sum(through_view).backward(), AutogradError);
  const Tensor harmless = x * 1;
  const Tensor s = harmless + 1;
  harmless.mul_(3);
  sum(s).backward();
  CHECK(equal(x.grad(), values({1.0, 1.0})));
}

TEST_CASE("hooks", "[engine]") {
  const Tensor x = leaf({1.0, 2.0});
  int leaf_calls = 0, inner_calls = 0;
  const unsigned id = x.register_hook([&](const Tensor& g) {
    ++leaf_calls;
    return g * 10;
  });
  const Tensor v = x * 3;
  v.register_hook([&](const Tensor& g) {
    ++inner_calls;
    CHECK(equal(g, values({2.0, 2.0})));
  });
  v.register_hook([](const Tensor& g) { return g + 1; });
  const Tensor y = sum(v + v);
  y.backward({}, true);
  CHECK(leaf_calls == 1);
  CHECK(inner_calls == 1);
  CHECK(equal(x.grad(), values({90.0, 90.0})));
  x.remove_hook(id);
  x.mutable_grad() = Tensor();
  y.backward();
  CHECK(leaf_calls == 1);
  CHECK(inner_calls == 2);
  CHECK(equal(x.grad(), values({9.0, 9.0})));
  CHECK_THROWS_AS(x.remove_hook(id), ValueError);
  const Tensor z = number(2);
  unsigned self = 0;
  self = z.register_hook([&](const Tensor&) { z.remove_hook(self); });
  (z * z).backward();
  CHECK(z.grad().item<double>() == 4);
}

TEST_CASE("retain_grad keeps the gradient of a recorded tensor", "[engine]") {
  const Tensor x = number(2);
  const Tensor v = x * 3;
  CHECK(!v.retains_grad());
  v.retain_grad();
  CHECK(v.retains_grad());
  (v * v).backward({}, true);
  CHECK(v.grad().item<double>() == 12);
  (v * 2 + v).backward({}, true);
  CHECK(v.grad().item<double>() == 15);
  {
    const Tensor gone = x * 2;
    gone.retain_grad();
  }
  const Tensor y = [&] {
    Tensor t = x * 2;
    t.retain_grad();
    return t * 1;
  }();
  y.backward();
}

TEST_CASE("detach and the guards", "[engine]") {
  const Tensor x = number(2);
  CHECK(!(x * 2).detach().requires_grad());
  CHECK((x * 2).requires_grad());
  {
    const NoGradGuard no_grad;
    CHECK(!(x * 2).requires_grad());
    {
      const AutoGradMode on(true);
      CHECK((x * 2).requires_grad());
    }
    CHECK(!GradMode::is_enabled());
  }
  {
    const InferenceMode inference;
    CHECK(!(x * 2).requires_grad());
  }
  CHECK(GradMode::is_enabled());
  (x * x.detach()).backward();
  CHECK(x.grad().item<double>() == 2);
  const Tensor shared = x.detach();
  CHECK(shared.data_ptr() == x.data_ptr());
}

TEST_CASE("several outputs of one node", "[engine]") {
  const Tensor a = leaf({1.0, 2.0}), b = leaf({5.0, 7.0});
  const auto y = apply(SumDifference{}, a, b);
  CHECK(y[0].output_nr() == 0);
  CHECK(y[1].output_nr() == 1);
  auto g = autograd::grad({y[1]}, {a, b}, {values({1.0, 3.0})}, true);
  CHECK(equal(g[0], values({1.0, 3.0})));
  CHECK(equal(g[1], values({-1.0, -3.0})));
  g = autograd::grad({y[0], y[1]}, {a, b}, {values({1.0, 1.0}), values({1.0, 3.0})}, true);
  CHECK(equal(g[0], values({2.0, 4.0})));
  CHECK(equal(g[1], values({0.0, -2.0})));
  sum(y[0] * y[1]).backward();
  CHECK(equal(a.grad(), values({2.0, 4.0})));
}

TEST_CASE("forward mode over the recorded graph", "[engine]") {
  const Tensor x = leaf({0.5, -1.0}), w = leaf({2.0, 3.0});
  const Tensor y = tapegrad::tanh(apply(Cube{}, x) * w);
  const Tensor u = values({0.3, -0.7}), v = values({1.0, 0.2});
  const Tensor t = autograd::jvp({y}, {x, w}, {u, v})[0];
  const Tensor c = values({1.0, -2.0});
  const auto g = autograd::grad({y}, {x, w}, {c}, true);
  CHECK(sum(t * c).item<double>() == Approx((sum(g[0] * u) + sum(g[1] * v)).item<double>()).epsilon(1e-13));
  CHECK(!autograd::jvp({y}, {number(1)}, {tensor(1.0, kFloat64)})[0].defined());
  CHECK_THAT(message_of<AutogradError>([&] { autograd::jvp({apply(Failing{}, x)}, {x}, {u}); }),
             Contains("no forward-mode rule"));
  CHECK_THROWS_AS(autograd::jvp({y}, {x}, {values({1.0})}), ShapeError);
  // Forward over reverse: a Hessian-vector product.
  const Tensor s = sum(x * x * x);
  const Tensor first = autograd::grad({s}, {x}, {}, true, true)[0];
  CHECK(allclose(autograd::jvp({first}, {x}, {u})[0], 6 * x.detach() * u));
}

TEST_CASE("threads have their own tapes and share leaves", "[engine]") {
  const Tensor w = leaf({1.0, 2.0});
  const auto work = [&w] {
    for (int i = 0; i < 200; ++i) sum(w * w).backward();
  };
  std::thread first(work), second(work);
  first.join();
  second.join();
  CHECK(equal(w.grad(), values({800.0, 1600.0})));
  const Tensor y = w * 2;
  std::string swept, used;
  std::thread other([&] {
    swept = message_of<AutogradError>([&] { sum(y).backward(); });
    used = message_of<AutogradError>([&] { y.backward(ones({2}, kFloat64)); });
  });
  other.join();
  CHECK_THAT(swept, Contains("was recorded on another thread's tape; only leaves may be shared between threads"));
  CHECK_THAT(used, Contains("was recorded on another thread's tape; call backward on the thread that ran the forward"));
}

TEST_CASE("a tensor and its graph may be freed on another thread", "[engine]") {
  const Tensor w = leaf({1.0, 2.0});
  for (int round = 0; round < 20; ++round) {
    Tensor y = w;
    for (int i = 0; i < 1000; ++i) y = y * 1.0;
    std::thread([moved = std::move(y)] {}).join();
  }
  sum(w * 2).backward();
  CHECK(equal(w.grad(), values({2.0, 2.0})));
}

TEST_CASE("a kept launch list gives the same bits when it runs again", "[engine]") {
  manual_seed(4);
  const Tensor x = randn({17, 9}), w = randn({9, 5}, requires_grad()), b = randn({5}, requires_grad());
  const auto step = [&] {
    const Tensor loss = mean(square(tapegrad::tanh(matmul(x, w) + b)));
    const auto g = autograd::grad({loss}, {w, b});
    return std::vector<Tensor>{loss.detach(), g[0], g[1]};
  };
  LaunchList list;
  const std::vector<Tensor> kept = step();
  list.stop();
  CHECK(list.launches().size() > 5);
  const Tensor other = randn({17, 9});
  x.copy_(other);
  const std::vector<Tensor> eager = step();
  list.run();
  for (size_t i = 0; i < kept.size(); ++i) CHECK(equal(kept[i], eager[i]));
}

TEST_CASE("anomaly mode names the op and where it was recorded", "[engine]") {
  const autograd::DetectAnomalyGuard guard;
  CHECK(autograd::is_anomaly_enabled());
  const Tensor x = leaf({-1.0, 4.0});
  const Tensor y = sum(tapegrad::sqrt(x * 1));
  const std::string text = message_of<AutogradError>([&] { y.backward(); });
  CHECK_THAT(text, Contains("backward of sqrt") && Contains("NaN") && Contains("recorded at"));
  CHECK(!x.grad().defined());
  const Tensor z = apply(Failing{}, x);
  CHECK_THAT(message_of<ValueError>([&] { sum(z).backward(); }), Contains("raised in the backward of failing"));
}
