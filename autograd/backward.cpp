// What backward and grad do around a sweep: seeds in front, paths to the wanted inputs, leaves behind.
#include <pthread.h>

#include <array>
#include <mutex>
#include <new>

#include "tapegrad/autograd/replay/recorder.h"
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

// y = x as another dtype;  dx = dy as x's dtype
struct To {
  static constexpr const char* name = "to";
  static constexpr bool linear = true;
  static constexpr bool takes_bfloat16 = true;
  DType dtype;
  DType from = kFloat32;
  Tensor forward(const Tensor& x) {
    from = x.dtype();
    return converted(x, dtype);
  }
  Grads backward(const Tensor& dy) const { return {detail::cast(dy, from)}; }
};

void check_given(const char* op, const char* role, size_t i, const Tensor& t) {
  if (!t.defined())
    throw ValueError(std::string(op) + ": " + role + " " + std::to_string(i) +
                     " must be defined, got an undefined tensor (Tensor())");
}

void check_output(const Tensor& y, int64_t i) {
  const TensorImpl& t = *y.impl();
  refresh(*y.impl(), "backward");
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
  for (size_t i = 0; i < outputs.size; ++i) {
    check_given(s.pruned ? "grad" : "backward", "output", i, outputs[i]);
    check_output(outputs[i], static_cast<int64_t>(i));
  }
  for (size_t i = 0; i < outputs.size; ++i) {
    TensorImpl& t = *outputs[i].impl();
    Tensor g = seed_of(outputs[i], grads, i);
    if (t.node) accumulate(slot_of(s, *t.node, t.output), std::move(g));
    else if (!s.pruned || s.leaves.lookup(&t)) accumulate(s.leaves.slot(&t), std::move(g));
  }
}

// Leaves may be shared by threads that sweep at once.
using LeafMutexes = std::array<std::mutex, 16>;
constinit LeafMutexes leaf_mutexes;

// Those that other threads held at a fork() would stay held in the child, which has no such threads.
const bool at_load = pthread_atfork(nullptr, nullptr, [] { new (&leaf_mutexes) LeafMutexes; }) == 0;

std::mutex& leaf_mutex(const TensorImpl* leaf) {
  return leaf_mutexes[(reinterpret_cast<uintptr_t>(leaf) >> 6) % std::tuple_size_v<LeafMutexes>];
}

// Runs the hooks of the leaves that got a gradient.
void present_leaves(Sweep& s) {
  for (LeafSlot& slot : s.leaves.all()) {
    if (!slot.grad.defined()) continue;
    std::vector<std::shared_ptr<Hook>> hooks;
    {
      std::lock_guard lock(leaf_mutex(slot.leaf.get()));
      if (slot.leaf->meta) hooks = slot.leaf->meta->hooks;
    }
    if (!hooks.empty()) slot.grad = run_hooks(hooks, std::move(slot.grad), "a leaf");
  }
}

// The sum so far must fit its tensor; checked for all before the first is touched.
void check_kept(const TensorImpl& t) {
  std::lock_guard lock(leaf_mutex(&t));
  if (!t.meta || !t.meta->grad.defined()) return;
  const Tensor& kept = t.meta->grad;
  if (!(IntArrayRef(kept.sizes()) == IntArrayRef(t.sizes)) || kept.dtype() != t.dtype)
    throw AutogradError("backward: a tensor's grad() must have the tensor's shape and dtype to be added to, got " +
                        to_string(kept.sizes()) + " " + name_of(kept.dtype()) + " and tensor " + to_string(t.sizes) +
                        " " + name_of(t.dtype));
}

void store_leaf(TensorImpl& leaf, Tensor grad, bool recorded) {
  if (thread_state.recorder) [[unlikely]]
    thread_state.recorder->note_gradient(leaf);
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

void store_retained(RetainedGrad& r, bool recorded) {
  Tensor& kept = meta_of(*r.tensor).grad;
  if (kept.defined()) kept = recorded_add(kept, r.grad);
  else kept = recorded || r.grad.unique() ? std::move(r.grad) : clone_of(r.grad);
}

// The marks of one grad(), which puts the marks of the sweeps around it back.
class Marks {
 public:
  // Marks the nodes from which a wanted input can be reached: first all reachable ones, then, earliest first, those with
  // an edge to a marked one.
  Marks(Sweep& s, const std::vector<Tensor>& outputs) {
    for (const Tensor& y : outputs) {
      if (Node* n = y.impl()->node) visit(s, n);
    }
    for (size_t i = 0; i < reached_.size(); ++i) {
      Node& n = *reached_[i].node;
      for (int64_t k = 0; k < n.inputs() && !is_bound(s, n); ++k) {
        if (Node* next = n.edge(k).node()) visit(s, next);
      }
    }
    uint64_t earliest = s.leaves.all().empty() ? UINT64_MAX : 0;
    for (const Captured& c : s.captured) {
      earliest = std::min(earliest, c.node->sequence());
      if (is_reached(s, c.node)) Access::mark(*c.node) |= kCaptured;
    }
    std::sort(reached_.begin(), reached_.end(),
              [](const Reached& a, const Reached& b) { return a.node->sequence() < b.node->sequence(); });
    for (const Reached& r : reached_) {
      Node& n = *r.node;
      // A freed one that may have led to a wanted input is visited to say so.
      bool leads = has_mark(s, n, kCaptured) || (n.freed() && n.sequence() > earliest);
      for (int64_t i = 0; i < n.inputs() && !leads; ++i) leads = wants(s, n.edge(i));
      if (leads) Access::mark(n) |= kLeads;
    }
  }
  ~Marks() {
    for (const Reached& r : reached_) Access::mark(*r.node) = r.outer;
  }
  Marks(const Marks&) = delete;
  Marks& operator=(const Marks&) = delete;

 private:
  struct Reached {
    Ref<Node> node;
    uint16_t outer;  // its mark before
  };
  static bool is_bound(const Sweep& s, Node& n) {
    if (!s.bounded) return false;
    const auto c = std::lower_bound(s.captured.begin(), s.captured.end(), Captured{&n, 0, {}});
    return c != s.captured.end() && c->node == &n;
  }
  static bool is_reached(const Sweep& s, Node* n) { return (Access::mark(*n) & ~(kDepthUnit - 1)) == s.mark; }
  void visit(const Sweep& s, Node* n) {
    if (is_reached(s, n)) return;
    reached_.push_back({Ref<Node>::share(n), Access::mark(*n)});
    Access::mark(*n) = s.mark;
  }
  std::vector<Reached> reached_;
};

void want(Sweep& s, const std::vector<Tensor>& inputs) {
  s.pruned = true;
  for (size_t i = 0; i < inputs.size(); ++i) {
    check_given("grad", "input", i, inputs[i]);
    TensorImpl& t = *inputs[i].impl();
    refresh(t, "grad");
    if (t.node) s.captured.push_back({t.node, t.output, {}});
    else if (t.requires_grad) s.leaves.slot(&t);
    else
      throw AutogradError("grad: input " + std::to_string(i) + " does not require grad, shape " + to_string(t.sizes));
  }
  std::sort(s.captured.begin(), s.captured.end());
  s.captured.erase(std::unique(s.captured.begin(), s.captured.end()), s.captured.end());
}

// Where the gradient by an input of grad() is collected.
Tensor& wanted_grad(Sweep& s, const TensorImpl& t) {
  if (!t.node) return s.leaves.lookup(&t)->grad;
  return std::lower_bound(s.captured.begin(), s.captured.end(), Captured{t.node, t.output, {}})->grad;
}

std::vector<Tensor> wanted_grads(Sweep& s, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> result;
  result.reserve(inputs.size());
  for (const Tensor& x : inputs) result.push_back(wanted_grad(s, *x.impl()));
  return result;
}

}  // namespace

Tensor recorded_add(const Tensor& a, const Tensor& b) { return apply(Add{}, a, b); }

Tensor detail::cast(const Tensor& x, DType dtype) { return x.dtype() == dtype ? x : apply(To{.dtype = dtype}, x); }

std::vector<Tensor> detail::widened(const std::vector<Tensor>& x) {
  std::vector<Tensor> wide;
  for (const Tensor& t : x) wide.push_back(widened(t));
  return wide;
}

void detail::narrow_results(Tensor* y, int64_t count, const Tensor* const* inputs, int64_t inputs_count) {
  for (int64_t i = 0; i < inputs_count; ++i) {
    if (inputs[i]->defined() && inputs[i]->dtype() > kBFloat16) return;
  }
  for (int64_t i = 0; i < count; ++i) {
    if (y[i].defined() && y[i].dtype() == kFloat32) y[i] = cast(y[i], kBFloat16);
  }
}

void detail::no_bfloat16_in_place(const char* op) {
  throw DTypeError(
      std::string(op) +
      ": bfloat16 is not supported here (did you mean the form that returns its result, or to(kFloat32)?)");
}

namespace {

void backward_into_leaves(TensorSpan outputs, TensorSpan grads, bool retain_graph, bool create_graph) {
  SweepScope scope(retain_graph, create_graph);
  Sweep& s = *scope;
  seed(s, outputs, grads);
  run_sweep(s);
  present_leaves(s);
  for (const LeafSlot& slot : s.leaves.all()) {
    if (slot.grad.defined()) check_kept(*slot.leaf);
  }
  for (const RetainedGrad& r : s.retained) check_kept(*r.tensor);
  for (RetainedGrad& r : s.retained) store_retained(r, create_graph);
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
  const Marks marks(s, outputs);
  run_sweep(s);
  for (size_t i = 0; i < inputs.size() && !allow_unused; ++i) {
    if (!wanted_grad(s, *inputs[i].impl()).defined())
      throw AutogradError("grad: no output depends on input " + std::to_string(i) + ", shape " +
                          to_string(inputs[i].sizes()) + " (pass allow_unused = true to get an undefined tensor)");
  }
  present_leaves(s);
  for (const RetainedGrad& r : s.retained) check_kept(*r.tensor);
  for (RetainedGrad& r : s.retained) store_retained(r, create_graph);
  return wanted_grads(s, inputs);
}

std::vector<Tensor> inner_grad(std::vector<Tensor> outputs, const std::vector<Tensor>& inputs,
                               std::vector<Tensor> grad_outputs, bool create_graph) {
  SweepScope scope(create_graph, create_graph);
  Sweep& s = *scope;
  s.bounded = true;
  want(s, inputs);
  seed(s, outputs, grad_outputs);
  const Marks marks(s, outputs);
  outputs.clear();
  grad_outputs.clear();
  run_sweep(s);
  for (RetainedGrad& r : s.retained) store_retained(r, create_graph);
  return wanted_grads(s, inputs);
}

}  // namespace tapegrad::autograd
