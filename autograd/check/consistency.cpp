// Backward against itself over one graph: repeatable, linear in the cotangent, blind to its layout; and the order of checks.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tapegrad/autograd/check/consistency.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::check {
namespace {

bool finite(const Tensor& x) {
  if (!x.defined()) return true;
  for (double v : values_of(x)) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

}  // namespace

bool any_image(const Tensors& list) {
  return std::any_of(list.begin(), list.end(), [](const Tensor& t) { return t.defined() && t.dim() == 4; });
}

double eps_of(DType dtype) {
  return dtype == kFloat32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
}

double eps_of(const Tensor& x, const Tensors& y) {
  double eps = eps_of(x.dtype());
  for (const Tensor& t : y) eps = std::max(eps, eps_of(t.dtype()));
  return eps;
}

double Consistency::allowed(size_t k) const {
  const Tensor& x = p_.inputs[p_.wanted[k]];
  double w = 0;
  int64_t n = x.numel();
  for (const Tensor& t : w_) {
    w = std::max(w, largest(t));
    n = std::max(n, t.numel());
  }
  const double eps = this->eps(x);
  const double floor = eps == eps_of(kFloat64) ? 1e-12 : 8 * eps;
  return 64 * eps * largest(g_[k]) * std::sqrt(static_cast<double>(n)) + floor * w;
}

void Consistency::expect(const char* check, const Tensors& g, const std::string& what) {
  for (size_t k = 0; k < g.size(); ++k) {
    const double off = distance(g[k], g_[k]);
    if (off <= allowed(k)) continue;
    p_.find(check,
            what + ": the gradient by " + p_.input_name(p_.wanted[k]) + " differs by " + number(off) + " (allowed " +
                number(allowed(k)) + ")",
            -1, static_cast<int64_t>(p_.wanted[k]));
  }
}

void Consistency::expect_bits(const char* check, const Tensors& g, const std::string& what) {
  for (size_t k = 0; k < g.size(); ++k) {
    if (g[k].defined() == g_[k].defined() && (!g[k].defined() || same_bits(g[k], g_[k]))) continue;
    if (p_.options.nondet_tol > 0 && distance(g[k], g_[k]) <= p_.options.nondet_tol) continue;
    p_.find(check,
            what + ": the gradient by " + p_.input_name(p_.wanted[k]) + " is not the same, off by " +
                number(distance(g[k], g_[k])),
            -1, static_cast<int64_t>(p_.wanted[k]));
  }
}

Tensors Consistency::fresh(const Tensors& inputs, const std::vector<size_t>& wanted, Tensors* outputs) {
  const Tensors leaves = leaves_of(inputs, wanted);
  const Tensors all = p_.run(leaves);
  if (outputs) *outputs = all;
  Tensors y, w;
  for (size_t i = 0; i < y_.place.size(); ++i) {
    const Tensor& t = all[y_.place[i]];
    if (!t.requires_grad()) continue;  // this output does not depend on these inputs
    y.push_back(t);
    w.push_back(w_[i]);
  }
  return vjp(y, pick(leaves, wanted), w);
}

void Consistency::shapes() {
  for (size_t k = 0; k < g_.size(); ++k) {
    const Tensor& x = p_.inputs[p_.wanted[k]];
    if (!g_[k].defined()) continue;
    if (g_[k].dtype() == x.dtype() && IntArrayRef(g_[k].sizes()) == IntArrayRef(x.sizes())) continue;
    p_.find("shape",
            "the gradient by " + p_.input_name(p_.wanted[k]) + " is " + to_string(g_[k].sizes()) + " " +
                name_of(g_[k].dtype()) + ", the input " + to_string(x.sizes()) + " " + name_of(x.dtype()),
            -1, static_cast<int64_t>(p_.wanted[k]));
  }
}

void Consistency::repeats() {
  Tensors before;
  for (const Tensor& t : w_) before.push_back(clone_of(t));
  expect_bits("repeat", grads(w_),
              "a second backward over the same graph (does the rule keep state or use up a buffer?)");
  for (size_t i = 0; i < w_.size(); ++i) {
    if (same_bits(w_[i], before[i])) continue;
    p_.find("cotangent", "backward writes into the cotangent of output " + std::to_string(y_.place[i]),
            static_cast<int64_t>(y_.place[i]));
    copy(w_[i], before[i]);
  }
  Tensors zero;
  for (const Tensor& t : w_) zero.push_back(filled_tensor(t.sizes(), t.dtype(), 0));
  const Tensors g = grads(zero);
  for (size_t k = 0; k < g.size(); ++k) {
    // Where the derivative itself is infinite, 0 * inf is NaN.
    if (largest(g[k]) == 0 || !finite(g_[k])) continue;
    p_.find("zero cotangent",
            "the gradient by " + p_.input_name(p_.wanted[k]) + " for a zero cotangent is " + number(largest(g[k])) +
                ", not 0",
            -1, static_cast<int64_t>(p_.wanted[k]));
  }
}

// B(a w1 + b w2) = a B(w1) + b B(w2), sizes well beyond 1 included.
void Consistency::linear() {
  const double a = -3.25;
  const double b = 7.5;
  const Tensors w2 = cotangents(w_, draws_);
  const Tensors g2 = grads(w2);
  Tensors sum;
  for (size_t i = 0; i < w_.size(); ++i) {
    Values v = values_of(w_[i]);
    const Values u = values_of(w2[i]);
    for (size_t j = 0; j < v.size(); ++j) v[j] = a * v[j] + b * u[j];
    sum.push_back(tensor_of(v, w_[i]));
  }
  const Tensors g = grads(sum);
  for (size_t k = 0; k < g.size(); ++k) {
    const Tensor& x = leaves_[p_.wanted[k]];
    const auto values = [&](const Tensor& t) {
      return t.defined() ? values_of(t) : Values(static_cast<size_t>(x.numel()));
    };
    Values expected = values(g_[k]);
    const Values second = values(g2[k]);
    for (size_t j = 0; j < expected.size(); ++j) expected[j] = a * expected[j] + b * second[j];
    const double off = distance(tensor_of(values(g[k]), x), tensor_of(expected, x));
    const double bound = (std::abs(a) + std::abs(b)) * (allowed(k) + 64 * eps(x) * largest(g2[k]));
    if (off <= bound) continue;
    p_.find("linearity",
            "backward must be linear in the cotangent; by " + p_.input_name(p_.wanted[k]) + " it is off by " +
                number(off) + " (allowed " + number(bound) + ")",
            -1, static_cast<int64_t>(p_.wanted[k]));
  }
}

void Consistency::cotangent_layouts() {
  const std::pair<Layout, const char*> layouts[] = {{Layout::gapped, "a cotangent with gaps and an offset"},
                                                    {Layout::transposed, "a transposed cotangent"},
                                                    {Layout::channels_last, "a channels-last cotangent"}};
  for (const auto& [layout, what] : layouts) {
    if (layout == Layout::channels_last && !any_image(w_)) continue;
    Tensors w;
    for (const Tensor& t : w_) w.push_back(laid_out(t, layout));
    expect("cotangent layout", grads(w), what);
  }
  Tensors expanded, plain;
  for (const Tensor& t : w_) {
    expanded.push_back(laid_out(t, Layout::expanded));
    plain.push_back(clone_of(expanded.back()));
  }
  Tensors outer = std::exchange(g_, grads(plain));
  expect("cotangent layout", grads(expanded), "an expanded cotangent");
  g_ = std::move(outer);
}

void Consistency::one_output_at_a_time() {
  if (y_.y.size() < 2) return;
  std::vector<Values> sum(p_.wanted.size());
  for (size_t k = 0; k < sum.size(); ++k) sum[k].resize(static_cast<size_t>(p_.inputs[p_.wanted[k]].numel()));
  for (size_t i = 0; i < y_.y.size(); ++i) {
    const Tensors g = vjp({y_.y[i]}, pick(leaves_, p_.wanted), {w_[i]});
    for (size_t k = 0; k < g.size(); ++k) {
      if (!g[k].defined()) continue;
      const Values v = values_of(g[k]);
      for (size_t j = 0; j < v.size(); ++j) sum[k][j] += v[j];
    }
  }
  Tensors g;
  for (size_t k = 0; k < sum.size(); ++k) g.push_back(tensor_of(sum[k], p_.inputs[p_.wanted[k]]));
  expect("outputs", g, "the outputs' gradients one at a time do not sum to those of all at once");
}

void Consistency::run() {
  leaves_ = leaves_of(p_.inputs, p_.wanted);
  y_ = recorded_outputs(p_.run(leaves_));
  w_ = cotangents(y_.y, draws_);
  g_ = grads(w_);
  shapes();
  if (y_.y.empty()) return;
  repeats();
  linear();
  cotangent_layouts();
  one_output_at_a_time();
  collected();
  subsets();
  input_layouts();
  two_forwards();
  aliased();
  written_after();
  freed();
  not_recorded();
}

namespace {

// A leaf refuses f's in-place operations, a recorded copy of it does not.
Tensors first_run(Problem& p, const Tensors& leaves) {
  try {
    return p.run(leaves);
  } catch (const AutogradError&) {
    p.copies = true;
    try {
      Tensors y = p.run(leaves);
      p.note("f writes to its inputs in place: it was given recorded copies of them");
      return y;
    } catch (const Error&) { p.copies = false; }
    throw;
  }
}

}  // namespace

bool check_forward(Problem& p) {
  const Tensors first_inputs = leaves_of(p.inputs, p.wanted);
  const Tensors first = first_run(p, first_inputs);
  if (first.empty()) throw ValueError("gradcheck: f must return at least one tensor, got none");
  for (size_t i = 0; i < p.inputs.size(); ++i) {
    if (!p.inputs[i].defined() || same_bits(first_inputs[i], p.inputs[i])) continue;
    p.find("forward", "f writes into " + p.input_name(i), -1, static_cast<int64_t>(i));
    return false;
  }
  const Tensors second = p.run(leaves_of(p.inputs, p.wanted));
  bool same = first.size() == second.size();
  for (size_t i = 0; same && i < first.size(); ++i) {
    same = first[i].defined() == second[i].defined() &&
           (!first[i].defined() || same_bits(first[i], second[i]) ||
            (p.options.nondet_tol > 0 && distance(first[i], second[i]) <= p.options.nondet_tol));
  }
  if (!same)
    p.find("nondeterministic forward",
           "two runs of f on the same inputs differ (does it draw random numbers? seed them in options.reseed)");
  if (same && recorded_outputs(first).y.empty()) p.note("no output depends on an input on the tape");
  return same;
}

void check_consistency(Problem& p) {
  try {
    Consistency(p).run();
  } catch (const Error& e) { p.find("backward throws", e.what()); }
}

}  // namespace tapegrad::check
