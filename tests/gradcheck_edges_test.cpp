// The gradient checker at its edges: options out of range, functions that refuse a layout or a mode, outputs without a gradient.
#include <algorithm>
#include <cmath>

#include "planting.h"

using namespace planting;

namespace {

bool noted(const GradcheckReport& report, const std::string& part) {
  return std::any_of(report.notes.begin(), report.notes.end(),
                     [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

// y = sin x;  dx = 2 dy cos x, twice what it should be
struct Doubled {
  static constexpr const char* name = "doubled";
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    return tapegrad::sin(v);
  }
  Grads backward(const Tensor& dy) const { return {dy * tapegrad::cos(*x) * 2}; }
};

using List = std::vector<Tensor>;

}  // namespace

TEST_CASE("gradcheck numbers outputs as f returns them", "[gradcheck]") {
  const auto behind = [](const Tensor& first) {
    return [first](const Tensor& x) { return List{first, apply(Doubled{}, x)}; };
  };
  for (const Tensor& first : {Tensor(), tensor({1, 2})}) {
    const auto report = gradcheck_report(behind(first), {leaf({3})});
    REQUIRE_FALSE(report.ok());
    CHECK(report.findings[0].output == 1);
    CHECK_THAT(report.findings[0].text, Contains("d out1["));
  }
}

TEST_CASE("gradcheck refuses options that check nothing or mean nothing", "[gradcheck]") {
  const auto refused = [](const GradcheckOptions& options, const char* text) {
    CHECK_THROWS_WITH(gradcheck_report(tanh_of, {leaf({2})}, options), Contains(text));
    CHECK_THROWS_AS(gradcheck_report(tanh_of, {leaf({2})}, options), ValueError);
  };
  refused({.probes = 0}, "gradcheck: probes must be at least 1, got 0");
  refused({.full_limit = -1}, "gradcheck: full_limit must not be negative, got -1");
  refused({.nondet_tol = -1}, "gradcheck: nondet_tol must not be negative, got -1");
  refused({.nondet_tol = std::nan("")}, "gradcheck: nondet_tol must not be negative, got nan");
  refused({.rtol = -0.1}, "gradcheck: rtol must not be negative, got -0.1");
  refused({.atol = -2}, "gradcheck: atol must not be negative, got -2");
  refused({.linear_in = {1}}, "of which there are 1, got 1");
  refused({.linear_in = {-1}}, "of which there are 1, got -1");
}

TEST_CASE("gradcheck accepts functions that refuse a layout, and notes it", "[gradcheck]") {
  const auto report = gradcheck_report([](const Tensor& x) { return tapegrad::sin(x.view({6})); }, {leaf({2, 3})});
  INFO(report.text());
  CHECK(report.ok());
  CHECK(noted(report, "f was not checked with transposed inputs, which it refuses: view:"));
  CHECK_FALSE(noted(gradcheck_report(tanh_of, {leaf({2, 3})}), "refuses"));
}

TEST_CASE("gradcheck accepts functions that run with recording only", "[gradcheck]") {
  const auto f = [](const Tensor& x) {
    if (!GradMode::is_enabled()) throw ValueError("recording is off");
    return tapegrad::sin(x);
  };
  const auto report = gradcheck_report(f, {leaf({3})}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok());
  CHECK(report.checked >= 9);
  CHECK_FALSE(gradcheck_report([&](const Tensor& x) { return apply(Doubled{}, f(x)); }, {leaf({3})}).ok());
}

TEST_CASE("gradcheck passes one tensor for any two inputs", "[gradcheck]") {
  // Inputs 0 and 2 are told apart by their handles.
  const auto f = [](const Tensor& a, const Tensor& b, const Tensor& c) {
    const Tensor y = mul(a, a) + tapegrad::sum(b);
    return a.impl() == c.impl() ? y + c.detach() : y + c;
  };
  const auto report = gradcheck_report(f, {leaf({2, 3}), leaf({4}), leaf({2, 3})});
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].check == "aliasing");
  CHECK_THAT(report.findings[0].text, Contains("in0 passed as in2 as well"));
}

TEST_CASE("gradcheck tries channels-last inputs", "[gradcheck]") {
  const auto f = [](const Tensor& x) {
    const bool channels_last = x.dim() == 4 && x.stride(1) == 1 && x.stride(3) == x.size(1) && x.stride(0) != 1;
    return tapegrad::sin(channels_last ? x * 1.001 : x);
  };
  const auto report = gradcheck_report(f, {leaf({2, 3, 4, 5})});
  REQUIRE_FALSE(report.ok());
  CHECK_THAT(report.findings[0].text, Contains("channels-last inputs"));
}

TEST_CASE("gradcheck tells a wrong linear_in from a detached input", "[gradcheck]") {
  const auto wrong = gradcheck_report(tanh_of, {leaf({3})}, {.linear_in = {0}});
  REQUIRE_FALSE(wrong.ok());
  CHECK_THAT(wrong.findings[0].cause, Contains("not linear: options.linear_in names in0"));
  const auto off =
      gradcheck_report([](const Tensor& x) { return x * 2 + x.detach(); }, {leaf({3})}, {.linear_in = {0}});
  REQUIRE_FALSE(off.ok());
  CHECK_THAT(off.findings[0].cause, Contains("detached"));
}

TEST_CASE("gradcheck judges what goes through float32 by float32's rounding", "[gradcheck][float32]") {
  const auto through = [](const Tensor& x) { return tapegrad::sin(x.to(kFloat32)).to(kFloat64); };
  const auto report = gradcheck_report(through, {leaf({2, 3})}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok());
  CHECK(noted(report, "f computes through float32"));
  CHECK_FALSE(noted(gradcheck_report(tanh_of, {leaf({2, 3})}), "float32"));
  const auto doubled = [](const Tensor& x) { return apply(Doubled{}, x.to(kFloat32)).to(kFloat64); };
  CHECK_FALSE(gradcheck_report(doubled, {leaf({2, 3})}).ok());
}

TEST_CASE("gradcheck names item() as a way off the tape", "[gradcheck]") {
  const auto report = gradcheck_report([](const Tensor& x) { return x * x[0].item<double>(); }, {leaf({3})});
  REQUIRE_FALSE(report.ok());
  CHECK_THAT(report.findings[0].text, Contains("leaves   the tape by item, "));
  CHECK_FALSE(report.findings[0].where.empty());
}

TEST_CASE("gradcheck at order three names every direction once", "[gradcheck]") {
  const auto report = gradcheck_report(tanh_of, {leaf({2})}, {.order = 3});
  REQUIRE(report.directions.size() > 2);
  for (size_t i = 0; i < report.directions.size(); ++i) {
    for (size_t j = 0; j < i; ++j) CHECK(report.directions[i].input != report.directions[j].input);
  }
}

TEST_CASE("taylor_test says when nothing is recorded", "[gradcheck]") {
  const Tensor x = leaf({2}).detach();
  CHECK_THROWS_WITH(taylor_test([](const Tensor& t) { return tapegrad::sum(t.detach()); }, {x}, {x}),
                    Contains("taylor_test: the result of f must depend on x on the tape"));
}

TEST_CASE("gradcheck promises nothing about directions through kinks alone", "[gradcheck]") {
  const auto report =
      gradcheck_report([](const Tensor& x) { return tapegrad::relu(x); }, {leaf_at({0, 0})}, {.full_limit = 0});
  INFO(report.text());
  CHECK(report.ok());
  REQUIRE(report.directions.size() == 1);
  CHECK(report.directions[0].threshold > 0.5);  // weights of 0.5 and more, by slopes of 0 and 1
}

TEST_CASE("gradcheck blames one op for NaN, in both modes", "[gradcheck]") {
  const auto masked = [](const Tensor& x) { return where(x > 0, tapegrad::sqrt(x), zeros_like(x)); };
  const auto report = gradcheck_report(masked, {leaf_at({-1, 2})});
  REQUIRE(report.findings.size() == 2);
  for (const GradcheckFinding& finding : report.findings) {
    CHECK(finding.culprit == "sqrt");
    CHECK_THAT(finding.cause, Contains("sqrt makes the inf"));
  }
}
