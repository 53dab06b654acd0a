// The battery of correct but nasty functions, every one of which the gradient checker must accept.
#include <cmath>
#include <cstdio>

#include "planting.h"

using namespace planting;

namespace {

struct Nasty {
  const char* name;
  Function f;
  Tensors in;
  const char* noted = "";  // part of the notes; "": there must be none
};

// A function of one element and its derivative in plain loops.
template <double value(double), double slope(double)> Function looped() {
  return of(planted(
      [](const Tensor& v) {
        const Tensor y = clone(v);
        for (int64_t i = 0; i < y.numel(); ++i) y.data_ptr<double>()[i] = value(y.data_ptr<double>()[i]);
        return y;
      },
      [](const Tensor& dy, const Tensor& v) {
        const Tensor g = clone(v.detach());
        for (int64_t i = 0; i < g.numel(); ++i) g.data_ptr<double>()[i] = slope(g.data_ptr<double>()[i]);
        return g * dy;
      }));
}
double sin_1000(double x) { return std::sin(1000 * x); }
double sin_1000_slope(double x) { return 1000 * std::cos(1000 * x); }

Tensor layer_norm_of(const Tensor& x) {
  const Tensor c = x - mean(x, 1, true);
  return c / tapegrad::sqrt(mean(c * c, 1, true) + 1e-5);
}
Tensor conv2d_of(const Tensor& x, const Tensor& w) {
  const Tensor windows = unfold(unfold(x, 2, w.size(2), 1), 3, w.size(3), 1);
  return einsum("ncyxij,ocij->noyx", {windows, w});
}

std::vector<Nasty> of_large_and_small_numbers() {
  return {
      {"sin(x) + 1e8", of([](const Tensor& x) { return tapegrad::sin(x) + 1e8; }), {leaf({3})}},
      {"log near 1e-7", of([](const Tensor& x) { return tapegrad::log(x); }), {leaf_at({1e-7, 3e-7, 1e-6})}},
      {"sqrt near 1e-4", of([](const Tensor& x) { return tapegrad::sqrt(x); }), {leaf_at({1e-4, 2e-4})}},
      {"x^3 at 1e4", of([](const Tensor& x) { return pow(x, 3); }), {leaf_at({1e4, -1e4})}},
      {"1/x at 0.01", of([](const Tensor& x) { return 1 / x; }), {leaf_at({0.01, -0.01})}},
      {"sin(1000 x)", looped<sin_1000, sin_1000_slope>(), {leaf_at({1, 0.3})}, "forward mode was not checked"},
      {"tanh at 9", of([](const Tensor& x) { return tapegrad::tanh(x); }), {leaf_at({9, -9})}},
      {"logsumexp at 1e4", of([](const Tensor& x) { return logsumexp(x, 0); }), {leaf_at({1e4, 1e4 + 1, 9999})}},
      {"outputs of 1e-12", of([](const Tensor& x) { return tapegrad::exp(x) * 1e-12; }), {leaf({3})}},
      {"a reduction of 10,000", of([](const Tensor& x) { return sum(tapegrad::tanh(x)); }), {leaf({10000})}},
      {"pow with base 1e-3",
       of([](const Tensor& x, const Tensor& p) { return pow(x, p); }),
       {leaf_at({1e-3, 2e-3}), leaf_at({2.5, 0.5})}},
      {"exp(-1/x^2)", of([](const Tensor& x) { return tapegrad::exp(-1 / (x * x)); }), {leaf_at({0.2, 0.05, 1})}},
      {"bce with logit 30",
       of([](const Tensor& x) {
         return binary_cross_entropy_with_logits(x, tensor({1, 0, 1}, kFloat64), {.reduction = kNone});
       }),
       {leaf_at({30, 30, -30})}},
  };
}

std::vector<Nasty> with_kinks_and_edges() {
  const char* kink = "kink at d out0";
  return {
      {"sqrt at 0", of([](const Tensor& x) { return tapegrad::sqrt(x); }), {leaf_at({0, 1})}, "no verdict"},
      {"relu away from 0", of([](const Tensor& x) { return relu(x); }), {leaf_at({1, -1})}},
      {"relu at 0", of([](const Tensor& x) { return relu(x); }), {leaf_at({0, 1})}, kink},
      {"relu 5e-7 from 0", of([](const Tensor& x) { return relu(x); }), {leaf_at({5e-7, -5e-7})}},
      {"abs at 0", of([](const Tensor& x) { return tapegrad::abs(x); }), {leaf_at({0, 1, -1})}, kink},
      {"max with ties", of([](const Tensor& x) { return max(x); }), {leaf_at({1, 3, 3, 2})}, kink},
      {"max with ties per dim",
       of([](const Tensor& x) {
         return std::get<0>(max(reshape(x, {2, 3}), 1));
       }),
       {leaf_at({1, 3, 3, 2, 2, 2})},
       kink},
      {"max with ties, pooled",
       of([](const Tensor& x) {
         return amax(unfold(unfold(x, 0, 2, 2), 1, 2, 2), {2, 3});
       }),
       {tensor({{1., 3., 0., 0.}, {3., 2., 0., 0.}}, dtype(kFloat64)).requires_grad_()},
       kink},
      {"hardtanh at the bound", of([](const Tensor& x) { return hardtanh(x); }), {leaf_at({-1, 1, 0.5, 2})}, kink},
      {"clamp at the bound", of([](const Tensor& x) { return clamp(x, -1, 1); }), {leaf_at({-1, 1, 0.5, 2})}, kink},
      {"acosh outside its domain", of([](const Tensor& x) { return acosh(x); }), {leaf_at({0.5, 2})}, "no verdict"},
      {"norm at the origin", of([](const Tensor& x) { return norm(x); }), {leaf_at({0, 0, 0})}, kink},
      {"empty", of([](const Tensor& x) { return tapegrad::exp(x); }), {leaf({3, 0})}},
      {"0-dim", of([](const Tensor& x) { return tapegrad::exp(x); }), {leaf({})}},
      {"constant", of([](const Tensor& x) { return x * 0 + 3; }), {leaf({3})}},
      {"floor", of([](const Tensor& x) { return floor(x); }), {leaf_at({0.3, -1.7, 2.5})}},
      {"sign", of([](const Tensor& x) { return sign(x); }), {leaf_at({1, -2, 0.3})}},
      {"sign at 0", of([](const Tensor& x) { return sign(x); }), {leaf_at({0, 1})}, "jump at d out0[0]"},
      {"|x|^1.5 near 0", of([](const Tensor& x) { return pow(tapegrad::abs(x), 1.5); }), {leaf_at({0, 1e-5, -1e-8})}},
  };
}

std::vector<Nasty> of_many_elements() {
  return {
      {"softmax", of([](const Tensor& x) { return softmax(x, 1); }), {leaf({3, 5})}},
      {"layer norm", of(layer_norm_of), {leaf({3, 5})}},
      {"float32 exp", of([](const Tensor& x) { return tapegrad::exp(x); }), {leaf({3, 4}, -1, 1, kFloat32)}},
      {"float32 matmul",
       of([](const Tensor& a, const Tensor& b) { return mm(a, b); }),
       {leaf({3, 5}, -1, 1, kFloat32), leaf({5, 2}, -1, 1, kFloat32)}},
      {"float32 softmax", of([](const Tensor& x) { return softmax(x, 0); }), {leaf({7}, -3, 3, kFloat32)}},
      {"cumprod", of([](const Tensor& x) { return cumprod(x, 1); }), {leaf({2, 5})}},
      {"the same tensor twice", of([](const Tensor& x) { return x * x + x; }), {leaf({3})}},
      {"conv2d", of(conv2d_of), {leaf({2, 3, 5, 4}), leaf({2, 3, 3, 2})}},
      {"gather with repeats",
       of([](const Tensor& x) {
         return x[tensor({0, 2, 2, 1, 0})];
       }),
       {leaf({3, 2})}},
  };
}

std::string together(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += note + "\n";
  return text;
}

}  // namespace

TEST_CASE("gradcheck accepts every correct but nasty function", "[gradcheck]") {
  int total = 0, accepted = 0;
  for (const auto& family : {of_large_and_small_numbers(), with_kinks_and_edges(), of_many_elements()}) {
    for (const Nasty& nasty : family) {
      const GradcheckReport report = gradcheck_report(nasty.f, nasty.in);
      const std::string notes = together(report.notes);
      const std::string noted = nasty.noted;
      const bool as_expected = noted.empty() ? notes.empty() : notes.find(noted) != std::string::npos;
      ++total, accepted += report.ok();
      INFO(nasty.name << ": " << report.text());
      CHECK(report.ok());
      CHECK(as_expected);
    }
  }
  std::printf("gradcheck: %d of %d correct functions accepted\n", accepted, total);
  CHECK(total == 41);
  CHECK(accepted == 41);
}

TEST_CASE("gradcheck accepts", "[gradcheck]") {
  const auto f = [](const char* name, GradcheckFunction g, const Tensors& in) {
    INFO(name);
    accepted(g, in);
  };
  f("log at 0", [](const Tensor& x) { return tapegrad::log(x); }, {leaf_at({0, 1})});
  f("log outside its domain", [](const Tensor& x) { return tapegrad::log(x); }, {leaf_at({-1, 2})});
  f("sqrt outside its domain", [](const Tensor& x) { return tapegrad::sqrt(x); }, {leaf_at({-1, 2})});
  f("exp beyond the range", [](const Tensor& x) { return tapegrad::exp(x); }, {leaf_at({1e4, 1, -1e4})});
  f("inputs that are not finite", [](const Tensor& x) { return relu(x) + sum(x); }, {leaf_at({INFINITY, 1, NAN})});
  f("a slope that rounding hides", [](const Tensor& x) { return tapegrad::erf(x); }, {leaf_at({20, -20})});
  for (double gap = 0.05; gap < 1; gap += 0.05) {
    // The larger of two, by way of a noisy sum: the slope by the smaller is 0, and the long steps reach across the kink.
    f("slope 0 near a kink", [](const Tensor& x) { return std::get<0>(std_mean(x, {0}, 0)) + mean(x); },
      {leaf_at({1.6, 1.6 + gap})});
  }
  f("unused", [](const Tensors& in) { return in[0] * 2; }, {leaf({3}), leaf({2})});
  f("no graph at all", [](const Tensor& x) { return zeros_like(x.detach()); }, {leaf({3})});
  f("views and transposes", [](const Tensor& x) { return (t(x)[1] * x.select(1, 0)).sum(); }, {leaf({3, 3})});
  f("its own gradient",
    [](const Tensor& x) {
      const Tensor v = x.requires_grad() ? x : x.detach().requires_grad_();
      return autograd::grad({sum(v * v * v)}, {v}, {}, true, true)[0];
    },
    {leaf({3})});
}

TEST_CASE("gradcheck accepts a point close to one of many kinks", "[gradcheck]") {
  // At 50 a kink lies among the samples that measure noise, and far inside the long steps.
  for (uint64_t seed : {50, 51, 52}) {
    Generator generator(seed);
    Tensor a = rand({5, 7}, generator, kFloat64) * 4 - 2;
    Tensor b = rand({67, 7}, generator, kFloat64) * 4 - 2;
    accepted([](const Tensor& x, const Tensor& y) { return cdist(x, y, 1); }, {a.requires_grad_(), b.requires_grad_()},
             {.seed = seed, .consistency = false});
  }
}

TEST_CASE("gradcheck measures by what rounding leaves of values on the way", "[gradcheck]") {
  // The larger element's is 0 up to the last bits of 15.
  accepted([](const Tensor& x) { return log_softmax(x, 0); }, {leaf_at({-15, 15})});
}

// Values on the way are rounded to coarser last bits than results near 0 have. In these compositions, once found by chance,
// that rounding was nearly the same in all evenly spaced samples at two of the four spacings, and so went unnoticed.
TEST_CASE("gradcheck sees the rounding of values on the way at every spacing", "[gradcheck]") {
  const auto last_and_first = [](const Tensor& x) { return index_select(x, 0, tensor({x.size(0) - 1, int64_t{0}})); };
  const Tensor a = tensor({{-0.41849693757283646, -0.40188223579969184},
                           {1.338019802574216, 1.3786911455035349},
                           {0.73278917290411627, -0.041800349441697193}},
                          dtype(kFloat64).requires_grad());
  accepted(
      [&](const Tensors& in) {
        const Tensor twice = in[0] + in[0];
        const Tensor y = last_and_first(matmul(twice, t(twice)));
        return Tensors{gelu(y), y * 2};
      },
      {a}, {.seed = 6671});
  const Tensor b = tensor({{0.068294993350597633}, {0.77330078202267716}}, dtype(kFloat64).requires_grad());
  const Tensor c =
      tensor({{{0.56736665104605866, -0.094356526944680219}}, {{-0.26867617298631385, 1.3478550347342764}}},
             dtype(kFloat64).requires_grad());
  accepted(
      [&](const Tensors& in) {
        const Tensor x = lerp(tapegrad::cosh(cat({in[1], in[1] * 0.5}, 2)), in[0], 0.3);
        const Tensor length = hypot(x, x);
        const Tensor y = tapegrad::log(tapegrad::exp(narrow(length, 0, 1, length.size(0) - 1)));
        const Tensor z = gelu(neg(last_and_first(y) + y));
        return Tensors{tapegrad::tanh(z), z * 2};
      },
      {b, c}, {.seed = 9426});
}

TEST_CASE("gradcheck takes the last bit of a value on the way for no jump", "[gradcheck]") {
  // Between two last bits of 16, which are far larger than those of the result.
  constexpr double slope = 0x1p-24;
  const Value value = [](const Tensor& x) { return (x * slope + 16) - 16; };
  const Tensors in{leaf_at({0x1p-4 + 0x1p-25})};
  const GradcheckReport right = gradcheck_report(
      planted(value, [](const Tensor& dy, const Tensor&) { return dy * slope; }), in, {.forward = false});
  CHECK(right.ok());
  CHECK(right.notes.empty());
  caught(planted(value, [](const Tensor& dy, const Tensor&) { return dy * slope * 2; }), in, "numeric");
}

TEST_CASE("gradcheck knows that gradients are rounded too", "[gradcheck]") {
  // The first element shifts all of its row, which the variance does not feel: the terms of its gradient cancel.
  const Tensor x = tensor({{1.0326189370754046, 0.18490624965396218, -0.1857166599407305},
                           {-1.0210948744081993, 0.86591903154866268, 0.76472410334659946}},
                          dtype(kFloat64).requires_grad());
  accepted(
      [](const Tensor& v) {
        const Tensor sums = cumsum(v, 1);
        return Tensors{var(sums, 1, 0)};
      },
      {x}, {.seed = 8174});
}

TEST_CASE("gradcheck doubts a step that the next does not bear out", "[gradcheck]") {
  // The two longest are wide of the slope, and their own estimates of that happen to be small.
  int accused = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Generator generator(seed);
    Tensor x = rand({2, 3}, generator, kFloat64) * 3 - 1.5;
    accused += !gradcheck_report(
                    [](const Tensor& v) {
                      const Tensor s = v * logsumexp(square(tapegrad::cosh(v)), 0);
                      return softmax(stack({s, s}, 1) * 3, 2);
                    },
                    {x.requires_grad_()}, {.seed = seed, .consistency = false, .explain = false})
                    .ok();
  }
  CHECK(accused == 0);
}
