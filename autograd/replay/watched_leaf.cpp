// How many programs look at which tensor.
#include "tapegrad/autograd/replay/watched_leaf.h"

#include "tapegrad/core/forks.h"

#include <mutex>
#include <unordered_map>

namespace tapegrad::autograd::replay {
namespace {

struct Counts {
  std::mutex mutex;
  std::unordered_map<const TensorImpl*, std::shared_ptr<std::atomic<uint32_t>>> of;
};
Counts& counts() {
  static auto& instance = *new Counts;  // programs may live until the process ends
  return instance;
}
const bool at_load = tapegrad::detail::survives_forks<[]() -> std::mutex& { return counts().mutex; }>();

}  // namespace

WatchedLeaf::WatchedLeaf(Ref<TensorImpl> leaf) : leaf_(std::move(leaf)) {
  const std::lock_guard lock(counts().mutex);
  std::shared_ptr<std::atomic<uint32_t>>& count = counts().of[leaf_.get()];
  if (!count) count = std::make_shared<std::atomic<uint32_t>>(0);
  count->fetch_add(1, std::memory_order_acq_rel);
  watchers_ = count;
}

// The count goes down before the reference does, so that the tensor never looks less used than it is.
WatchedLeaf::~WatchedLeaf() {
  if (!leaf_) return;
  const std::lock_guard lock(counts().mutex);
  if (watchers_->fetch_sub(1, std::memory_order_acq_rel) == 1) counts().of.erase(leaf_.get());
}

}  // namespace tapegrad::autograd::replay
