// Rows of the error and gamma functions, whose references are worked out in long double.
#include "op_cases_functions.h"

namespace op_cases {
namespace {

// Newton's method from the middle on erf, or on erfc where that keeps the digits.
double erfinv_reference(double x) {
  const long double a = std::abs(static_cast<long double>(x));
  if (!(a < 1)) return a == 1 ? std::copysign(HUGE_VAL, x) : std::nan("");
  long double y = a < 0.5L ? a : std::sqrt(-std::log(1 - a));
  for (int step = 0; step < 80; ++step) {
    const long double error = a < 0.5L ? std::erf(y) - a : (1 - a) - std::erfc(y);
    const long double newton = error * std::exp(y * y) * 0.88622692545275801364908374167057L;
    y -= newton / (1 + y * newton);
  }
  return static_cast<double>(std::copysign(y, static_cast<long double>(x)));
}

constexpr long double kPi = 3.14159265358979323846264338327950288L;
// Bernoulli numbers B(2), B(4), ...
constexpr long double kBernoulli[] = {1 / 6.L, -1 / 30.L, 1 / 42.L, -1 / 30.L, 5 / 66.L, -691 / 2730.L, 7 / 6.L};

// The recurrence up to 30, Stirling's series from there.
double digamma_reference(double argument) {
  long double x = argument;
  if (x == 0) return -std::copysign(HUGE_VAL, argument);
  if (x < 0 && std::floor(x) == x) return std::nan("");
  long double y = 0;
  if (x < 0) {
    y = -kPi / std::tan(kPi * (x - std::round(x)));
    x = 1 - x;
  }
  for (; x < 30; x += 1) y -= 1 / x;
  long double power = 1 / (x * x), z = power;
  for (int j = 0; j < 7; ++j, power *= z) y -= kBernoulli[j] / static_cast<long double>(2 * j + 2) * power;
  return static_cast<double>(y + std::log(x) - 0.5L / x);
}

// Terms n! / (x + k)^(n + 1) one by one up to x + k >= 60, the rest by Euler and Maclaurin's formula.
std::function<double(double)> polygamma_reference(int n) {
  return [n](double argument) {
    const long double sign = n % 2 ? 1 : -1, s = n + 1;
    long double x = argument, sum = 0;
    if (std::isinf(argument) && x > 0) return 0.;
    if (x <= 0 && std::floor(x) == x) return static_cast<double>(sign) * HUGE_VAL;
    const auto term = [n](long double base) {
      long double y = 1 / base;
      for (int k = 1; k <= n; ++k) y *= static_cast<long double>(k) / base;
      return y;
    };
    for (; x < 60; x += 1) sum += term(x);
    long double tail = x / (s - 1) + 0.5L, factor = s / x, factorial = 2;
    for (int j = 0; j < 7; ++j) {
      tail += kBernoulli[j] / factorial * factor;
      factor *= (s + 2 * j + 1) * (s + 2 * j + 2) / (x * x);
      factorial *= static_cast<long double>((2 * j + 3) * (2 * j + 4));
    }
    return static_cast<double>(sign * (sum + term(x) * tail));
  };
}

Row polygamma_row() {
  Row row = unary(
      "polygamma", [](const Tensor& x) { return polygamma(1, x); }, polygamma_reference(1),
      {.a = {0.3, 5},
       .in_place = [](const Tensors& in) { return polygamma_(in[0], 1); },
       .bad_inputs = {undefined_operand("polygamma", "x", [] { polygamma(1, Tensor()); }),
                      bad<ValueError>([] { polygamma(-1, ones({2})); }, "polygamma: n must not be negative, got -1"),
                      bad<ValueError>([] { polygamma_(ones({2}), -2); }, "polygamma_: n must not be negative, got -2"),
                      real_into_integers("polygamma", [] { polygamma_(ones({2}, kInt64), 1); })},
       .flops = 100});
  bench_small(row);
  const auto add = [&](const std::string& label, int n, Domain domain) {
    const auto reference = n == 0 ? std::function<double(double)>(digamma_reference) : polygamma_reference(n);
    row.cases.push_back(other_call(
        label, [n](const Tensor& x) { return polygamma(n, x); }, reference, domain));
  };
  add("n = 0", 0, {2, 5});
  add("n = 2", 2, {0.3, 5});
  add("n = 3", 3, {0.3, 5});
  add("n = 7", 7, {1, 5});
  add("n = 1 below 0", 1, {-3.8, -3.2});
  add("n = 2 below 0", 2, {-3.35, -3.15});
  add("n = 1 far from 0", 1, {100, 1000});
  return row;
}

}  // namespace

std::vector<Row> special_rows() {
  std::vector<Row> rows;
  const auto other = [&](const char* label, Tensor (*f)(const Tensor&), double (*reference)(double), Domain domain,
                         int order = 3) {
    rows.back().cases.push_back(other_call(label, f, reference, domain, order));
  };
  rows.push_back(function_row({"erf", tapegrad::erf, erf_, [](double x) { return std::erf(x); }, {-3, 3}, 40}));
  other(
      "next to 0", tapegrad::erf, [](double x) { return std::erf(x); }, {-1e-7, 1e-7}, 0);
  rows.push_back(function_row({"erfc", tapegrad::erfc, erfc_, [](double x) { return std::erfc(x); }, {-2, 3}, 40}));
  other(
      "its tail", tapegrad::erfc, [](double x) { return std::erfc(x); }, {3, 9}, 0);
  rows.push_back(slow_function_row({"erfinv", erfinv, erfinv_, erfinv_reference, {-0.9, 0.9}}));
  other("next to 1", erfinv, erfinv_reference, {0.999, 1}, 0);
  rows.push_back(
      slow_function_row({"lgamma", tapegrad::lgamma, lgamma_, [](double x) { return std::lgamma(x); }, {0.3, 5}}));
  other("below 0", tapegrad::lgamma, [](double x) { return std::lgamma(x); }, {-3.8, -3.3});
  rows.push_back(slow_function_row({"digamma", digamma, digamma_, digamma_reference, {0.3, 5}}));
  other("below 0", digamma, digamma_reference, {-3.3, -3.1});
  other("next to its root", digamma, digamma_reference, {1.40, 1.45}, 0);
  rows.push_back(polygamma_row());
  return rows;
}

}  // namespace op_cases
