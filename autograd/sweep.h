// One backward sweep: its slots, its ready nodes, the leaves it met. Shared by the files of the engine only.
#pragma once

#include <algorithm>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/leaf_table.h"
#include "tapegrad/core/watch.h"

namespace tapegrad::autograd {

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

// A recorded tensor by which grad() was asked for the gradient.
struct Captured {
  Node* node;
  uint32_t output;
  Tensor grad;
  bool operator<(const Captured& other) const {
    return node != other.node ? std::less<>()(node, other.node) : output < other.output;
  }
  bool operator==(const Captured& other) const { return node == other.node && output == other.output; }
};

// A gradient for a tensor that retains it, kept until nothing can fail any more.
struct RetainedGrad {
  Ref<TensorImpl> tensor;
  Tensor grad;
};

// One sweep. Kept per thread and depth, so the steady state allocates nothing.
struct Sweep {
  uint64_t id = 0;
  bool create_graph = false;
  bool retain_graph = false;
  bool pruned = false;       // only nodes marked as leading lead to a wanted input; `leaves` has all wanted ones
  bool bounded = false;      // the wanted inputs are where it ends, see inner_grad()
  uint16_t mark = 0;         // the sweep's depth, as it stands in the marks of nodes
  Ready top{0, nullptr};     // the latest ready node; in a chain the only one
  std::vector<Ready> ready;  // the others, a heap
  std::vector<Tensor> slots;
  std::vector<uint32_t> free_slots;
  std::vector<Interrupted> interrupted;
  std::vector<Captured> captured;  // sorted
  std::vector<RetainedGrad> retained;
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
    retained.clear();
    leaves.clear();
    pruned = false;
    bounded = false;
  }
};
// Takes a Sweep of this thread for the scope; puts the nodes' scratch back, also when a rule throws.
class SweepScope {
 public:
  SweepScope(bool retain_graph, bool create_graph);
  ~SweepScope();
  Sweep& operator*() const { return *sweep_; }

 private:
  AutoGradMode mode_;
  AutocastMode autocast_;  // off: every gradient has the dtype of what it is by
  uint64_t outer_needs_;
  Node* outer_current_;
  Sweep* sweep_;
  LaunchPhase outer_phase_;
  bool entered_;
};

// The slot of an output of a node; the node joins the ready ones when it is first met.
Tensor& slot_of(Sweep& s, Node& node, uint32_t output);
// Adds grad to the slot, in the slot's own memory when nobody else can see it. `added`: the rule was lent the slot, and
// returning that very tensor means that it has added into it.
void accumulate(Tensor& slot, Tensor&& grad, bool added = false);
// Runs every ready node, latest first, and those it makes ready.
void run_sweep(Sweep& s);

// AutogradError when a hook returns another shape or dtype; `of` says whose hook it was.
Tensor run_hooks(const std::vector<std::shared_ptr<Hook>>& hooks, Tensor grad, const std::string& of);

// What grad() marks nodes with, beside the depth of its sweep: sweeps inside hooks and rules have marks of their own.
inline constexpr uint16_t kLeads = 1, kCaptured = 2, kDepthUnit = 4;
inline bool has_mark(const Sweep& s, Node& node, uint16_t bit) {
  return (Access::mark(node) & ~(kDepthUnit - 1)) == s.mark && (Access::mark(node) & bit);
}
// Whether this sweep wants the gradient that goes along the edge.
bool wants(Sweep& s, const Edge& edge);
[[noreturn]] void freed_graph(const Node& node);

}  // namespace tapegrad::autograd
