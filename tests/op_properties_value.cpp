// Properties of results: against the reference, on every instruction set, at vector tails and at the ends of the range.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "op_properties_runs.h"

namespace op_properties {
namespace {

constexpr DType kFloating[] = {kFloat64, kFloat32};

void expect_reference(const Case& c, uint64_t seed, const std::string& variant, Findings& findings) {
  for (DType dtype : kFloating) {
    findings.variant(variant.empty() ? name_of(dtype) : std::string(name_of(dtype)) + ", " + variant);
    const Tensors in = sample(c, dtype, seed);
    expect_value(c.f(in), c.reference(values_of(in)), c.terms, findings);
  }
}

const std::vector<double>& extremes() {
  static const double inf = std::numeric_limits<double>::infinity();
  static const std::vector<double> values{0,      -0., inf, -inf, std::nan(""), 1e38, -1e38, 1e-38,
                                          -1e-38, 1,   -1,  88,   100,          -100, 1e4,   1e-8};
  return values;
}

// In place of one element of what is more than elementwise.
const double kPlanted[] = {
    std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 1e30, 1e-30, 0.,
    -0.};

void plant(const Tensor& x, double value) {
  const int64_t middle = x.numel() / 2;
  if (x.dtype() == kFloat64) x.data_ptr<double>()[middle] = value;
  else x.data_ptr<float>()[middle] = static_cast<float>(value);
}

// Result and gradients are those of the first instruction set, or every one refuses: then false.
bool expect_isa_agree(const Case& c, const Tensors& in, Findings& findings) {
  std::optional<Tensors> first;
  std::string refused;
  const std::string variant = findings.variant();
  for_each_isa([&](const char* isa) {
    Tensors all;
    std::string error;
    manual_seed(findings.seed());
    try {
      all = run(c, in);
    } catch (const Error& e) { error = e.what(); }
    if (!first) {
      first = all, refused = error;
      return;
    }
    findings.variant(variant + ", " + isa);
    findings.check(error == refused, [&] { return "\"" + error + "\" instead of \"" + refused + "\""; });
    // Sums of products of operands, some cancelled by others.
    if (error.empty() && refused.empty()) expect_same(all, *first, c.terms, findings, 4);
  });
  findings.variant(variant);
  return refused.empty();
}

// Every extreme, every pair of extremes.
Case at_extremes(const Row& row) {
  const auto count = static_cast<int64_t>(extremes().size());
  Case c = row.cases[0];
  for (size_t i = 0; i < c.args.size(); ++i) {
    c.args[i].sizes = c.args.size() == 1 ? Shape{count} : i == 0 ? Shape{count, 1} : Shape{1, count};
    c.args[i].values = extremes();
  }
  return c;
}

void expect_extremes(const Case& c, DType dtype, Findings& findings) {
  const Tensors in = sample(c, dtype, 0);
  const std::vector<Array> values = values_of(in);
  Array expected = c.reference(values);
  if (dtype == kFloat32) {
    for (double& v : expected.v) v = static_cast<float>(v);
  }
  const Tensor y = c.f(in);
  const Array got = op_cases::values_of(y);
  if (!findings.check(got.numel() == expected.numel(), [] { return "another number of elements"; })) return;
  for (int64_t i = 0; i < got.numel(); ++i) {
    findings.check(close(got[i], expected[i], tolerance(y.dtype(), std::abs(expected[i]), 1)), [&] {
      std::string arguments = number(values[0].at(i, expected.sizes));
      if (values.size() > 1) arguments += ", " + number(values[1].at(i, expected.sizes));
      return "f(" + arguments + ") is " + number(got[i]) + ", the reference says " + number(expected[i]);
    });
  }
}

}  // namespace

void check_value(const Row&, const Case& c, Findings& findings) {
  expect_reference(c, findings.stream(1), "", findings);
}

void check_integers(const Row& row, const Case& c, Findings& findings) {
  for (DType dtype : row.integers) {
    findings.variant(name_of(dtype));
    const Tensors in = sample_integers(c, dtype, findings.stream(2));
    const Array expected = c.reference(values_of(in));
    expect_value(c.f(in), expected, 1, findings);
  }
}

void check_isa(const Row&, const Case& c, Findings& findings) {
  for_each_isa([&](const char* isa) { expect_reference(c, findings.stream(3), isa, findings); });
}

void check_tails(const Row& row, Findings& findings) {
  if (!row.elementwise) return;
  for_each_isa([&](const char* isa) {
    for (int64_t n : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65}) {
      Case c = row.cases[0];
      for (Arg& arg : c.args) arg.sizes = {n};
      expect_reference(c, findings.stream(4), std::string(isa) + ", " + std::to_string(n) + " elements", findings);
    }
  });
}

void check_planted_edges(const Row& row, const Case& c, Findings& findings) {
  if (row.elementwise) return;
  for (size_t i = 0; i < c.args.size(); ++i) {
    if (!c.args[i].differentiable() || numel_of(c.args[i].sizes, "case") == 0) continue;
    for (const double planted : kPlanted) {
      for (DType dtype : kFloating) {
        const Tensors in = sample(c, dtype, findings.stream(17));
        plant(in[i], planted);
        findings.variant(std::string(name_of(dtype)) + ", operand " + std::to_string(i) + " with one " +
                         number(planted));
        // References are not written for infinities, and float32 has no squares of 1e-30.
        if (!expect_isa_agree(c, in, findings) || !(std::abs(planted) < 1) || dtype == kFloat32) continue;
        const Array expected = c.reference(values_of(in));
        const bool finite =
            std::all_of(expected.v.begin(), expected.v.end(), [](double v) { return std::isfinite(v); });
        if (finite) expect_value(c.f(in), expected, c.terms, findings);
      }
    }
  }
}

void check_edges(const Row& row, Findings& findings) {
  if (!row.elementwise || row.cases[0].args.size() > 2) return;
  const Case c = at_extremes(row);
  for_each_isa([&](const char* isa) {
    for (DType dtype : kFloating) {
      findings.variant(std::string(name_of(dtype)) + ", " + isa);
      expect_extremes(c, dtype, findings);
    }
  });
}

}  // namespace op_properties
