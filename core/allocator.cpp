// The allocator's slow paths: slabs for small classes, whole blocks for large ones, and the depot threads share.
#include "tapegrad/core/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "tapegrad/core/error.h"
#include "tapegrad/core/pool.h"

namespace tapegrad {
namespace pool {

constinit thread_local ThreadCache cache __attribute__((tls_model("initial-exec"))) = {};

namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kFirstSlab = size_t{64} << 10;

struct Slab {
  char* data;
  size_t bytes;
  int block_class;
};

// What all threads share. Never destroyed: tensors with static lifetime are freed after every static destructor here.
struct Depot {
  std::mutex mutex;
  Block* lists[kClasses] = {};
  std::vector<Slab> slabs;
  size_t next_slab[kSmallClasses] = {};
  ThreadCache* threads = nullptr;
  int64_t ended_allocations = 0, ended_bytes = 0;  // of threads that have ended
  int64_t large_bytes = 0, large_allocations = 0;
  int64_t peak_bytes = 0, reserved_bytes = 0, system_allocations = 0;
};

Depot& depot() {
  static auto& instance = *new Depot;
  return instance;
}

// The depot may be asked for by a thread in its last breath, so it is fetched through a reference that never dies.
void push(Block*& list, void* p) {
  auto* block = static_cast<Block*>(p);
  block->next = list;
  list = block;
}

int64_t in_use(const Depot& d) {
  int64_t bytes = d.large_bytes + d.ended_bytes;
  for (auto* t = d.threads; t; t = t->next) bytes += t->allocated_bytes.value.load(std::memory_order_relaxed);
  return bytes;
}

void note_peak(Depot& d) { d.peak_bytes = std::max(d.peak_bytes, in_use(d)); }

// Moves the lists of an ending thread to the depot.
struct ThreadExit {
  ~ThreadExit() {
    Depot& d = depot();
    std::lock_guard lock(d.mutex);
    for (int c = 0; c < kSmallClasses; ++c) {
      while (Block* block = cache.lists[c]) {
        unpoison(block, sizeof(Block));
        cache.lists[c] = block->next;
        push(d.lists[c], block);
        poison(block, sizeof(Block));
      }
    }
    for (ThreadCache** link = &d.threads; *link; link = &(*link)->next) {
      if (*link != &cache) continue;
      *link = cache.next;
      break;
    }
    d.ended_bytes += cache.allocated_bytes.value.exchange(0);
    d.ended_allocations += cache.allocations.value.exchange(0);
    cache.registered = false;
  }
};

void register_thread(Depot& d) {
  if (cache.registered) return;
  thread_local ThreadExit at_exit;
  (void)at_exit;
  cache.registered = true;
  cache.next = d.threads;
  d.threads = &cache;
}

void* from_system(Depot& d, size_t bytes) {
  const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* p = bytes > (size_t{1} << 46) ? nullptr : std::aligned_alloc(alignment, rounded);
  if (!p) return nullptr;
  if (bytes >= kHugePage) madvise(p, rounded, MADV_HUGEPAGE);
  ++d.system_allocations;
  d.reserved_bytes += static_cast<int64_t>(bytes);
  return p;
}

[[noreturn]] void out_of_memory(size_t bytes, int64_t in_use_bytes) {
  throw OutOfMemoryError("allocate: the system has no memory left for " + std::to_string(bytes) + " bytes (" +
                         std::to_string(in_use_bytes) + " bytes are in use by tensors)");
}

// Slabs of small classes whose every block lies in the depot's list go back to the system.
void release_slabs(Depot& d) {
  std::sort(d.slabs.begin(), d.slabs.end(), [](const Slab& a, const Slab& b) { return a.data < b.data; });
  const auto slab_of = [&](void* p) {
    auto it = std::upper_bound(d.slabs.begin(), d.slabs.end(), static_cast<char*>(p),
                               [](const char* address, const Slab& s) { return address < s.data; });
    return static_cast<size_t>(it - d.slabs.begin()) - 1;
  };
  std::vector<size_t> free_blocks(d.slabs.size());
  for (int c = 0; c < kSmallClasses; ++c) {
    for (Block* b = d.lists[c]; b; b = b->next) {
      unpoison(b, sizeof(Block));
      ++free_blocks[slab_of(b)];
    }
  }
  std::vector<bool> idle(d.slabs.size());
  for (size_t i = 0; i < d.slabs.size(); ++i)
    idle[i] = free_blocks[i] == d.slabs[i].bytes / class_bytes(d.slabs[i].block_class);
  for (int c = 0; c < kSmallClasses; ++c) {
    Block* kept = nullptr;
    for (Block* b = d.lists[c]; b;) {
      Block* next = b->next;
      if (!idle[slab_of(b)]) { push(kept, b); }
      b = next;
    }
    d.lists[c] = kept;
    for (Block* b = kept; b;) {
      Block* next = b->next;
      poison(b, class_bytes(c));
      b = next;
    }
    d.next_slab[c] = 0;
  }
  std::vector<Slab> remaining;
  for (size_t i = 0; i < d.slabs.size(); ++i) {
    if (!idle[i]) {
      remaining.push_back(d.slabs[i]);
      continue;
    }
    unpoison(d.slabs[i].data, d.slabs[i].bytes);
    d.reserved_bytes -= static_cast<int64_t>(d.slabs[i].bytes);
    std::free(d.slabs[i].data);
  }
  d.slabs = std::move(remaining);
}

void release_cached(Depot& d) {
  for (int c = 0; c < kSmallClasses; ++c) {
    while (Block* block = cache.lists[c]) {
      unpoison(block, class_bytes(c));
      cache.lists[c] = block->next;
      push(d.lists[c], block);
    }
    for (Block* b = d.lists[c]; b; b = b->next) unpoison(b, sizeof(Block));
  }
  release_slabs(d);
  for (int c = kSmallClasses; c < kClasses; ++c) {
    while (Block* block = d.lists[c]) {
      unpoison(block, class_bytes(c));
      d.lists[c] = block->next;
      std::free(block);
      d.reserved_bytes -= static_cast<int64_t>(class_bytes(c));
    }
  }
}

}  // namespace

void* refill(int c) {
  Depot& d = depot();
  std::lock_guard lock(d.mutex);
  register_thread(d);
  if (d.lists[c]) {
    // A batch, not the whole list: another thread may be as hungry.
    for (int i = 0; i < 64 && d.lists[c]; ++i) {
      Block* block = d.lists[c];
      unpoison(block, sizeof(Block));
      d.lists[c] = block->next;
      push(cache.lists[c], block);
      poison(block, sizeof(Block));
    }
    return cache.lists[c];
  }
  const size_t bytes = class_bytes(c);
  size_t& next = d.next_slab[c];
  next = std::max(next, std::max(kFirstSlab, bytes));
  const size_t slab_bytes = next / bytes * bytes;
  void* p = from_system(d, slab_bytes);
  if (!p) {
    release_cached(d);
    p = from_system(d, bytes);
    if (!p) out_of_memory(bytes, in_use(d));
    d.slabs.push_back({static_cast<char*>(p), bytes, c});
    push(cache.lists[c], p);
    poison(p, bytes);
    return p;
  }
  next = std::min(next * 2, kHugePage * 4);
  d.slabs.push_back({static_cast<char*>(p), slab_bytes, c});
  for (size_t at = slab_bytes; at >= bytes; at -= bytes) push(cache.lists[c], static_cast<char*>(p) + at - bytes);
  poison(p, slab_bytes);
  return cache.lists[c];
}

void* allocate_large(size_t bytes) {
  Depot& d = depot();
  std::lock_guard lock(d.mutex);
  const bool representable = bytes <= class_bytes(kClasses - 1);
  const int c = representable ? class_of(bytes) : 0;
  void* p = nullptr;
  if (representable && d.lists[c]) {
    p = d.lists[c];
    unpoison(p, class_bytes(c));
    d.lists[c] = d.lists[c]->next;
  } else if (representable) {
    p = from_system(d, class_bytes(c));
    if (!p) {
      release_cached(d);
      p = from_system(d, class_bytes(c));
    }
  }
  if (!p) out_of_memory(bytes, in_use(d));
  poison(static_cast<char*>(p) + bytes, class_bytes(c) - bytes);
  d.large_bytes += static_cast<int64_t>(class_bytes(c));
  ++d.large_allocations;
  note_peak(d);
  return p;
}

void deallocate_large(void* block, size_t bytes) noexcept {
  Depot& d = depot();
  std::lock_guard lock(d.mutex);
  const int c = class_of(bytes);
  unpoison(block, class_bytes(c));
  push(d.lists[c], block);
  // The link stays readable: the leak checker follows it to the next cached block.
  poison(static_cast<char*>(block) + sizeof(Block), class_bytes(c) - sizeof(Block));
  d.large_bytes -= static_cast<int64_t>(class_bytes(c));
}

void retire(void* block, int c) noexcept {
  Depot& d = depot();
  std::lock_guard lock(d.mutex);
  d.ended_bytes += cache.allocated_bytes.value.exchange(0);
  unpoison(block, class_bytes(c));
  push(d.lists[c], block);
  poison(block, class_bytes(c));
}

void share_surplus() noexcept {
  constexpr int kReserve = 256;
  Depot& d = depot();
  for (int c = 0; c < kSmallClasses; ++c) {
    Block* block = cache.lists[c];
    if (!block) continue;
    // Only the links are opened: the rest of a cached block stays poisoned.
    const auto next_of = [](Block* b) {
      unpoison(b, sizeof(Block));
      Block* next = b->next;
      poison(b, sizeof(Block));
      return next;
    };
    for (int i = 1; i < kReserve && block; ++i) block = next_of(block);
    if (!block) continue;
    Block* surplus = next_of(block);
    if (!surplus) continue;
    const auto link = [](Block* b, Block* next) {
      unpoison(b, sizeof(Block));
      b->next = next;
      poison(b, sizeof(Block));
    };
    link(block, nullptr);
    Block* last = surplus;
    while (Block* next = next_of(last)) last = next;
    std::lock_guard lock(d.mutex);
    link(last, d.lists[c]);
    d.lists[c] = surplus;
  }
}

}  // namespace pool

void* allocate(size_t bytes) { return pool::allocate(bytes); }
void deallocate(void* block, size_t bytes) noexcept { pool::deallocate(block, bytes); }

void empty_cache() {
  pool::Depot& d = pool::depot();
  std::lock_guard lock(d.mutex);
  pool::release_cached(d);
}

void reset_peak_bytes() {
  pool::Depot& d = pool::depot();
  std::lock_guard lock(d.mutex);
  d.peak_bytes = pool::in_use(d);
}

AllocatorStats allocator_stats() {
  pool::Depot& d = pool::depot();
  std::lock_guard lock(d.mutex);
  pool::note_peak(d);
  AllocatorStats stats{};
  stats.allocated_bytes = pool::in_use(d);
  stats.peak_bytes = d.peak_bytes;
  stats.reserved_bytes = d.reserved_bytes;
  stats.allocations = d.large_allocations + d.ended_allocations;
  for (auto* t = d.threads; t; t = t->next) stats.allocations += t->allocations.value.load(std::memory_order_relaxed);
  stats.system_allocations = d.system_allocations;
  return stats;
}

}  // namespace tapegrad
