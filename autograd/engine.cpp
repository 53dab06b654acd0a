// The backward sweep: nodes in descending creation order, cotangents in the call's own slots.
#include <algorithm>
#include <cmath>
#include <mutex>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"
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

struct LeafSlot {
  Ref<TensorImpl> leaf;
  Tensor grad;
};

// The leaves met by one call, found by address: a scan while they are few, an open-addressed table after that.
class LeafTable {
 public:
  Tensor& slot(TensorImpl* leaf) {
    if (slots_.size() <= kScan) {
      for (LeafSlot& s : slots_) {
        if (s.leaf.get() == leaf) return s.grad;
      }
      slots_.push_back({Ref<TensorImpl>::share(leaf), {}});
      if (slots_.size() > kScan) rehash(64);
      return slots_.back().grad;
    }
    size_t at = find(leaf);
    if (table_[at] == 0) {
      if (slots_.size() * 2 >= table_.size()) {
        rehash(table_.size() * 2);
        at = find(leaf);
      }
      slots_.push_back({Ref<TensorImpl>::share(leaf), {}});
      table_[at] = static_cast<uint32_t>(slots_.size());
    }
    return slots_[table_[at] - 1].grad;
  }
  std::vector<LeafSlot>& all() { return slots_; }
  void clear() {
    slots_.clear();
    table_.clear();
  }

 private:
  static constexpr size_t kScan = 8;
  size_t find(TensorImpl* leaf) const {
    const size_t mask = table_.size() - 1;
    size_t at = (reinterpret_cast<uintptr_t>(leaf) >> 6) * 0x9E3779B97F4A7C15ull >> 32 & mask;
    while (table_[at] != 0 && slots_[table_[at] - 1].leaf.get() != leaf) at = (at + 1) & mask;
    return at;
  }
  void rehash(size_t size) {
    table_.assign(size, 0);
    for (size_t i = 0; i < slots_.size(); ++i) table_[find(slots_[i].leaf.get())] = static_cast<uint32_t>(i + 1);
  }
  std::vector<LeafSlot> slots_;
  std::vector<uint32_t> table_;
};

struct Ready {
  uint64_t sequence;
  Node* node;  // owned
  bool operator<(const Ready& other) const { return sequence < other.sequence; }
};

// Scratch of a node that an outer, interrupted sweep was using when an inner one (from a rule or a hook) needed it.
struct Interrupted {
  Node* node;
  uint64_t call;
  uint32_t slot;
};

struct Captured {
  Node* node;
  uint32_t output;
  Tensor grad;
};

// One sweep. Kept per thread and depth, so the steady state allocates nothing.
struct Sweep {
  uint64_t id = 0;
  bool create_graph = false;
  bool retain_graph = false;
  bool pruned = false;       // only nodes whose mark is set lead to a wanted input
  Ready top{0, nullptr};     // the latest ready node; in a chain the only one
  std::vector<Ready> ready;  // the others, a heap
  std::vector<Tensor> slots;
  std::vector<uint32_t> free_slots;
  std::vector<Interrupted> interrupted;
  std::vector<Captured> captured;
  std::vector<TensorImpl*> wanted_leaves;
  LeafTable leaves;

  void push(Node& node) {
    const Ready entry{node.sequence(), &node};
    if (!top.node) {
      top = entry;
      return;
    }
    ready.push_back(top < entry ? std::exchange(top, entry) : entry);
    std::push_heap(ready.begin(), ready.end());
  }
  // The latest ready node, whose reference passes to the caller; null when there is none.
  Node* pop() {
    Node* node = top.node;
    if (ready.empty()) {
      top = {0, nullptr};
    } else {
      std::pop_heap(ready.begin(), ready.end());
      top = ready.back();
      ready.pop_back();
    }
    return node;
  }

  void reset() {
    ready.clear();
    slots.clear();
    free_slots.clear();
    interrupted.clear();
    captured.clear();
    wanted_leaves.clear();
    leaves.clear();
    pruned = false;
  }
};

struct SweepStack {
  std::vector<Sweep*> sweeps;
  size_t depth = 0;
  ~SweepStack() {
    for (Sweep* s : sweeps) delete s;
  }
};
thread_local SweepStack sweep_stack;
thread_local uint64_t sweep_count = 0;

// Takes a Sweep for the scope and puts the nodes' scratch back, also when a rule throws.
class SweepScope {
 public:
  SweepScope(bool retain_graph, bool create_graph)
      : mode_(create_graph), outer_needs_(thread_state.needs), outer_current_(thread_state.current) {
    if (sweep_stack.depth == sweep_stack.sweeps.size()) sweep_stack.sweeps.push_back(new Sweep);
    sweep_ = sweep_stack.sweeps[sweep_stack.depth++];
    sweep_->id = ++sweep_count;
    sweep_->retain_graph = retain_graph;
    sweep_->create_graph = create_graph;
  }
  ~SweepScope() {
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
    --sweep_stack.depth;
  }
  Sweep& operator*() const { return *sweep_; }

 private:
  AutoGradMode mode_;
  uint64_t outer_needs_;
  Node* outer_current_;
  Sweep* sweep_;
};

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

// The slot of an output of a node; the node joins the ready ones when it is first met.
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

// Sums go into the slot's own memory when nobody else can see it.
// `added`: the rule was lent the slot, and returning that very tensor means that it has added into it.
void accumulate(Tensor& slot, Tensor&& grad, bool added = false) {
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

Tensor run_hooks(const std::vector<std::shared_ptr<Hook>>& hooks, Tensor grad) {
  // A copy, because a hook may remove itself.
  for (const auto& hook : std::vector<std::shared_ptr<Hook>>(hooks)) {
    if (Tensor replaced = (*hook)(grad); replaced.defined()) grad = std::move(replaced);
  }
  return grad;
}

void store_retained(TensorImpl& t, const Tensor& grad) {
  Tensor& kept = meta_of(t).grad;
  kept = kept.defined() ? recorded_add(kept, grad) : GradMode::is_enabled() ? grad : clone_of(grad);
}

// Hooks, retained gradients and captures of a node's outputs, before its rule sees the cotangents.
void present_outputs(Sweep& s, Node& node, Grads& dy) {
  if (NodeExtras* extras = Access::extras(node)) {
    for (const OutputHook& hook : std::vector<OutputHook>(extras->hooks)) {  // a copy: a hook may remove itself
      if (dy[hook.output].defined()) dy[hook.output] = run_hooks({hook.hook}, dy[hook.output]);
    }
    for (const Retained& r : extras->retained) {
      if (dy[r.output].defined()) store_retained(*r.tensor, dy[r.output]);
    }
  }
  for (Captured& c : s.captured) {
    if (c.node == &node && dy[c.output].defined()) c.grad = dy[c.output];
  }
}

bool wants(const Sweep& s, const Edge& edge) {
  if (!edge) return false;
  if (!s.pruned) return true;
  if (const Node* n = edge.node()) return Access::marked(const_cast<Node&>(*n));
  return std::find(s.wanted_leaves.begin(), s.wanted_leaves.end(), edge.leaf()) != s.wanted_leaves.end();
}

uint64_t needs_mask(const Sweep& s, const Node& node) {
  uint64_t mask = 0;
  for (int64_t i = 0; i < node.inputs(); ++i) {
    if (wants(s, node.edge(i))) mask |= uint64_t{1} << (i < 63 ? i : 63);
  }
  return mask;
}

[[noreturn]] void freed_graph(const Node& node) {
  throw AutogradError(std::string("backward: the graph through ") + node.name() +
                      " was freed by an earlier backward (pass retain_graph = true to the first to sweep it twice)");
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
    const double* v = flat.data_ptr<double>();
    if (std::none_of(v, v + flat.numel(), [](double e) { return std::isnan(e); })) continue;
    throw AutogradError(std::string("backward of ") + node.name() + ": gradient by input " + std::to_string(i) +
                        " must be free of NaN in anomaly mode, shape " + to_string(dx[i].sizes()) + recorded_at(node));
  }
}

Grads run_rule(Node& node, Grads& dy) {
  if (!thread_state.anomaly) return node.backward(dy);
  try {
    Grads dx = node.backward(dy);
    check_nan(node, dx);
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
    const OutputMeta& meta = n->output_meta();
    if (edge.output() == 0 && meta.known && !meta.fits(*dx.impl())) [[unlikely]]
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

// Where a rule may add its gradient directly, see accumulator().
constinit thread_local Sweep* running_sweep = nullptr;
constinit thread_local uint64_t lent_slots = 0;  // bit i: the running rule was lent the slot of input i

bool is_captured(const Sweep& s, const Node& node) {
  return std::any_of(s.captured.begin(), s.captured.end(), [&](const Captured& c) { return c.node == &node; });
}

// Runs the rule of one node and hands its gradients on; false when no gradient was wanted, so that no rule ran.
bool step(Sweep& s, Node& node) {
  Grads dy = take_cotangents(s, node);
  if (Access::extras(node) || !s.captured.empty()) present_outputs(s, node, dy);
  State& state = thread_state;
  const uint64_t wanted = needs_mask(s, node);
  if (node.freed() && !is_captured(s, node)) freed_graph(node);
  if (wanted == 0) return false;
  state.needs = wanted;
  state.current = &node;
  running_sweep = &s;
  const uint64_t outer_lent = std::exchange(lent_slots, 0);
  Grads dx = run_rule(node, dy);
  const uint64_t lent = std::exchange(lent_slots, outer_lent);
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

void sweep(Sweep& s) {
  Sweep* outer = running_sweep;
  while (Node* next = s.pop()) {
    const auto node = Ref<Node>::adopt(next);
    Access::call(*node) = 0;
    try {
      // A node whose rule did not run (an input of grad()) keeps its graph for the sweep that will need it.
      if (step(s, *node) && !s.retain_graph) free_node(*node);
    } catch (...) {
      running_sweep = outer;
      throw;
    }
  }
  running_sweep = outer;
}

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

// A rule that can add into memory (a matrix product with beta = 1) asks where its gradient goes: the sum so far, when it
// is the sweep's own, else undefined. Returning that very tensor means "added".
Tensor accumulator(int64_t input) {
  Sweep* s = running_sweep;
  if (!s || GradMode::is_enabled() || !thread_state.current) return {};
  const Edge& edge = thread_state.current->edge(input);
  Tensor* slot = nullptr;
  if (Node* n = edge.node()) {
    if (Access::call(*n) == s->id) slot = &s->slots[Access::slot(*n) + edge.output()];
  } else if (edge) {
    slot = &s->leaves.slot(edge.leaf());
  }
  if (input >= 64 || !slot || !slot->unique() || !slot->is_contiguous()) return {};
  lent_slots |= uint64_t{1} << input;
  return *slot;
}

namespace {

void backward_into_leaves(TensorSpan outputs, TensorSpan grads, bool retain_graph, bool create_graph) {
  SweepScope scope(retain_graph, create_graph);
  Sweep& s = *scope;
  seed(s, outputs, grads);
  sweep(s);
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
  sweep(s);
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
