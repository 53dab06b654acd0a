// The allocator's fast path, inline for the library's own sources: one free list per size class and thread.
#pragma once

#include <atomic>
#include <bit>

#include "tapegrad/core/allocator.h"

#if defined(__SANITIZE_ADDRESS__)
#define TAPEGRAD_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TAPEGRAD_ASAN 1
#endif
#endif
#ifdef TAPEGRAD_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace tapegrad::pool {

struct Block {
  Block* next;
};

// Classes: multiples of 64 up to 1 KiB, then four per power of two; those of larger blocks are in large_blocks.h.
inline constexpr int kFineClasses = 16;
inline constexpr size_t kFineLimit = 1024;
inline constexpr size_t kSmallLimit = 32768;  // up to here blocks live in the thread's own lists
inline constexpr int kSmallClasses = kFineClasses + 4 * 5;

constexpr int class_of(size_t bytes) {
  if (bytes <= kFineLimit) return static_cast<int>((bytes - 1) / 64);
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log <= bytes - 1
  return kFineClasses + (log - 10) * 4 + static_cast<int>(((bytes - 1) >> (log - 2)) & 3);
}

constexpr size_t class_bytes(int c) {
  if (c < kFineClasses) return static_cast<size_t>(c + 1) * 64;
  const int log = 10 + (c - kFineClasses) / 4;
  return (size_t{1} << log) + (static_cast<size_t>((c - kFineClasses) % 4) + 1) * (size_t{1} << (log - 2));
}

// Counters are written by their thread only and read by anyone.
struct Counter {
  std::atomic<int64_t> value{0};
  int64_t get() const { return value.load(std::memory_order_relaxed); }
  // Gives the new value.
  int64_t add(int64_t n) {
    const int64_t now = get() + n;
    value.store(now, std::memory_order_relaxed);
    return now;
  }
};

struct ThreadCache {
  Block* lists[kSmallClasses];
  Counter allocated_bytes, allocations;
  int64_t floor;           // of allocated_bytes: below it the lists hold too much, or (0) the thread is not registered
  int64_t obtained_bytes;  // in use or in the lists: the lists hold obtained_bytes - allocated_bytes
  ThreadCache* next;       // registry of live threads' caches
  bool registered;
};
extern constinit thread_local ThreadCache cache __attribute__((tls_model("initial-exec")));

void* refill(int c);                 // slow path: a small class whose list is empty
void* allocate_large(size_t bytes);  // above kSmallLimit
void deallocate_large(void* block, size_t bytes) noexcept;

// Hands what this thread's lists hold beyond a small reserve to the depot. Done by itself when a thread frees much more of
// what others allocate than it allocates; a thread that knows so may do it earlier.
void share_surplus() noexcept;

inline void poison(void* p, size_t bytes) {
#ifdef TAPEGRAD_ASAN
  ASAN_POISON_MEMORY_REGION(p, bytes);
#endif
  (void)p, (void)bytes;
}
inline void unpoison(void* p, size_t bytes) {
#ifdef TAPEGRAD_ASAN
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
#endif
  (void)p, (void)bytes;
}

inline void* allocate(size_t bytes) {
  if (bytes - 1 >= kSmallLimit) return bytes == 0 ? nullptr : allocate_large(bytes);
  const int c = class_of(bytes);
  Block* block = cache.lists[c];
  if (!block) block = static_cast<Block*>(refill(c));
  unpoison(block, class_bytes(c));
  cache.lists[c] = block->next;
  poison(reinterpret_cast<char*>(block) + bytes, class_bytes(c) - bytes);
  cache.allocated_bytes.add(static_cast<int64_t>(class_bytes(c)));
  cache.allocations.add(1);
  return block;
}

void deallocate_below_floor(void* block, int c) noexcept;  // once it is no longer counted

inline void deallocate(void* p, size_t bytes) noexcept {
  if (bytes - 1 >= kSmallLimit) {
    if (bytes != 0) deallocate_large(p, bytes);
    return;
  }
  const int c = class_of(bytes);
  if (cache.allocated_bytes.add(-static_cast<int64_t>(class_bytes(c))) < cache.floor)
    return deallocate_below_floor(p, c);
  unpoison(p, class_bytes(c));
  auto* block = static_cast<Block*>(p);
  block->next = cache.lists[c];
  cache.lists[c] = block;
  poison(p, class_bytes(c));
}

}  // namespace tapegrad::pool
