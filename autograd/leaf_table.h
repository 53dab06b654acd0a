// The leaves of one backward call and their gradients so far. Shared by the files of the engine only.
#pragma once

#include <algorithm>

#include "tapegrad/autograd/internal.h"

namespace tapegrad::autograd {

struct LeafSlot {
  Ref<TensorImpl> leaf;
  Tensor grad;
};

// The leaves of one call, found by address: a scan while they are few, an open-addressed table after that.
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
  // The slot of that leaf, null when it has none.
  LeafSlot* lookup(const TensorImpl* leaf) {
    if (slots_.size() <= kScan) {
      const auto it = std::find_if(slots_.begin(), slots_.end(), [&](LeafSlot& s) { return s.leaf.get() == leaf; });
      return it == slots_.end() ? nullptr : &*it;
    }
    const size_t at = find(leaf);
    return table_[at] == 0 ? nullptr : &slots_[table_[at] - 1];
  }
  std::vector<LeafSlot>& all() { return slots_; }
  void clear() {
    slots_.clear();
    table_.clear();
  }

 private:
  static constexpr size_t kScan = 8;
  size_t find(const TensorImpl* leaf) const {
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

}  // namespace tapegrad::autograd
