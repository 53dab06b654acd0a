// Rows of rounding, remainders, nan_to_num, and the functions of three operands.
#include <limits>

#include "op_cases_functions.h"

namespace op_cases {
namespace {

const std::vector<DType> kInts{kInt64, kInt32, kUInt8};

// A row of a function that leaves integers as they are.
Row rounding_row(const char* name, Tensor (*f)(const Tensor&), Tensor& (*in_place)(const Tensor&),
                 double (*reference)(double)) {
  return unary(name, f, reference,
               {.a = {2.1, 2.4},  // no jump within a difference quotient
                .in_place = [in_place](const Tensors& in) { return in_place(in[0]); },
                .integers = kInts,
                .bad_inputs = {undefined_operand(name, "x", [f] { f(Tensor()); }),
                               bad<DTypeError>([f] { f(ones({2}, kBool)); },
                                               std::string(name) + ": bool is not a dtype it takes")},
                .flops = 1});
}

double remainder_reference(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

Row modulo_row(const char* name, Tensor (*f)(const Tensor&, const Tensor&),
               Tensor (*number)(const Tensor&, const Scalar&), Tensor& (*in_place)(const Tensor&, const Tensor&),
               double (*reference)(double, double)) {
  Row row = binary(name, f, reference,
                   {.a = {2.2, 2.7},  // no jump within a difference quotient
                    .b = {0.95, 1.05},
                    .in_place = [in_place](const Tensors& in) { return in_place(in[0], in[1]); },
                    .bad_inputs = bad_operands(name, f),
                    .flops = 5});
  for (double sign : {1., -1.}) {
    const Domain wide{-40, 40};
    row.cases.push_back(other_call(
        "x, " + std::to_string(sign * 0.75), [=](const Tensor& x) { return number(x, sign * 0.75); },
        [=](double x) { return reference(x, sign * 0.75); }, wide, 0));
    row.cases.push_back(other_call(
        "slope, " + std::to_string(sign), [=](const Tensor& x) { return number(x, sign * 0.75); },
        [=](double x) { return reference(x, sign * 0.75); }, {2.3, 2.7}));
  }
  row.cases.push_back({"wide",
                       {{.sizes = {40, 1}, .domain = {-1e4, 1e4}}, {.sizes = {1, 30}, .domain = {-3, 3}}},
                       [f](const Tensors& in) { return f(in[0], in[1]); },
                       map(reference),
                       1,
                       0});
  const std::string op = name;
  const std::string zero = ": integers must not be divided by 0, got a 0 in b (did you mean b.to(kFloat32)?)";
  row.bad_inputs.push_back(bad<ValueError>([=] { f(tensor({4, 5}), tensor({2, 0})); }, op + zero));
  row.bad_inputs.push_back(bad<ValueError>([=] { number(tensor({4, 5}), 0); }, op + zero));
  row.bad_inputs.push_back(bad<ValueError>([=] { in_place(tensor({4, 5}), tensor({2, 0})); }, op + "_" + zero));
  row.bad_inputs.push_back(bad<DTypeError>([=] { f(ones({2}, kBool), ones({2}, kBool)); },
                                           std::string(name) + ": bool is not a dtype it takes"));
  row.bad_inputs.push_back(real_into_integers(name, [=] { in_place(ones({2}, kInt64), ones({2})); }));
  return row;
}

Row nan_to_num_row() {
  Row row = unary(
      "nan_to_num", [](const Tensor& x) { return nan_to_num(x, 0.5, 1e30, -1e20); },
      [](double x) {
        return std::isnan(x) ? 0.5 : x == HUGE_VAL ? 1e30 : x == -HUGE_VAL ? -1e20 : x;
      },
      {.in_place = [](const Tensors& in) { return nan_to_num_(in[0], 0.5, 1e30, -1e20); },
       .integers = {kInt64, kInt32, kUInt8, kBool},
       .bad_inputs = {undefined_operand("nan_to_num", "x", [] { nan_to_num(Tensor()); })}});
  return row;
}

// Rows of functions of three operands, with several broadcast shapes. The reference gives value and magnitude.
using Three = std::function<std::pair<double, double>(double, double, double)>;

Reference map3(Three f) {
  return [f](const std::vector<Array>& in) {
    Array y(broadcast_shapes(broadcast_shapes(in[0].sizes, in[1].sizes, "reference"), in[2].sizes, "reference"));
    y.magnitude.resize(y.v.size());
    for (int64_t i = 0; i < y.numel(); ++i) {
      const auto [value, magnitude] = f(in[0].at(i, y.sizes), in[1].at(i, y.sizes), in[2].at(i, y.sizes));
      y[i] = value;
      y.magnitude[static_cast<size_t>(i)] = magnitude;
    }
    return y;
  };
}

Row ternary_row(const char* name, Function f, Function in_place, Domain third, Three reference) {
  Row row{.name = name, .cases = {}, .in_place = std::move(in_place), .elementwise = true};
  const auto add = [&](const Shape& x, const Shape& a, const Shape& b) {
    row.cases.push_back({to_string(x) + " " + to_string(a) + " " + to_string(b),
                         {{.sizes = x}, {.sizes = a}, {.sizes = b, .domain = third}},
                         f,
                         map3(reference)});
  };
  add({3, 5}, {3, 5}, {3, 5});
  add({3, 5}, {5}, {3, 1});
  add({3, 5}, {}, {3, 5});
  add({5}, {3, 1}, {3, 5});
  add({}, {7}, {});
  add({}, {}, {});
  add({0}, {1}, {0});
  add({2, 3, 5}, {3, 1}, {1, 1, 5});
  for (int64_t n : {4096, 1000000})
    row.bench.push_back(
        {to_string(Shape{n}), {{.sizes = {n}}, {.sizes = {n}}, {.sizes = {n}, .domain = third}}, f, {}});
  row.flops = [](const Tensors&, const Tensor& y) { return 3 * static_cast<double>(y.numel()); };
  return row;
}

Row lerp_row() {
  const auto reference = [](double s, double e, double w) {
    return std::pair(s + w * (e - s), std::abs(s) + std::abs(e) + std::abs(w * (e - s)));
  };
  Row row = ternary_row(
      "lerp", [](const Tensors& in) { return lerp(in[0], in[1], in[2]); },
      [](const Tensors& in) { return lerp_(in[0], in[1], in[2]); }, {-0.5, 1.5}, reference);
  for (double w : {0.25, 0.75}) {
    row.cases.push_back({"weight " + std::to_string(w),
                         {{.sizes = {3, 5}}, {.sizes = {5}}},
                         [w](const Tensors& in) { return lerp(in[0], in[1], w); },
                         [=](const std::vector<Array>& in) {
                           return map3(reference)({in[0], in[1], Array(Shape{}, {w})});
                         }});
    row.cases.back().own_attributes = true;
  }
  row.bad_inputs = {
      undefined_operand("lerp", "end", [] { lerp(ones({2}), Tensor(), 0.5); }),
      undefined_operand("lerp", "weight", [] { lerp(ones({2}), ones({2}), Tensor()); }),
      bad<DTypeError>([] { lerp(ones({2}, kInt64), ones({2}, kInt64), 0.5); },
                      "lerp: start and end must have one floating dtype, got int64 and int64"),
      bad<DTypeError>([] { lerp(ones({2}), ones({2}, kFloat64), 0.5); },
                      "lerp: start and end must have one floating dtype, got float32 and float64"),
      bad<DTypeError>([] { lerp(ones({2}), ones({2}), ones({2}, kFloat64)); },
                      "lerp: weight must have the dtype of start, which is float32, got float64"),
      bad<ShapeError>([] { lerp(ones({2}), ones({3}), 0.5); },
                      "lerp: shapes [2] and [3] do not broadcast: sizes 2 and 3 at dim -1 differ and neither is 1"),
      bad<ShapeError>(
          [] {
            lerp_(ones({3}), ones({2, 3}), 0.5);
          },
          "lerp_: the result must have the shape written to, which is [3], got an end of shape [2, 3]"),
      bad<DTypeError>([] { lerp_(ones({2}), ones({2}), ones({2}, kFloat64)); },
                      "lerp_: weight must have the dtype of start, which is float32, got float64")};
  return row;
}

Row addcmul_row() {
  Row row = ternary_row(
      "addcmul", [](const Tensors& in) { return addcmul(in[0], in[1], in[2], 2.5); },
      [](const Tensors& in) { return addcmul_(in[0], in[1], in[2], 2.5); }, {},
      [](double x, double a, double b) { return std::pair(x + 2.5 * a * b, std::abs(x) + std::abs(2.5 * a * b)); });
  row.bad_inputs = {
      undefined_operand("addcmul", "b", [] { addcmul(ones({2}), ones({2}), Tensor()); }),
      bad<DTypeError>([] { addcmul(ones({2}, kInt64), ones({2}, kInt64), ones({2}, kInt64), 0.5); },
                      "addcmul: value must be an integer for integer tensors, got 0.500000"),
      bad<DTypeError>([] { addcmul(ones({2}, kBool), ones({2}, kBool), ones({2}, kBool)); },
                      "addcmul: bool is not a dtype it takes"),
      real_into_integers("addcmul", [] { addcmul_(ones({2}, kInt64), ones({2}), ones({2})); }),
      bad<ShapeError>(
          [] {
            addcmul_(ones({3}), ones({2, 3}), ones({3}));
          },
          "addcmul_: the result must have the shape written to, which is [3], got operands of shapes [2, 3] and [3]")};
  return row;
}

Row addcdiv_row() {
  Row row = ternary_row(
      "addcdiv", [](const Tensors& in) { return addcdiv(in[0], in[1], in[2], 2.5); },
      [](const Tensors& in) { return addcdiv_(in[0], in[1], in[2], 2.5); }, {.away = 0.3},
      [](double x, double a, double b) { return std::pair(x + 2.5 * a / b, std::abs(x) + std::abs(2.5 * a / b)); });
  row.bad_inputs = {
      undefined_operand("addcdiv", "a", [] { addcdiv(ones({2}), Tensor(), ones({2})); }),
      bad<DTypeError>([] { addcdiv(ones({2}), ones({2}, kInt64), ones({2}, kInt32)); },
                      "addcdiv: a and b must not both be integers, got int64 and int32 (did you mean a.to(kFloat32)?)"),
      real_into_integers("addcdiv", [] { addcdiv_(ones({2}, kInt64), ones({2}), ones({2})); })};
  return row;
}

}  // namespace

std::vector<Row> rounding_rows() {
  std::vector<Row> rows;
  rows.push_back(rounding_row("floor", tapegrad::floor, floor_, [](double x) { return std::floor(x); }));
  rows.push_back(rounding_row("ceil", tapegrad::ceil, ceil_, [](double x) { return std::ceil(x); }));
  rows.push_back(rounding_row("trunc", tapegrad::trunc, trunc_, [](double x) { return std::trunc(x); }));
  rows.push_back(rounding_row(
      "round", [](const Tensor& x) { return round(x); }, [](const Tensor& x) -> Tensor& { return round_(x); },
      [](double x) { return std::nearbyint(x); }));
  for (Row& row : rows) {
    const Case first = row.cases[0];
    for (Domain domain : {Domain{-9, 9}, Domain{-1e7, 1e7}}) {
      Case wide = first;
      wide.label = "[101] up to " + std::to_string(domain.high);
      wide.args[0] = {.sizes = {101}, .domain = domain};
      wide.order = 0;
      row.cases.push_back(wide);
    }
  }
  rows.back().bad_inputs.push_back(bad<DTypeError>([] { round(ones({2}, kInt64), 1); },
                                                   "round: decimals are for floating point tensors, got int64"));
  rows.push_back(
      unary("frac", tapegrad::frac, [](double x) { return x - std::trunc(x); },
            {.a = {2.1, 2.4},
             .in_place = [](const Tensors& in) { return frac_(in[0]); },
             .bad_inputs = {undefined_operand("frac", "x", [] { frac(Tensor()); }),
                            bad<DTypeError>([] { frac(ones({2}, kInt64)); }, "frac: int64 is not a dtype it takes")}}));
  rows.push_back(modulo_row("fmod", fmod, fmod, fmod_, [](double a, double b) { return std::fmod(a, b); }));
  rows.push_back(modulo_row("remainder", remainder, remainder, remainder_, remainder_reference));
  rows.push_back(nan_to_num_row());
  return rows;
}

std::vector<Row> blend_rows() { return {lerp_row(), addcmul_row(), addcdiv_row()}; }

}  // namespace op_cases
