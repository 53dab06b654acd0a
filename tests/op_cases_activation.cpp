// Rows of the activations beyond those of op_cases_elementwise.cpp.
#include <algorithm>

#include "op_cases_functions.h"

namespace op_cases {
namespace {

using Real = double (*)(double);

// The reference of x (1 + t(x)) / 2, whose two terms cancel left of zero.
Reference halves(std::function<double(double)> f) {
  return [f](const std::vector<Array>& in) {
    Array y = map(f)(in);
    y.magnitude.resize(y.v.size());
    for (int64_t i = 0; i < y.numel(); ++i)
      y.magnitude[static_cast<size_t>(i)] = std::isnan(y[i]) ? 0 : std::abs(in[0][i]);
    return y;
  };
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double hardsigmoid_of(double x) { return std::isnan(x) ? x : std::min(std::max(x + 3, 0.), 6.) / 6; }
double elu_of(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }
double celu_of(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x / alpha); }
double gelu_of(double x) { return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5))); }
double gelu_tanh_of(double x) {
  const double u = std::sqrt(2 / std::acos(-1.)) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1 + std::tanh(u));
}
double softshrink_of(double x, double lambda) {
  if (std::isnan(x)) return x;
  return x > lambda ? x - lambda : x < -lambda ? x + lambda : 0;
}

// x - tanh x = x^3 / (k + x^2) with k = 3 + x^2 / (5 + x^2 / (7 + ...)), without a difference of nearly equal numbers
double tanhshrink_of(double x) {
  if (!(std::abs(x) < 2)) return x - std::tanh(x);
  double k = 61;
  for (double n = 59; n >= 3; n -= 2) k = n + x * x / k;
  return x * x * x / (k + x * x);
}

void gates(std::vector<Row>& rows) {
  const auto row = [&](const char* name, Tensor (*f)(const Tensor&), Real reference, Domain domain, double flops,
                       Tensor& (*in_place)(const Tensor&)) {
    rows.push_back(unary(name, f, reference, {.a = domain, .flops = flops}));
    rows.back().bad_inputs = {undefined_operand(name, "x", [f] { f(Tensor()); })};
    if (!in_place) return;
    rows.back().in_place = [in_place](const Tensors& in) { return in_place(in[0]); };
    rows.back().bad_inputs.push_back(real_into_integers(name, [in_place] { in_place(ones({2}, kInt64)); }));
  };
  row(
      "silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, {-5, 5}, 25, silu_);
  row(
      "mish", mish, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, {-5, 5}, 25, mish_);
  row("hardsigmoid", hardsigmoid, hardsigmoid_of, {-5, 5}, 4, hardsigmoid_);
  row(
      "hardswish", hardswish, [](double x) { return x * hardsigmoid_of(x); }, {-5, 5}, 5, hardswish_);
  row(
      "logsigmoid", logsigmoid, [](double x) { return std::min(x, 0.) - std::log1p(std::exp(-std::abs(x))); }, {-5, 5},
      40, nullptr);
  Row gelu_row = unary("gelu", [](const Tensor& x) { return gelu(x); }, gelu_of, {.a = {-4, 4}, .flops = 40});
  for (Case& c : gelu_row.cases) c.reference = halves(gelu_of);
  gelu_row.cases.push_back(other_call("tanh", [](const Tensor& x) { return gelu(x, "tanh"); }, gelu_tanh_of, {-4, 4}));
  gelu_row.cases.back().reference = halves(gelu_tanh_of);
  gelu_row.bad_inputs = {
      undefined_operand("gelu", "x", [] { gelu(Tensor()); }),
      bad<ValueError>([] { gelu(ones({2}), "erf"); }, "gelu: approximate must be \"none\" or \"tanh\", got \"erf\"")};
  rows.push_back(gelu_row);
}

void rectifiers(std::vector<Row>& rows) {
  rows.push_back(unary(
      "elu", [](const Tensor& x) { return elu(x); }, [](double x) { return elu_of(x, 1); },
      {.a = {-4, 4, 0.01}, .in_place = [](const Tensors& in) { return elu_(in[0]); }, .flops = 20}));
  for (const double alpha : {0.3, -0.5, 0.}) {
    rows.back().cases.push_back(other_call(
        "alpha " + std::to_string(alpha), [alpha](const Tensor& x) { return elu(x, alpha); },
        [alpha](double x) { return elu_of(x, alpha); }, {-4, 4, 0.01}));
  }
  rows.back().bad_inputs = {undefined_operand("elu", "x", [] { elu(Tensor()); }),
                            real_into_integers("elu", [] { elu_(ones({2}, kInt64)); })};
  rows.push_back(unary("selu", selu, [](double x) { return 1.0507009873554804935 * elu_of(x, 1.6732632423543772848); },
                       {.a = {-4, 4, 0.01}, .in_place = [](const Tensors& in) { return selu_(in[0]); }, .flops = 20}));
  rows.back().bad_inputs = {undefined_operand("selu", "x", [] { selu(Tensor()); })};
  rows.push_back(unary(
      "celu", [](const Tensor& x) { return celu(x); }, [](double x) { return celu_of(x, 1); },
      {.a = {-4, 4, 0.01}, .in_place = [](const Tensors& in) { return celu_(in[0]); }, .flops = 20}));
  for (const double alpha : {0.3, -0.8}) {
    rows.back().cases.push_back(other_call(
        "alpha " + std::to_string(alpha), [alpha](const Tensor& x) { return celu(x, alpha); },
        [alpha](double x) { return celu_of(x, alpha); }, {-4, 4, 0.01}));
  }
  rows.back().bad_inputs = {undefined_operand("celu", "x", [] { celu(Tensor()); }),
                            bad<ValueError>([] { celu(ones({2}), 0); }, "celu: alpha must not be 0, got 0"),
                            bad<ValueError>([] { celu_(ones({2}), 0); }, "celu_: alpha must not be 0, got 0")};
}

double bounded(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

void bounds(std::vector<Row>& rows) {
  rows.push_back(unary(
      "hardtanh", [](const Tensor& x) { return hardtanh(x); }, [](double x) { return bounded(x, -1, 1); },
      {.in_place = [](const Tensors& in) { return hardtanh_(in[0]); }, .integers = {kInt64, kInt32}}));
  rows.back().cases.push_back(other_call(
      "-2, 1", [](const Tensor& x) { return hardtanh(x, -2, 1); }, [](double x) { return bounded(x, -2, 1); },
      {-4, 4}));
  rows.back().bad_inputs = {
      undefined_operand("hardtanh", "x", [] { hardtanh(Tensor()); }),
      bad<DTypeError>([] { hardtanh(ones({2}, kBool)); }, "hardtanh: bool is not a dtype it takes"),
      bad<ValueError>([] { hardtanh(ones({2}, kUInt8)); },
                      "hardtanh: the bounds of a uint8 tensor must not be negative, got -1 and 1 (did you mean "
                      "x.to(kInt32)?)")};
  rows.push_back(unary("relu6", relu6, [](double x) { return bounded(x, 0, 6); },
                       {.a = {-8, 8},
                        .in_place = [](const Tensors& in) { return relu6_(in[0]); },
                        .integers = {kInt64, kInt32, kUInt8}}));
  rows.back().bad_inputs = {undefined_operand("relu6", "x", [] { relu6(Tensor()); })};
  rows.push_back(unary(
      "threshold", [](const Tensor& x) { return threshold(x, 1, -3); }, [](double x) { return x <= 1 ? -3 : x; },
      {.in_place = [](const Tensors& in) { return threshold_(in[0], 1, -3); }, .integers = {kInt64, kInt32}}));
  rows.back().bad_inputs = {undefined_operand("threshold", "x", [] { threshold(Tensor(), 0, 0); })};
}

void shrinkage(std::vector<Row>& rows) {
  rows.push_back(unary(
      "softshrink", [](const Tensor& x) { return softshrink(x); }, [](double x) { return softshrink_of(x, 0.5); }));
  rows.back().cases.push_back(other_call(
      "lambda 0", [](const Tensor& x) { return softshrink(x, 0); }, [](double x) { return softshrink_of(x, 0); }, {}));
  rows.back().bad_inputs = {
      undefined_operand("softshrink", "x", [] { softshrink(Tensor()); }),
      bad<ValueError>([] { softshrink(ones({2}), -0.5); }, "softshrink: lambda must not be negative, got -0.500000")};
  rows.push_back(unary(
      "hardshrink", [](const Tensor& x) { return hardshrink(x); },
      [](double x) { return std::abs(x) <= 0.5 ? 0 : x; }));
  rows.back().cases.push_back(other_call(
      "lambda 1.25", [](const Tensor& x) { return x.hardshrink(1.25); },
      [](double x) { return std::abs(x) <= 1.25 ? 0 : x; }, {}));
  rows.back().bad_inputs = {undefined_operand("hardshrink", "x", [] { hardshrink(Tensor()); })};
  rows.push_back(unary("tanhshrink", tanhshrink, tanhshrink_of, {.a = {-3, 3}, .flops = 25}));
  rows.back().bad_inputs = {undefined_operand("tanhshrink", "x", [] { tanhshrink(Tensor()); })};
  rows.push_back(unary("softsign", softsign, [](double x) { return x / (1 + std::abs(x)); }, {.a = {.away = 0.01}}));
  rows.back().bad_inputs = {undefined_operand("softsign", "x", [] { softsign(Tensor()); })};
}

Row prelu_row() {
  Row row{.name = "prelu", .cases = {}};
  const auto call = [](const Tensors& in) { return prelu(in[0], in[1]); };
  const auto add = [&](std::vector<Case>& cases, const Shape& x, const Shape& weight) {
    cases.push_back({to_string(x) + " " + to_string(weight),
                     {{.sizes = x, .domain = {.away = 0.01}}, {.sizes = weight}},
                     call,
                     [](const std::vector<Array>& in) {
                       Array y(in[0].sizes);
                       int64_t inner = 1;
                       for (int64_t d = 2; d < y.sizes.size(); ++d) inner *= y.sizes[d];
                       for (int64_t i = 0; i < y.numel(); ++i)
                         y[i] = in[0][i] > 0 ? in[0][i] : in[1][i / inner % in[1].numel()] * in[0][i];
                       return y;
                     },
                     std::max<int64_t>(1, numel_of(x, "case"))});
  };
  for (const Shape& x : {Shape{}, Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{0, 3}}) {
    add(row.cases, x, {1});
    add(row.cases, x, {});
  }
  add(row.cases, {4, 3}, {3});
  add(row.cases, {2, 3, 4}, {3});
  add(row.cases, {2, 3, 2, 2}, {3});
  add(row.cases, {0, 3}, {3});
  add(row.bench, {64, 16, 1024}, {16});
  row.bench.back().reference = {};
  row.bad_inputs = {undefined_operand("prelu", "x", [] { prelu(Tensor(), ones({1})); }),
                    undefined_operand("prelu", "weight", [] { prelu(ones({1}), Tensor()); }),
                    bad<ShapeError>(
                        [] {
                          prelu(ones({2, 3}), ones({2}));
                        },
                        "prelu: weight must have one element, or one per index along dim 1 of x, got weight [2] and x "
                        "[2, 3]"),
                    bad<DTypeError>([] { prelu(ones({2}), ones({1}, kFloat64)); },
                                    "prelu: x and weight must have one floating dtype, got x float32 and weight "
                                    "float64 (did you mean x.to(weight.dtype())?)")};
  return row;
}

Row glu_row() {
  Row row{.name = "glu", .cases = {}};
  const auto add = [&](std::vector<Case>& cases, const Shape& sizes, int64_t dim) {
    cases.push_back({to_string(sizes) + " dim " + std::to_string(dim),
                     {{.sizes = sizes, .domain = {-4, 4}}},
                     [dim](const Tensors& in) { return glu(in[0], dim); },
                     [dim](const std::vector<Array>& in) {
                       const int64_t d = dim < 0 ? dim + in[0].sizes.size() : dim;
                       Shape half = in[0].sizes;
                       half[d] /= 2;
                       Array y(half);
                       int64_t inner = half[d];
                       for (int64_t k = d + 1; k < half.size(); ++k) inner *= half[k];
                       for (int64_t i = 0; i < y.numel(); ++i) {
                         const int64_t a = i / inner * 2 * inner + i % inner;
                         y[i] = in[0][a] * sigmoid_of(in[0][a + inner]);
                       }
                       return y;
                     }});
  };
  add(row.cases, {4}, -1);
  add(row.cases, {3, 6}, -1);
  add(row.cases, {2, 4, 3}, 1);
  add(row.cases, {6, 5}, 0);
  add(row.cases, {0, 4}, 1);
  add(row.cases, {3, 0}, -1);
  add(row.bench, {1024, 1024}, -1);
  row.bench.back().reference = {};
  row.bad_inputs = {undefined_operand("glu", "x", [] { glu(Tensor()); }),
                    bad<ShapeError>([] { glu(ones({})); }, "glu: x must have a dim to halve, got shape []"),
                    bad<ShapeError>(
                        [] {
                          glu(ones({2, 3}));
                        },
                        "glu: the size along dim must be even, got 3 at dim -1 of [2, 3]")};
  return row;
}

}  // namespace

std::vector<Row> activation_rows() {
  std::vector<Row> rows;
  gates(rows);
  rectifiers(rows);
  bounds(rows);
  shrinkage(rows);
  rows.push_back(prelu_row());
  rows.push_back(glu_row());
  return rows;
}

}  // namespace op_cases
