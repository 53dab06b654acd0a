// The checker checked: planted bugs it must catch, correct but nasty functions it must accept, and the state it must leave alone.
#include "tapegrad/autograd/check/gradcheck.h"

#include "planting.h"

using namespace planting;

TEST_CASE("gradcheck names the cause of wrong entries", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  auto report =
      caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return -tanh_rule(dy, v); }), {x}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("sign"));
  CHECK_THAT(report.text(),
             Contains("is wrong") && Contains("analytic") && Contains("ratio    -1") && Contains("12 of 144"));
  report = caught(planted([](const Tensor& v) { return mean(v, 0); },
                          [](const Tensor& dy, const Tensor& v) { return expand(unsqueeze(dy, 0), v.sizes()) * 1.0; }),
                  {leaf({5, 2})}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("factor 5, size 0 of in0"));
  report = caught(planted(tanh_of, [](const Tensor& dy, const Tensor&) { return dy * 0; }), {x}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("does not arrive"));
}

TEST_CASE("gradcheck catches wrong values", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  SECTION("missing term") {
    caught(planted([](const Tensor& v) { return v * tapegrad::tanh(v); },
                   [](const Tensor& dy, const Tensor& v) { return dy * tapegrad::tanh(v); }),
           {x}, "numeric");
  }
  SECTION("wrong index") {
    caught(planted([](const Tensor& v) { return max(v); },
                   [](const Tensor& dy, const Tensor& v) { return changed(v * 0, 0, 1) * dy; }),
           {leaf_at({0.1, 0.9, 0.3})}, "numeric");
  }
  SECTION("a dropped input") {
    caught([](const Tensor& v) { return v.detach() * 2 + v; }, {x}, "numeric");
    caught([](const Tensor& v) { return v.detach() * 2; }, {x}, "numeric");
  }
}

TEST_CASE("gradcheck catches backward at odds with itself", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  SECTION("not 0 for a zero cotangent") {
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) + 1; }), {x},
           "zero cotangent");
  }
  SECTION("dropped when only one input requires grad") {
    caught(
        planted([](const Tensor& a, const Tensor& b) { return a * b; },
                [](const Tensor& dy, const Tensor&, const Tensor& b) { return autograd::needs(1) ? dy * b : Tensor(); },
                [](const Tensor& dy, const Tensor& a, const Tensor&) { return dy * a; }),
        {leaf({3}), leaf({3})}, "subset");
  }
  SECTION("used up by the first backward") {
    static int calls = 0;
    calls = 0;
    caught(planted(tanh_of,
                   [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) * (++calls == 1 ? 1.0 : 0.5); }),
           {x}, "repeat");
  }
  SECTION("memory that stays behind") {
    static std::vector<Tensor> hoard;
    caught(
        [](const Tensor& v) {
          hoard.push_back(tapegrad::tanh(v));
          return hoard.back();
        },
        {x}, "leak");
    hoard.clear();
  }
  SECTION("records in no-grad mode") {
    caught(
        [](const Tensor& v) {
          const AutoGradMode on(true);
          return tapegrad::tanh(v.requires_grad() ? v : v.detach().requires_grad_());
        },
        {x}, "no-grad mode");
  }
}

TEST_CASE("gradcheck catches what depends on layout, dtype and forward", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  SECTION("another result each time") {
    caught([](const Tensor& v) { return v * rand_like(v.detach()); }, {x}, "nondeterministic forward");
    GradcheckOptions seeded;
    seeded.reseed = [] { manual_seed(5); };
    accepted([](const Tensor& v) { return v * rand_like(v.detach()); }, {x}, seeded);
  }
  SECTION("gradient of the wrong shape") {
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return sum(tanh_rule(dy, v), 0); }), {x},
           "backward throws");
  }
}

TEST_CASE("gradcheck catches wrong second derivatives", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  const GradcheckOptions second{.order = 2};
  caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v).detach(); }), {x},
         "second order", second);
  accepted(planted(tanh_of, tanh_rule), {x}, second);
  CHECK(gradgradcheck([](const Tensor& a, const Tensor& b) { return tapegrad::exp(a) * b / (b * b + 1); },
                      {leaf({3, 1}), leaf({4})}));
}

TEST_CASE("gradcheck catches a wrong tangent", "[gradcheck]") {
  caught([](const Tensor& v) { return apply(Tangent{}, v); }, {leaf({3})}, "forward mode");
}

TEST_CASE("gradcheck leaves the caller's state alone", "[gradcheck]") {
  const Tensor base = rand({4, 3}, kFloat64);
  Tensor x = t(base).detach().requires_grad_();
  const Tensor before = clone(x.detach());
  sum(x).backward();
  const Tensor grad = x.grad();
  const Tensor weight = leaf({3, 4});
  sum(weight * 2).backward();
  const Tensor weight_grad = clone(weight.grad());
  const int64_t nodes = autograd::live_nodes();
  manual_seed(3);
  const uint64_t draw = default_generator().draw();
  const NoGradGuard no_grad;
  CHECK(gradcheck([&](const Tensor& v) { return tapegrad::tanh(v * weight); }, {x}));
  CHECK_THROWS_AS(gradcheck(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return -tanh_rule(dy, v); }), {x}),
                  GradcheckError);
  CHECK_THROWS_AS(gradcheck([](const Tensor&) -> Tensor { throw ValueError("own"); }, {x}), ValueError);
  CHECK(!GradMode::is_enabled());
  CHECK(default_generator().draw() == draw);
  CHECK(equal(x.detach(), before));
  CHECK(x.grad().is_same(grad));
  CHECK(equal(weight.grad(), weight_grad));
  CHECK(autograd::live_nodes() == nodes);
  CHECK(message_of<ValueError>([] { gradcheck([](const Tensor& v) { return v * 1; }, {ones({2}, kFloat64)}); }) ==
        "gradcheck: at least one floating input must require grad, got 1 inputs of which none does");
}

TEST_CASE("gradcheck options", "[gradcheck]") {
  const Tensor x = leaf_at({0, 1, -1});
  const auto f = [](const Tensor& v) { return relu(v); };
  const GradcheckReport noted = gradcheck_report(f, {x});
  REQUIRE(noted.notes.size() == 1);
  CHECK_THAT(noted.notes[0], Contains("kink at d out0[0] / d in0[0]"));
  CHECK(gradcheck_report(f, {x}, {.kinks = Kinks::accept}).notes.empty());
  CHECK(!gradcheck_report(f, {x}, {.kinks = Kinks::fail}).ok());
  const auto off = planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) * 1.0001; });
  CHECK(!gradcheck_report(off, {x}).ok());
  const GradcheckReport loose = gradcheck_report(off, {x}, {.rtol = 1e-3, .atol = 1e-5});
  CHECK(loose.ok());
  CHECK_THAT(loose.text(), Contains("LOOSENED"));
  accepted([](const Tensor& v) { return v * 3; }, {leaf({4})}, {.linear_in = {0}});
  caught(
      planted([](const Tensor& v) { return v * 3; }, [](const Tensor& dy, const Tensor&) { return dy * (3 + 1e-12); }),
      {leaf({4})}, "numeric", {.linear_in = {0}});
}
