// Rules of the graph that are easy to break: what is freed, what is shared, what must not keep itself alive.
#include "leaf.h"
#include "message.h"
#include "tapegrad/core/kept_launch.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using autograd::AutogradContext;
using autograd::variable_list;

namespace {

// (a, b) -> (5 a, b), where b is multiplied by 6 in place and handed back as the second output.
struct ScaleBoth : autograd::Function<ScaleBoth> {
  static variable_list forward(AutogradContext* ctx, const Tensor& a, const Tensor& b) {
    b.mul_(6);
    ctx->mark_dirty({b});
    return {a * 5, b};
  }
  static variable_list backward(AutogradContext*, variable_list dy) { return {dy[0] * 5, dy[1] * 6}; }
};

}  // namespace

TEST_CASE("a tensor added to itself gets both gradients", "[graph]") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor h = x * 1;
  for (bool create_graph : {false, true}) {
    CHECK(equal(autograd::grad({sum(h + h)}, {x}, {}, true, create_graph)[0], values({2.0, 2.0})));
    CHECK(equal(autograd::grad({sum((x + h) + x)}, {x}, {}, true, create_graph)[0], values({3.0, 3.0})));
  }
}

TEST_CASE("a graph that shares a freed part says so", "[graph]") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor h = exp(x);
  const Tensor first = sum(h * 2), second = sum(h * 3);
  first.backward();
  const Tensor kept = x.grad().clone();
  CHECK_THAT(message_of<AutogradError>([&] { second.backward(); }), Contains("exp") && Contains("freed"));
  CHECK_THROWS_AS(autograd::grad({sum(h * 3)}, {x}, {}, {}, false, true), AutogradError);
  CHECK(equal(x.grad(), kept));
}

TEST_CASE("a backward can be cut in two at an intermediate", "[graph]") {
  const Tensor x = leaf({0.5, 1.0});
  const Tensor h = exp(x);
  const Tensor g = autograd::grad({sum(h * h)}, {h})[0];
  h.backward(g);
  CHECK(allclose(x.grad(), 2 * exp(2 * x.detach())));
  const Tensor later = h * 3;  // what lies before h is freed by now, and not on the way
  CHECK(equal(autograd::grad({sum(later * 2)}, {later})[0], values({2.0, 2.0})));
  CHECK(equal(autograd::grad({sum(h * later.detach())}, {h})[0], later.detach()));
  CHECK_THROWS_AS(autograd::grad({sum(later * 2)}, {x}), AutogradError);
}

TEST_CASE("a leaf that shares memory with what is written keeps its gradient", "[graph]") {
  const Tensor x = leaf({1.0, 2.0});
  Tensor d = x.detach();
  d.add_(x);
  CHECK(equal(autograd::grad({sum(d)}, {x})[0], values({1.0, 1.0})));
}

TEST_CASE("the second output may be the one written in place", "[graph]") {
  const Tensor a = leaf({1.0}), w = leaf({1.0});
  const Tensor b = w * 1;
  const variable_list y = ScaleBoth::apply(a, b);
  CHECK(y[1].item<double>() == 6);
  sum(y[0] + y[1]).backward();
  CHECK(a.grad().item<double>() == 5);
  CHECK(w.grad().item<double>() == 6);
}

TEST_CASE("with create_graph no two leaves share a gradient", "[graph]") {
  const Tensor a = leaf({1.0, 2.0}), b = leaf({3.0, 4.0}), g = values({1.0, 1.0});
  (a + b).backward(g, {}, true);
  CHECK_FALSE(a.grad().is_same(b.grad()));
  CHECK(a.grad().data_ptr() != b.grad().data_ptr());
  CHECK(a.grad().data_ptr() != g.data_ptr());
}

TEST_CASE("a saved tensor that is written later keeps no graph alive", "[graph]") {
  const int64_t nodes = autograd::live_nodes();
  const int64_t bytes = allocator_stats().allocated_bytes;
  {
    const Tensor x = leaf({1.0, 2.0});
    Tensor y = x * 1;
    const Tensor z = y * y;
    y.add_(z);
    Tensor s = zeros({2}, kFloat64);
    s.add_(s * x);
    Tensor b = x * 2;
    b.index_put_({0}, exp(b[1]));
  }
  CHECK(autograd::live_nodes() == nodes);
  CHECK(allocator_stats().allocated_bytes == bytes);
}

TEST_CASE("a hook that removes itself leaves the others in place", "[graph]") {
  const Tensor x = leaf({1.0});
  const Tensor h = x * 2;
  unsigned first = 0;
  int calls = 0;
  first = h.register_hook([&](const Tensor&) { h.remove_hook(first); });
  h.register_hook([&](const Tensor&) { ++calls; });
  sum(h).backward();
  CHECK(calls == 1);
}

TEST_CASE("launch lists may be stopped in any order", "[graph]") {
  auto* outer = new LaunchList;
  LaunchList inner;
  outer->stop();
  delete outer;
  const Tensor x = ones({3}) + 1;
  CHECK(inner.launches().size() == 2);
  inner.stop();
  CHECK(keeping() == nullptr);
}

TEST_CASE("an expanded tensor too large for memory is an error, not a crash", "[graph]") {
  const int64_t side = int64_t{1} << 31;
  CHECK_THROWS_AS(zeros({1, 1}).expand({side, side}) + 1, Error);
  CHECK_THROWS_AS(zeros({1, 1}).expand({side, side}).clone(), Error);
}

TEST_CASE("a failed backward leaves retained gradients as they were", "[graph]") {
  struct Throwing : autograd::Function<Throwing> {
    static Tensor forward(AutogradContext*, const Tensor& x) { return x * 1; }
    static variable_list backward(AutogradContext*, variable_list) { throw ValueError("throwing: its rule throws"); }
  };
  const Tensor x = leaf({1.0, 2.0});
  const Tensor h = Throwing::apply(x) * 2;
  h.retain_grad();
  CHECK_THROWS_AS(sum(h * 3).backward({}, true), ValueError);
  CHECK_FALSE(h.grad().defined());
  const Tensor v = x * 2;
  v.retain_grad();
  const unsigned id = x.register_hook([](const Tensor&) { throw ValueError("hook: it throws"); });
  CHECK_THROWS_AS(sum(v * 3).backward({}, true), ValueError);  // after the last rule
  CHECK_FALSE(v.grad().defined());
  x.remove_hook(id);
  autograd::grad({sum(v * 3)}, {x}, {}, true);
  CHECK(equal(v.grad(), values({3.0, 3.0})));
  sum(v * 3).backward({}, true);
  CHECK(equal(v.grad(), values({6.0, 6.0})));
  v.mutable_grad() = ones({100}, kFloat64);
  x.mutable_grad() = Tensor();
  CHECK_THAT(message_of<AutogradError>([&] { sum(v * 3).backward(); }), Contains("got [100] float64"));
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a retained gradient is the caller's own memory", "[graph]") {
  const Tensor x = leaf({1.0, 2.0}), g = values({1.0, 1.0});
  Tensor outlived;
  {
    const Tensor h = x * 2;
    h.retain_grad();
    const Tensor y = h + x;
    y.backward(g);
    CHECK(h.grad().data_ptr() != g.data_ptr());
    CHECK(h.grad().data_ptr() != x.grad().data_ptr());
    outlived = h.grad();
    Tensor k = x * 2;
    k.retain_grad();
    k.register_hook([&](const Tensor&) { k = Tensor(); });  // the tensor dies during the sweep
    sum(k * 2).backward();
  }
  CHECK(equal(outlived, values({1.0, 1.0})));
}

TEST_CASE("an undefined tensor is named with its op and its place", "[graph]") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor y = sum(x * 1);
  const std::string rest = " must be defined, got an undefined tensor (Tensor())";
  CHECK(message_of<ValueError>([] { Tensor().item<double>(); }) == "item: the tensor" + rest);
  CHECK(message_of<ValueError>([] { Tensor().backward(); }) == "backward: output 0" + rest);
  CHECK(message_of<ValueError>([&] { autograd::backward({y, Tensor()}); }) == "backward: output 1" + rest);
  CHECK(message_of<ValueError>([&] { autograd::grad({Tensor()}, {x}); }) == "grad: output 0" + rest);
  CHECK(message_of<ValueError>([&] { autograd::grad({y}, {x, Tensor()}); }) == "grad: input 1" + rest);
  CHECK(message_of<ValueError>([&] { autograd::jvp({Tensor()}, {x}, {x}); }) == "jvp: output 0" + rest);
  CHECK(message_of<ValueError>([&] { autograd::jvp({y}, {Tensor()}, {x}); }) == "jvp: input 0" + rest);
}

TEST_CASE("a tangent of the wrong shape is a ShapeError, of the wrong dtype a DTypeError", "[graph]") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor y = x * 2;
  CHECK(message_of<ShapeError>([&] { autograd::jvp({y}, {x}, {ones({3}, kFloat64)}); }) ==
        "jvp: a tangent must have its input's shape, got tangent 0 [3] and input [2]");
  CHECK(message_of<DTypeError>([&] { autograd::jvp({y}, {x}, {ones({2})}); }) ==
        "jvp: a tangent must have its input's dtype, got tangent 0 float32 and input float64");
}
