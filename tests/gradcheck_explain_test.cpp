// What a failed gradient check says: the op at fault, the line that recorded it, the cause; and the same as JSON.
#include "planting.h"
#include "tapegrad/autograd/check/catch_matcher.h"
#include "tapegrad/autograd/rewrite.h"
#include "tapegrad/nn/check.h"

using namespace planting;
using autograd::Node;
using autograd::RewriteGuard;

namespace {

// The gradients of every node of this name pass through `change`.
auto rewriting(std::string op, Tensor (*change)(const Tensor&)) {
  return [op, change](Node& node, Grads& dy) {
    Grads dx = node.backward(dy);
    if (op != node.name()) return dx;
    for (Tensor& g : dx) g = g.defined() ? change(g) : g;
    return dx;
  };
}

Tensor negated(const Tensor& g) { return -g; }

}  // namespace

TEST_CASE("gradcheck names the op at fault and the line that recorded it", "[gradcheck]") {
  const RewriteGuard rewrite(rewriting("exp", negated));
  const auto f = [](const Tensor& x, const Tensor& w) {
    const Tensor h = tapegrad::tanh(mm(x, w));
    return sum(exp(h) * 0.5, 1);
  };
  const auto report = caught(f, {leaf({3, 4}), leaf({4, 2})}, "numeric");
  REQUIRE(report.findings[0].culprit == "exp");
  CHECK_THAT(report.findings[0].cause, Contains("sign"));
  CHECK_THAT(report.findings[0].text, Contains("culprit  node 3 of ") && Contains("exp([3, 2])"));
  // The line with -g, else the function the call was inlined into.
  CHECK_THAT(report.findings[0].where, Contains("gradcheck_explain_test.cpp:31") || Contains("caught"));
}

TEST_CASE("gradcheck finds the culprit among in-place writes, views and user functions", "[gradcheck]") {
  struct Cube : autograd::Function<Cube> {
    static Tensor forward(autograd::AutogradContext* ctx, const Tensor& x, double factor) {
      ctx->save_for_backward({x});
      ctx->saved_data["factor"] = factor;
      return x * x * x * factor;
    }
    static autograd::variable_list backward(autograd::AutogradContext* ctx, autograd::variable_list dy) {
      const Tensor x = ctx->get_saved_variables()[0];
      return {dy[0] * x * x * 2 * ctx->saved_data["factor"].toDouble(), Tensor()};
    }
  };
  const auto f = [](const Tensor& x) {
    Tensor y = x * 2;
    y.mul_(x);
    y[0] = tapegrad::sin(y[1].clone());
    return Cube::apply(y, 0.5) + y.t().t();
  };
  const auto report = caught(f, {leaf({3, 4})}, "numeric");
  REQUIRE(!report.findings.empty());
  CHECK(report.findings[0].culprit == "Cube");
  CHECK_THAT(report.findings[0].cause, Contains("factor 0.666"));
}

TEST_CASE("gradcheck tells a path that is not on the tape", "[gradcheck]") {
  const Tensor x = leaf({3});
  SECTION("detach") {
    const auto report = caught([](const Tensor& v) { return v * tapegrad::exp(v.detach()); }, {x}, "numeric");
    CHECK(report.findings[0].culprit.empty());
    CHECK_THAT(report.findings[0].cause, Contains("detached"));
    CHECK_THAT(report.findings[0].text, Contains("leaves   the tape by detach, "));
  }
  SECTION("recording off") {
    const auto report = caught(
        [](const Tensor& v) {
          const NoGradGuard no_grad;
          return tapegrad::sin(v);
        },
        {x}, "numeric");
    CHECK_THAT(report.findings[0].cause, Contains("detached") || Contains("does not arrive"));
    CHECK_THAT(report.findings[0].text, Contains("leaves   the tape by sin, "));
  }
  SECTION("a write through a raw pointer") {
    const auto report = caught(
        [](const Tensor& v) {
          Tensor y = v * 2;
          y.data_ptr<double>()[1] *= 3;
          return y * y;
        },
        {x}, "numeric");
    CHECK(report.findings[0].culprit.empty());
    CHECK_THAT(report.findings[0].cause, Contains("written outside the tape"));
  }
}

TEST_CASE("gradcheck reads causes off the pattern", "[gradcheck]") {
  const auto cause = [](Tensor (*change)(const Tensor&), IntArrayRef sizes) {
    const RewriteGuard rewrite(rewriting("tanh", change));
    const auto report = gradcheck_report(tanh_of, {leaf(sizes)});
    for (const auto& finding : report.findings) {
      if (finding.check == "numeric") return finding.cause;
    }
    return std::string("not caught");
  };
  CHECK_THAT(cause([](const Tensor& g) { return transpose(g, 0, 1).contiguous(); }, {3, 3}), Contains("transposed"));
  CHECK_THAT(cause([](const Tensor& g) { return roll(g, 1, 0); }, {11}), Contains("index"));
  CHECK_THAT(cause(
                 [](const Tensor& g) {
                   return cat({narrow(g, 0, 0, 16), narrow(g, 0, 16, 3) * 0}, 0);
                 },
                 {19}),
             Contains("tail") && Contains("last 3 of 19"));
  CHECK_THAT(cause(
                 [](const Tensor& g) {
                   return cat({narrow(g, 0, 0, 1), narrow(g, 0, 1, 3) * 0}, 0);
                 },
                 {4, 5}),
             Contains("first row only") && Contains("dim 0"));
  CHECK_THAT(cause([](const Tensor& g) { return g * 0.5; }, {5}), Contains("factor 0.5"));
  CHECK_THAT(cause([](const Tensor& g) { return g / 7; }, {7, 2}), Contains("factor 1/7, size 0"));
  // The same through directions, where single entries are sampled.
  CHECK_THAT(cause([](const Tensor& g) { return -g; }, {90, 80}), Contains("sign"));
  CHECK_THAT(cause(
                 [](const Tensor& g) {
                   return cat({narrow(g, 0, 0, 4096), narrow(g, 0, 4096, 5) * 0}, 0);
                 },
                 {4101}),
             Contains("tail") && Contains("last 5"));
}

TEST_CASE("gradcheck says what random directions can miss", "[gradcheck]") {
  const auto report = gradcheck_report(tanh_of, {leaf({100, 50})});
  CHECK(report.ok());
  REQUIRE(report.directions.size() == 1);
  CHECK(report.directions[0].rounds == 3);
  CHECK(report.directions[0].entries == 5000);
  CHECK(report.directions[0].threshold > 0);
  CHECK(report.directions[0].threshold < 1e-6);
  CHECK_THAT(report.text(), Contains("3 random directions through 5000 entries") && Contains("missed with a chance"));
}

TEST_CASE("gradcheck reports as JSON", "[gradcheck]") {
  const auto report =
      gradcheck_report(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return -tanh_rule(dy, v); }),
                       {leaf({2})}, {.input_names = {"a \"quoted\" name"}});
  const std::string json = report.json();
  CHECK_THAT(json, Catch::Matchers::StartsWith("{\"ok\": false, ") && Catch::Matchers::EndsWith("}"));
  CHECK_THAT(json, Contains("\"check\": \"numeric\"") && Contains("\"culprit\": \"planted\""));
  CHECK_THAT(json, Contains("a \\\"quoted\\\" name") && Contains("is wrong\\n  analytic"));
  CHECK(json.find('\n') == std::string::npos);
}

TEST_CASE("gradcheck names inputs and refuses names that do not fit", "[gradcheck]") {
  const auto report =
      gradcheck_report([](const Tensor& v) { return v.detach() * v; }, {leaf({2})}, {.input_names = {"weight"}});
  CHECK_THAT(report.text(), Contains("d in0(\"weight\")"));
  CHECK(message_of<ValueError>([&] {
          gradcheck(tanh_of, {leaf({2})}, {.input_names = {"a", "b"}});
        }) == "gradcheck: input_names must name every input, got 2 names for 1 inputs");
  CHECK(message_of<ValueError>([&] { gradcheck(tanh_of, {leaf({2})}, {.order = 4}); }) ==
        "gradcheck: order must be 1, 2 or 3, got 4");
}

TEST_CASE("gradcheck wants functions that run in float64", "[gradcheck]") {
  const Tensor w = rand({3}, kFloat32);
  const auto f = [&w](const Tensor& x) { return dot(x, w); };
  CHECK_THROWS_AS(gradcheck_report(f, {leaf({3}, -1, 1, kFloat32)}), DTypeError);
  try {
    gradcheck(f, {leaf({3}, -1, 1, kFloat32)});
  } catch (const DTypeError& e) {
    CHECK_THAT(e.what(), Catch::Matchers::StartsWith("gradcheck: f must run on float64 copies of its float32 inputs"));
  }
}

TEST_CASE("gradcheck at order three", "[gradcheck]") {
  accepted([](const Tensor& x) { return tapegrad::sin(x) * x; }, {leaf({3})}, {.order = 3});
  accepted([](const Tensor& a, const Tensor& b) { return mm(tapegrad::tanh(a), b); }, {leaf({2, 3}), leaf({3, 2})},
           {.order = 3});
  // Right at orders one and two: the third derivative is lost in a detached factor.
  const auto f =
      planted([](const Tensor& v) { return v * v * v * v; },
              [](const Tensor& dy, const Tensor& v) {
                struct Second : autograd::Function<Second> {
                  static Tensor forward(autograd::AutogradContext* ctx, const Tensor& x) {
                    ctx->save_for_backward({x});
                    return x * x * x * 4;
                  }
                  static autograd::variable_list backward(autograd::AutogradContext* ctx, autograd::variable_list g) {
                    const Tensor x = ctx->get_saved_variables()[0].detach();
                    return {g[0] * x * x * 12};
                  }
                };
                return dy * Second::apply(v);
              });
  CHECK(gradcheck_report(f, {leaf({3})}, {.order = 2}).ok());
  caught(f, {leaf({3})}, "third order", {.order = 3});
}

TEST_CASE("taylor_test observes the orders of the remainder", "[gradcheck]") {
  // Numbers of its own, so that the planted error does not fall across u where other tests drew before.
  const Tensor x = leaf_at({0.3, -0.7, 1.1, 0.5});
  const Tensor u = leaf_at({0.9, -0.4, 0.6, 1.2}).detach();
  const auto f = [](const Tensor& v) { return sum(tapegrad::exp(v) * tapegrad::sin(v)); };
  auto orders = taylor_test(f, {x}, {u});
  CHECK(std::abs(orders[0] - 1) < 0.1);
  CHECK(std::abs(orders[1] - 2) < 0.1);
  CHECK(std::abs(orders[2] - 3) < 0.2);
  const RewriteGuard rewrite(rewriting("exp", [](const Tensor& g) { return g * 1.01; }));
  orders = taylor_test(f, {x}, {u});
  CHECK(std::abs(orders[1] - 1) < 0.3);
  CHECK_THROWS_AS(taylor_test(f, {x}, {}), ValueError);
  CHECK_THROWS_AS(taylor_test(f, {x}, {leaf({3})}), ShapeError);
  CHECK_THROWS_AS(taylor_test(tanh_of, {x}, {u}), ShapeError);
}

TEST_CASE("check_module checks parameters by their names", "[gradcheck]") {
  manual_seed(3);
  nn::Sequential net(nn::Linear(4, 5), nn::Tanh(), nn::Dropout(0.3), nn::Linear(5, 2));
  const Tensor x = rand({3, 4});
  const Tensor before = net.parameters()[0].clone();
  const uint64_t draw = default_generator().draw();
  auto report = nn::check_module(net, {x});
  INFO(report.text());
  CHECK(report.ok());
  CHECK(default_generator().draw() == draw);
  CHECK(equal(net.parameters()[0], before));
  CHECK(net.parameters()[0].is_leaf());
  CHECK(net.parameters()[0].dtype() == kFloat32);
  const RewriteGuard rewrite(rewriting("linear", negated));
  report = nn::check_module(net, {x});
  REQUIRE(!report.ok());
  CHECK_THAT(report.text(), Contains("(\"3.weight\")"));
  bool named = false;
  for (const auto& finding : report.findings) named = named || finding.culprit == "linear";
  CHECK(named);
}

TEST_CASE("functional_call puts tensors in place of parameters", "[nn]") {
  nn::Linear layer(3, 2);
  const Tensor x = rand({4, 3});
  const Tensor w = rand({2, 3}).requires_grad_();
  const Tensor y = nn::functional_call(layer, {{"weight", w}}, x);
  CHECK(allclose(y, linear(x, w, layer.bias)));
  y.backward(ones_like(y));
  CHECK(w.grad().defined());
  CHECK(layer.bias.grad().defined());
  CHECK(!layer.weight.grad().defined());
  CHECK(layer.weight.is_leaf());
  CHECK(message_of<ValueError>([&] {
          nn::functional_call(layer, {{"wieght", w}}, x);
        }) ==
        "functional_call: the name must be that of a parameter or a buffer of Linear, got "
        "\"wieght\"");
  CHECK(message_of<ShapeError>([&] {
          nn::functional_call(layer, {{"weight", x}}, x);
        }) == "functional_call: \"weight\" must have the shape [2, 3], got [4, 3]");
}

TEST_CASE("HasCorrectGradient is a matcher", "[gradcheck]") {
  REQUIRE_THAT(tanh_of, HasCorrectGradient({leaf({3})}));
  const HasCorrectGradient matcher({leaf({3})});
  CHECK_FALSE(matcher.match([](const Tensor& x) { return x.detach() * x; }));
  CHECK_THAT(matcher.toString(), Contains("is wrong"));
}
