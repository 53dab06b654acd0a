// Checkpoints: the same gradients with fewer activations, wherever they are asked for, and what is refused.
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using autograd::checkpoint;
using Tensors = std::vector<Tensor>;

namespace {

Tensor drawn(IntArrayRef sizes) { return randn(sizes, kFloat64); }
Tensor leaf(IntArrayRef sizes) { return drawn(sizes).requires_grad_(); }

template <class F> void said(const F& f, const char* text) { CHECK_THAT(message_of<AutogradError>(f), Contains(text)); }

// Three layers with parameters of their own.
struct Block : nn::Cloneable<Block> {
  nn::Linear fc1 = register_module("fc1", nn::Linear(4, 5));
  nn::Linear fc2 = register_module("fc2", nn::Linear(5, 4));
  Tensor forward(const Tensor& x) const { return x + fc2(tanh(fc1(x))); }
};

// y = x, counting sweeps.
struct Counted {
  static constexpr const char* name = "counted";
  std::shared_ptr<int> sweeps;
  Tensor forward(const Tensor& x) {
    const NoGradGuard no_grad;
    return x * 1;
  }
  Grads backward(const Tensor& dy) const {
    ++*sweeps;
    return {dy * 1};
  }
};

void check_same(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    REQUIRE(a[i].defined());
    CHECK(equal(a[i], b[i]));
  }
}

}  // namespace

TEST_CASE("a checkpoint gives the plain run's gradients to inputs and parameters", "[checkpoint]") {
  manual_seed(31);
  Block block;
  block.to(kFloat64);
  const Tensor x = leaf({3, 4});
  const Tensor w = drawn({3, 4});
  Tensors wanted = block.parameters();
  wanted.push_back(x);
  const Tensor plain = block(x);
  const Tensors expected = autograd::grad({plain}, wanted, {w});
  const Tensor y = checkpoint(block, x);
  CHECK(equal(y, plain));
  CHECK(std::string(y.grad_fn()->name()) == "checkpoint");
  SECTION("by grad()") { check_same(autograd::grad({y}, wanted, {w}), expected); }
  SECTION("by backward()") {
    y.backward(w);
    Tensors got;
    for (const Tensor& p : wanted) got.push_back(p.grad());
    check_same(got, expected);
  }
  SECTION("twice, when retained") {
    check_same(autograd::grad({y}, wanted, {w}, true), expected);
    check_same(autograd::grad({y}, wanted, {w}), expected);
    said([&] { autograd::grad({y}, wanted, {w}); }, "the graph through checkpoint was freed");
  }
  SECTION("of some only") { check_same(autograd::grad({y}, {wanted[2]}, {w}), {expected[2]}); }
  SECTION("by forward mode") {
    const Tensor v = drawn({3, 4});
    const Tensor bias = drawn({5});
    check_same(autograd::jvp({y}, {x, wanted[1]}, {v, bias}), autograd::jvp({block(x)}, {x, wanted[1]}, {v, bias}));
  }
}

TEST_CASE("a checkpoint computes the wanted gradients only", "[checkpoint]") {
  const Tensor p = leaf({3}), x = leaf({3});
  const auto sweeps = std::make_shared<int>(0);
  const auto f = [=](const Tensor& t) { return t * apply(Counted{sweeps}, p); };
  const Tensor y = checkpoint(f, x);
  CHECK(equal(autograd::grad({y}, {x}, {ones({3}, kFloat64)}, true)[0], p.detach()));
  CHECK(*sweeps == 0);
  CHECK(equal(autograd::grad({y}, {p}, {ones({3}, kFloat64)})[0], x.detach()));
  CHECK(*sweeps == 1);
}

TEST_CASE("the input of a checkpoint need not require grad", "[checkpoint]") {
  manual_seed(32);
  Block block;
  const Tensor x = randn({3, 4});
  const Tensor w = randn({3, 4});
  const Tensors expected = autograd::grad({block(x)}, block.parameters(), {w});
  check_same(autograd::grad({checkpoint(block, x)}, block.parameters(), {w}), expected);
  block.requires_grad_(false);
  CHECK_FALSE(checkpoint(block, x).requires_grad());
  const NoGradGuard off;
  block.requires_grad_(true);
  CHECK_FALSE(checkpoint(block, x).requires_grad());
  CHECK(equal(checkpoint(block, x), block(x)));
}

TEST_CASE("several inputs and outputs, integers and absent ones among them", "[checkpoint]") {
  manual_seed(33);
  const Tensor a = leaf({3, 2}), b = leaf({2, 3});
  const Tensor index = tensor({2, 0}, kInt64);
  const auto f = [](const Tensors& in) -> Tensors {
    return {index_select(in[0], 0, in[2]) * 2, argmax(in[0], 1), mm(in[0], in[1]), in[1]};
  };
  const Tensors y = checkpoint(f, {a, b, index, Tensor()});
  const Tensors z = f({a, b, index, Tensor()});
  REQUIRE(y.size() == 4);
  for (size_t i = 0; i < 4; ++i) CHECK(equal(y[i], z[i]));
  CHECK_FALSE(y[1].requires_grad());
  const Tensor u = drawn({2, 2}), v = drawn({3, 3}), w = drawn({2, 3});
  check_same(autograd::grad({y[0], y[2], y[3]}, {a, b}, {u, v, w}, true),
             autograd::grad({z[0], z[2], z[3]}, {a, b}, {u, v, w}, true));
  // One output only; b does not reach it.
  const auto one = autograd::grad({y[0]}, {a, b}, {u}, true, false, true);
  check_same({one[0]}, autograd::grad({z[0]}, {a}, {u}, true));
  CHECK_FALSE(one[1].defined());
  // Two and three tensors, and the same one twice.
  check_same(
      autograd::grad({checkpoint([](const Tensor& s, const Tensor& t) { return mm(s, t); }, {a, b})}, {a, b}, {v}),
      autograd::grad({mm(a, b)}, {a, b}, {v}));
  const Tensor cube = checkpoint([](const Tensor& s, const Tensor& t) { return s * t * t; }, {a, a});
  CHECK(allclose(autograd::grad({cube}, {a}, {ones({3, 2}, kFloat64)})[0], 3 * a.detach() * a.detach()));
}

TEST_CASE("what a checkpoint takes from outside bounds its sweep", "[checkpoint]") {
  manual_seed(34);
  const Tensor p = leaf({3}), x = leaf({3});
  const Tensor w = drawn({3});
  const Tensor h = exp(p);  // recorded outside, and p is used inside as well
  const auto f = [h, p](const Tensor& t) { return t * h * p + h; };
  const Tensors expected = autograd::grad({f(x)}, {x, p, h}, {w}, true);
  const Tensor y = checkpoint(f, x);
  check_same(autograd::grad({y}, {x, p, h}, {w}, true), expected);
  check_same(autograd::grad({y}, {p}, {w}, true), {expected[1]});
  // As an input that itself comes from p.
  const auto g = [p](const Tensor& t) { return t * p; };
  check_same(autograd::grad({checkpoint(g, h)}, {p}, {w}, true), autograd::grad({g(h)}, {p}, {w}, true));
  // Parts and views of what lies outside.
  const Tensor matrix = leaf({2, 3});
  const Tensor scaled = matrix * 2;
  const Tensor row = scaled[1];
  const auto by_row = [row](const Tensor& t) { return t * row; };
  check_same(autograd::grad({checkpoint(by_row, x)}, {matrix, row}, {w}, true),
             autograd::grad({by_row(x)}, {matrix, row}, {w}, true));
  {
    const Tensor whole = p * 1;
    const Tensor part = narrow(whole, 0, 1, 2);
    whole.mul_(3);  // part derives its history afresh when it is next used
    const auto by_part = [part](const Tensor& t) { return narrow(t, 0, 0, 2) * part; };
    const Tensor cotangent = drawn({2});
    const Tensor z = checkpoint(by_part, x);
    check_same(autograd::grad({z}, {p, x}, {cotangent}, true), autograd::grad({by_part(x)}, {p, x}, {cotangent}, true));
  }
  // A copy into memory made inside keeps the gradient.
  const auto copies = [p](const Tensor& t) {
    const Tensor room = zeros({2, 3}, kFloat64);
    room[0].copy_(p);
    room[1].copy_(t);
    return room * 2;
  };
  const Tensor both = drawn({2, 3});
  check_same(autograd::grad({checkpoint(copies, x)}, {p, x}, {both}), {both[0] * 2, both[1] * 2});
}

TEST_CASE("hooks and retained gradients fire once", "[checkpoint]") {
  manual_seed(35);
  const Tensor p = leaf({3}), x = leaf({3});
  const Tensor w = drawn({3});
  const Tensor h = exp(p);
  int leaf_hooks = 0, inner_hooks = 0;
  p.register_hook([&](const Tensor& g) { return ++leaf_hooks, g * 2; });
  h.register_hook([&](const Tensor& g) { return ++inner_hooks, g * 3; });
  h.retain_grad();
  const auto f = [h, p](const Tensor& t) { return t * h * p; };
  f(x).backward(w, true);
  const Tensors expected{p.grad().clone(), h.grad().clone(), x.grad().clone()};
  CHECK(leaf_hooks == 1);
  CHECK(inner_hooks == 1);
  for (const Tensor& t : {p, h, x}) t.mutable_grad() = Tensor();
  checkpoint(f, x).backward(w);
  CHECK(leaf_hooks == 2);
  CHECK(inner_hooks == 2);
  check_same({p.grad(), h.grad(), x.grad()}, expected);
}

TEST_CASE("second derivatives through a checkpoint", "[checkpoint]") {
  manual_seed(36);
  const Tensor p = leaf({3}), x = leaf({3});
  const Tensor h = exp(p);
  const auto f = [h, p](const Tensor& t) { return tanh(t * h) * p; };
  const auto second = [&](const Tensor& y) {
    const Tensor w = tensor({1., 2., 3.}, dtype(kFloat64).requires_grad(true));
    const Tensors first = autograd::grad({y}, {x, p}, {w}, true, true);
    return autograd::grad({sum(first[0] * first[1])}, {x, p, w}, {}, true);
  };
  check_same(second(checkpoint(f, x)), second(f(x)));
  const auto inside = [](const Tensor& a, const Tensor& b) {
    return checkpoint([b](const Tensor& t) { return sum(sin(t * b) * t); }, a);
  };
  CHECK(gradgradcheck(inside, {x, p}));
  const auto checked = [](const Tensors& in) {
    return checkpoint([](const Tensor& s, const Tensor& t) -> Tensors { return {mm(s, t), tanh(s)}; }, in);
  };
  CHECK(gradgradcheck(checked, {leaf({2, 3}), leaf({3, 2})}));
  const Tensor v = drawn({3});
  const auto loss = [](const Tensor& t) { return checkpoint([](const Tensor& s) { return sum(s * s * s); }, t); };
  CHECK(allclose(autograd::hvp(loss, x, v).second, 6 * x.detach() * v));
  CHECK(allclose(autograd::vhp(loss, x, v).second, 6 * x.detach() * v));
}

TEST_CASE("checkpoints nest", "[checkpoint]") {
  manual_seed(37);
  Block a, b;
  const Tensor x = randn({3, 4}, requires_grad());
  const Tensor w = randn({3, 4});
  int runs = 0;
  const auto inner = [b, &runs](const Tensor& t) { return ++runs, b(t); };
  const auto outer = [a, inner](const Tensor& t) { return a(checkpoint(inner, a(t))); };
  Tensors wanted = a.parameters();
  for (const Tensor& t : b.parameters()) wanted.push_back(t);
  wanted.push_back(x);
  const Tensors expected = autograd::grad({a(b(a(x)))}, wanted, {w});
  const Tensor y = checkpoint(outer, x);
  CHECK(runs == 1);
  check_same(autograd::grad({y}, wanted, {w}), expected);
  CHECK(runs == 3);  // forward of the outer one's second run, and backward
}

TEST_CASE("a checkpoint draws the same numbers again and leaves the generator where it is", "[checkpoint]") {
  const Tensor x = ones({1000}, requires_grad());
  manual_seed(38);
  nn::Dropout dropout(0.5);
  const auto f = [dropout](const Tensor& t) { return dropout(t) * dropout(t); };
  const Tensor y = checkpoint(f, x);
  const Tensor between = rand({3});
  const uint64_t draw = default_generator().draw();
  const Tensor g = autograd::grad({y}, {x}, {ones({1000})}, true)[0];
  CHECK(default_generator().draw() == draw);
  CHECK(equal(g, 2 * y.detach()));  // d (m x)^2 = 2 m^2 x
  manual_seed(38);
  CHECK(equal(f(x), y));
  CHECK(equal(rand({3}), between));
  // Without, the masks differ.
  const Tensor z = checkpoint(f, x, {.preserve_rng_state = false});
  CHECK_FALSE(equal(autograd::grad({z}, {x}, {ones({1000})})[0], 2 * z.detach()));
  // Nested ones as well.
  const Tensor n = checkpoint([f](const Tensor& t) { return checkpoint(f, t) * 1; }, x);
  CHECK(equal(autograd::grad({n}, {x}, {ones({1000})})[0], 2 * n.detach()));
}

TEST_CASE("a checkpoint keeps its inputs and nothing else", "[checkpoint]") {
  const Tensor x = ones({64, 1024}, requires_grad());
  const int64_t before = allocator_stats().allocated_bytes;
  const auto f = [](const Tensor& t) { return sum(tanh(tanh(tanh(t) * t) * t)); };
  Tensor y = checkpoint(f, x);
  CHECK(allocator_stats().allocated_bytes - before < 64 * 1024);
  y = f(x);
  CHECK(allocator_stats().allocated_bytes - before > 3 * 64 * 1024 * 4);
  // What f holds goes with the sweep, although the result is still there.
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  y = checkpoint([held = std::move(held)](const Tensor& t) { return sum(t * *held); }, x);
  y.backward();
  CHECK(watched.expired());
  x.mutable_grad() = Tensor();
  y = checkpoint(f, x);
  const int64_t nodes = autograd::live_nodes();
  y.backward();
  y = Tensor();
  x.mutable_grad() = Tensor();
  CHECK(autograd::live_nodes() == nodes - 1);
  CHECK(allocator_stats().allocated_bytes == before);
}

TEST_CASE("what checkpoints refuse", "[checkpoint]") {
  manual_seed(39);
  Tensor p = leaf({3});
  const Tensor x = leaf({3});
  const Tensor w = drawn({3});
  said(
      [&] { checkpoint([](const Tensor& t) { return Tensor(t).mul_(2); }, x * 1); },
      "checkpoint: f must not write its inputs in place, since it runs again on them, got input 0, shape [3], written");
  CHECK_THAT(message_of<ValueError>([&] { checkpoint([](const Tensor&) { return Tensors{}; }, x); }),
             Contains("checkpoint: f must return at least one tensor, got none"));
  CHECK_THAT(message_of<ValueError>([&] { checkpoint([](const Tensor&) { return Tensor(); }, x); }),
             Contains("checkpoint: output 0 must be defined"));
  CHECK_THAT(message_of<ValueError>([&] { checkpoint([](const Tensor& a, const Tensor& b) { return a + b; }, x); }),
             Contains("function: it takes 2 tensors, got inputs for 1"));

  auto count = std::make_shared<int>(0);
  const auto grows = [count](const Tensor& t) { return narrow(t * 2, 0, 0, ++*count); };
  const Tensor y = checkpoint(grows, x);
  said(
      [&] { y.backward(drawn({1})); },
      "checkpoint: f must give the same shapes and dtypes when it runs again, got [2] float64 and [1] float64 in forward");
  const auto casts = [count](const Tensor& t) { return ++*count % 2 ? to(t, kFloat32) : t * 1; };
  *count = 0;
  said([&] { sum(checkpoint(casts, x)).backward(); }, "got [3] float64 and [3] float32 in forward");
  const auto fails = [count](const Tensor& t) { return ++*count % 2 ? t * 1 : Tensor(); };
  *count = 0;
  said([&] { sum(checkpoint(fails, x)).backward(); }, "got an undefined tensor (Tensor()) and [3] float64 in forward");
  const auto switches = [count, p](const Tensor& t) { return ++*count % 2 ? t * 1 : t * p; };
  *count = 0;
  said(
      [&] { sum(checkpoint(switches, x)).backward(); },
      "checkpoint: f must use the same tensors that require grad when it runs again, got 1 from outside and 0 in forward");
  CHECK_FALSE(x.grad().defined());

  const Tensor in = x * 1;
  const Tensor from_written = checkpoint([](const Tensor& t) { return t * t; }, in);
  in.add_(1);
  said([&] { from_written.backward(w); }, "checkpoint: the saved tensor \"inputs\", shape [3], was written in place");
  const Tensor by_written = checkpoint([p](const Tensor& t) { return t * p; }, x);
  {
    const NoGradGuard off;
    p.add_(1);
  }
  said([&] { by_written.backward(w); },
       "checkpoint: the saved tensor \"from outside\", shape [3], was written in place");
  // A failure leaves the recording and the generator as they were.
  const uint64_t draw = default_generator().draw();
  const Tensor bad = checkpoint(
      [count](const Tensor& t) { return ++*count % 2 ? rand({3}, kFloat64) * t : rand({4}, kFloat64) * sum(t); }, x);
  CHECK_THROWS_AS(bad.backward(w), AutogradError);
  CHECK(default_generator().draw() == draw + 1);
  CHECK(GradMode::is_enabled());
  CHECK(equal(autograd::grad({x * 2}, {x}, {w})[0], w * 2));
}
