// The tape: recording an operation, attaching its outputs, and taking nodes apart without recursion.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"
#include "tapegrad/autograd/replay/recorder.h"
#include "tapegrad/core/forks.h"

namespace tapegrad {
namespace autograd {

constinit thread_local State thread_state __attribute__((tls_model("initial-exec"))) = {};

State& state_of_thread() { return thread_state; }

Hook::~Hook() = default;

std::string OutputMeta::text() const {
  if (!known) return "[?]";
  std::vector<int64_t> values(sizes, sizes + rank);
  return to_string(values) + " " + name_of(dtype);
}

Node::~Node() { delete extras_; }

const OutputMeta& Node::later_output(uint32_t index) const {
  static const OutputMeta unknown{};
  return extras_ && index <= extras_->later_outputs.size() ? extras_->later_outputs[index - 1] : unknown;
}

void Access::describe_later(Node& n, uint32_t index, const TensorImpl& t) {
  std::vector<OutputMeta>& later = extras_of(n).later_outputs;
  if (later.size() < index) later.resize(std::max<size_t>(index, n.outputs_ - 1));
  later[index - 1].set(t);
}

Grads Node::tangent(const Grads&) { detail::no_tangent(name()); }

Ref<Node> Node::fresh() const { return {}; }
std::vector<Tensor> Node::forward_again(const std::vector<Tensor>&) { return {}; }

std::vector<Tensor> Node::replay(const std::vector<Tensor>& in) const {
  const Ref<Node> node = fresh();
  if (!node) return {};
  std::vector<const Tensor*> inputs;
  for (const Tensor& t : in) inputs.push_back(&t);
  const auto count = static_cast<int64_t>(in.size());
  const detail::Recording recording(name(), inputs.data(), count, true);
  std::vector<Tensor> y = node->forward_again(in);
  if (!recording.needed()) return y;
  detail::record(node.get(), inputs.data(), count);
  detail::attach(y.data(), static_cast<int64_t>(y.size()), node.get(), inputs.data(), count);
  return y;
}

void Node::visit_saved(void (*)(void*, const SavedView&), void*) const {}

namespace {

// Nodes whose last reference went while another was being taken apart wait here, so depth costs no stack.
struct Graveyard {
  Node* first = nullptr;
  bool busy = false;
};
constinit thread_local Graveyard graveyard __attribute__((tls_model("initial-exec"))) = {};

// Nodes freed by another thread than recorded them, by tape: rare, so a lock is cheap enough.
struct FreedElsewhere {
  std::mutex mutex;
  std::unordered_map<uint32_t, int64_t> by_tape;
};
FreedElsewhere& freed_elsewhere() {
  static auto& instance = *new FreedElsewhere;
  return instance;
}
const bool at_load = tapegrad::detail::survives_forks<[]() -> std::mutex& { return freed_elsewhere().mutex; }>();

void bury(Node* node) noexcept {
  const size_t bytes = node->allocated_bytes();
  const uint32_t tape = Access::tape(*node);  // 0: its forward threw before it was recorded
  if (tape != 0 && tape == thread_state.tape) {
    --thread_state.live_nodes;
  } else if (tape != 0) {
    FreedElsewhere& freed = freed_elsewhere();
    std::lock_guard lock(freed.mutex);
    ++freed.by_tape[tape];
  }
  node->~Node();
  pool::deallocate(node, bytes);
}

}  // namespace

void Node::release_node_memory(Node* node) noexcept {
  // The dead node's sequence number is free to hold the link to the next in line.
  node->sequence_ = reinterpret_cast<uint64_t>(graveyard.first);
  graveyard.first = node;
  if (graveyard.busy) return;
  graveyard.busy = true;
  while (Node* next = graveyard.first) {
    graveyard.first = reinterpret_cast<Node*>(next->sequence_);
    bury(next);
  }
  graveyard.busy = false;
}

Edge::Edge(const Edge& other) noexcept : bits_(other.bits_), output_(other.output_) {
  if (Node* n = node()) n->retain();
  else if (TensorImpl* l = leaf()) l->retain();
}

Edge Edge::to(const TensorImpl& t) {
  Edge edge;
  if (t.node) {
    t.node->retain();
    edge.bits_ = reinterpret_cast<uintptr_t>(t.node);
    edge.output_ = t.output;
  } else if (t.requires_grad) {
    auto* leaf = const_cast<TensorImpl*>(&t);
    leaf->retain();
    edge.bits_ = reinterpret_cast<uintptr_t>(leaf) | 1;
  }
  return edge;
}

void Edge::release() noexcept {
  if (bits_ & 1) leaf()->release();
  else node()->release();
}

NodeExtras& extras_of(Node& node) {
  NodeExtras*& extras = Access::extras(node);
  if (!extras) extras = new NodeExtras;
  return *extras;
}

GradMeta& meta_of(TensorImpl& t) {
  if (!t.meta) t.meta = new GradMeta;
  return *t.meta;
}

void let_go(TensorImpl& t) noexcept {
  if (t.meta) {
    if (t.meta->retains && t.node) remove_retained(*t.node, &t);
    delete t.meta;
  }
  if (t.node) t.node->release();
}

void remove_retained(Node& node, TensorImpl* tensor) noexcept {
  if (NodeExtras* extras = Access::extras(node))
    std::erase_if(extras->retained, [&](const Retained& r) { return r.tensor == tensor; });
}

namespace {

uint32_t new_tape() {
  static std::atomic<uint32_t> tapes{0};
  return ++tapes;
}

}  // namespace

namespace detail {

Recording::Recording(const char* op, const Tensor* const* inputs, int64_t count, bool optional)
    : state_(thread_state), outer_(state_.needs), needed_(false) {
  uint64_t needs = 0;
  for (int64_t i = 0; i < count; ++i) {
    TensorImpl* t = inputs[i]->impl();
    if (!t) {
      if (optional) continue;
      throw ValueError(std::string(op) + ": argument " + std::to_string(i + 1) +
                       " must be defined, got an undefined tensor (Tensor())");
    }
    if (!state_.grad_enabled) {
      if (state_.watch & kKeepInputs) [[unlikely]]
        note_severed(op, *t);
      continue;
    }
    refresh(*t, op);
    if (t->node) {
      if (Access::tape(*t->node) != state_.tape)
        throw AutogradError(std::string(op) + ": argument " + std::to_string(i + 1) +
                            " was recorded on another thread's tape; only leaves may be shared between threads (did "
                            "you mean detach()?)");
    } else if (!t->requires_grad) {
      if (state_.recorder) [[unlikely]]
        state_.recorder->note_frozen(*t);
      continue;
    }
    needs |= uint64_t{1} << (i < 63 ? i : 63);
  }
  if (state_.outside) [[unlikely]]
    needs |= state_.outside->note(inputs, count, op);
  state_.needs = needs;
  needed_ = needs != 0;
}

void record(Node* node, const Tensor* const* inputs, int64_t count) {
  State& s = thread_state;
  if (s.tape == 0) [[unlikely]]
    s.tape = new_tape();
  Access::tape(*node) = s.tape;
  Access::sequence(*node) = s.next_sequence++;
  ++s.live_nodes;
  Edge* edges = Access::edges(*node);
  for (int64_t i = 0; i < count; ++i) {
    if (const TensorImpl* t = inputs[i]->impl()) edges[i] = Edge::to(*t);
  }
  if (s.watch) [[unlikely]]
    watch_recording(*node, inputs, count);
}

void attach(Tensor& y, Node* node, uint32_t index, const Tensor* const* inputs, int64_t count) {
  if (!y.defined()) return;
  if (!y.is_floating_point() && !(thread_state.watch & kTrace)) return;  // integer outputs (an index) have no gradient
  bool handed_through = y.impl()->node || y.impl()->requires_grad;
  for (int64_t i = 0; i < count; ++i) handed_through |= y.impl() == inputs[i]->impl();
  if (handed_through) y = alias(y);
  TensorImpl* t = y.impl();
  node->retain();
  t->node = node;
  t->output = index;
  Access::describe(*node, index, *t);
}

void finish(Tensor& y, Node* node, const Tensor* const* inputs, int64_t count) {
  record(node, inputs, count);
  attach(y, node, 0, inputs, count);
}

void attach(Tensor* y, int64_t outputs, Node* node, const Tensor* const* inputs, int64_t count) {
  Access::outputs(*node) = static_cast<uint32_t>(outputs);
  for (int64_t i = 0; i < outputs; ++i) attach(y[i], node, static_cast<uint32_t>(i), inputs, count);
}

void no_tangent(const char* op) {
  throw AutogradError(std::string(op) + ": there is no forward-mode rule (give its struct a tangent())");
}

Grads sum_tangents(const char*, Grads (*rule)(const void*, Grads&), const void* self, const Grads& dx) {
  Tensor sum;
  const uint64_t outer = thread_state.needs;
  for (int64_t i = 0; i < dx.size(); ++i) {
    if (!dx[i].defined()) continue;
    thread_state.needs = uint64_t{1} << i;
    Grads one{Tensor(dx[i])};
    Grads parts = rule(self, one);
    if (!parts[i].defined()) continue;
    sum = sum.defined() ? recorded_add(sum, parts[i]) : parts[i];
  }
  thread_state.needs = outer;
  return Grads(std::move(sum));
}

}  // namespace detail

int64_t live_nodes() {
  FreedElsewhere& freed = freed_elsewhere();
  std::lock_guard lock(freed.mutex);
  const auto it = freed.by_tape.find(thread_state.tape);
  return thread_state.live_nodes - (it == freed.by_tape.end() ? 0 : it->second);
}

void rethrow_with(const std::string& note) {
  try {
    throw;
  } catch (const ShapeError& e) { throw ShapeError(e.what() + note); } catch (const DTypeError& e) {
    throw DTypeError(e.what() + note);
  } catch (const IndexError& e) { throw IndexError(e.what() + note); } catch (const ValueError& e) {
    throw ValueError(e.what() + note);
  } catch (const AutogradError& e) { throw AutogradError(e.what() + note); } catch (const OutOfMemoryError&) {
    throw;
  } catch (const Error& e) { throw Error(e.what() + note); }
}

}  // namespace autograd
}  // namespace tapegrad
