// One backward sweep: its slots, its ready nodes, the leaves it met. Shared by the files of the engine only.
#pragma once

#include <algorithm>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/internal.h"

namespace tapegrad::autograd {

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
// Takes a Sweep of this thread for the scope; puts the nodes' scratch back, also when a rule throws.
class SweepScope {
 public:
  SweepScope(bool retain_graph, bool create_graph);
  ~SweepScope();
  Sweep& operator*() const { return *sweep_; }

 private:
  AutoGradMode mode_;
  uint64_t outer_needs_;
  Node* outer_current_;
  Sweep* sweep_;
};

// The slot of an output of a node; the node joins the ready ones when it is first met.
Tensor& slot_of(Sweep& s, Node& node, uint32_t output);
// Adds grad to the slot, in the slot's own memory when nobody else can see it. `added`: the rule was lent the slot, and
// returning that very tensor means that it has added into it.
void accumulate(Tensor& slot, Tensor&& grad, bool added = false);
// Runs every ready node, latest first, and those it makes ready.
void run_sweep(Sweep& s);

Tensor run_hooks(const std::vector<std::shared_ptr<Hook>>& hooks, Tensor grad);
// Whether this sweep wants the gradient that goes along the edge.
bool wants(const Sweep& s, const Edge& edge);
bool is_captured(const Sweep& s, const Node& node);
[[noreturn]] void freed_graph(const Node& node);

}  // namespace tapegrad::autograd
