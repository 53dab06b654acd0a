// Rows of the elementwise operations: arithmetic, functions of one number, activations.
#include "op_cases_functions.h"

namespace op_cases {
namespace {

constexpr DType kInts[] = {kInt64, kInt32, kUInt8};
const std::vector<DType> kAllInts(std::begin(kInts), std::end(kInts));
const std::vector<DType> kAllAndBool{kInt64, kInt32, kUInt8, kBool};

std::vector<BadInput> bad_one(const std::string& op, Tensor (*f)(const Tensor&)) {
  return {undefined_operand(op, "x", [f] { f(Tensor()); })};
}

Tensor add2(const Tensor& a, const Tensor& b) { return add(a, b); }
Tensor sub2(const Tensor& a, const Tensor& b) { return sub(a, b); }
Tensor mul2(const Tensor& a, const Tensor& b) { return mul(a, b); }
Tensor div2(const Tensor& a, const Tensor& b) { return div(a, b); }
Tensor pow2(const Tensor& a, const Tensor& b) { return pow(a, b); }

void arithmetic(std::vector<Row>& rows) {
  Row row = binary("add", add2, [](double a, double b) { return a + b; },
                   {.in_place = [](const Tensors& in) { return add_(in[0], in[1]); },
                    .integers = kAllInts,
                    .bad_inputs = bad_operands("add", add2)});
  row.cases.push_back(other_call(
      "x + 2.5", [](const Tensor& x) { return x + 2.5; }, [](double x) { return x + 2.5; }));
  row.cases.push_back(other_call(
      "alpha", [](const Tensor& x) { return add(x, x, 3); }, [](double x) { return x + 3 * x; }));
  row.bad_inputs.push_back(
      bad<DTypeError>([] { add(ones({2}, kInt64), ones({2}, kInt64), 0.5); },
                      "add: alpha must be an integer for integer tensors, got a floating point number"));
  rows.push_back(row);
  row = binary("sub", sub2, [](double a, double b) { return a - b; },
               {.in_place = [](const Tensors& in) { return sub_(in[0], in[1]); },
                .integers = {kInt64, kInt32},
                .bad_inputs = bad_operands("sub", sub2)});
  row.cases.push_back(other_call(
      "x - 2.5", [](const Tensor& x) { return x - 2.5; }, [](double x) { return x - 2.5; }));
  row.cases.push_back(other_call(
      "2.5 - x", [](const Tensor& x) { return 2.5 - x; }, [](double x) { return 2.5 - x; }));
  row.bad_inputs.push_back(
      bad<DTypeError>([] { sub(ones({2}, kBool), ones({2}, kBool)); },
                      "sub: bool is not a dtype it takes (did you mean logical_not() or operator !=?)"));
  rows.push_back(row);
  row = binary("mul", mul2, [](double a, double b) { return a * b; },
               {.in_place = [](const Tensors& in) { return mul_(in[0], in[1]); },
                .integers = kAllInts,
                .bad_inputs = bad_operands("mul", mul2)});
  row.cases.push_back(other_call(
      "x * 2.5", [](const Tensor& x) { return x * 2.5; }, [](double x) { return x * 2.5; }));
  rows.push_back(row);
  row = binary("div", div2, [](double a, double b) { return a / b; },
               {.b = {.away = 0.3},
                .in_place = [](const Tensors& in) { return div_(in[0], in[1]); },
                .bad_inputs = bad_operands("div", div2)});
  row.cases.push_back(other_call(
      "x / 2.5", [](const Tensor& x) { return x / 2.5; }, [](double x) { return x / 2.5; }));
  row.cases.push_back(other_call(
      "2.5 / x", [](const Tensor& x) { return 2.5 / x; }, [](double x) { return 2.5 / x; }, {.away = 0.3}));
  row.bad_inputs.push_back(bad<DTypeError>(
      [] { div_(ones({2}, kInt64), ones({2}, kInt64)); },
      "div_: the result is float32 and cannot be written in place into int64 (use the form without _)"));
  rows.push_back(row);
  row = binary(
      "pow", pow2, [](double a, double b) { return std::pow(a, b); },
      {.a = {0.2, 2}, .b = {-2, 2}, .in_place = [](const Tensors& in) { return pow_(in[0], in[1]); }, .flops = 20});
  row.cases.push_back(other_call(
      "x^3", [](const Tensor& x) { return pow(x, 3); }, [](double x) { return x * x * x; }));
  row.cases.push_back(other_call(
      "x^0", [](const Tensor& x) { return pow(x, 0); }, [](double) { return 1; }));
  row.cases.push_back(other_call(
      "x^-1.5", [](const Tensor& x) { return pow(x, -1.5); }, [](double x) { return std::pow(x, -1.5); }, {0.2, 2}));
  row.cases.push_back(other_call(
      "2.5^x", [](const Tensor& x) { return pow(2.5, x); }, [](double x) { return std::pow(2.5, x); }));
  row.bad_inputs = {bad<ValueError>(
      [] { pow(ones({2}, kInt64), -1); },
      "pow: an integer tensor cannot be raised to a negative integer, got exponent -1 (did you mean to(kFloat32)?)")};
  rows.push_back(row);
  rows.push_back(binary("maximum", maximum, [](double a, double b) { return std::isnan(a) || a > b ? a : b; },
                        {.integers = kAllAndBool, .bad_inputs = bad_operands("maximum", maximum)}));
  rows.push_back(binary("minimum", minimum, [](double a, double b) { return std::isnan(a) || a < b ? a : b; },
                        {.integers = kAllAndBool, .bad_inputs = bad_operands("minimum", minimum)}));
}

// clamp by tensors of these shapes, both bounds on one side of each other or crossed.
void add_tensor_bounds(Row& row) {
  const auto add = [&](const Shape& x, const Shape& lo, const Shape& hi, Domain low, Domain high) {
    row.cases.push_back({to_string(x) + " " + to_string(lo) + " " + to_string(hi),
                         {{.sizes = x}, {.sizes = lo, .domain = low}, {.sizes = hi, .domain = high}},
                         [](const Tensors& in) { return clamp(in[0], in[1], in[2]); },
                         [](const std::vector<Array>& in) {
                           const Shape both = broadcast_shapes(in[0].sizes, in[1].sizes, "reference");
                           Array y(broadcast_shapes(both, in[2].sizes, "reference"));
                           for (int64_t i = 0; i < y.numel(); ++i)
                             y[i] =
                                 std::min(std::max(in[0].at(i, y.sizes), in[1].at(i, y.sizes)), in[2].at(i, y.sizes));
                           return y;
                         }});
    row.cases.back().own_attributes = true;
  };
  add({3, 5}, {3, 5}, {3, 5}, {-2, -0.1}, {0.1, 2});
  add({3, 5}, {5}, {3, 1}, {-2, -0.1}, {0.1, 2});
  add({5}, {3, 1}, {}, {-2, 2}, {-2, 2});
  add({3, 0}, {1}, {3, 0}, {}, {});
  row.bad_inputs.push_back(undefined_operand("clamp", "max", [] { clamp(ones({2}), ones({2}), Tensor()); }));
  row.bad_inputs.push_back(
      bad<ShapeError>([] { clamp(ones({2}), {}, ones({3})); },
                      "clamp: shapes [2] and [3] do not broadcast: sizes 2 and 3 at dim -1 differ and neither is 1"));
  row.bad_inputs.push_back(
      bad<DTypeError>([] { clamp(ones({2}, kBool), false, true); }, "clamp: bool is not a dtype it takes"));
}

void functions(std::vector<Row>& rows) {
  const auto row = [&](const char* name, Tensor (*f)(const Tensor&), double (*reference)(double), Domain domain,
                       double flops, Tensor& (*in_place)(const Tensor&) = nullptr,
                       const std::vector<DType>& integers = {}) {
    rows.push_back(
        unary(name, f, reference,
              {.a = domain,
               .in_place = in_place ? Function([in_place](const Tensors& in) { return in_place(in[0]); }) : Function(),
               .integers = integers,
               .bad_inputs = bad_one(name, f),
               .flops = flops}));
  };
  row("neg", neg, [](double x) { return -x; }, {}, 1, neg_, {kInt64, kInt32});
  row(
      "square", square, [](double x) { return x * x; }, {}, 1, square_, kAllInts);
  row(
      "exp", tapegrad::exp, [](double x) { return std::exp(x); }, {-3, 3}, 20, exp_);
  row(
      "log", tapegrad::log, [](double x) { return std::log(x); }, {0.1, 5}, 20, log_);
  row(
      "sqrt", tapegrad::sqrt, [](double x) { return std::sqrt(x); }, {0.1, 5}, 4, sqrt_);
  row("abs", tapegrad::abs, [](double x) { return std::abs(x); }, {.away = 0.01}, 1, abs_, {kInt64, kInt32});
  row(
      "sign", sign, [](double x) { return x > 0   ? 1.
                                          : x < 0 ? -1.
                                                  : x; }, {.away = 0.01}, 1, sign_, kAllAndBool);
  row(
      "sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, {-5, 5}, 25, sigmoid_);
  row(
      "tanh", tapegrad::tanh, [](double x) { return std::tanh(x); }, {-3, 3}, 25, tanh_);
  row("relu", relu, [](double x) { return x > 0 || std::isnan(x) ? x : 0; }, {.away = 0.01}, 1, relu_,
      {kInt64, kInt32});
  rows.push_back(unary(
      "leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); }, [](double x) { return x > 0 ? x : 0.2 * x; },
      {.a = {.away = 0.01}, .in_place = [](const Tensors& in) { return leaky_relu_(in[0], 0.2); }}));
  Row softplus_row = unary(
      "softplus", [](const Tensor& x) { return softplus(x); },
      [](double x) { return x > 20 ? x : std::log1p(std::exp(x)); }, {.a = {-4, 4}, .flops = 40});
  softplus_row.cases.push_back(other_call(
      "beta 3, threshold 6", [](const Tensor& x) { return softplus(x, 3, 6); },
      [](double x) { return 3 * x > 6 ? x : std::log1p(std::exp(3 * x)) / 3; }, {-4, 4}));
  softplus_row.bad_inputs = {bad<ValueError>([] { softplus(ones({2}), 0); }, "softplus: beta must not be 0")};
  rows.push_back(softplus_row);
  Row clamp_row = unary(
      "clamp", [](const Tensor& x) { return clamp(x, -1, 0.75); },
      [](double x) { return x < -1     ? -1
                            : x > 0.75 ? 0.75
                                       : x; },
      {.in_place = [](const Tensors& in) { return clamp_(in[0], -1, 0.75); }});
  clamp_row.cases.push_back(other_call(
      "lower bound", [](const Tensor& x) { return clamp(x, 0.5); }, [](double x) { return x < 0.5 ? 0.5 : x; }));
  clamp_row.cases.push_back(other_call(
      "upper bound", [](const Tensor& x) { return clamp(x, {}, 0.5); }, [](double x) { return x > 0.5 ? 0.5 : x; }));
  clamp_row.bad_inputs = {
      bad<ValueError>([] { clamp(ones({2})); }, "clamp: at least one of min and max must be given, got neither")};
  add_tensor_bounds(clamp_row);
  rows.push_back(clamp_row);
}

void clamps(std::vector<Row>& rows) {
  Row least = binary(
      "clamp_min", [](const Tensor& x, const Tensor& lo) { return clamp_min(x, lo); },
      [](double x, double lo) { return std::isnan(x) || x > lo ? x : lo; }, {.integers = kAllInts});
  least.cases.push_back(other_call(
      "0.5", [](const Tensor& x) { return clamp_min(x, 0.5); }, [](double x) { return x < 0.5 ? 0.5 : x; }));
  least.bad_inputs = {undefined_operand("clamp_min", "x", [] { clamp_min(Tensor(), ones({2})); }),
                      undefined_operand("clamp_min", "x", [] { clamp_min(Tensor(), 1); }),
                      undefined_operand("clamp_min", "min", [] { clamp_min(ones({2}), Tensor()); })};
  rows.push_back(least);
  Row most = binary(
      "clamp_max", [](const Tensor& x, const Tensor& hi) { return clamp_max(x, hi); },
      [](double x, double hi) { return std::isnan(x) || x < hi ? x : hi; }, {.integers = kAllInts});
  most.cases.push_back(other_call(
      "0.5", [](const Tensor& x) { return clamp_max(x, 0.5); }, [](double x) { return x > 0.5 ? 0.5 : x; }));
  most.bad_inputs = {undefined_operand("clamp_max", "x", [] { clamp_max(Tensor(), ones({2})); }),
                     undefined_operand("clamp_max", "x", [] { clamp_max(Tensor(), 1); }),
                     undefined_operand("clamp_max", "max", [] { clamp_max(ones({2}), Tensor()); }),
                     bad<DTypeError>([] { clamp_max(ones({2}, kBool), ones({2}, kBool)); },
                                     "clamp_max: bool is not a dtype it takes")};
  rows.push_back(most);
}

Row where_row() {
  Row row{.name = "where", .cases = {}};
  const auto add = [&](const Shape& c, const Shape& a, const Shape& b) {
    row.cases.push_back(
        {to_string(c) + " " + to_string(a) + " " + to_string(b),
         {{.sizes = c, .domain = {0, 2}, .dtype = kBool}, {.sizes = a}, {.sizes = b}},
         [](const Tensors& in) { return where(in[0], in[1], in[2]); },
         [](const std::vector<Array>& in) {
           Array y(broadcast_shapes(broadcast_shapes(in[0].sizes, in[1].sizes, "reference"), in[2].sizes, "reference"));
           for (int64_t i = 0; i < y.numel(); ++i)
             y[i] = in[0].at(i, y.sizes) != 0 ? in[1].at(i, y.sizes) : in[2].at(i, y.sizes);
           return y;
         }});
  };
  add({3, 5}, {3, 5}, {3, 5});
  add({5}, {3, 1}, {3, 5});
  add({}, {7}, {});
  add({3, 1}, {}, {1, 4});
  add({0}, {1}, {0});
  const std::vector<Arg> number{{.sizes = {3, 5}, .domain = {0, 2}, .dtype = kBool}, {.sizes = {3, 5}}};
  const auto choose = [](double otherwise, bool first) {
    return [=](const std::vector<Array>& in) {
      Array y(in[1].sizes);
      for (int64_t i = 0; i < y.numel(); ++i) y[i] = (in[0][i] != 0) == first ? in[1][i] : otherwise;
      return y;
    };
  };
  row.cases.push_back(
      {"a, 1.5", number, [](const Tensors& in) { return where(in[0], in[1], 1.5); }, choose(1.5, true)});
  row.cases.push_back(
      {"1.5, b", number, [](const Tensors& in) { return where(in[0], 1.5, in[1]); }, choose(1.5, false)});
  row.cases.push_back(
      {"1.5, -2", {number[0]}, [](const Tensors& in) { return where(in[0], 1.5, -2); }, map([](double c) {
         return c != 0 ? 1.5 : -2.;
       })});
  row.bad_inputs = {
      bad<DTypeError>([] { where(ones({2}), ones({2}), ones({2})); },
                      "where: condition must be bool, got float32 (did you mean condition != 0?)"),
      bad<ShapeError>([] { where(ones({2}, kBool), ones({3}), ones({3})); },
                      "where: shapes [2] and [3] do not broadcast: sizes 2 and 3 at dim -1 differ and neither is 1")};
  return row;
}

}  // namespace

std::vector<Row> elementwise_rows() {
  std::vector<Row> rows;
  arithmetic(rows);
  functions(rows);
  clamps(rows);
  rows.push_back(where_row());
  return rows;
}

std::vector<Row> compare_rows() {
  std::vector<Row> rows;
  const auto row = [&](const char* name, Tensor (*f)(const Tensor&, const Tensor&),
                       Tensor (*number)(const Tensor&, const Scalar&),
                       std::function<double(double, double)> reference) {
    Row r = binary(name, f, reference,
                   {.a = {-3, 3},
                    .b = {-3, 3},
                    .integers = {kInt64, kInt32, kUInt8, kBool},
                    .bad_inputs = bad_operands(name, f),
                    .order = 0});
    r.cases.push_back(other_call(
        "0.5", [number](const Tensor& x) { return number(x, 0.5); },
        [reference](double x) { return reference(x, 0.5); }));
    r.cases.back().order = 0;
    rows.push_back(std::move(r));
  };
  row("eq", eq, eq, [](double a, double b) { return a == b; });
  row("ne", ne, ne, [](double a, double b) { return a != b; });
  row("lt", lt, lt, [](double a, double b) { return a < b; });
  row("le", le, le, [](double a, double b) { return a <= b; });
  row("gt", gt, gt, [](double a, double b) { return a > b; });
  row("ge", ge, ge, [](double a, double b) { return a >= b; });
  rows.push_back(
      binary("logical_and", logical_and, [](double a, double b) { return a != 0 && b != 0; },
             {.integers = {kInt64, kBool}, .bad_inputs = bad_operands("logical_and", logical_and), .order = 0}));
  rows.push_back(
      binary("logical_or", logical_or, [](double a, double b) { return a != 0 || b != 0; },
             {.integers = {kInt64, kBool}, .bad_inputs = bad_operands("logical_or", logical_or), .order = 0}));
  rows.push_back(
      binary("logical_xor", logical_xor, [](double a, double b) { return (a != 0) != (b != 0); },
             {.integers = {kInt64, kBool}, .bad_inputs = bad_operands("logical_xor", logical_xor), .order = 0}));
  const char* const hint =
      " must be bool, got int64 (bitwise operations on integers are not offered; did you mean "
      "logical_and() or its kin?)";
  rows.back().bad_inputs.push_back(bad<DTypeError>([] { ~ones({2}, kInt64); }, std::string("operator ~: x") + hint));
  rows.back().bad_inputs.push_back(
      bad<DTypeError>([] { ones({2}, kBool) & ones({2}, kInt64); }, std::string("operator &: b") + hint));
  rows.back().bad_inputs.push_back(
      bad<DTypeError>([] { ones({2}, kInt64) | ones({2}, kInt64); }, std::string("operator |: a") + hint));
  rows.back().bad_inputs.push_back(
      bad<DTypeError>([] { ones({2}, kInt64) ^ ones({2}, kBool); }, std::string("operator ^: a") + hint));
  const auto test = [&](const char* name, Tensor (*f)(const Tensor&), double (*reference)(double)) {
    rows.push_back(unary(name, f, reference,
                         {.integers = {kInt64, kInt32, kUInt8, kBool}, .bad_inputs = bad_one(name, f), .order = 0}));
  };
  test("isnan", tapegrad::isnan, [](double x) { return std::isnan(x) ? 1. : 0.; });
  test("isinf", tapegrad::isinf, [](double x) { return std::isinf(x) ? 1. : 0.; });
  test("isfinite", tapegrad::isfinite, [](double x) { return std::isfinite(x) ? 1. : 0.; });
  test("logical_not", logical_not, [](double x) { return x == 0 ? 1. : 0.; });
  return rows;
}

}  // namespace op_cases
