// What the files of autograd share and nobody else sees.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "tapegrad/autograd/apply.h"
#include "tapegrad/core/pool.h"

namespace tapegrad::autograd {

// A leaf's gradient and hooks; also the hooks of a recorded tensor, until its node is asked for them.
struct GradMeta {
  Tensor grad;
  std::vector<std::shared_ptr<Hook>> hooks;
  bool retains = false;  // a recorded tensor whose node writes its gradient back
};

struct OutputHook {
  uint32_t output;
  std::shared_ptr<Hook> hook;
};

struct Retained {
  uint32_t output;
  TensorImpl* tensor;  // not owned: the tensor takes itself out when it dies
};

struct NodeExtras {
  std::vector<OutputHook> hooks;
  std::vector<Retained> retained;
  std::vector<OutputMeta> later_outputs;  // of the outputs from the second on
  std::vector<void*> stack;               // return addresses of the recording, while it is watched
  std::vector<Tensor> inputs;             // copies of the inputs, while kKeepInputs
};

// The engine's and the tape's access to a node's private parts.
struct Access {
  static uint32_t& tape(Node& n) { return n.tape_; }
  static uint64_t& sequence(Node& n) { return n.sequence_; }
  static Edge* edges(Node& n) { return n.edges_; }
  static NodeExtras*& extras(Node& n) { return n.extras_; }
  static uint32_t& outputs(Node& n) { return n.outputs_; }
  static bool& freed(Node& n) { return n.freed_; }
  static uint16_t& mark(Node& n) { return n.mark_; }
  static uint32_t& slot(Node& n) { return n.slot_; }
  static uint64_t& call(Node& n) { return n.call_; }
  // Keeps shape and dtype of an output, for the check of what rules return.
  static void describe(Node& n, uint32_t index, const TensorImpl& t) {
    if (index == 0) [[likely]]
      n.output_.set(t);
    else describe_later(n, index, t);
  }
  static void describe_later(Node& n, uint32_t index, const TensorImpl& t);
};

NodeExtras& extras_of(Node& node);
GradMeta& meta_of(TensorImpl& t);
void remove_retained(Node& node, TensorImpl* tensor) noexcept;

// Brings a view's place on the tape up to date after its memory was written through another handle. AutogradError in the
// name of op when that cannot be: the view has a history of its own, and the write was recorded.
void refresh_view(TensorImpl& t, const char* op);
inline void refresh(TensorImpl& t, const char* op = "view") {
  if (t.base && t.derived_version != t.storage->version()) [[unlikely]]
    refresh_view(t, op);
}

// The recorded primitives of the tape itself.
Tensor recorded_add(const Tensor& a, const Tensor& b);
Tensor recorded_clone(const Tensor& x);
// One sweep from one output, as Tensor::backward.
void backward(const Tensor& output, const Tensor& gradient, bool retain_graph, bool create_graph);

// What a watched recording keeps beside the node.
void watch_recording(Node& node, const Tensor* const* inputs, int64_t count);
// Under kKeepInputs: a value that is on the tape goes on without it, by this call.
void note_severed(const char* what, const TensorImpl& t);

// grad() for a rule that sweeps a graph of its own, which ends at `inputs`: nothing behind them is computed, and their
// hooks and retained gradients are left to the sweep around. Undefined where nothing arrives. Outputs and their gradients
// are let go of when the sweep begins: sweeps within sweeps would keep them all.
std::vector<Tensor> inner_grad(std::vector<Tensor> outputs, const std::vector<Tensor>& inputs,
                               std::vector<Tensor> grad_outputs, bool create_graph);

// While alive, notes what the operations of this thread take from outside, with recording on or off: leaves that require
// grad, and tensors recorded before.
class Outside {
 public:
  Outside();
  virtual ~Outside() { thread_state.outside = outer_; }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;
  // Which of the inputs are to be recorded even if they do not require grad: bits as State::needs has them.
  virtual uint64_t note(const Tensor* const* inputs, int64_t count, const char* op);
  // Forgets t, if it was met.
  void drop(const Tensor& t);
  // In the order they were met.
  const std::vector<Tensor>& met() const { return met_; }

 private:
  using Key = std::pair<const void*, uint32_t>;  // a node and its output, or a leaf
  static Key key_of(const TensorImpl& t) {
    return t.node ? Key(t.node, t.output) : Key(static_cast<const void*>(&t), 0);
  }
  Outside* outer_;
  uint64_t first_;  // sequence number of what is recorded from now on
  std::set<Key> known_;
  std::vector<Tensor> met_;
};

// Stacks of recordings, for anomaly mode and for errors raised in backward.
std::vector<void*> capture_stack();
std::string describe_stack(const std::vector<void*>& stack);

// Throws the exception being handled again, with `note` behind its message.
[[noreturn]] void rethrow_with(const std::string& note);

}  // namespace tapegrad::autograd
