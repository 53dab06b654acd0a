// A block of element memory, shared by a tensor and its views, with the version stamp that guards saved tensors.
#pragma once

#include <cstddef>
#include <utility>

#include "tapegrad/core/export.h"
#include "tapegrad/core/ref.h"

namespace tapegrad {

// Header and elements are one allocation, the elements 64-byte aligned behind the header; or memory lent by a caller.
class TAPEGRAD_API Storage {
 public:
  using Deleter = void (*)(void* context);

  // Uninitialised memory for `bytes`.
  static Ref<Storage> create(size_t bytes);
  // Wraps memory of somebody else's; `deleter(context)` runs when the last tensor lets go.
  static Ref<Storage> wrap(void* data, size_t bytes, Deleter deleter, void* context);

  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // Held by this many tensors; lists of kept launches that watch it do not count.
  uint32_t references() const {
    const uint64_t both = refs_.load();
    return static_cast<uint32_t>(both) - static_cast<uint32_t>(both >> 32);
  }
  // Counts writes; shared by all views.
  uint32_t version() const { return version_; }
  void bump_version() { ++version_; }

  void retain() { refs_.increment(); }
  void release() {
    if (refs_.decrement()) destroy();
  }
  // deleter(context) runs when the last tensor lets go, on whatever thread; returned is what was to run before, which is
  // the new one's to call.
  std::pair<Deleter, void*> exchange_deleter(Deleter deleter, void* context) {
    return {std::exchange(deleter_, deleter), std::exchange(context_, context)};
  }
  // Keeps the memory without being counted by references().
  void watch() { refs_.increment(kWatcher); }
  void unwatch() {
    if (refs_.decrement(kWatcher)) destroy();
  }

 private:
  Storage() = default;
  void destroy();

  // Who holds it in the low half, and who of these only watches in the high: in one number, so that other threads, which
  // capture or drop programs over the same memory, never show half of a change.
  static constexpr uint64_t kWatcher = (uint64_t{1} << 32) + 1;
  BasicRefCount<uint64_t> refs_;
  uint32_t version_ = 0;
  size_t bytes_ = 0;
  char* data_ = nullptr;
  Deleter deleter_ = nullptr;
  void* context_ = nullptr;
};

inline constexpr size_t kStorageHeader = 64;
static_assert(sizeof(Storage) <= kStorageHeader);

}  // namespace tapegrad
