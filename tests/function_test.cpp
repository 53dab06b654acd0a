// User-defined functions in PyTorch's spelling, and the tape printed as text and as a drawing.
#include <cmath>

#include "leaf.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using autograd::AutogradContext;
using autograd::variable_list;

namespace {

// y = alpha x^2
struct ScaledSquare : autograd::Function<ScaledSquare> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double alpha) {
    ctx->save_for_backward({x});
    ctx->saved_data["alpha"] = alpha;
    return x * x * alpha;
  }
  static variable_list backward(AutogradContext* ctx, variable_list dy) {
    const Tensor x = ctx->get_saved_variables()[0];
    return {dy[0] * x * (2 * ctx->saved_data["alpha"].toDouble()), Tensor()};
  }
};

// y = e^x, with the output saved
struct SavedExp : autograd::Function<SavedExp> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    const Tensor y = exp(x);
    ctx->save_for_backward({y});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list dy) {
    return {dy[0] * ctx->get_saved_variables()[0]};
  }
};

// (x + 1, sign x), the second without a gradient
struct WithSign : autograd::Function<WithSign> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x) {
    const Tensor s = sign(x);
    ctx->mark_non_differentiable({s});
    return {x + 1, s};
  }
  static variable_list backward(AutogradContext*, variable_list dy) {
    return {dy[0] + dy[1]};  // dy[1] is zeros, materialised
  }
};

struct Forgetful : autograd::Function<Forgetful> {
  static Tensor forward(AutogradContext*, const Tensor& a, const Tensor& b) { return a + b; }
  static variable_list backward(AutogradContext*, variable_list dy) { return {dy[0]}; }
};

struct WrongShape : autograd::Function<WrongShape> {
  static Tensor forward(AutogradContext*, const Tensor& a) { return a * 2; }
  static variable_list backward(AutogradContext*, variable_list dy) { return {sum(dy[0])}; }
};

}  // namespace

TEST_CASE("a function with saved tensors and saved data", "[function]") {
  const Tensor x = leaf({1.0, -2.0});
  const Tensor y = ScaledSquare::apply(x, 3.0);
  CHECK(std::string(y.grad_fn()->name()) == "ScaledSquare");
  const Tensor g = autograd::grad({sum(y)}, {x}, {}, true, true)[0];
  CHECK(equal(g.detach(), tensor({6.0, -12.0}, kFloat64)));
  CHECK(equal(autograd::grad({sum(g)}, {x})[0], tensor({6.0, 6.0}, kFloat64)));
  NoGradGuard no_grad;
  CHECK_FALSE(ScaledSquare::apply(x, 3.0).requires_grad());
}

TEST_CASE("a function may save its output and be differentiated three times", "[function]") {
  const Tensor x = leaf({0.3});
  const int64_t nodes = autograd::live_nodes();
  {
    Tensor g = SavedExp::apply(x);
    for (int order = 0; order < 3; ++order) g = autograd::grad({sum(g)}, {x}, {}, true, true)[0];
    CHECK(g.item<double>() == Approx(std::exp(0.3)).epsilon(1e-14));
  }
  CHECK(autograd::live_nodes() == nodes);
}

TEST_CASE("a function with an output that carries no gradient", "[function]") {
  const Tensor x = leaf({2.0, -1.0});
  const variable_list y = WithSign::apply(x);
  CHECK(y[0].requires_grad());
  CHECK_FALSE(y[1].requires_grad());
  sum(y[0] * y[1]).backward();
  CHECK(equal(x.grad(), tensor({1.0, -1.0}, kFloat64)));
}

TEST_CASE("a function that breaks its contract is told so", "[function]") {
  const Tensor a = leaf({1.0, 2.0}), b = leaf({3.0, 4.0});
  CHECK_THAT(message_of<AutogradError>([&] { sum(Forgetful::apply(a, b)).backward(); }),
             Contains("Forgetful") && Contains("2, got 1"));
  CHECK_THAT(message_of<AutogradError>([&] { sum(WrongShape::apply(a)).backward(); }),
             Contains("WrongShape") && Contains("[2]") && Contains("[]"));
  Tensor h = a * 1;
  const Tensor y = ScaledSquare::apply(h, 1.0);
  h.add_(1);
  CHECK_THAT(message_of<AutogradError>([&] { sum(y).backward(); }), Contains("ScaledSquare") && Contains("version 1"));
  CHECK_FALSE(a.grad().defined());
}

TEST_CASE("the tape as text and as a drawing", "[dump]") {
  const Tensor x = ones({4, 3}), w = ones({2, 3}, requires_grad()), b = zeros({2}, requires_grad());
  const Tensor y = sum(sigmoid(linear(x, w, b)));
  const std::string text = autograd::tape_text(y);
  INFO(text);
  CHECK_THAT(text, Contains("leaf1  [2, 3] float32") && Contains("#1  linear(-, leaf1, leaf2)  [4, 2] float32"));
  CHECK_THAT(text, Contains("saves x [4, 3] 48 B") && Contains("#2  sigmoid(#1)  [4, 2] float32  saves y [4, 2] 32 B"));
  CHECK_THAT(text, Contains("3 nodes, 2 leaves, 80 bytes saved"));
  CHECK(autograd::saved_bytes(y) == 80);
  const std::string dot = autograd::tape_dot(y);
  CHECK_THAT(dot, Contains("digraph tape") && Contains("n1 -> n2;") && Contains("leaf1 -> n1;"));
  y.backward();
  CHECK_THAT(autograd::tape_text(y), Contains("freed") && Contains(" 0 bytes saved"));
}

TEST_CASE("the tape of a tensor without an operation", "[dump]") {
  const Tensor x = ones({4, 3}, requires_grad());
  CHECK(autograd::tape_text(x) == "leaf1  [4, 3] float32\n0 nodes, 1 leaf, 0 bytes saved\n");
  CHECK_THAT(autograd::tape_dot(x), Contains("leaf1 [label=\"leaf\\n[4, 3] float32\""));
  CHECK(autograd::tape_text(x.detach()) ==
        "[4, 3] float32  neither computed from a leaf nor one itself\n0 nodes, 0 leaves, 0 bytes saved\n");
  CHECK_THAT(message_of<ValueError>([] { autograd::tape_text(Tensor()); }), Contains("tape_text: y must be defined"));
}

TEST_CASE("what indexing saves is counted and freed", "[dump]") {
  const Tensor x = ones({1000, 2}, requires_grad());
  const Tensor at = randint(1000, {100000});
  const Tensor taken = x.index({at});
  CHECK(autograd::saved_bytes(taken) == 800000);
  CHECK_THAT(autograd::tape_text(taken), Contains("saves index [100000] 800000 B"));
  const Tensor y = x * 1;
  y.index_put_({at}, ones({2}));
  CHECK(autograd::saved_bytes(y) >= 800000);
  const int64_t bytes = allocator_stats().allocated_bytes;
  sum(taken).backward();
  CHECK(autograd::saved_bytes(taken) == 0);
  CHECK(allocator_stats().allocated_bytes <= bytes - 800000 + x.grad().nbytes() + 1024);
  CHECK_THAT(message_of<AutogradError>([&] { sum(taken).backward(); }), Contains("index was freed"));
}
