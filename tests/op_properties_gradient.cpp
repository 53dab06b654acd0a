// Properties of gradients: every order and both modes against differences, float32 against float64, fused against plain.
#include <algorithm>
#include <cmath>
#include <limits>

#include "op_properties_runs.h"
#include "tapegrad/autograd/check/gradcheck.h"
#include "tapegrad/core/parallel.h"

namespace op_properties {
namespace {

// Above this many elements, differences are left to smaller cases of the row.
constexpr int64_t kLargest = 3000;
// Elements of the benchmarks' cases that are worth the time in float64.
constexpr int64_t kLargestTimed = 2100000;

Tensors checked_leaves(const Case& c, DType dtype, uint64_t seed) { return leaves_of(c, sample(c, dtype, seed)); }

GradcheckOptions options_of(const Row& row, const Findings& findings) {
  GradcheckOptions options{.seed = findings.seed(), .kinks = Kinks::accept, .layout_sensitive = row.needs_contiguous};
  return options;
}

void expect_passes(GradcheckFunction f, const Tensors& leaves, const GradcheckOptions& options, Findings& findings) {
  const GradcheckReport report = gradcheck_report(f, leaves, options);
  findings.count(report.checked);
  findings.check(report.ok(), [&] { return report.text(); });
  for (const std::string& note : report.notes)
    findings.check(note.find("forward mode was not checked") == std::string::npos, [&] { return note; });
}

// Second order alone.
GradcheckOptions only_order_two(GradcheckOptions options) {
  options.order = 2;
  options.numeric = options.consistency = options.forward = false;
  return options;
}

// (x, w) -> the gradients of <w, f(x)> by x, recorded.
struct FirstGradient {
  const Function& f;
  std::vector<size_t> wanted;

  Tensors operator()(const Tensors& in) const {
    Tensors x(in.begin(), in.end() - 1);
    Tensors by;
    for (size_t i : wanted) {
      if (!x[i].requires_grad()) x[i] = x[i].detach().requires_grad_();
      by.push_back(x[i]);
    }
    Tensors g = autograd::grad({f(x)}, by, {in.back()}, true, true, true);
    for (size_t k = 0; k < g.size(); ++k) {
      if (!g[k].defined()) g[k] = zeros_like(by[k]);
    }
    return g;
  }
};

// Third derivatives: the second ones of the first gradient.
void expect_order_three(const Case& c, const Tensors& leaves, const GradcheckOptions& options, Findings& findings) {
  FirstGradient gradient{c.f, {}};
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].requires_grad()) gradient.wanted.push_back(i);
  }
  Tensors in = leaves;
  in.push_back(cotangent(c.f(leaves)).requires_grad_());
  expect_passes(gradient, in, only_order_two(options), findings);
}

// The op with a rule that multiplies by the Jacobian forward mode gives, column by column: so that differences judge it.
struct ByForwardMode {
  static constexpr const char* name = "by_forward_mode";
  const Function* f;
  std::vector<bool> wanted;
  Tensors x{};
  Tensor y{};
  mutable std::vector<Tensors> columns{};  // of each input, one per element

  Tensor forward(const Tensors& in) {
    const AutoGradMode recording(true);
    for (size_t i = 0; i < in.size(); ++i) {
      x.push_back(alias(in[i].detach()));
      if (wanted[i]) x.back().requires_grad_();
    }
    y = (*f)(x);
    return clone_of(y.detach());
  }
  Grads backward(const Tensor& dy) const {
    Grads g(static_cast<int64_t>(x.size()));
    if (columns.empty()) {
      for (const Tensor& t : x) columns.push_back(t.requires_grad() ? columns_by(t) : Tensors{});
    }
    for (size_t i = 0; i < x.size(); ++i) {
      if (wanted[i]) g[static_cast<int64_t>(i)] = product(dy, columns[i], x[i].sizes());
    }
    return g;
  }

 private:
  Tensors columns_by(const Tensor& t) const {
    Tensors all;
    for (int64_t j = 0; j < t.numel(); ++j) {
      const Tensor along = zeros(t.sizes(), kFloat64);
      along.data_ptr<double>()[j] = 1;
      all.push_back(y.requires_grad() ? autograd::jvp({y}, {t}, {along})[0] : Tensor());
      if (all.back().defined()) all.back() = contiguous_of(all.back());
    }
    return all;
  }
  static Tensor product(const Tensor& dy, const Tensors& columns, const Shape& sizes) {
    const Tensor g = zeros(sizes, kFloat64);
    const Tensor w = contiguous_of(dy);
    for (size_t j = 0; j < columns.size(); ++j) {
      double& sum = g.data_ptr<double>()[j];
      for (int64_t i = 0; columns[j].defined() && i < w.numel(); ++i) {
        const double weight = w.data_ptr<double>()[i];
        if (weight != 0) sum += weight * columns[j].data_ptr<double>()[i];
      }
    }
    return g;
  }
};

bool is_finite(const Tensor& y) {
  const Array values = op_cases::values_of(y);
  return std::all_of(values.v.begin(), values.v.end(), [](double v) { return std::isfinite(v); });
}

// Results and gradients in float32 next to those in float64.
void expect_near(const Case& c, const Tensors& single, const Tensors& precise, Findings& findings) {
  if (!findings.check(single.size() == precise.size(), [] { return "another number of gradients"; })) return;
  const double eps = std::numeric_limits<float>::epsilon();
  // A long product gathers roundings as a random walk.
  const double length = static_cast<double>(elements(c)) / static_cast<double>(precise[0].numel());
  const double steps = std::max(512.0, 4 * std::sqrt(length));
  const double outputs = std::sqrt(static_cast<double>(precise[0].numel())) / 8;
  for (size_t k = 0; k < single.size(); ++k) {
    findings.variant(k == 0 ? "value" : "gradient " + std::to_string(k - 1));
    if (!single[k].defined() || !precise[k].defined()) continue;
    const Array got = op_cases::values_of(single[k]);
    const Array expected = op_cases::values_of(precise[k]);
    double largest = 0, off = 0;
    int64_t worst = 0;
    for (int64_t i = 0; i < expected.numel(); ++i) {
      if (std::isfinite(expected[i])) largest = std::max(largest, std::abs(expected[i]));
      const double d = close(got[i], expected[i], 0) ? 0 : std::abs(got[i] - expected[i]);
      if (!(d <= off)) off = d, worst = i;
    }
    const double allowed =
        steps * eps * largest * std::max(1.0, outputs) + 8 * eps * 5;  // |w| of a normal one: below 5
    findings.check(off <= allowed, [&] {
      return "element " + std::to_string(worst) + " is " + number(got[worst]) + " in float32, " +
             number(expected[worst]) + " in float64 (allowed " + number(allowed) + ")";
    });
  }
}

}  // namespace

void check_gradient(const Row& row, const Case& c, Findings& findings) {
  const Tensors leaves = checked_leaves(c, kFloat64, findings.stream(5));
  if (differentiable(leaves).empty() || elements(c) > kLargest) return;
  expect_passes(c.f, leaves, options_of(row, findings), findings);
}

void check_order2(const Row& row, const Case& c, Findings& findings) {
  const Tensors leaves = checked_leaves(c, kFloat64, findings.stream(5));
  if (c.order < 2 || differentiable(leaves).empty() || elements(c) > kLargest) return;
  expect_passes(c.f, leaves, only_order_two(options_of(row, findings)), findings);
}

void check_order3(const Row& row, const Case& c, Findings& findings) {
  const Tensors leaves = checked_leaves(c, kFloat64, findings.stream(5));
  if (c.order < 3 || differentiable(leaves).empty() || elements(c) > kLargest) return;
  expect_order_three(c, leaves, options_of(row, findings), findings);
}

void check_forward(const Row& row, const Case& c, Findings& findings) {
  const Tensors leaves = checked_leaves(c, kFloat64, findings.stream(5));
  if (differentiable(leaves).empty() || elements(c) > kLargest) return;
  GradcheckOptions options = options_of(row, findings);
  options.numeric = options.consistency = false;
  findings.variant("against reverse mode");
  expect_passes(c.f, leaves, options, findings);
  options.numeric = true;
  options.forward = false;
  findings.variant("against differences");
  std::vector<bool> wanted;
  for (const Tensor& x : leaves) wanted.push_back(x.requires_grad());
  const auto f = [&](const Tensors& in) { return apply_list(ByForwardMode{.f = &c.f, .wanted = wanted}, in); };
  expect_passes(f, leaves, options, findings);
}

void check_float32(const Row& row, const Case& c, Findings& findings) {
  const Tensors leaves = checked_leaves(c, kFloat32, findings.stream(6));
  if (differentiable(leaves).empty()) return;
  GradcheckOptions options = options_of(row, findings);
  options.probes = 1;
  options.full_limit = 1;
  expect_passes(c.f, leaves, options, findings);
}

void check_float32_large(const Row& row, Findings& findings) {
  const SingleThreadGuard single_thread;
  for (const Case& c : row.bench) {
    if (elements(c) > kLargestTimed) continue;
    findings.about("benchmark " + c.label);
    const Tensors single = sample(c, kFloat32, findings.stream(15));
    Tensors precise;
    for (const Tensor& x : single) precise.push_back(x.is_floating_point() ? to(x, kFloat64) : x);
    expect_near(c, run(c, single), run(c, precise), findings);
  }
}

// One operand at an edge, the others anywhere.
void check_edge_gradients(const Row& row, Findings& findings) {
  if (!row.elementwise) return;
  for (size_t i = 0; i < row.cases[0].args.size(); ++i) {
    // -40: at -20 gelu is 0 to the last bit and its slope is not. No 1e-8 for divisors: no step resolves such a saw.
    for (const double at : {0., -0., 1e-8, -1e-8, 1e-3, -1e-3, 1., -1., 20., -40., 88., -88., 100., -100., 1e4, -1e4}) {
      if (i > 0 && std::abs(at) == 1e-8) continue;
      Case c = row.cases[0];
      c.args[i].values.assign(static_cast<size_t>(numel_of(c.args[i].sizes, "case")), at);
      const Tensors leaves = checked_leaves(c, kFloat64, findings.stream(16));
      if (differentiable(leaves).empty() || !is_finite(c.f(leaves))) continue;  // no result, no difference
      findings.about("operand " + std::to_string(i) + " " + number(at));
      GradcheckOptions options = options_of(row, findings);
      options.consistency = false;
      expect_passes(c.f, leaves, options, findings);
    }
  }
}

void check_fused(const Row&, const Case& c, Findings& findings) {
  for (DType dtype : {kFloat64, kFloat32}) {
    findings.variant(name_of(dtype));
    const Tensors in = sample(c, dtype, findings.stream(8));
    expect_same(run(c, in), run(c, in, true), c.terms, findings);
  }
}

}  // namespace op_properties
