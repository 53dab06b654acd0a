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
  report =
      caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return 2 * tanh_rule(dy, v); }), {x}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("factor 2"));
  report = caught(planted([](const Tensor& v) { return mean(v, 0); },
                          [](const Tensor& dy, const Tensor& v) { return expand(unsqueeze(dy, 0), v.sizes()) * 1.0; }),
                  {leaf({5, 2})}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("factor 5, size 0 of in0"));
  report = caught(planted([](const Tensor& a, const Tensor& b) { return mm(a, b); },
                          [](const Tensor& dy, const Tensor&, const Tensor& b) { return t(mm(dy, t(b))); },
                          [](const Tensor& dy, const Tensor& a, const Tensor&) { return mm(t(a), dy); }),
                  {leaf({3, 3}), leaf({3, 3})}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("transposed"));
  CHECK(report.findings[0].input == 0);
  report = caught(planted(tanh_of, [](const Tensor& dy, const Tensor&) { return dy * 0; }), {x}, "numeric");
  CHECK_THAT(report.findings[0].cause, Contains("does not arrive"));
}

TEST_CASE("gradcheck catches wrong values", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  SECTION("relative error 9e-4") {
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) * (1 + 9e-4); }), {x},
           "numeric");
  }
  SECTION("float constant") {
    const auto report = caught(planted([](const Tensor& v) { return v * 0.1; },
                                       [](const Tensor& dy, const Tensor&) { return dy * static_cast<double>(0.1f); }),
                               {x}, "numeric");
    CHECK_THAT(report.findings[0].cause, Contains("float32 constant"));
  }
  SECTION("gradient 0 for 5e-6 x") {
    caught(planted([](const Tensor& v) { return v * 5e-6; }, [](const Tensor& dy, const Tensor&) { return dy * 0; }),
           {x}, "numeric");
  }
  SECTION("missing term") {
    caught(planted([](const Tensor& v) { return v * tapegrad::tanh(v); },
                   [](const Tensor& dy, const Tensor& v) { return dy * tapegrad::tanh(v); }),
           {x}, "numeric");
  }
  SECTION("one of 1000 elements off by 0.5") {
    const auto report = caught(
        planted(tanh_of,
                [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) + changed(v * 0, 777, 0.5) * dy; }),
        {leaf({1000})}, "numeric");
    CHECK_THAT(report.text(), Contains("in0[777]"));
  }
  SECTION("one of 10,000 elements off by 1e-2") {
    caught(planted(tanh_of, [](const Tensor& dy,
                               const Tensor& v) { return tanh_rule(dy, v) + changed(v * 0, 4321, 1e-2) * dy; }),
           {leaf({100, 100})}, "numeric");
  }
  SECTION("straight through by accident") {
    caught(planted([](const Tensor& v) { return sign(v); }, [](const Tensor& dy, const Tensor&) { return dy * 1.0; }),
           {x}, "numeric");
  }
  SECTION("NaN at a masked element") {
    caught([](const Tensor& v) { return where(v > 0, tapegrad::sqrt(v), 0.0); }, {leaf_at({1, -1, 2})}, "numeric");
  }
  SECTION("sum over the wrong dim of a square") {
    caught(planted(
               [](const Tensor& v) {
                 return expand(v, {4, 4}) * 1.0;
               },
               [](const Tensor& dy, const Tensor&) { return sum(dy, 1); }),
           {leaf({4})}, "numeric");
  }
  SECTION("wrong index") {
    caught(planted([](const Tensor& v) { return max(v); },
                   [](const Tensor& dy, const Tensor& v) { return changed(v * 0, 0, 1) * dy; }),
           {leaf_at({0.1, 0.9, 0.3})}, "numeric");
  }
  SECTION("outside the subgradient at a kink") {
    caught(planted([](const Tensor& v) { return tapegrad::abs(v); },
                   [](const Tensor& dy, const Tensor& v) { return dy * where(v == 0, 2.0 + v * 0, sign(v)); }),
           {leaf_at({0, 1})}, "numeric");
  }
  SECTION("a dropped input") {
    caught([](const Tensor& v) { return v.detach() * 2 + v; }, {x}, "numeric");
    caught([](const Tensor& v) { return v.detach() * 2; }, {x}, "numeric");
  }
}

TEST_CASE("gradcheck catches backward at odds with itself", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  SECTION("not linear in the cotangent") {
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(tapegrad::abs(dy), v); }), {x},
           "linearity");
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy * dy, v); }), {x}, "linearity");
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(clamp(dy, -2, 2), v); }), {x},
           "linearity");
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) + 1; }), {x},
           "zero cotangent");
  }
  SECTION("cotangent overwritten") {
    caught(planted(tanh_of,
                   [](const Tensor& dy, const Tensor& v) {
                     const NoGradGuard no_grad;
                     const Tensor g = tanh_rule(dy, v);
                     dy.mul_(0.5);
                     return g;
                   }),
           {x}, "cotangent");
  }
  SECTION("strides of the cotangent ignored") {
    const auto report = caught(planted(tanh_of,
                                       [](const Tensor& dy, const Tensor& v) {
                                         if (dy.stride(0) == 0 || dy.stride(1) == 0)
                                           return tanh_rule(dy, v);  // stay inside
                                         return tanh_rule(clone(from_blob(dy.data_ptr(), dy.sizes(), kFloat64)), v);
                                       }),
                               {leaf({2, 2})}, "cotangent layout");
    CHECK_THAT(report.text(), Contains("transposed cotangent"));
  }
  SECTION("wrong for an expanded cotangent") {
    caught(planted(tanh_of,
                   [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) * (dy.stride(0) == 0 ? 3 : 1); }),
           {x}, "cotangent layout");
  }
  SECTION("wrong when only one input requires grad") {
    caught(
        planted([](const Tensor& a, const Tensor& b) { return a * b; },
                [](const Tensor& dy, const Tensor&, const Tensor& b) { return dy * b * (autograd::needs(1) ? 1 : 2); },
                [](const Tensor& dy, const Tensor& a, const Tensor&) { return dy * a; }),
        {leaf({3}), leaf({3})}, "subset");
  }
  SECTION("dropped when only one input requires grad") {
    caught(
        planted([](const Tensor& a, const Tensor& b) { return a * b; },
                [](const Tensor& dy, const Tensor&, const Tensor& b) { return autograd::needs(1) ? dy * b : Tensor(); },
                [](const Tensor& dy, const Tensor& a, const Tensor&) { return dy * a; }),
        {leaf({3}), leaf({3})}, "subset");
  }
  SECTION("wrong when inputs alias") {
    caught(planted([](const Tensor& a, const Tensor& b) { return a * b; },
                   [](const Tensor& dy, const Tensor& a, const Tensor& b) {
                     return a.data_ptr() == b.data_ptr() ? dy * b * 2 : dy * b;
                   },
                   [](const Tensor& dy, const Tensor& a, const Tensor&) { return dy * a; }),
           {leaf({3}), leaf({3})}, "aliasing");
  }
  SECTION("state outside the graph") {
    static Tensor state;
    caught(planted(
               [](const Tensor& v) {
                 state = clone(v.detach());
                 return square(v);
               },
               [](const Tensor& dy, const Tensor&) { return dy * state * 2; }),
           {x}, "two forwards");
    state = Tensor();
  }
  SECTION("used up by the first backward") {
    static int calls = 0;
    calls = 0;
    caught(planted(tanh_of,
                   [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v) * (++calls == 1 ? 1.0 : 0.5); }),
           {x}, "repeat");
  }
  SECTION("saved without a version check") {
    caught([](const Tensor& v) { return apply(Unchecked{}, v); }, {x}, "mutation");
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
  SECTION("reads storage order") {
    caught(planted([](const Tensor& v) { return tapegrad::tanh(from_blob(v.data_ptr(), v.sizes(), kFloat64)); },
                   tanh_rule),
           {x}, "input layout");
  }
  SECTION("ignores the offset") {
    caught(planted(
               [](const Tensor& v) {
                 return tapegrad::tanh(clone(alias(v, v.sizes(), v.strides(), -v.storage_offset())));
               },
               tanh_rule),
           {x}, "input layout");
  }
  SECTION("writes into its input") {
    caught(
        [](const Tensor& v) {
          const NoGradGuard no_grad;
          v.mul_(2);
          return v * 1;
        },
        {x}, "forward");
  }
  SECTION("another result each time") {
    caught([](const Tensor& v) { return v * rand_like(v.detach()); }, {x}, "nondeterministic forward");
    GradcheckOptions seeded;
    seeded.reseed = [] { manual_seed(5); };
    accepted([](const Tensor& v) { return v * rand_like(v.detach()); }, {x}, seeded);
  }
  SECTION("gradient of the wrong dtype or shape") {
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return to(tanh_rule(dy, v), kFloat32); }), {x},
           "backward throws");
    caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return sum(tanh_rule(dy, v), 0); }), {x},
           "backward throws");
  }
  SECTION("float32 wrong and float64 right") {
    caught(planted(tanh_of, [](const Tensor& dy,
                               const Tensor& v) { return tanh_rule(dy, v) * (v.dtype() == kFloat32 ? 1.001 : 1); }),
           {leaf({3, 4}, 0.2, 1.2, kFloat32)}, "float32");
  }
  SECTION("second output's gradient dropped") {
    caught([](const Tensors& in) { return apply(Two{}, in[0]); }, {x}, "numeric");
  }
}

TEST_CASE("gradcheck catches wrong second derivatives", "[gradcheck]") {
  const Tensor x = leaf({3, 4}, 0.2, 1.2);
  const GradcheckOptions second{.order = 2};
  caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy, v.detach()); }), {x},
         "second order", second);
  const auto report =
      caught(planted(tanh_of, [](const Tensor& dy, const Tensor& v) { return tanh_rule(dy.detach(), v); }), {x},
             "second order", second);
  CHECK_THAT(report.text(), Contains("order 2") && Contains("w0"));
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
