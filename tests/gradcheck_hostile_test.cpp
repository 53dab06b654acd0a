// The gradient checker with functions that write in place, hand their inputs back, throw, or check gradients themselves.
#include <cmath>

#include "planting.h"
#include "tapegrad/nn/check.h"

using namespace planting;

namespace {

bool has_note(const GradcheckReport& report, const std::string& part) {
  for (const std::string& note : report.notes) {
    if (note.find(part) != std::string::npos) return true;
  }
  return false;
}

const char* const copied = "f writes to its inputs in place";

}  // namespace

TEST_CASE("gradcheck hands recorded copies to functions that write in place", "[gradcheck]") {
  const auto in_place = [](const Tensor& x, const Tensor& w) {
    x.mul_(w);
    return tapegrad::sin(x) * x;
  };
  Tensor x = leaf({3, 2});
  const Tensor before = x.detach().clone();
  for (int order : {1, 2}) {
    const auto report = gradcheck_report(in_place, {x, leaf({3, 2})}, {.order = order});
    INFO(report.text());
    CHECK(report.ok());
    CHECK(has_note(report, copied));
  }
  CHECK(equal(x.detach(), before));
  CHECK(x.is_leaf());
  // Strides of the copies are those of the inputs.
  CHECK(gradcheck([](const Tensor& t) { return relu_(t); }, {leaf({3, 4}, 0.2, 1).detach().t().requires_grad_()}));
  CHECK_FALSE(has_note(gradcheck_report(tanh_of, {leaf({2})}), copied));

  // Bugs behind the write are found as ever.
  const auto report = caught(
      [](const Tensor& t) {
        t.mul_(2);
        return t * t.detach();
      },
      {leaf({3})}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("detached"));
  // What is written past the tape stays a finding.
  caught(
      [](const Tensor& t) {
        t.data_ptr<double>()[0] *= 2;
        return t * t;
      },
      {leaf({3})}, "forward");
  caught(
      [](const Tensor& t) {
        {
          const NoGradGuard no_grad;
          t.mul_(2);
        }
        return t * t;
      },
      {leaf({3})}, "forward");
  // A function that an AutogradError stops anyway keeps its message.
  CHECK_THAT(message_of<AutogradError>([] {
               gradcheck([](const Tensor&) -> Tensor { throw AutogradError("mine: never, got 1"); }, {leaf({1})});
             }),
             Contains("mine: never"));
}

TEST_CASE("gradcheck takes outputs that are inputs, views of them, or nothing", "[gradcheck]") {
  accepted([](const Tensor& x) { return x; }, {leaf({3})}, {.order = 2});
  accepted([](const Tensor& x) { return Tensors{x, x}; }, {leaf({3})});
  accepted([](const Tensor& x) { return Tensors{x[0], x.t(), x * 2}; }, {leaf({3, 2})});
  accepted([](const Tensor& x) { return x.expand({4, 3}); }, {leaf({3})});
  accepted([](const Tensor& x, const Tensor& w) { return Tensors{w, x * 2}; }, {leaf({3}), rand({2}, kFloat64)});
  accepted([](const Tensor& x) { return Tensors{Tensor(), x * x}; }, {leaf({3})}, {.order = 2});
  accepted([](const Tensor& x) { return Tensors{argmax(x, 0), x * x}; }, {leaf({3})});
  accepted([](const Tensor& a, const Tensor& b) { return mm(a, b); }, {leaf({0, 3}), leaf({3, 2})});
  accepted([](const Tensor& a, const Tensor& b) { return mm(a, b); }, {leaf({2, 0}), leaf({0, 2})});
  const Tensor x = leaf({3});
  accepted([](const Tensor& a, const Tensor& b) { return a * tapegrad::sin(b); }, {x, x});
  CHECK_THAT(message_of<ValueError>([] { gradcheck([](const Tensor&) { return Tensors(); }, {leaf({2})}); }),
             Contains("f must return at least one tensor, got none"));
}

TEST_CASE("gradcheck does not accuse NaN inputs and narrower outputs", "[gradcheck]") {
  accepted([](const Tensor& x) { return tapegrad::sin(x); }, {leaf_at({NAN, 1.0})});
  accepted([](const Tensor& x) { return tapegrad::sin(x.to(kFloat32)); }, {leaf({5})});
  caught([](const Tensor& x) { return tapegrad::sin(x.to(kFloat32)) * x.detach().to(kFloat32); }, {leaf({5})},
         "numeric");
}

TEST_CASE("gradcheck works inside its own function, and with recording off", "[gradcheck]") {
  accepted(
      [](const Tensor& x) {
        gradcheck(tanh_of, {x.detach().requires_grad_()});
        return x * x;
      },
      {leaf({2})});
  const NoGradGuard no_grad;
  CHECK(gradcheck(tanh_of, {leaf({2})}, {.order = 2}));
  CHECK_FALSE(GradMode::is_enabled());
  caught([](const Tensor& x) { return x * x.detach(); }, {leaf({2})}, "numeric");
}

TEST_CASE("gradcheck puts everything back when f throws midway", "[gradcheck]") {
  manual_seed(17);
  rand({3});
  const uint64_t draw = default_generator().draw();
  const Tensor x = leaf({3}), w = leaf({3});
  const Tensor given = x.detach().clone();
  w.mutable_grad() = ones({3}, kFloat64);
  const Tensor grad = w.grad();
  for (int last = 1; last < 40; ++last) {
    int run = 0;
    const auto f = [&](const Tensor& t) {
      rand({2});
      if (++run == last) throw std::runtime_error("midway");
      return t * w;
    };
    CAPTURE(last);
    const NoGradGuard no_grad;
    try {
      gradcheck_report(f, {x}, {.order = 2, .reseed = [] { manual_seed(3); }});
    } catch (const std::runtime_error&) {}
    CHECK(default_generator().seed() == 17);
    CHECK(default_generator().draw() == draw);
    CHECK_FALSE(GradMode::is_enabled());
    CHECK_FALSE(x.grad().defined());
    CHECK(w.grad().impl() == grad.impl());
    CHECK(equal(w.grad(), ones({3}, kFloat64)));
    CHECK(equal(x.detach(), given));
  }
}

TEST_CASE("gradcheck tells ops inside and around a checkpoint apart", "[gradcheck]") {
  const auto right = [](const Tensor& v) { return tapegrad::sin(v) * v; };
  const auto wrong = [](const Tensor& v) { return tapegrad::sin(v) * v.detach(); };
  SECTION("inside") {
    const auto report = caught([&](const Tensor& x) { return tapegrad::exp(autograd::checkpoint(wrong, x * 2)); },
                               {leaf({3})}, "numeric");
    CHECK(report.findings[0].culprit == "checkpoint");
  }
  SECTION("in front") {
    const auto report =
        caught([&](const Tensor& x) { return autograd::checkpoint(right, x * x.detach()); }, {leaf({3})}, "numeric");
    CHECK(report.findings[0].culprit.empty());
    CHECK_THAT(report.findings[0].cause, Contains("detached"));
  }
  SECTION("behind, with random numbers and a tensor from outside") {
    const Tensor w = leaf({3});
    const auto f = [&](const Tensor& x) {
      const Tensor y = autograd::checkpoint([w](const Tensor& v) { return v * w * rand({3}, kFloat64); }, x);
      return y * y.detach();
    };
    const auto report = caught(f, {leaf({3})}, "numeric", {.reseed = [] { manual_seed(5); }});
    CHECK(report.findings[0].culprit.empty());
    CHECK_THAT(report.findings[0].text, Contains("checkpoint cannot be run alone"));
    CHECK(report.findings[0].cause.find("written outside") == std::string::npos);
  }
  accepted(
      [](const Tensor& x) { return autograd::checkpoint([](const Tensor& v) { return v * rand({3}, kFloat64); }, x); },
      {leaf({3})}, {.order = 2, .reseed = [] { manual_seed(5); }});
}

TEST_CASE("check_module leaves the module alone when its forward throws", "[gradcheck]") {
  struct Net : nn::Module {
    nn::Linear fc = register_module("fc", nn::Linear(2, 2));
    int runs = 0, last = 0;
    Tensor forward(const Tensor& x) {
      if (++runs == last) throw std::runtime_error("midway");
      return fc(x);
    }
  };
  Net net;
  const Tensor weight = net.fc.weight;
  const Tensor values = weight.detach().clone();
  for (int last : {1, 2, 5}) {  // before differences are taken, where a throw is the edge of the domain
    net.runs = 0;
    net.last = last;
    CAPTURE(last);
    CHECK_THROWS_AS(nn::check_module(net, {rand({3, 2})}), std::runtime_error);
    CHECK(net.fc.weight.impl() == weight.impl());
    CHECK(equal(weight.detach(), values));
    CHECK((weight.is_leaf() && weight.requires_grad() && weight.dtype() == kFloat32));
    CHECK_FALSE(weight.grad().defined());
    CHECK(net.runs == last);
  }
}

TEST_CASE("functional_call's graph keeps the given tensors when the call is over", "[nn]") {
  manual_seed(8);
  nn::Linear fc(3, 2);
  const Tensor x = leaf({4, 3}, -1, 1, kFloat32), w = leaf({2, 3}, -1, 1, kFloat32);
  const Tensor dy = rand({4, 2});
  const Tensor y = nn::functional_call(fc, {{"weight", w}}, x);
  const auto g = autograd::grad({y}, {x, w, fc.bias}, {dy});
  CHECK(allclose(g[0], mm(dy, w.detach())));
  CHECK(allclose(g[1], mm(dy.t(), x.detach())));
  CHECK(allclose(g[2], sum(dy, 0)));
  CHECK_FALSE(equal(fc.weight.detach(), w.detach()));
}

TEST_CASE("gradcheck says that a slope lies outside a kink", "[gradcheck]") {
  const auto outside = planted([](const Tensor& x) { return tapegrad::abs(x); },
                               [](const Tensor& dy, const Tensor& x) { return dy * (sign(x) + 3 * (x == 0)); });
  auto report = caught(outside, {leaf_at({0.5, 0.0, -2.0})}, "numeric");
  CHECK_THAT(report.findings[0].cause,
             Contains("d in0[1] the slopes of the two sides are -1 and 1") && Contains("not a subgradient"));
  report = caught([](const Tensor& x) { return relu(x); }, {leaf_at({0.5, 0.0})}, "numeric", {.kinks = Kinks::fail});
  CHECK_THAT(report.findings[0].cause, Contains("which options.kinks forbids"));
  CHECK(report.findings[0].culprit == "relu");
  // A second mistake away from the kink has a cause of its own.
  const auto sign_too = planted([](const Tensor& x) { return tapegrad::abs(x); },
                                [](const Tensor& dy, const Tensor& x) { return dy * (-sign(x) + 3 * (x == 0)); });
  report = caught(sign_too, {leaf_at({0.5, 0.0, -2.0})}, "numeric");
  CHECK(report.findings[0].cause.find("kink") == std::string::npos);
}

TEST_CASE("gradcheck calls slightly wrong values imprecise, not misplaced", "[gradcheck]") {
  const auto report =
      caught(planted(tanh_of, [](const Tensor& dy, const Tensor& x) { return tanh_rule(dy, x) * (1 + 1e-7 * x); }),
             {leaf({5})}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("precision: right to a millionth"));
}
