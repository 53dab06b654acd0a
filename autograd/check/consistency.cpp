// Backward against itself: linear in the cotangent, blind to layouts, the same for every subset of inputs, safe against writes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "tapegrad/autograd/check/system.h"
#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::check {
namespace {

double eps_of(DType dtype) {
  return dtype == kFloat32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
}

bool finite(const Tensor& x) {
  if (!x.defined()) return true;
  for (double v : values_of(x)) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

// Leaves of y's graph that the checker did not make, whose grad() a real backward would touch; put back at the end.
class KeepForeignGrads {
 public:
  KeepForeignGrads(const Tensors& y, const Tensors& own) {
    std::unordered_set<autograd::Node*> seen;
    std::vector<autograd::Node*> open;
    const auto visit = [&](autograd::Node* n) {
      if (n && seen.insert(n).second) open.push_back(n);
    };
    const auto keep = [&](TensorImpl* leaf) {
      for (const Tensor& t : own) {
        if (t.impl() == leaf) return;
      }
      for (const auto& [t, grad] : kept_) {
        if (t.impl() == leaf) return;
      }
      const Tensor t(Ref<TensorImpl>::share(leaf));
      kept_.emplace_back(t, t.grad());
      t.mutable_grad() = Tensor();
    };
    for (const Tensor& t : y) {
      if (t.grad_fn()) visit(t.grad_fn().get());
      else keep(t.impl());
    }
    while (!open.empty()) {
      autograd::Node* n = open.back();
      open.pop_back();
      for (int64_t i = 0; i < n->inputs(); ++i) {
        visit(n->edge(i).node());
        if (n->edge(i).leaf()) keep(n->edge(i).leaf());
      }
    }
  }
  ~KeepForeignGrads() {
    for (auto& [t, grad] : kept_) t.mutable_grad() = grad;
  }

 private:
  std::vector<std::pair<Tensor, Tensor>> kept_;
};

class Consistency {
 public:
  explicit Consistency(Problem& p) : p_(p), draws_(p.options.seed + 1) {}
  void run();

 private:
  Tensors grads(const Tensors& w) { return vjp(y_.y, pick(leaves_, p_.wanted), w); }
  // A fresh forward over `inputs`, and the gradients for w_ by `wanted`.
  Tensors fresh(const Tensors& inputs, const std::vector<size_t>& wanted, Tensors* outputs = nullptr);
  double allowed(size_t k) const;
  void expect(const char* check, const Tensors& g, const std::string& what);
  void expect_bits(const char* check, const Tensors& g, const std::string& what);

  void shapes();
  void repeats();
  void linear();
  void cotangent_layouts();
  void one_output_at_a_time();
  void subsets();
  void input_layouts();
  void two_forwards();
  void aliased();
  void written_after();
  void collected();
  void freed();
  void not_recorded();

  Problem& p_;
  Draws draws_;
  Tensors leaves_;
  Outputs y_;
  Tensors w_;
  Tensors g_;  // what everything else is held against
};

double Consistency::allowed(size_t k) const {
  const Tensor& x = p_.inputs[p_.wanted[k]];
  double w = 0;
  int64_t n = x.numel();
  for (const Tensor& t : w_) {
    w = std::max(w, largest(t));
    n = std::max(n, t.numel());
  }
  const double floor = x.dtype() == kFloat32 ? 8 * eps_of(kFloat32) : 1e-12;
  return 64 * eps_of(x.dtype()) * largest(g_[k]) * std::sqrt(static_cast<double>(n)) + floor * w;
}

void Consistency::expect(const char* check, const Tensors& g, const std::string& what) {
  for (size_t k = 0; k < g.size(); ++k) {
    const double off = distance(g[k], g_[k]);
    if (off <= allowed(k)) continue;
    p_.find(check, what + ": the gradient by " + p_.input_name(p_.wanted[k]) + " differs by " + number(off) +
                       " (allowed " + number(allowed(k)) + ")", -1, static_cast<int64_t>(p_.wanted[k]));
  }
}

void Consistency::expect_bits(const char* check, const Tensors& g, const std::string& what) {
  for (size_t k = 0; k < g.size(); ++k) {
    if (g[k].defined() == g_[k].defined() && (!g[k].defined() || same_bits(g[k], g_[k]))) continue;
    if (p_.options.nondet_tol > 0 && distance(g[k], g_[k]) <= p_.options.nondet_tol) continue;
    p_.find(check, what + ": the gradient by " + p_.input_name(p_.wanted[k]) + " is not the same, off by " +
                       number(distance(g[k], g_[k])), -1, static_cast<int64_t>(p_.wanted[k]));
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
    p_.find("shape", "the gradient by " + p_.input_name(p_.wanted[k]) + " is " + to_string(g_[k].sizes()) + " " +
                         name_of(g_[k].dtype()) + ", the input " + to_string(x.sizes()) + " " + name_of(x.dtype()),
            -1, static_cast<int64_t>(p_.wanted[k]));
  }
}

void Consistency::repeats() {
  Tensors before;
  for (const Tensor& t : w_) before.push_back(clone_of(t));
  expect_bits("repeat", grads(w_), "a second backward over the same graph (does the rule keep state or use up a buffer?)");
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
    p_.find("zero cotangent", "the gradient by " + p_.input_name(p_.wanted[k]) + " for a zero cotangent is " +
                                  number(largest(g[k])) + ", not 0", -1, static_cast<int64_t>(p_.wanted[k]));
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
    const auto values = [&](const Tensor& t) { return t.defined() ? values_of(t) : Values(static_cast<size_t>(x.numel())); };
    Values expected = values(g_[k]);
    const Values second = values(g2[k]);
    for (size_t j = 0; j < expected.size(); ++j) expected[j] = a * expected[j] + b * second[j];
    const double off = distance(tensor_of(values(g[k]), x), tensor_of(expected, x));
    const double bound = (std::abs(a) + std::abs(b)) * (allowed(k) + 64 * eps_of(x.dtype()) * largest(g2[k]));
    if (off <= bound) continue;
    p_.find("linearity", "backward must be linear in the cotangent; by " + p_.input_name(p_.wanted[k]) + " it is off by " +
                             number(off) + " (allowed " + number(bound) + ")", -1, static_cast<int64_t>(p_.wanted[k]));
  }
}

void Consistency::cotangent_layouts() {
  const std::pair<Layout, const char*> layouts[] = {{Layout::gapped, "a cotangent with gaps and an offset"},
                                                    {Layout::transposed, "a transposed cotangent"}};
  for (const auto& [layout, what] : layouts) {
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

void Consistency::subsets() {
  const size_t n = p_.wanted.size();
  if (n < 2) return;
  for (uint64_t mask = 1; mask + 1 < (uint64_t{1} << std::min<size_t>(n, 62)); ++mask) {
    const int bits = __builtin_popcountll(mask);
    if (n > 4 && bits != 1 && bits != static_cast<int>(n) - 1) continue;
    std::vector<size_t> wanted;
    std::string names;
    for (size_t k = 0; k < n; ++k) {
      if (!(mask >> k & 1)) continue;
      wanted.push_back(p_.wanted[k]);
      names += (names.empty() ? "" : ", ") + p_.input_name(p_.wanted[k]);
    }
    Tensors some = fresh(p_.inputs, wanted);
    Tensors all = g_;
    for (size_t k = 0, next = 0; k < n; ++k) {
      if (mask >> k & 1) all[k] = some[next++];
    }
    expect("subset", all, "when only " + names + " requires grad");
  }
}

void Consistency::input_layouts() {
  if (p_.options.layout_sensitive) return;
  const std::pair<Layout, const char*> layouts[] = {{Layout::gapped, "inputs with gaps and an offset"},
                                                    {Layout::transposed, "transposed inputs"}};
  Tensors plain;
  Tensors inputs;
  for (const Tensor& x : p_.inputs) inputs.push_back(x.defined() ? laid_out(x, Layout::contiguous) : x);
  fresh(inputs, p_.wanted, &plain);
  for (const auto& [layout, what] : layouts) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (p_.inputs[i].defined()) inputs[i] = laid_out(p_.inputs[i], layout);
    }
    Tensors y;
    expect("input layout", fresh(inputs, p_.wanted, &y), what);
    for (size_t i = 0; i < y.size(); ++i) {
      const double bound = 64 * eps_of(y[i].dtype()) * largest(y[i]) * std::sqrt(static_cast<double>(y[i].numel()));
      if (distance(y[i], plain[i]) <= bound) continue;
      p_.find("input layout", std::string(what) + " give another output " + std::to_string(i) + ", off by " +
                                  number(distance(y[i], plain[i])) + " (does it read storage order or forget the offset?)",
              static_cast<int64_t>(i));
    }
  }
}

void Consistency::two_forwards() {
  const Tensors leaves = leaves_of(p_.inputs, p_.wanted);
  const Outputs first = recorded_outputs(p_.run(leaves));
  Tensors other;
  for (const Tensor& x : p_.inputs) {
    Tensor t = x.defined() ? clone_of(x) : x;
    if (t.defined() && t.is_floating_point()) {
      Values v = values_of(t);
      std::reverse(v.begin(), v.end());
      t = tensor_of(v, t);
    }
    other.push_back(t);
  }
  try {
    p_.run(leaves_of(other, p_.wanted));
  } catch (const Error&) {
    p_.run(leaves_of(p_.inputs, p_.wanted));  // the reversed values lie outside f's domain
  }
  expect("two forwards", vjp(first.y, pick(leaves, p_.wanted), w_),
         "backward of the first of two forwards (is state kept outside the graph?)");
}

// f(x, x): the sum of both gradients.
void Consistency::aliased() {
  for (size_t k = 0; k + 1 < p_.wanted.size(); ++k) {
    const size_t a = p_.wanted[k];
    const size_t b = p_.wanted[k + 1];
    const Tensor& x = p_.inputs[a];
    if (x.dtype() != p_.inputs[b].dtype() || !(IntArrayRef(x.sizes()) == IntArrayRef(p_.inputs[b].sizes()))) continue;
    Tensors inputs = p_.inputs;
    inputs[b] = clone_of(x);
    Tensors apart;
    try {
      apart = fresh(inputs, p_.wanted);
    } catch (const Error&) {
      continue;  // equal values lie outside f's domain
    }
    Tensors leaves = leaves_of(inputs, p_.wanted);
    leaves[b] = leaves[a];
    const Outputs y = recorded_outputs(p_.run(leaves));
    if (y.y.size() != w_.size()) continue;
    const Tensor together = vjp(y.y, {leaves[a]}, w_)[0];
    Values sum(static_cast<size_t>(x.numel()));
    for (const Tensor& g : {apart[k], apart[k + 1]}) {
      if (!g.defined()) continue;
      const Values v = values_of(g);
      for (size_t j = 0; j < v.size(); ++j) sum[j] += v[j];
    }
    const double size = std::max(largest(apart[k]), largest(apart[k + 1]));
    const double bound = allowed(k) + 64 * eps_of(x.dtype()) * size * std::sqrt(static_cast<double>(x.numel()));
    const double off = distance(together, tensor_of(sum, x));
    if (off <= bound) continue;
    p_.find("aliasing", p_.input_name(a) + " passed as " + p_.input_name(b) +
                            " as well: the gradient is not the sum of both, off by " + number(off), -1,
            static_cast<int64_t>(a));
  }
}

// A write after forward: an error or the unchanged gradient, never another one.
void Consistency::written_after() {
  for (size_t i = 0; i < p_.inputs.size(); ++i) {
    if (!p_.inputs[i].defined() || p_.inputs[i].numel() == 0) continue;
    const Tensors leaves = leaves_of(p_.inputs, p_.wanted);
    const Outputs y = recorded_outputs(p_.run(leaves));
    {
      const NoGradGuard no_grad;
      Values v = values_of(leaves[i]);
      for (double& e : v) e = leaves[i].is_floating_point() ? 0.37 - 0.5 * e : 0;
      copy(leaves[i], tensor_of(v, leaves[i]));
      leaves[i].impl()->storage->bump_version();
    }
    Tensors g;
    try {
      g = vjp(y.y, pick(leaves, p_.wanted), w_);
    } catch (const Error&) {
      continue;
    }
    expect("mutation", g, p_.input_name(i) + " written after forward, without an error (is it saved past the version check?)");
  }
}

// Twice into grad() doubles it; a hook fires once a backward.
void Consistency::collected() {
  const Tensors leaves = leaves_of(p_.inputs, p_.wanted);
  const Outputs y = recorded_outputs(p_.run(leaves));
  if (y.y.empty()) return;
  const KeepForeignGrads keep(y.y, leaves);
  std::vector<int> fired(p_.wanted.size());
  for (size_t k = 0; k < p_.wanted.size(); ++k) {
    leaves[p_.wanted[k]].register_hook([&fired, k](const Tensor&) { ++fired[k]; });
  }
  autograd::backward(y.y, w_, true);
  for (size_t k = 0; k < fired.size(); ++k) {
    const int expected = g_[k].defined() ? 1 : 0;
    if (fired[k] != expected)
      p_.find("hooks", "a hook on " + p_.input_name(p_.wanted[k]) + " ran " + std::to_string(fired[k]) + " times, not " +
                           std::to_string(expected));
  }
  Tensors once;
  for (size_t i : p_.wanted) once.push_back(leaves[i].grad().defined() ? clone_of(leaves[i].grad()) : Tensor());
  expect("accumulation", once, "backward() into grad()");
  autograd::backward(y.y, w_, true);
  for (size_t k = 0; k < p_.wanted.size(); ++k) {
    const Tensor& twice = leaves[p_.wanted[k]].grad();
    if (!twice.defined()) continue;
    Values v = values_of(once[k]);
    for (double& e : v) e *= 2;
    if (distance(twice, tensor_of(v, twice)) <= 2 * allowed(k)) continue;
    p_.find("accumulation", "a second backward() does not double the gradient of " + p_.input_name(p_.wanted[k]), -1,
            static_cast<int64_t>(p_.wanted[k]));
  }
}

// A swept graph is gone: sweeping it again is an error, and its memory is back.
void Consistency::freed() {
  bool reused = false;
  int64_t nodes = 0, bytes = 0;
  for (int round = 0; round < 3; ++round) {  // the first fills caches; other threads may disturb one
    const int64_t nodes_before = autograd::live_nodes();
    const int64_t bytes_before = allocator_stats().allocated_bytes;
    {
      const Tensors leaves = leaves_of(p_.inputs, p_.wanted);
      const Outputs y = recorded_outputs(p_.run(leaves));
      bool has_graph = false;
      for (const Tensor& t : y.y) has_graph = has_graph || t.grad_fn();
      if (!has_graph) return;
      vjp(y.y, pick(leaves, p_.wanted), w_, false);
      try {
        vjp(y.y, pick(leaves, p_.wanted), w_, false);
        reused = true;
      } catch (const AutogradError&) {
      }
    }
    nodes = autograd::live_nodes() - nodes_before;
    bytes = allocator_stats().allocated_bytes - bytes_before;
    if (round > 0 && nodes == 0 && bytes <= 0) break;
  }
  if (reused) p_.find("freed graph", "a second backward after the graph was freed raises no error");
  if (nodes > 0 || bytes > 0)
    p_.find("leak", std::to_string(nodes) + " nodes and " + std::to_string(bytes) +
                        " bytes stay behind each forward and backward");
}

void Consistency::not_recorded() {
  const NoGradGuard no_grad;
  const int64_t before = autograd::live_nodes();
  Tensors y;
  try {
    y = p_.run(leaves_of(p_.inputs, p_.wanted));
  } catch (const Error&) {
    p_.note("f does not run without recording");
    return;
  }
  bool recorded = autograd::live_nodes() > before;
  for (const Tensor& t : y) recorded = recorded || (t.defined() && t.grad_fn());
  if (recorded) p_.find("no-grad mode", "f records nodes while recording is off");
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

}  // namespace

bool check_forward(Problem& p) {
  const Tensors first_inputs = leaves_of(p.inputs, p.wanted);
  const Tensors first = p.run(first_inputs);
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
    p.find("nondeterministic forward", "two runs of f on the same inputs differ (does it draw random numbers? seed them in options.reseed)");
  if (same && recorded_outputs(first).y.empty()) p.note("no output depends on an input on the tape");
  return same;
}

void check_consistency(Problem& p) {
  try {
    Consistency(p).run();
  } catch (const Error& e) {
    p.find("backward throws", e.what());
  }
}

}  // namespace tapegrad::check
