// What backward and grad do around a sweep: seeds in front, paths to the wanted inputs, leaves behind.
#include <mutex>

#include "tapegrad/autograd/sweep.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::autograd {
namespace {

// y = a + b, the tape's own.
struct Add {
  static constexpr const char* name = "add";
  static constexpr bool elementwise = true;
  Tensor forward(const Tensor& a, const Tensor& b) {
    Tensor y = clone_of(a);
    add_into(y, b);
    return y;
  }
  Grads backward(const Tensor& dy) const { return {Tensor(dy), Tensor(dy)}; }
};

void check_output(const Tensor& y, int64_t i) {
  const TensorImpl& t = y.state();
  refresh(y.state());
  if (!t.node && !t.requires_grad)
    throw AutogradError("backward: output " + std::to_string(i) +
                        " has no graph: it neither requires grad nor was computed from a tensor that does, shape " +
                        to_string(t.sizes));
  if (t.node && Access::tape(*t.node) != thread_state.tape)
    throw AutogradError("backward: output " + std::to_string(i) +
                        " was recorded on another thread's tape; call backward on the thread that ran the forward");
  if (t.node && t.node->freed()) freed_graph(*t.node);
}

// Tensors lent for the length of a call.
struct TensorSpan {
  const Tensor* data;
  size_t size;
  TensorSpan(const std::vector<Tensor>& v) : data(v.data()), size(v.size()) {}
  explicit TensorSpan(const Tensor& one) : data(&one), size(1) {}
  const Tensor* begin() const { return data; }
  const Tensor* end() const { return data + size; }
  const Tensor& operator[](size_t i) const { return data[i]; }
};

Tensor seed_of(const Tensor& y, TensorSpan grads, size_t i) {
  if (i < grads.size && grads[i].defined()) {
    const Tensor& g = grads[i];
    if (!(IntArrayRef(g.sizes()) == IntArrayRef(y.sizes())))
      throw ShapeError("backward: the gradient must have the output's shape, got gradient " + to_string(g.sizes()) +
                       " and output " + to_string(y.sizes()));
    if (g.dtype() != y.dtype())
      throw DTypeError(std::string("backward: the gradient must have the output's dtype, got gradient ") +
                       name_of(g.dtype()) + " and output " + name_of(y.dtype()));
    return g;
  }
  if (y.numel() != 1)
    throw AutogradError("backward: a gradient may be left out for one-element outputs only, got shape " +
                        to_string(y.sizes()) + " (pass a gradient, or reduce with sum() or mean())");
  return filled_tensor(y.sizes(), y.dtype(), 1);
}

void seed(Sweep& s, TensorSpan outputs, TensorSpan grads) {
  if (grads.size != 0 && grads.size != outputs.size)
    throw ValueError("backward: one gradient per output is needed, got " + std::to_string(grads.size) + " for " +
                     std::to_string(outputs.size) + " outputs");
  for (size_t i = 0; i < outputs.size; ++i) check_output(outputs[i], static_cast<int64_t>(i));
  for (size_t i = 0; i < outputs.size; ++i) {
    TensorImpl& t = *outputs[i].impl();
    Tensor g = seed_of(outputs[i], grads, i);
    if (t.node) accumulate(slot_of(s, *t.node, t.output), std::move(g));
    else accumulate(s.leaves.slot(&t), std::move(g));
  }
}

// Leaves may be shared by threads that sweep at once.
std::mutex& leaf_mutex(const TensorImpl* leaf) {
  static auto& mutexes = *new std::array<std::mutex, 16>;
  return mutexes[(reinterpret_cast<uintptr_t>(leaf) >> 6) % mutexes.size()];
}

Tensor leaf_gradient(LeafSlot& slot) {
  std::vector<std::shared_ptr<Hook>> hooks;
  {
    std::lock_guard lock(leaf_mutex(slot.leaf.get()));
    if (slot.leaf->meta) hooks = slot.leaf->meta->hooks;
  }
  return hooks.empty() ? std::move(slot.grad) : run_hooks(hooks, std::move(slot.grad));
}

// What a hook returned must fit the leaf, and so must the sum so far; checked for all leaves before the first is touched.
void check_leaf(const TensorImpl& leaf, const Tensor& grad) {
  std::lock_guard lock(leaf_mutex(&leaf));
  if (!(IntArrayRef(grad.sizes()) == IntArrayRef(leaf.sizes)) || grad.dtype() != leaf.dtype)
    throw AutogradError("backward: a gradient must have its leaf's shape and dtype, got gradient " +
                        to_string(grad.sizes()) + " " + name_of(grad.dtype()) + " and leaf " + to_string(leaf.sizes) +
                        " " + name_of(leaf.dtype));
  if (!leaf.meta || !leaf.meta->grad.defined()) return;
  const Tensor& kept = leaf.meta->grad;
  if (!(IntArrayRef(kept.sizes()) == IntArrayRef(leaf.sizes)) || kept.dtype() != leaf.dtype)
    throw AutogradError("backward: the leaf's grad() must have the leaf's shape and dtype to be added to, got " +
                        to_string(kept.sizes()) + " " + name_of(kept.dtype()) + " and leaf " + to_string(leaf.sizes) +
                        " " + name_of(leaf.dtype));
}

void store_leaf(TensorImpl& leaf, Tensor grad, bool recorded) {
  std::lock_guard lock(leaf_mutex(&leaf));
  Tensor& kept = meta_of(leaf).grad;
  if (!kept.defined()) {
    // Never the memory of another leaf's gradient, or of the caller's.
    const bool own = grad.unique() && grad.is_contiguous();
    kept = own ? std::move(grad) : recorded_clone(grad);
  } else if (recorded || kept.impl()->node || has_overlap(kept)) {
    kept = recorded_add(kept, grad);
  } else {
    kept.impl()->storage->bump_version();
    add_into(kept, grad);
  }
}

// Marks the nodes from which a wanted input can be reached: first all reachable ones, latest first, then, earliest
// first, those with a marked edge.
std::vector<Ref<Node>> mark_paths(Sweep& s, const std::vector<Tensor>& outputs) {
  std::vector<Ref<Node>> reached;
  std::vector<Node*> open;
  const auto visit = [&](Node* n) {
    if (Access::marked(*n)) return;
    Access::marked(*n) = true;
    reached.push_back(Ref<Node>::share(n));
    open.push_back(n);
  };
  for (const Tensor& y : outputs) {
    if (y.impl()->node) visit(y.impl()->node);
  }
  while (!open.empty()) {
    Node* n = open.back();
    open.pop_back();
    for (int64_t i = 0; i < n->inputs(); ++i) {
      if (Node* next = n->edge(i).node()) visit(next);
    }
  }
  std::sort(reached.begin(), reached.end(), [](const auto& a, const auto& b) { return a->sequence() < b->sequence(); });
  for (const auto& n : reached) {
    bool leads = n->freed() || is_captured(s, *n);  // a freed one is visited to say so
    for (int64_t i = 0; i < n->inputs() && !leads; ++i) leads = wants(s, n->edge(i));
    Access::marked(*n) = leads;
  }
  return reached;
}

void want(Sweep& s, const std::vector<Tensor>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    TensorImpl& t = inputs[i].state();
    refresh(t);
    if (t.node) s.captured.push_back({t.node, t.output, {}});
    else if (t.requires_grad) s.wanted_leaves.push_back(&t);
    else
      throw AutogradError("grad: input " + std::to_string(i) + " does not require grad, shape " + to_string(t.sizes));
  }
}

}  // namespace

Tensor recorded_add(const Tensor& a, const Tensor& b) { return apply(Add{}, a, b); }

namespace {

void backward_into_leaves(TensorSpan outputs, TensorSpan grads, bool retain_graph, bool create_graph) {
  SweepScope scope(retain_graph, create_graph);
  Sweep& s = *scope;
  seed(s, outputs, grads);
  run_sweep(s);
  for (LeafSlot& slot : s.leaves.all()) {
    if (!slot.grad.defined()) continue;
    slot.grad = leaf_gradient(slot);
    check_leaf(*slot.leaf, slot.grad);
  }
  for (LeafSlot& slot : s.leaves.all()) {
    if (slot.grad.defined()) store_leaf(*slot.leaf, std::move(slot.grad), create_graph);
  }
}

}  // namespace

void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs,
              std::optional<bool> retain_graph, bool create_graph) {
  backward_into_leaves(outputs, grad_outputs, retain_graph.value_or(create_graph), create_graph);
}

void backward(const Tensor& output, const Tensor& gradient, bool retain_graph, bool create_graph) {
  backward_into_leaves(TensorSpan(output), TensorSpan(gradient), retain_graph, create_graph);
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs, std::optional<bool> retain_graph, bool create_graph,
                         bool allow_unused) {
  SweepScope scope(retain_graph.value_or(create_graph), create_graph);
  Sweep& s = *scope;
  want(s, inputs);
  seed(s, outputs, grad_outputs);
  s.pruned = true;
  const std::vector<Ref<Node>> marked = mark_paths(s, outputs);
  struct Unmark {
    const std::vector<Ref<Node>>& nodes;
    ~Unmark() {
      for (const auto& n : nodes) Access::marked(*n) = false;
    }
  } unmark{marked};
  run_sweep(s);
  std::vector<Tensor> result;
  for (size_t i = 0; i < inputs.size(); ++i) {
    TensorImpl* t = inputs[i].impl();
    Tensor g;
    if (t->node) {
      for (const Captured& c : s.captured) {
        if (c.node == t->node && c.output == t->output) g = c.grad;
      }
    } else {
      for (LeafSlot& slot : s.leaves.all()) {
        if (slot.leaf.get() == t && slot.grad.defined())
          g = run_hooks(t->meta ? t->meta->hooks : decltype(t->meta->hooks){}, slot.grad);
      }
    }
    if (!g.defined() && !allow_unused)
      throw AutogradError("grad: no output depends on input " + std::to_string(i) + ", shape " + to_string(t->sizes) +
                          " (pass allow_unused = true to get an undefined tensor)");
    result.push_back(std::move(g));
  }
  return result;
}

}  // namespace tapegrad::autograd
