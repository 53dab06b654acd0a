// Slabs from the system and, when nothing of them is in use, back to it.
#include "tapegrad/core/slabs.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tapegrad/core/large_blocks.h"

namespace tapegrad::pool {
namespace {

constexpr size_t kFirst = size_t{64} << 10, kLargest = 4 * kHugePage;

void* from_system(size_t bytes) {
  const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* const p = std::aligned_alloc(alignment, rounded);
  if (p && bytes >= kHugePage) madvise(p, rounded, MADV_HUGEPAGE);
  return p;
}

}  // namespace

int64_t Slabs::add(int c, bool single, Block*& list) {
  const size_t block = class_bytes(c);
  next_[c] = std::max({next_[c], kFirst, block});
  const size_t bytes = single ? block : next_[c] / block * block;
  void* const p = from_system(bytes);
  if (!p) return 0;
  if (!single) next_[c] = std::min(next_[c] * 2, kLargest);
  slabs_.push_back({static_cast<char*>(p), bytes, c});
  for (size_t at = bytes; at >= block; at -= block) push(list, static_cast<char*>(p) + at - block);
  poison(p, bytes);
  bytes_ += static_cast<int64_t>(bytes);
  return static_cast<int64_t>(bytes);
}

// By slabs sorted by address.
size_t Slabs::index_of(const void* block) const {
  const auto after = std::upper_bound(slabs_.begin(), slabs_.end(), static_cast<const char*>(block),
                                      [](const char* address, const Slab& s) { return address < s.data; });
  return static_cast<size_t>(after - slabs_.begin()) - 1;
}

std::vector<bool> Slabs::idle_slabs(Block* const* lists) const {
  std::vector<size_t> free_blocks(slabs_.size());
  for (int c = 0; c < kSmallClasses; ++c) {
    for (const Block* b = lists[c]; b; b = b->next) ++free_blocks[index_of(b)];
  }
  std::vector<bool> idle(slabs_.size());
  for (size_t i = 0; i < slabs_.size(); ++i)
    idle[i] = free_blocks[i] == slabs_[i].bytes / class_bytes(slabs_[i].block_class);
  return idle;
}

void Slabs::release_idle(Block** lists) {
  std::sort(slabs_.begin(), slabs_.end(), [](const Slab& a, const Slab& b) { return a.data < b.data; });
  for (int c = 0; c < kSmallClasses; ++c) {
    for (Block* b = lists[c]; b; b = b->next) unpoison(b, sizeof(Block));
  }
  const std::vector<bool> idle = idle_slabs(lists);
  for (int c = 0; c < kSmallClasses; ++c) {
    Block* kept = nullptr;
    for (Block* b = std::exchange(lists[c], nullptr); b;) {
      Block* const next = b->next;
      if (!idle[index_of(b)]) {
        push(kept, b);
        poison(b, class_bytes(c));
      }
      b = next;
    }
    lists[c] = kept;
    next_[c] = 0;
  }
  std::vector<Slab> remaining;
  for (size_t i = 0; i < slabs_.size(); ++i) {
    if (!idle[i]) {
      remaining.push_back(slabs_[i]);
      continue;
    }
    unpoison(slabs_[i].data, slabs_[i].bytes);
    bytes_ -= static_cast<int64_t>(slabs_[i].bytes);
    std::free(slabs_[i].data);
  }
  slabs_ = std::move(remaining);
}

}  // namespace tapegrad::pool
