// User-defined functions at their edges: views, several outputs, lists of tensors, marks, and what errors say.
#include <array>
#include <optional>
#include <thread>

#include "leaf.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;
using autograd::AutogradContext;
using autograd::variable_list;

namespace {

struct Two : autograd::Function<Two> {
  static variable_list forward(AutogradContext*, const Tensor& x) { return {x * 2, x * 3}; }
  static variable_list backward(AutogradContext*, variable_list dy) { return {dy[0] * 2 + dy[1] * 3}; }
};

struct Bad : autograd::Function<Bad> {
  static Tensor forward(AutogradContext*, const Tensor& x) { return x * 1; }
  static variable_list backward(AutogradContext*, variable_list) { return {ones({3})}; }
};

// A view, with a rule that is not the view's.
struct Reshaped : autograd::Function<Reshaped> {
  static Tensor forward(AutogradContext*, const Tensor& x) { return x.view({4}); }
  static variable_list backward(AutogradContext*, variable_list dy) { return {dy[0].view({2, 2}) * 10}; }
};

struct Identity : autograd::Function<Identity> {
  static Tensor forward(AutogradContext*, const Tensor& x) { return x; }
  static variable_list backward(AutogradContext*, variable_list dy) { return {dy[0] * 10}; }
};

struct Tripled : autograd::Function<Tripled> {
  static variable_list forward(AutogradContext* ctx, const Tensor& a, const Tensor& b) {
    b.mul_(3);
    ctx->mark_dirty({b});
    return {a * 2, b};
  }
  static variable_list backward(AutogradContext*, variable_list dy) { return {dy[0] * 2, dy[1] * 3}; }
};

struct MarkedFirst : autograd::Function<MarkedFirst> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor&) {
    ctx->mark_dirty({x});
    return x.mul_(3);
  }
  static variable_list backward(AutogradContext*, variable_list dy) { return {dy[0] * 3, Tensor()}; }
};

// sum_i (i + 1) list[i] + scale * extra
struct Mixed : autograd::Function<Mixed> {
  static Tensor forward(AutogradContext* ctx, const std::vector<Tensor>& list, double scale,
                        const std::optional<Tensor>& extra, const std::array<Tensor, 2>& pair) {
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["wanted"] = std::vector<int64_t>{ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                                                     ctx->needs_input_grad(2), ctx->needs_input_grad(3)};
    Tensor y = pair[0] * pair[1];
    for (size_t i = 0; i < list.size(); ++i) y = y + list[i] * static_cast<double>(i + 1);
    return extra ? y + *extra * scale : y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list dy) {
    return {dy[0], dy[0] * 2, Tensor(), dy[0] * ctx->saved_data["scale"].toDouble(), dy[0], Tensor()};
  }
};

template <class T> struct Named : autograd::Function<Named<T>> {
  static Tensor forward(AutogradContext*, const Tensor& x) { return x * 1; }
  static variable_list backward(AutogradContext*, variable_list dy) { return dy; }
};

}  // namespace

TEST_CASE("a gradient of the wrong shape for a later output is refused", "[function]") {
  const Tensor u = ones({100000}, requires_grad());
  const variable_list o = Two::apply(u);
  const std::string text = message_of<AutogradError>([&] { (sum(o[1]) + sum(Bad::apply(o[1]))).backward({}, true); });
  CHECK_THAT(text, Contains("backward of Bad: the gradient by input 0") && Contains("[100000] float32, got [3]"));
  CHECK_THROWS_AS(sum(Bad::apply(o[1])).backward({}, true), AutogradError);
  CHECK_FALSE(u.grad().defined());
  (sum(o[0]) + sum(o[1])).backward();
  CHECK(equal(u.grad(), full({100000}, 5.0)));
}

TEST_CASE("a function's view keeps the function's rule after a write that is not recorded", "[function]") {
  const Tensor p = ones({2, 2}, requires_grad());
  const Tensor y = Reshaped::apply(p);
  const Tensor part = y[0];  // and so does a view of it
  {
    const NoGradGuard no_grad;
    p.sub_(0.5);
  }
  CHECK(std::string(y.grad_fn()->name()) == "Reshaped");
  CHECK(equal(y.detach(), full({4}, 0.5)));
  sum(y).backward({}, true);
  CHECK(equal(p.grad(), full({2, 2}, 10.0)));
  part.backward();
  CHECK(equal(p.grad(), tensor({{20.0f, 10.0f}, {10.0f, 10.0f}})));
}

TEST_CASE("a function's view is not used after a write that is recorded, nor written itself", "[function]") {
  const Tensor x = leaf({{1.0, 2.0}, {3.0, 4.0}});
  const Tensor h = x * 1;
  const Tensor y = Reshaped::apply(h), same = Identity::apply(h);
  CHECK_THAT(message_of<AutogradError>([&] { y.mul_(2); }), Contains("returned by a user-defined function"));
  CHECK_THAT(message_of<AutogradError>([&] { y[0].mul_(2); }), Contains("returned by a user-defined function"));
  CHECK_THAT(message_of<AutogradError>([&] { same.mul_(2); }), Contains("returned by a user-defined function"));
  CHECK(h.version() == 0);
  const Tensor before = sum(y) + sum(same);
  h.mul_(2);
  CHECK_THAT(message_of<AutogradError>([&] { y * 1; }),
             Contains("mul: ") && Contains("returned by a user-defined function") && Contains("[4]"));
  CHECK_THROWS_AS(y.grad_fn(), AutogradError);
  CHECK_THROWS_AS(same + 1, AutogradError);
  before.backward();  // what was computed before the write is right
  CHECK(equal(x.grad(), full({2, 2}, 20.0, kFloat64)));
  const Tensor again = Reshaped::apply(h);  // taken after the write
  CHECK(equal(autograd::grad({sum(again)}, {h})[0], full({2, 2}, 10.0, kFloat64)));
}

TEST_CASE("a retained gradient of what a function wrote is that output's", "[function]") {
  const Tensor x = leaf({1.0}), w = leaf({1.0});
  const Tensor b = w * 1;
  b.retain_grad();
  const variable_list o = Tripled::apply(x, b);
  sum(o[0] * 10 + o[1] * 100).backward();
  CHECK(b.grad().item<double>() == 100);
  CHECK(x.grad().item<double>() == 20);
  CHECK(w.grad().item<double>() == 300);
}

TEST_CASE("tensors inside vectors, arrays and optionals are arguments like the others", "[function]") {
  const Tensor a = leaf({1.0}), b = leaf({2.0}), c = leaf({3.0}), d = leaf({4.0});
  const Tensor constant = values({5.0});
  const Tensor y = Mixed::apply(std::vector<Tensor>{a, b}, 7.0, std::optional<Tensor>(c), std::array{d, constant});
  CHECK(y.item<double>() == 4.0 * 5 + 1 + 4 + 21);
  CHECK(y.grad_fn()->inputs() == 6);
  y.backward();
  CHECK(a.grad().item<double>() == 1);
  CHECK(b.grad().item<double>() == 2);
  CHECK(c.grad().item<double>() == 7);
  CHECK(d.grad().item<double>() == 1);
  // An empty optional keeps its place.
  const Tensor z =
      Mixed::apply(std::vector<Tensor>{constant, b}, 7.0, std::optional<Tensor>(), std::array{d, constant});
  CHECK(equal(autograd::grad({z}, {b, d})[1], values({1.0})));
  CHECK_FALSE(Mixed::apply(std::vector<Tensor>{constant, constant}, 7.0, std::optional<Tensor>(),
                           std::array{constant, constant})
                  .requires_grad());
}

TEST_CASE("marking a leaf as written is refused, before the write when it can be", "[function]") {
  const Tensor x = leaf({1.0, 2.0}), w = leaf({3.0, 4.0});
  CHECK(message_of<AutogradError>([&] { MarkedFirst::apply(x, w); }) ==
        "MarkedFirst: a leaf that requires grad must not be written in place, shape [2] (use NoGradGuard to update it, "
        "or write to a clone())");
  CHECK(equal(x.detach(), values({1.0, 2.0})));
  CHECK_THAT(message_of<AutogradError>([&] { Tripled::apply(w, x); }),
             Contains("Tripled: a leaf that requires grad must not be written in place") &&
                 Contains("forward has written it already: let it call mark_dirty first"));
  const Tensor base = values({1.0, 2.0});
  const Tensor part = [&] {
    const NoGradGuard no_grad;
    return base.view({2});
  }();
  CHECK_THAT(message_of<AutogradError>([&] { MarkedFirst::apply(part, w); }),
             Contains("MarkedFirst: a view taken while recording was off"));
  CHECK(equal(base, values({1.0, 2.0})));
  const NoGradGuard no_grad;
  MarkedFirst::apply(x, w);
  CHECK(equal(x.detach(), values({9.0, 18.0})));
}

TEST_CASE("a function is known by its type's own name", "[function]") {
  const Tensor x = leaf({1.0});
  CHECK_THAT(Named<std::vector<std::string>>::apply(x).grad_fn()->name(),
             Catch::Matchers::StartsWith("Named<std::vector<"));
  CHECK(std::string(Named<std::array<double, 2>>::apply(x).grad_fn()->name()) == "Named<std::array<double, 2ul> >");
  CHECK(std::string(Named<int>::apply(x).grad_fn()->name()) == "Named<int>");
  const Tensor y = x * 1;
  std::string text;
  std::thread([&] { text = message_of<AutogradError>([&] { Two::apply(y); }); }).join();
  CHECK_THAT(text, Contains("Two: argument 1 was recorded on another thread's tape"));
}
