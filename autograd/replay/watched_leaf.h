// A tensor that a program holds only to look at it.
#pragma once

#include <atomic>
#include <memory>

#include "tapegrad/core/tensor.h"

namespace tapegrad::autograd::replay {

// Any number of programs may look at one tensor; none of them counts as somebody who uses it.
class WatchedLeaf {
 public:
  explicit WatchedLeaf(Ref<TensorImpl> leaf);
  WatchedLeaf(WatchedLeaf&& other) noexcept = default;
  ~WatchedLeaf();
  TensorImpl& operator*() const { return *leaf_; }
  TensorImpl* operator->() const { return leaf_.get(); }
  // Whether anybody uses it. While another thread begins or ends to look, the answer is yes.
  bool in_use() const {
    const uint32_t watchers = watchers_->load(std::memory_order_acquire);
    return leaf_->refs.load() != watchers || watchers_->load(std::memory_order_acquire) != watchers;
  }

 private:
  Ref<TensorImpl> leaf_;
  std::shared_ptr<std::atomic<uint32_t>> watchers_;  // one count per tensor
};

}  // namespace tapegrad::autograd::replay
