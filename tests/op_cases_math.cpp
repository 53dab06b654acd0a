// Rows of exponentials, logarithms, reciprocals, trigonometric and hyperbolic functions.
#include "op_cases_functions.h"

namespace op_cases {

BadInput undefined_operand(const std::string& op, const char* argument, std::function<void()> call) {
  return bad<ValueError>(std::move(call),
                         op + ": " + argument + " must be defined, got an undefined tensor (Tensor())");
}

BadInput real_into_integers(const std::string& op, std::function<void()> call) {
  return bad<DTypeError>(
      std::move(call),
      op + "_: the result is float32 and cannot be written in place into int64 (use the form without _)");
}

std::vector<BadInput> bad_operands(const std::string& op, Tensor (*f)(const Tensor&, const Tensor&)) {
  return {bad<ShapeError>(
              [f] {
                f(ones({2, 3}), ones({4, 3}));
              },
              op + ": shapes [2, 3] and [4, 3] do not broadcast: sizes 2 and 4 at dim -2 differ and neither is 1"),
          undefined_operand(op, "a", [f] { f(Tensor(), ones({2})); }),
          undefined_operand(op, "b", [f] { f(ones({2}), Tensor()); })};
}

Case other_call(const std::string& label, std::function<Tensor(const Tensor&)> f,
                std::function<double(double)> reference, Domain domain, int order) {
  return {label,
          {{.sizes = {3, 5}, .domain = domain}},
          [f](const Tensors& in) { return f(in[0]); },
          map(reference),
          1,
          order,
          true};
}

Row function_row(const FunctionRow& r) {
  const auto in_place = r.in_place;
  Row row = unary(r.name, r.f, r.reference,
                  {.a = r.domain,
                   .in_place = [in_place](const Tensors& in) { return in_place(in[0]); },
                   .bad_inputs = {undefined_operand(r.name, "x", [f = r.f] { f(Tensor()); }),
                                  undefined_operand(std::string(r.name) + "_", "x", [in_place] { in_place(Tensor()); }),
                                  real_into_integers(r.name, [in_place] { in_place(ones({2}, kInt64)); })},
                   .flops = r.flops});
  // Integers become float32 first.
  const Domain whole{std::ceil(r.domain.low), std::floor(r.domain.high) + 1};
  for (DType dtype : {kInt64, kInt32, kUInt8, kBool}) {
    const Domain domain = dtype == kBool    ? Domain{0, 2}
                          : dtype == kUInt8 ? Domain{std::max(0., whole.low), std::max(1., whole.high)}
                                            : whole;
    const auto f = r.f;
    row.cases.push_back({std::string("of ") + name_of(dtype),
                         {{.sizes = {7}, .domain = domain, .dtype = dtype}},
                         [f](const Tensors& in) { return f(in[0]); },
                         map(r.reference),
                         1,
                         0,
                         true});
  }
  return row;
}

void bench_small(Row& row) {
  for (Case& c : row.bench) {
    for (Arg& arg : c.args) {
      if (arg.sizes[0] > 100000) arg.sizes = {100000};
    }
  }
  if (row.bench.size() > 2) row.bench.resize(2);
  for (Case& c : row.bench) c.label = to_string(c.args[0].sizes);
}

Row slow_function_row(const FunctionRow& r) {
  Row row = function_row(r);
  bench_small(row);
  return row;
}

std::vector<Row> math_rows() {
  std::vector<Row> rows;
  rows.push_back(function_row({"expm1", tapegrad::expm1, expm1_, [](double x) { return std::expm1(x); }, {-3, 3}}));
  rows.back().cases.push_back(other_call(
      "next to 0", [](const Tensor& x) { return expm1(x); }, [](double x) { return std::expm1(x); }, {-1e-7, 1e-7}, 0));
  rows.push_back(function_row({"exp2", tapegrad::exp2, exp2_, [](double x) { return std::exp2(x); }, {-3, 3}}));
  rows.back().cases.push_back(other_call(
      "over the range", [](const Tensor& x) { return exp2(x); }, [](double x) { return std::exp2(x); }, {-125, 127},
      0));
  rows.push_back(function_row({"log1p", tapegrad::log1p, log1p_, [](double x) { return std::log1p(x); }, {-0.8, 4}}));
  rows.back().cases.push_back(other_call(
      "next to 0", [](const Tensor& x) { return log1p(x); }, [](double x) { return std::log1p(x); }, {-1e-7, 1e-7}, 0));
  rows.push_back(function_row({"log2", tapegrad::log2, log2_, [](double x) { return std::log2(x); }, {0.1, 5}}));
  rows.push_back(function_row({"log10", tapegrad::log10, log10_, [](double x) { return std::log10(x); }, {0.1, 5}}));
  rows.push_back(function_row({"rsqrt", rsqrt, rsqrt_, [](double x) { return 1 / std::sqrt(x); }, {0.1, 5}, 5}));
  rows.push_back(
      function_row({"reciprocal", reciprocal, reciprocal_, [](double x) { return 1 / x; }, {.away = 0.3}, 1}));
  return rows;
}

std::vector<Row> trigonometry_rows() {
  std::vector<Row> rows;
  const auto far = [&](Tensor (*f)(const Tensor&), double (*reference)(double)) {
    rows.back().cases.push_back(other_call("far from 0", f, reference, {-1e5, 1e5}, 0));
    rows.back().cases.push_back(other_call("very far from 0", f, reference, {1e6, 1e9}, 0));
  };
  const auto row = [&](const FunctionRow& r) { rows.push_back(function_row(r)); };
  const auto slow = [&](const FunctionRow& r) { rows.push_back(slow_function_row(r)); };
  row({"sin", tapegrad::sin, sin_, [](double x) { return std::sin(x); }});
  far(tapegrad::sin, [](double x) { return std::sin(x); });
  row({"cos", tapegrad::cos, cos_, [](double x) { return std::cos(x); }, {-1.4, 4}});
  far(tapegrad::cos, [](double x) { return std::cos(x); });
  row({"tan", tapegrad::tan, tan_, [](double x) { return std::tan(x); }, {-1.2, 1.2}});
  far(tapegrad::tan, [](double x) { return std::tan(x); });
  slow({"asin", tapegrad::asin, asin_, [](double x) { return std::asin(x); }, {-0.9, 0.9}});
  slow({"acos", tapegrad::acos, acos_, [](double x) { return std::acos(x); }, {-0.9, 0.9}});
  slow({"atan", tapegrad::atan, atan_, [](double x) { return std::atan(x); }});
  slow({"sinh", tapegrad::sinh, sinh_, [](double x) { return std::sinh(x); }});
  slow({"cosh", tapegrad::cosh, cosh_, [](double x) { return std::cosh(x); }});
  const auto log_cosh_of = [](double x) {
    const double a = std::abs(x);
    return a < 1 ? -0.5 * std::log1p(-std::tanh(a) * std::tanh(a)) : a + std::log1p(std::exp(-2 * a)) - std::log(2.);
  };
  slow({"log_cosh", log_cosh, log_cosh_, log_cosh_of});
  rows.back().cases.push_back(other_call("far from 0", log_cosh, log_cosh_of, {-1e4, 1e4}));
  rows.back().cases.push_back(other_call("next to 0", log_cosh, log_cosh_of, {-1e-7, 1e-7}, 0));
  slow({"asinh", tapegrad::asinh, asinh_, [](double x) { return std::asinh(x); }});
  slow({"acosh", tapegrad::acosh, acosh_, [](double x) { return std::acosh(x); }, {1.2, 5}});
  slow({"atanh", tapegrad::atanh, atanh_, [](double x) { return std::atanh(x); }, {-0.9, 0.9}});
  Row atan2_row = binary("atan2", tapegrad::atan2, [](double a, double b) { return std::atan2(a, b); },
                         {.a = {.away = 0.3},
                          .b = {.away = 0.3},
                          .in_place = [](const Tensors& in) { return atan2_(in[0], in[1]); },
                          .bad_inputs = bad_operands("atan2", tapegrad::atan2),
                          .flops = 20});
  atan2_row.bad_inputs.push_back(real_into_integers("atan2", [] { atan2_(ones({2}, kInt64), ones({2}, kInt64)); }));
  bench_small(atan2_row);
  rows.push_back(atan2_row);
  Row hypot_row = binary("hypot", tapegrad::hypot, [](double a, double b) { return std::hypot(a, b); },
                         {.a = {.away = 0.3},
                          .b = {.away = 0.3},
                          .in_place = [](const Tensors& in) { return hypot_(in[0], in[1]); },
                          .bad_inputs = bad_operands("hypot", tapegrad::hypot),
                          .flops = 5});
  hypot_row.bad_inputs.push_back(
      bad<DTypeError>([] { hypot(ones({2}, kInt64), ones({2}, kInt64)); }, "hypot: int64 is not a dtype it takes"));
  rows.push_back(hypot_row);
  return rows;
}

}  // namespace op_cases
