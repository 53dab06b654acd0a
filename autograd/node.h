// A node of the tape: one recorded operation, the edges to what it was computed from, and its rules.
#pragma once

#include <vector>

#include "tapegrad/autograd/grads.h"

namespace tapegrad::autograd {

class Node;

// Called with a gradient, may return another in its place (or an undefined tensor to leave it).
struct TAPEGRAD_API Hook {
  virtual ~Hook();
  virtual Tensor operator()(const Tensor& grad) = 0;
  unsigned id = 0;
};

// Where a gradient goes: to an output of an earlier node, to a leaf, or (empty) nowhere. Owns one reference.
class TAPEGRAD_API Edge {
 public:
  Edge() = default;
  Edge(const Edge& other) noexcept;
  Edge(Edge&& other) noexcept : bits_(std::exchange(other.bits_, 0)), output_(other.output_) {}
  Edge& operator=(Edge other) noexcept {
    std::swap(bits_, other.bits_);
    output_ = other.output_;
    return *this;
  }
  ~Edge() {
    if (bits_) release();
  }
  // The edge to what `t` is: its node, itself as a leaf that requires grad, or nothing.
  static Edge to(const TensorImpl& t);

  explicit operator bool() const { return bits_ != 0; }
  Node* node() const { return bits_ & 1 ? nullptr : reinterpret_cast<Node*>(bits_); }
  TensorImpl* leaf() const { return bits_ & 1 ? reinterpret_cast<TensorImpl*>(bits_ & ~uintptr_t{1}) : nullptr; }
  uint32_t output() const { return output_; }

 private:
  void release() noexcept;
  uintptr_t bits_ = 0;  // lowest bit set: a leaf
  uint32_t output_ = 0;
};

// What a field of an operation tells about itself: a saved tensor, for the tape's dump and its byte count; or, with neither name nor tensor,
// an attribute, for exporters, who know the operations' fields by their order. `structure` is a T with T::Attribute, as that.
struct SavedView {
  enum Kind : uint8_t { tensor_kept, flag, integer, mask, real, number, sizes, lengths, structure };
  const char* field;
  const Tensor* tensor;
  Kind kind = tensor_kept;
  const void* attribute = nullptr;
};

// Shape and dtype of a node's first output, in little room: sizes beyond 2^32 - 2 are kept as 2^32 - 1.
struct OutputMeta {
  uint8_t rank = 0;
  bool known = false;
  DType dtype = kFloat32;
  uint32_t sizes[kMaxRank];

  static uint32_t narrowed(int64_t size) { return size < 0xFFFFFFFF ? static_cast<uint32_t>(size) : 0xFFFFFFFF; }
  void set(const TensorImpl& t) {
    rank = static_cast<uint8_t>(t.sizes.size());
    known = true;
    dtype = t.dtype;
    for (int64_t i = 0; i < rank; ++i) sizes[i] = narrowed(t.sizes[i]);
  }
  bool fits(const TensorImpl& t) const {
    if (t.dtype != dtype || t.sizes.size() != rank) return false;
    for (int64_t i = 0; i < rank; ++i) {
      if (narrowed(t.sizes[i]) != sizes[i]) return false;
    }
    return true;
  }
  // "[64, 300] float32"
  TAPEGRAD_API std::string text() const;
};

// Rare company of a node: hooks on its outputs, tensors that retain their gradient, the stack of its recording.
struct NodeExtras;

class TAPEGRAD_API Node {
 public:
  Node(Edge* edges, int64_t inputs) : edges_(edges), inputs_(static_cast<uint32_t>(inputs)) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node();

  virtual const char* name() const = 0;
  // Gradients by the inputs from gradients by the outputs (undefined where absent).
  virtual Grads backward(Grads& dy) = 0;
  // Tangents of the outputs from tangents of the inputs (undefined where zero); AutogradError when there is no rule.
  virtual Grads tangent(const Grads& dx);
  // The operation again on other inputs (as many, undefined where it had none), recorded as far as they require grad; empty
  // when it cannot be run again. The gradient checker holds the rule against it.
  virtual std::vector<Tensor> replay(const std::vector<Tensor>& inputs) const;
  // Calls visit(context, view) for every saved tensor that is held, and for the attributes.
  virtual void visit_saved(void (*visit)(void* context, const SavedView&), void* context) const;
  // Lets go of everything saved.
  virtual void release_saved() noexcept {}
  virtual size_t allocated_bytes() const = 0;

  uint64_t sequence() const { return sequence_; }
  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }
  const Edge& edge(int64_t i) const { return edges_[i]; }
  bool freed() const { return freed_; }
  const OutputMeta& output_meta() const { return output_; }
  // The same of any output.
  const OutputMeta& output_meta(uint32_t index) const { return index == 0 ? output_ : later_output(index); }
  void retain() { refs_.increment(); }
  void release() {
    if (refs_.decrement()) release_node_memory(this);
  }

  static void release_node_memory(Node* node) noexcept;

 protected:
  // A node of the same operation with nothing saved, not yet recorded; and its forward. For replay().
  virtual Ref<Node> fresh() const;
  virtual std::vector<Tensor> forward_again(const std::vector<Tensor>& inputs);
  void set_edges(Edge* edges) { edges_ = edges; }

 private:
  friend struct Access;
  const OutputMeta& later_output(uint32_t index) const;
  RefCount refs_;
  uint32_t tape_ = 0;      // the thread's tape it was recorded on
  uint64_t sequence_ = 0;  // creation order, which is topological order
  Edge* edges_;            // one per input, inside the derived node
  NodeExtras* extras_ = nullptr;
  uint32_t inputs_;
  uint32_t outputs_ = 1;
  bool freed_ = false;  // a backward has let go of what was saved
  uint16_t mark_ = 0;   // scratch of grad(): what it found about the node, and at which depth of sweeps
  uint32_t slot_ = 0;   // scratch of the engine: first slot of this node's cotangents in call_
  uint64_t call_ = 0;
  OutputMeta output_;
};

}  // namespace tapegrad::autograd
