// A correct function is never accused: random compositions of smooth ops, by a fixed seed, under the gradient checker.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "planting.h"

using namespace planting;

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr int kCompositions =
    5000;  // what it looks for shows in these too; how often a right one is accused is counted without it
#else
constexpr int kCompositions = 20000;
#endif
constexpr int kDeepest = 12;
constexpr int64_t kLargest = 24;     // elements of an intermediate value
constexpr double kGreatest = 30;     // of its values
constexpr double kSlightest = 1e-3;  // largest value it must still have

class Choice {
 public:
  explicit Choice(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 1) {}
  int64_t below(int64_t n) {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return static_cast<int64_t>((state_ >> 11) % static_cast<uint64_t>(n));
  }
  template <class T, size_t N> const T& of(const T (&list)[N]) { return list[below(static_cast<int64_t>(N))]; }

 private:
  uint64_t state_;
};

struct Unary {
  const char* name;
  Tensor (*f)(const Tensor&);
  double low, high;  // where it is smooth, and steps of the checker stay inside
};
const Unary kUnary[] = {
    {"tanh", tapegrad::tanh, -20, 20},
    {"sigmoid", sigmoid, -20, 20},
    {"exp", tapegrad::exp, -6, 3},
    {"exp2", tapegrad::exp2, -6, 4},
    {"expm1", tapegrad::expm1, -6, 3},
    {"log", tapegrad::log, 0.2, 50},
    {"log1p", tapegrad::log1p, -0.6, 50},
    {"log2", tapegrad::log2, 0.2, 50},
    {"sqrt", tapegrad::sqrt, 0.2, 50},
    {"rsqrt", rsqrt, 0.2, 50},
    {"reciprocal", reciprocal, 0.2, 50},
    {"reciprocal", reciprocal, -50, -0.2},
    {"sin", tapegrad::sin, -20, 20},
    {"cos", tapegrad::cos, -20, 20},
    {"sinh", tapegrad::sinh, -3, 3},
    {"cosh", tapegrad::cosh, -3, 3},
    {"asin", tapegrad::asin, -0.8, 0.8},
    {"atan", tapegrad::atan, -20, 20},
    {"atanh", tapegrad::atanh, -0.8, 0.8},
    {"asinh", tapegrad::asinh, -20, 20},
    {"square", square, -5, 5},
    {"neg", neg, -30, 30},
    {"erf", tapegrad::erf, -3, 3},
    {"lgamma", tapegrad::lgamma, 0.3, 20},
    {"digamma", digamma, 0.3, 20},
    {"silu", silu, -20, 20},
    {"mish", mish, -20, 20},
    {"log_cosh", log_cosh, -20, 20},
    {"gelu", [](const Tensor& x) { return gelu(x); }, -6, 6},
    {"softplus", [](const Tensor& x) { return softplus(x); }, -15, 15},
    {"pow", [](const Tensor& x) { return pow(x, 2.5); }, 0.2, 4},
};

struct Binary {
  const char* name;
  Tensor (*f)(const Tensor&, const Tensor&);
  double low, high;  // of the second operand
};
const Binary kBinary[] = {
    {"add", [](const Tensor& a, const Tensor& b) { return a + b; }, -30, 30},
    {"sub", [](const Tensor& a, const Tensor& b) { return a - b; }, -30, 30},
    {"mul", [](const Tensor& a, const Tensor& b) { return a * b; }, -30, 30},
    {"div", [](const Tensor& a, const Tensor& b) { return a / b; }, 0.2, 30},
    {"atan2", [](const Tensor& a, const Tensor& b) { return atan2(a, b); }, 0.2, 30},
    {"hypot", [](const Tensor& a, const Tensor& b) { return hypot(a, b); }, 0.2, 30},
    {"lerp", [](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.3); }, -30, 30},
};

struct Along {
  const char* name;
  Tensor (*f)(const Tensor&, int64_t dim);
};
const Along kAlong[] = {
    {"sum", [](const Tensor& x, int64_t d) { return sum(x, d); }},
    {"sum keepdim", [](const Tensor& x, int64_t d) { return sum(x, d, true); }},
    {"mean", [](const Tensor& x, int64_t d) { return mean(x, d); }},
    {"mean keepdim", [](const Tensor& x, int64_t d) { return mean(x, d, true); }},
    {"prod", [](const Tensor& x, int64_t d) { return prod(x, d); }},
    {"logsumexp", [](const Tensor& x, int64_t d) { return logsumexp(x, d); }},
    {"softmax", [](const Tensor& x, int64_t d) { return softmax(x, d); }},
    {"log_softmax", [](const Tensor& x, int64_t d) { return log_softmax(x, d); }},
    {"cumsum", [](const Tensor& x, int64_t d) { return cumsum(x, d); }},
    {"cumprod", [](const Tensor& x, int64_t d) { return cumprod(x, d); }},
    {"var", [](const Tensor& x, int64_t d) { return var(x, d, 0); }},
    {"flip", [](const Tensor& x, int64_t d) { return flip(x, d); }},
    {"roll", [](const Tensor& x, int64_t d) { return roll(x, 1, d); }},
    {"first", [](const Tensor& x, int64_t d) { return select(x, d, 0); }},
    {"narrow", [](const Tensor& x, int64_t d) { return narrow(x, d, x.size(d) / 2, x.size(d) - x.size(d) / 2); }},
    {"unsqueeze", [](const Tensor& x, int64_t d) { return unsqueeze(x, d); }},
    {"transpose", [](const Tensor& x, int64_t d) { return transpose(x, d, -1); }},
    {"flatten", [](const Tensor& x, int64_t) { return flatten(x); }},
    {"cat",
     [](const Tensor& x, int64_t d) {
       return cat({x, x * 0.5}, d);
     }},
    {"stack",
     [](const Tensor& x, int64_t d) {
       return stack({x, x}, d);
     }},
    {"index_select",
     [](const Tensor& x, int64_t d) {
       return index_select(x, d, tensor({x.size(d) - 1, int64_t{0}}));
     }},
};

std::vector<double> values_of(const Tensor& x) {
  const Tensor y = x.detach().contiguous();
  return {y.data_ptr<double>(), y.data_ptr<double>() + y.numel()};
}

bool within(const Tensor& x, double low, double high) {
  for (const double v : values_of(x)) {
    if (!(v >= low && v <= high)) return false;
  }
  return true;
}

// What came out can be gone on with: neither large nor lost.
bool sound(const Tensor& y) {
  if (y.numel() == 0 || y.numel() > kLargest || y.dim() > 4) return false;
  double largest = 0;
  for (const double v : values_of(y)) {
    if (!std::isfinite(v)) return false;
    largest = std::max(largest, std::abs(v));
  }
  return largest <= kGreatest && largest >= kSlightest;
}

// Steps, each of which adds a value computed from earlier ones.
class Composition {
 public:
  explicit Composition(uint64_t seed) : choice_(seed), generator_(seed) {
    static const Shape shapes[] = {{}, {2}, {3}, {2, 3}, {3, 2}, {1, 3}, {2, 1}, {2, 1, 2}};
    for (int64_t n = 1 + choice_.below(3); n > 0; --n) {
      Tensor x = rand(choice_.of(shapes), generator_, kFloat64) * 3 - 1.5;
      leaves_.push_back(x.requires_grad_());
    }
    Tensors values = leaves_;
    const NoGradGuard no_grad;
    const int64_t depth = 1 + choice_.below(kDeepest);
    for (int tries = 0; tries < 200 && static_cast<int64_t>(steps_.size()) < depth; ++tries) extend(values);
  }
  Tensors operator()(const Tensors& in) const {
    Tensors values = in;
    for (const Step& step : steps_) values.push_back(step.f(values));
    Tensors y{values.back()};
    if (steps_.size() > 2) y.push_back(values[values.size() - 2] * 2);
    return y;
  }
  const Tensors& leaves() const { return leaves_; }
  int depth() const { return static_cast<int>(steps_.size()); }
  std::string text() const {
    std::string all;
    for (const Step& step : steps_) all += step.text + "; ";
    return all;
  }

 private:
  struct Step {
    std::string text;
    std::function<Tensor(const Tensors& values)> f;
  };

  void extend(Tensors& values) {
    const auto n = static_cast<int64_t>(values.size());
    // The last value more often than others, so that it gets deep.
    const auto a = static_cast<size_t>(choice_.below(3) ? n - 1 : choice_.below(n));
    const auto b = static_cast<size_t>(choice_.below(n));
    const Step step = random_step(values, a, b);
    if (!step.f) return;
    const Tensor y = step.f(values);
    if (!sound(y)) return;
    values.push_back(y);
    steps_.push_back(step);
  }
  Step random_step(const Tensors& values, size_t a, size_t b) {
    const Tensor& x = values[a];
    const std::string operand = std::to_string(a);
    const int64_t kind = choice_.below(8);
    if (kind < 3) {
      const Unary& op = choice_.of(kUnary);
      if (!within(x, op.low, op.high)) return {};
      return {op.name + (" " + operand), [f = op.f, a](const Tensors& v) { return f(v[a]); }};
    }
    if (kind < 5) return binary_step(values, a, b);
    if (kind < 6) return product_step(values, a, b);
    if (x.dim() == 0) return {};
    const Along& op = choice_.of(kAlong);
    const int64_t dim = choice_.below(x.dim());
    return {op.name + (" " + operand) + " dim " + std::to_string(dim),
            [f = op.f, a, dim](const Tensors& v) { return f(v[a], dim); }};
  }
  Step binary_step(const Tensors& values, size_t a, size_t b) {
    const Binary& op = choice_.of(kBinary);
    if (!within(values[b], op.low, op.high)) return {};
    try {
      broadcast_shapes(values[a].sizes(), values[b].sizes(), "test");
    } catch (const ShapeError&) { return {}; }
    return {op.name + (" " + std::to_string(a)) + " " + std::to_string(b),
            [f = op.f, a, b](const Tensors& v) { return f(v[a], v[b]); }};
  }
  // Two matrices by their inner dims, the second turned where that fits better.
  Step product_step(const Tensors& values, size_t a, size_t b) {
    const Tensor& x = values[a];
    const Tensor& y = values[b];
    if (x.dim() < 1 || y.dim() < 2) return {};
    const bool turned = x.size(-1) != y.size(-2);
    if (turned && x.size(-1) != y.size(-1)) return {};
    if (x.dim() > 2 && y.dim() > 2 && x.size(0) != y.size(0)) return {};
    if (x.dim() > 3 || y.dim() > 3) return {};
    return {"matmul " + std::to_string(a) + " " + std::to_string(b) + (turned ? " turned" : ""),
            [=](const Tensors& v) { return matmul(v[a], turned ? transpose(v[b], -1, -2) : v[b]); }};
  }

  Choice choice_;
  Generator generator_;
  Tensors leaves_;
  std::vector<Step> steps_;
};

}  // namespace

TEST_CASE("gradcheck never accuses a composition of smooth ops", "[gradcheck]") {
  int accused = 0, unchecked = 0, deepest = 0;
  int64_t evaluations = 0, entries = 0;
  for (int seed = 0; seed < kCompositions; ++seed) {
    const Composition f(static_cast<uint64_t>(seed) + 1);
    const GradcheckReport report = gradcheck_report(f, f.leaves(), {.seed = static_cast<uint64_t>(seed)});
    evaluations += report.evaluations, entries += report.checked;
    deepest = std::max(deepest, f.depth());
    for (const std::string& note : report.notes) unchecked += note.find("forward mode was not") != std::string::npos;
    if (report.ok()) continue;
    ++accused;
    FAIL_CHECK("composition " << seed << ": " << f.text() << "\n" << report.text());
  }
  std::printf("gradcheck: %d of %d compositions accused (%lld entries, %lld evaluations)\n", accused, kCompositions,
              static_cast<long long>(entries), static_cast<long long>(evaluations));
  CHECK(deepest == kDeepest);
  CHECK(unchecked == 0);
  CHECK(accused == 0);
}
