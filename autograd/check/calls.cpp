// Gradients of other calls: subsets of inputs, other layouts, aliases, writes after forward, grad(), freed graphs.
#include <algorithm>
#include <cmath>

#include "tapegrad/autograd/check/consistency.h"
#include "tapegrad/autograd/graph.h"
#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::check {
namespace {

// Leaves of y's graph that the checker did not make, whose grad() a real backward would touch; put back at the end.
class KeepForeignGrads {
 public:
  KeepForeignGrads(const Tensors& y, const Tensors& own) {
    for (TensorImpl* leaf : autograd::Graph(y).leaves) {
      if (std::any_of(own.begin(), own.end(), [&](const Tensor& t) { return t.impl() == leaf; })) continue;
      const Tensor t(Ref<TensorImpl>::share(leaf));
      kept_.emplace_back(t, t.grad());
      t.mutable_grad() = Tensor();
    }
  }
  ~KeepForeignGrads() {
    for (auto& [t, grad] : kept_) t.mutable_grad() = grad;
  }

 private:
  std::vector<std::pair<Tensor, Tensor>> kept_;
};

}  // namespace

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

// The same outputs and gradients for these inputs, whose strides alone are others.
void Consistency::input_layout(const Tensors& inputs, const Tensors& plain, const std::string& what) {
  // Another order of summation is another rounding of values on the way, which may be larger than a result near 0.
  double carried = 0;
  for (size_t k = 0; k < g_.size(); ++k) carried += largest(g_[k]) * largest(p_.inputs[p_.wanted[k]]);
  Tensors y;
  try {
    p_.run(leaves_of(inputs, p_.wanted));
  } catch (const Error& e) {  // an error is no wrong gradient: view() takes no transposed tensor
    p_.note("f was not checked with " + what + ", which it refuses: " + e.what());
    return;
  }
  expect("input layout", fresh(inputs, p_.wanted, &y), what);
  for (size_t i = 0; i < y.size(); ++i) {
    if (!y[i].defined()) continue;
    const double size = largest(y[i]) + carried;
    const double bound = 64 * (p_.coarse ? eps_of(kFloat32) : eps_of(y[i].dtype())) * size *
                         std::sqrt(static_cast<double>(y[i].numel()));
    if (distance(y[i], plain[i]) <= bound) continue;
    p_.find("input layout",
            what + " give another output " + std::to_string(i) + ", off by " + number(distance(y[i], plain[i])) +
                " (does it read storage order or forget the offset?)",
            static_cast<int64_t>(i));
  }
}

void Consistency::input_layouts() {
  if (p_.options.layout_sensitive) return;
  const std::pair<Layout, const char*> layouts[] = {{Layout::gapped, "inputs with gaps and an offset"},
                                                    {Layout::transposed, "transposed inputs"},
                                                    {Layout::channels_last, "channels-last inputs"}};
  const auto laid = [&](Layout layout) {
    Tensors inputs;
    for (const Tensor& x : p_.inputs) inputs.push_back(x.defined() ? laid_out(x, layout) : x);
    return inputs;
  };
  Tensors plain;
  fresh(laid(Layout::contiguous), p_.wanted, &plain);
  for (const auto& [layout, what] : layouts) {
    if (layout != Layout::channels_last || any_image(p_.inputs)) input_layout(laid(layout), plain, what);
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

// f(x, x): the sum of both gradients. All pairs of up to four inputs, neighbours above.
void Consistency::aliased() {
  const size_t n = p_.wanted.size();
  for (size_t k = 0; k < n; ++k) {
    for (size_t l = k + 1; l < (n > 4 ? std::min(k + 2, n) : n); ++l) aliased(k, l);
  }
}

void Consistency::aliased(size_t k, size_t l) {
  const size_t a = p_.wanted[k];
  const size_t b = p_.wanted[l];
  const Tensor& x = p_.inputs[a];
  if (x.dtype() != p_.inputs[b].dtype() || !(IntArrayRef(x.sizes()) == IntArrayRef(p_.inputs[b].sizes()))) return;
  Tensors inputs = p_.inputs;
  inputs[b] = clone_of(x);
  Tensors apart;
  try {
    apart = fresh(inputs, p_.wanted);
  } catch (const Error&) {
    return;  // equal values lie outside f's domain
  }
  Tensors leaves = leaves_of(inputs, p_.wanted);
  leaves[b] = leaves[a];
  const Outputs y = recorded_outputs(p_.run(leaves));
  if (y.y.size() != w_.size()) return;
  const Tensor together = vjp(y.y, {leaves[a]}, w_)[0];
  Values sum(static_cast<size_t>(x.numel()));
  for (const Tensor& g : {apart[k], apart[l]}) {
    if (!g.defined()) continue;
    const Values v = values_of(g);
    for (size_t j = 0; j < v.size(); ++j) sum[j] += v[j];
  }
  const double size = std::max(largest(apart[k]), largest(apart[l]));
  const double bound = allowed(k) + 64 * eps(x) * size * std::sqrt(static_cast<double>(x.numel()));
  const double off = distance(together, tensor_of(sum, x));
  if (off <= bound) return;
  p_.find("aliasing",
          p_.input_name(a) + " passed as " + p_.input_name(b) +
              " as well: the gradient is not the sum of both, off by " + number(off),
          -1, static_cast<int64_t>(a));
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
    } catch (const Error&) { continue; }
    expect("mutation", g,
           p_.input_name(i) + " written after forward, without an error (is it saved past the version check?)");
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
      p_.find("hooks", "a hook on " + p_.input_name(p_.wanted[k]) + " ran " + std::to_string(fired[k]) +
                           " times, not " + std::to_string(expected));
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
      } catch (const AutogradError&) {}
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

}  // namespace tapegrad::check
