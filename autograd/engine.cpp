// The backward sweep: nodes in descending creation order, cotangents in the call's own slots.
#include <cmath>

#include "tapegrad/autograd/rewrite.h"
#include "tapegrad/autograd/sweep.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::autograd {
namespace {

// A thread's sweeps, in one place that needs no call to be found, and no destructor, which would need one.
struct Sweeps {
  Sweep** sweeps;  // one per depth, kept
  size_t size, depth;
  uint64_t count;  // of all that began
  Sweep* running;  // where a rule may add its gradient directly, see accumulator()
  uint64_t lent;   // bit i: the running rule was lent the slot of input i
};
constinit thread_local Sweeps here __attribute__((tls_model("initial-exec"))) = {};

[[gnu::noinline]] void grow() {
  struct Owned {
    std::vector<Sweep*> sweeps;
    ~Owned() {
      for (Sweep* s : sweeps) delete s;
      here.size = 0;
    }
  };
  thread_local Owned owned;
  owned.sweeps.push_back(new Sweep);
  here.sweeps = owned.sweeps.data();
  here.size = owned.sweeps.size();
}

uint32_t take_slots(Sweep& s, uint32_t count) {
  if (count == 1 && !s.free_slots.empty()) {
    const uint32_t slot = s.free_slots.back();
    s.free_slots.pop_back();
    return slot;
  }
  const auto first = static_cast<uint32_t>(s.slots.size());
  s.slots.resize(s.slots.size() + count);
  return first;
}

}  // namespace

SweepScope::SweepScope(bool retain_graph, bool create_graph)
    : mode_(create_graph),
      autocast_(false),
      outer_needs_(thread_state.needs),
      outer_current_(thread_state.current),
      outer_phase_(tapegrad::detail::phase),
      entered_(tapegrad::detail::is_watched()) {
  if (here.depth + 1 >= UINT16_MAX / kDepthUnit) [[unlikely]]
    throw AutogradError("backward: sweeps inside hooks and rules must not be nested this deep, got depth " +
                        std::to_string(here.depth));
  if (here.depth == here.size) [[unlikely]]
    grow();
  sweep_ = here.sweeps[here.depth++];
  sweep_->id = ++here.count;
  sweep_->retain_graph = retain_graph;
  sweep_->create_graph = create_graph;
  sweep_->mark = static_cast<uint16_t>(here.depth * kDepthUnit);
  tapegrad::detail::phase = LaunchPhase::backward;
  if (entered_) [[unlikely]]
    tapegrad::detail::enter("backward", "backward");
}

SweepScope::~SweepScope() {
  thread_state.needs = outer_needs_;
  thread_state.current = outer_current_;
  while (Node* node = sweep_->pop()) {
    Access::call(*node) = 0;
    node->release();
  }
  for (const Interrupted& i : sweep_->interrupted) {
    Access::call(*i.node) = i.call;
    Access::slot(*i.node) = i.slot;
  }
  sweep_->reset();
  --here.depth;
  tapegrad::detail::phase = outer_phase_;
  if (entered_) [[unlikely]]
    tapegrad::detail::leave();
}

Tensor& slot_of(Sweep& s, Node& node, uint32_t output) {
  if (Access::call(node) != s.id) {
    if (Access::call(node) != 0) s.interrupted.push_back({&node, Access::call(node), Access::slot(node)});
    Access::call(node) = s.id;
    Access::slot(node) = take_slots(s, static_cast<uint32_t>(node.outputs()));
    node.retain();
    s.push(node);
  }
  return s.slots[Access::slot(node) + output];
}

void accumulate(Tensor& slot, Tensor&& grad, bool added) {
  if (!slot.defined()) {
    slot = std::move(grad);
  } else if (added && slot.is_same(grad)) {
    return;
  } else if (GradMode::is_enabled()) {
    slot = recorded_add(slot, grad);
  } else if (slot.unique() && slot.is_contiguous()) {
    add_into(slot, grad);
  } else {
    Tensor sum = clone_of(slot);
    add_into(sum, grad);
    slot = std::move(sum);
  }
}

Tensor run_hooks(const std::vector<std::shared_ptr<Hook>>& hooks, Tensor grad, const std::string& of) {
  // A copy, because a hook may remove itself.
  for (const auto& hook : std::vector<std::shared_ptr<Hook>>(hooks)) {
    Tensor replaced = (*hook)(grad);
    if (!replaced.defined()) continue;
    if (replaced.dtype() != grad.dtype() || !(IntArrayRef(replaced.sizes()) == IntArrayRef(grad.sizes())))
      throw AutogradError("backward: a hook must keep its gradient's shape and dtype, got gradient " +
                          to_string(grad.sizes()) + " " + name_of(grad.dtype()) + " and result " +
                          to_string(replaced.sizes()) + " " + name_of(replaced.dtype()) + " (of a hook on " + of + ")");
    grad = std::move(replaced);
  }
  return grad;
}

bool wants(Sweep& s, const Edge& edge) {
  if (!edge) return false;
  if (!s.pruned) return true;
  if (Node* n = edge.node()) return has_mark(s, *n, kLeads);
  return s.leaves.lookup(edge.leaf()) != nullptr;
}

[[noreturn]] void freed_graph(const Node& node) {
  throw AutogradError(std::string("backward: the graph through ") + node.name() +
                      " was freed by an earlier backward (pass retain_graph = true to the first to sweep it twice)");
}

namespace {

// Whether the sweep ends at the node.
bool is_bound(const Sweep& s, Node& node) { return s.bounded && has_mark(s, node, kCaptured); }

// Hooks, retained gradients and captures of a node's outputs, before its rule sees the cotangents.
void present_outputs(Sweep& s, Node& node, Grads& dy) {
  if (NodeExtras* extras = Access::extras(node); extras && !is_bound(s, node)) {
    for (const OutputHook& hook : std::vector<OutputHook>(extras->hooks)) {  // a copy: a hook may remove itself
      Tensor& grad = dy[hook.output];
      if (grad.defined()) grad = run_hooks({hook.hook}, grad, std::string("a result of ") + node.name());
    }
    for (const Retained& r : extras->retained) {
      if (dy[r.output].defined()) s.retained.push_back({Ref<TensorImpl>::share(r.tensor), dy[r.output]});
    }
  }
  if (!has_mark(s, node, kCaptured)) return;
  auto c = std::lower_bound(s.captured.begin(), s.captured.end(), Captured{&node, 0, {}});
  for (; c != s.captured.end() && c->node == &node; ++c) c->grad = dy[c->output];
}

uint64_t needs_mask(Sweep& s, const Node& node) {
  uint64_t mask = 0;
  for (int64_t i = 0; i < node.inputs(); ++i) {
    if (wants(s, node.edge(i))) mask |= uint64_t{1} << (i < 63 ? i : 63);
  }
  return mask;
}

std::string recorded_at(Node& node) {
  const NodeExtras* extras = Access::extras(node);
  if (!extras || extras->stack.empty()) return "";
  return "\n  its forward was recorded at " + describe_stack(extras->stack);
}

void check_nan(Node& node, const Grads& dx) {
  for (int64_t i = 0; i < dx.size(); ++i) {
    if (!dx[i].defined()) continue;
    const Tensor flat = converted(contiguous_of(dx[i]), kFloat64);
    const double* v = flat.elements<double>();
    if (std::none_of(v, v + flat.numel(), [](double e) { return std::isnan(e); })) continue;
    throw AutogradError(std::string("backward of ") + node.name() + ": gradient by input " + std::to_string(i) +
                        " must be free of NaN in anomaly mode, shape " + to_string(dx[i].sizes()) + recorded_at(node));
  }
}

Grads run_rule(Node& node, Grads& dy) {
  const uint8_t watch = thread_state.watch;
  if (!watch) return node.backward(dy);
  try {
    Grads dx = watch & kRewrite ? rewritten(node, dy) : node.backward(dy);
    if (watch & kAnomaly) check_nan(node, dx);
    return dx;
  } catch (const Error& e) {
    if (std::string(e.what()).find("forward was recorded at") != std::string::npos) throw;
    rethrow_with("\n  raised in the backward of " + std::string(node.name()) + recorded_at(node));
  }
}

void free_node(Node& node) {
  node.release_saved();
  Edge* edges = Access::edges(node);
  for (int64_t i = 0; i < node.inputs(); ++i) edges[i] = Edge();
  Access::freed(node) = true;
}

[[noreturn]] void misfit(Node& node, int64_t i, const std::string& input, const Tensor& dx) {
  throw AutogradError(std::string("backward of ") + node.name() + ": the gradient by input " + std::to_string(i) +
                      " must have that input's shape and dtype, which are " + input + ", got " + to_string(dx.sizes()) +
                      " " + name_of(dx.dtype()) + " (does its rule forget a reduction or a cast?)" + recorded_at(node));
}

// What a rule returns must fit the tensor it is a gradient of.
void check_fit(Node& node, int64_t i, const Edge& edge, const Tensor& dx) {
  if (const Node* n = edge.node()) {
    const OutputMeta& meta = n->output_meta(edge.output());
    if (meta.known && !meta.fits(*dx.impl())) [[unlikely]]
      misfit(node, i, meta.text(), dx);
    return;
  }
  const TensorImpl& leaf = *edge.leaf();
  if (leaf.dtype != dx.dtype() || !(IntArrayRef(leaf.sizes) == IntArrayRef(dx.sizes()))) [[unlikely]]
    misfit(node, i, to_string(leaf.sizes) + " " + name_of(leaf.dtype), dx);
}

Grads take_cotangents(Sweep& s, Node& node) {
  const uint32_t first = Access::slot(node);
  if (node.outputs() == 1) {
    s.free_slots.push_back(first);
    return Grads(std::move(s.slots[first]));
  }
  Grads dy(node.outputs());
  for (int64_t i = 0; i < dy.size(); ++i) dy[i] = std::move(s.slots[first + static_cast<uint32_t>(i)]);
  return dy;
}

// Runs the rule of one node and hands its gradients on; false when no gradient was wanted, so that no rule ran.
bool step(Sweep& s, Node& node) {
  Grads dy = take_cotangents(s, node);
  if (Access::extras(node) || has_mark(s, node, kCaptured)) present_outputs(s, node, dy);
  if (is_bound(s, node)) return false;
  State& state = thread_state;
  const uint64_t wanted = needs_mask(s, node);
  if (node.freed() && !has_mark(s, node, kCaptured)) freed_graph(node);
  if (wanted == 0) return false;
  state.needs = wanted;
  state.current = &node;
  here.running = &s;
  const uint64_t outer_lent = std::exchange(here.lent, 0);
  Grads dx = run_rule(node, dy);
  const uint64_t lent = std::exchange(here.lent, outer_lent);
  const int64_t count = std::min(dx.size(), node.inputs());
  for (int64_t i = 0; i < count; ++i) {
    if (!dx[i].defined() || !(wanted >> std::min<int64_t>(i, 63) & 1)) continue;
    const Edge& edge = node.edge(i);
    if (i >= 63 && !wants(s, edge)) continue;
    check_fit(node, i, edge, dx[i]);
    const bool added = i < 64 && (lent >> i & 1);
    if (Node* n = edge.node()) accumulate(slot_of(s, *n, edge.output()), std::move(dx[i]), added);
    else accumulate(s.leaves.slot(edge.leaf()), std::move(dx[i]), added);
  }
  return true;
}

}  // namespace

void run_sweep(Sweep& s) {
  Sweep* outer = here.running;
  while (Node* next = s.pop()) {
    const auto node = Ref<Node>::adopt(next);
    Access::call(*node) = 0;
    try {
      // A node whose rule did not run (an input of grad()) keeps its graph for the sweep that will need it.
      if (step(s, *node) && !s.retain_graph) free_node(*node);
    } catch (...) {
      here.running = outer;
      throw;
    }
  }
  here.running = outer;
}

// A rule that can add into memory (a matrix product with beta = 1) asks where its gradient goes: the sum so far, when it
// is the sweep's own, else undefined. Returning that very tensor means "added".
Tensor accumulator(int64_t input) {
  Sweep* s = here.running;
  if (!s || GradMode::is_enabled() || !thread_state.current) return {};
  const Edge& edge = thread_state.current->edge(input);
  Tensor* slot = nullptr;
  if (Node* n = edge.node()) {
    if (Access::call(*n) == s->id) slot = &s->slots[Access::slot(*n) + edge.output()];
  } else if (edge) {
    slot = &s->leaves.slot(edge.leaf());
  }
  if (input >= 64 || !slot || !slot->unique() || !slot->is_contiguous()) return {};
  here.lent |= uint64_t{1} << input;
  return *slot;
}

}  // namespace tapegrad::autograd
