// The allocator's slow paths, and the depot that threads share.
#include "tapegrad/core/allocator.h"

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "tapegrad/core/error.h"
#include "tapegrad/core/large_blocks.h"
#include "tapegrad/core/pool.h"
#include "tapegrad/core/slabs.h"

namespace tapegrad {
namespace pool {

constinit thread_local ThreadCache cache __attribute__((tls_model("initial-exec"))) = {};

namespace {

constexpr int64_t kCacheLimit = int64_t{256} << 20;              // at least, unless the user says
constexpr int64_t kListLimit = int64_t{4} << 20;                 // of a thread's lists, at least
constexpr int64_t kEnded = std::numeric_limits<int64_t>::max();  // the floor of a thread that lets nothing through

// What all threads share. Never destroyed: tensors with static lifetime are freed after every static destructor here.
struct Depot {
  std::mutex mutex;
  Block* lists[kSmallClasses] = {};
  Slabs slabs;
  ThreadCache* threads = nullptr;
  int64_t ended_allocations = 0, ended_bytes = 0;  // of threads that have ended
  int64_t most_small_bytes = 0;                    // in use, since the last trim
  LargeCache cached;
  std::optional<int64_t> cache_limit;
  int64_t large_bytes = 0, most_large_bytes = 0;  // in use by the classes asked for, and the most since the last trim
  int64_t large_reserved = 0, large_allocations = 0;
  int64_t peak_bytes = 0, system_allocations = 0;
};

void survive_forks();

// It may be asked for by a thread in its last breath, so it is fetched through a reference that never dies.
Depot& depot() {
  static auto& instance = *[] {
    survive_forks();
    return new Depot;
  }();
  return instance;
}
const bool at_load = (depot(), true);  // see core/forks.h

int64_t small_in_use(const Depot& d) {
  int64_t bytes = d.ended_bytes;
  for (auto* t = d.threads; t; t = t->next) bytes += t->allocated_bytes.get();
  return bytes;
}
int64_t in_use(const Depot& d) { return d.large_bytes + small_in_use(d); }
int64_t kept(const Depot& d) { return d.cached.bytes() + d.slabs.bytes() - small_in_use(d); }

void note_peak(Depot& d) { d.peak_bytes = std::max(d.peak_bytes, in_use(d)); }

// Where this thread's frees turn to the depot: its lists then hold twice what was ever in use of small blocks. Once would not do:
// a thread that frees all it has holds that and the rest of a slab, and would take it back block by block, in another order.
void set_floor(Depot& d) {
  d.most_small_bytes = std::max(d.most_small_bytes, small_in_use(d));
  cache.floor = cache.obtained_bytes - std::max(kListLimit, 2 * d.most_small_bytes);
}

// Moves this thread's blocks of a class to the depot's list.
void hand_over(Depot& d, int c) {
  while (Block* block = cache.lists[c]) {
    unpoison(block, sizeof(Block));
    cache.lists[c] = block->next;
    push(d.lists[c], block);
    poison(block, sizeof(Block));
  }
}

// Moves the lists of an ending thread to the depot.
struct ThreadExit {
  ~ThreadExit() {
    Depot& d = depot();
    std::lock_guard lock(d.mutex);
    for (int c = 0; c < kSmallClasses; ++c) hand_over(d, c);
    for (ThreadCache** link = &d.threads; *link; link = &(*link)->next) {
      if (*link != &cache) continue;
      *link = cache.next;
      break;
    }
    d.ended_bytes += cache.allocated_bytes.value.exchange(0);
    d.ended_allocations += cache.allocations.value.exchange(0);
    cache.registered = false;
    cache.floor = kEnded;
  }
};

void register_thread(Depot& d) {
  if (cache.registered || cache.floor == kEnded) return;
  thread_local ThreadExit at_exit;
  (void)at_exit;
  cache.registered = true;
  cache.next = d.threads;
  d.threads = &cache;
}

// A forked child has only the thread that forked: it must not find the lock held by another, nor the others' caches in the list,
// whose memory new threads get. What those kept is lost; what they had handed out is still in use.
void forget_other_threads(Depot& d) {
  for (ThreadCache* t = d.threads; t; t = t->next) {
    if (t == &cache) continue;
    d.ended_bytes += t->allocated_bytes.get();
    d.ended_allocations += t->allocations.get();
  }
  d.threads = cache.registered ? &cache : nullptr;
  cache.next = nullptr;
}

void survive_forks() {
  pthread_atfork([] { depot().mutex.lock(); }, [] { depot().mutex.unlock(); },
                 [] {
                   Depot& d = depot();
                   forget_other_threads(d);
                   d.mutex.unlock();
                 });
}

[[noreturn]] void out_of_memory(size_t bytes, int64_t in_use_bytes) {
  throw OutOfMemoryError("allocate: the system has no memory left for " + std::to_string(bytes) + " bytes (" +
                         std::to_string(in_use_bytes) + " bytes are in use by tensors)");
}

// Small blocks that this thread or no thread holds, where they make up whole slabs.
void release_small(Depot& d) {
  for (int c = 0; c < kSmallClasses; ++c) hand_over(d, c);
  if (cache.registered) {
    cache.obtained_bytes = cache.allocated_bytes.get();
    set_floor(d);
  }
  d.slabs.release_idle(d.lists);
}

// The least recently freed block leaves the cache and the count; null: there is none.
LargeBlock* take_oldest(Depot& d) {
  LargeBlock* const block = d.cached.take_oldest();
  if (block) d.large_reserved -= static_cast<int64_t>(block->bytes());
  return block;
}

bool over_limit(const Depot& d) {
  if (d.cache_limit) return d.cached.bytes() > *d.cache_limit;
  return d.cached.bytes() > kCacheLimit && d.large_reserved > 2 * d.most_large_bytes;
}

// Blocks that have left the cache, linked by `older`. They go back to the system when the depot's lock is open again.
struct Leaving {
  LargeBlock* first = nullptr;
  void add(LargeBlock* block) {
    block->older = first;
    first = block;
  }
  ~Leaving() {
    while (LargeBlock* const block = first) {
      first = block->older;
      large_to_system(block);
    }
  }
};

void release_cached(Depot& d) {
  while (LargeBlock* const block = take_oldest(d)) large_to_system(block);
  release_small(d);
}

LargeBlock* new_large(Depot& d, int c) {
  LargeBlock* block = large_from_system(c);
  if (!block) {
    release_cached(d);
    block = large_from_system(c);
    if (!block) return nullptr;
  }
  ++d.system_allocations;
  d.large_reserved += static_cast<int64_t>(block->bytes());
  return block;
}

// As many blocks as a slab holds, or one where the system has little left. Gives their bytes.
int64_t add_slab(Depot& d, int c, Block*& list) {
  int64_t bytes = d.slabs.add(c, false, list);
  if (bytes == 0) {
    release_cached(d);
    bytes = d.slabs.add(c, true, list);
    if (bytes == 0) out_of_memory(class_bytes(c), in_use(d));
  }
  ++d.system_allocations;
  return bytes;
}

// One block for a thread that has ended but for its last destructors: it keeps no list and no count.
void* refill_ended(Depot& d, int c) {
  if (!d.lists[c]) add_slab(d, c, d.lists[c]);
  Block* const block = d.lists[c];
  unpoison(block, sizeof(Block));
  d.lists[c] = block->next;
  block->next = nullptr;
  const auto bytes = static_cast<int64_t>(class_bytes(c));
  d.ended_bytes += bytes;
  ++d.ended_allocations;
  cache.allocated_bytes.add(-bytes);
  return block;
}

// Counted as not in use already.
void retire(Depot& d, void* block, int c) {
  d.ended_bytes += cache.allocated_bytes.value.exchange(0);
  unpoison(block, class_bytes(c));
  push(d.lists[c], block);
  poison(block, class_bytes(c));
}

}  // namespace

void* refill(int c) {
  Depot& d = depot();
  std::lock_guard lock(d.mutex);
  register_thread(d);
  if (!cache.registered) return refill_ended(d, c);
  const auto bytes = static_cast<int64_t>(class_bytes(c));
  const int64_t before = cache.obtained_bytes;
  if (!d.lists[c]) cache.obtained_bytes += add_slab(d, c, cache.lists[c]);
  // A batch, not the whole list: another thread may be as hungry.
  for (int i = 0; i < 64 && d.lists[c]; ++i) {
    Block* block = d.lists[c];
    unpoison(block, sizeof(Block));
    d.lists[c] = block->next;
    push(cache.lists[c], block);
    poison(block, sizeof(Block));
    cache.obtained_bytes += bytes;
  }
  // As if they were in use already: nobody looks again before they are.
  d.most_small_bytes = std::max(d.most_small_bytes, small_in_use(d) + cache.obtained_bytes - before);
  set_floor(d);
  return cache.lists[c];
}

void* allocate_large(size_t bytes) {
  Depot& d = depot();
  std::lock_guard lock(d.mutex);
  const int c = bytes > large_class_bytes(kLargeClasses - 1) - kLargeHeader ? kLargeClasses : large_class_of(bytes);
  LargeBlock* block = nullptr;
  if (c < kLargeClasses) {
    block = d.cached.take(c);
    if (!block) block = new_large(d, c);
  }
  if (!block) out_of_memory(bytes, in_use(d));
  d.large_bytes += static_cast<int64_t>(large_class_bytes(c));
  d.most_large_bytes = std::max(d.most_large_bytes, d.large_bytes);
  ++d.large_allocations;
  note_peak(d);
  poison(block, block->bytes());
  unpoison(block->data(), bytes);
  return block->data();
}

void deallocate_large(void* data, size_t bytes) noexcept {
  Leaving leaving;
  Depot& d = depot();
  std::lock_guard lock(d.mutex);
  d.large_bytes -= static_cast<int64_t>(large_class_bytes(large_class_of(bytes)));
  LargeBlock* const block = LargeBlock::of(data);
  poison(data, bytes);
  unpoison(block, sizeof(LargeBlock));  // and stays so: the leak checker follows the links
  if (d.cache_limit && static_cast<int64_t>(block->bytes()) > *d.cache_limit) {  // not at the price of all others
    d.large_reserved -= static_cast<int64_t>(block->bytes());
    return leaving.add(block);
  }
  d.cached.put(block);
  while (over_limit(d)) leaving.add(take_oldest(d));
}

void deallocate_below_floor(void* p, int c) noexcept {
  Depot& d = depot();
  if (!cache.registered) {
    std::lock_guard lock(d.mutex);
    return retire(d, p, c);
  }
  unpoison(p, class_bytes(c));
  push(cache.lists[c], p);
  poison(p, class_bytes(c));
  {
    std::lock_guard lock(d.mutex);
    set_floor(d);
  }
  if (cache.allocated_bytes.get() < cache.floor) share_surplus();
}

void share_surplus() noexcept {
  if (!cache.registered) return;
  // Only the links are opened: the rest of a cached block stays poisoned.
  const auto next_of = [](Block* b) {
    unpoison(b, sizeof(Block));
    Block* next = b->next;
    poison(b, sizeof(Block));
    return next;
  };
  const auto link = [](Block* b, Block* next) {
    unpoison(b, sizeof(Block));
    b->next = next;
    poison(b, sizeof(Block));
  };
  Depot& d = depot();
  for (int c = 0; c < kSmallClasses; ++c) {
    Block* block = cache.lists[c];
    // What stays comes to less than kListLimit over all classes.
    const size_t reserve = std::clamp<size_t>((size_t{64} << 10) / class_bytes(c), 1, 256);
    for (size_t i = 1; i < reserve && block; ++i) block = next_of(block);
    Block* const surplus = block ? next_of(block) : nullptr;
    if (!surplus) continue;
    link(block, nullptr);
    Block* last = surplus;
    int64_t count = 1;
    for (Block* next; (next = next_of(last)) != nullptr; ++count) last = next;
    cache.obtained_bytes -= count * static_cast<int64_t>(class_bytes(c));
    std::lock_guard lock(d.mutex);
    link(last, d.lists[c]);
    d.lists[c] = surplus;
  }
  std::lock_guard lock(d.mutex);
  set_floor(d);
}

}  // namespace pool

void* allocate(size_t bytes) { return pool::allocate(bytes); }
void deallocate(void* block, size_t bytes) noexcept { pool::deallocate(block, bytes); }

std::optional<int64_t> set_cache_limit(std::optional<int64_t> bytes) {
  if (bytes && *bytes < 0)
    throw ValueError("set_cache_limit: at least 0 bytes are needed, got " + std::to_string(*bytes));
  pool::Leaving leaving;
  pool::Depot& d = pool::depot();
  std::lock_guard lock(d.mutex);
  std::swap(d.cache_limit, bytes);
  while (pool::over_limit(d)) leaving.add(pool::take_oldest(d));
  return bytes;
}

void trim_cache(int64_t bytes) {
  if (bytes < 0) throw ValueError("trim_cache: at least 0 bytes are needed, got " + std::to_string(bytes));
  {
    pool::Leaving leaving;
    pool::Depot& d = pool::depot();
    std::lock_guard lock(d.mutex);
    while (pool::kept(d) > bytes && d.cached.bytes() > 0) leaving.add(pool::take_oldest(d));
    if (pool::kept(d) > bytes) pool::release_small(d);
    d.most_large_bytes = d.large_bytes;
    d.most_small_bytes = pool::small_in_use(d);
  }
#ifdef __GLIBC__
  malloc_trim(0);  // blocks below 2 MiB were malloc's
#endif
}

void empty_cache() { trim_cache(0); }

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
  stats.reserved_bytes = d.slabs.bytes() + d.large_reserved;
  stats.cached_bytes = pool::kept(d);
  stats.allocations = d.large_allocations + d.ended_allocations;
  for (auto* t = d.threads; t; t = t->next) stats.allocations += t->allocations.get();
  stats.system_allocations = d.system_allocations;
  return stats;
}

}  // namespace tapegrad
