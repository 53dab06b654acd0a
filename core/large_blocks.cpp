// Blocks above the small classes: from the system, back to it, and the lists of freed ones in between.
#include "tapegrad/core/large_blocks.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "tapegrad/core/pool.h"

namespace tapegrad::pool {
namespace {

// malloc keeps some of what is freed, gives no alignment for huge pages, and its blocks could not go back one by one. Under
// the address sanitizer it must be malloc: its leak checker looks for pointers nowhere else.
#ifdef TAPEGRAD_ASAN
constexpr bool mapped(size_t) { return false; }
#else
constexpr bool mapped(size_t bytes) { return bytes >= kHugePage; }
#endif

// Pages that start where a huge page can: more than is asked for, with both ends cut off.
void* map(size_t bytes) noexcept {
  void* const pages = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(pages);
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before != 0) munmap(begin, before);
  if (before != kHugePage) munmap(begin + before + bytes, kHugePage - before);
  madvise(begin + before, bytes, MADV_HUGEPAGE);  // advice: where it is not taken, small pages do as well
  return begin + before;
}

}  // namespace

LargeBlock* large_from_system(int c) {
  const size_t bytes = large_class_bytes(c);
  void* const memory = mapped(bytes) ? map(bytes) : std::aligned_alloc(64, bytes);
  if (!memory) return nullptr;
  auto* const block = static_cast<LargeBlock*>(memory);
  block->block_class = c;
  return block;
}

void large_to_system(LargeBlock* block) noexcept {
  const size_t bytes = block->bytes();
  unpoison(block, bytes);
  if (mapped(bytes)) munmap(block, bytes);
  else std::free(block);
}

LargeBlock* LargeCache::take_larger(int c) noexcept {
  const int end = std::min(c + 9, kLargeClasses);
  for (int larger = c + 1; larger < end; ++larger) {
    if (newest_[larger]) return take(larger);
  }
  return nullptr;
}

LargeBlock* LargeCache::take_oldest() noexcept {
  LargeBlock* found = nullptr;
  for (LargeBlock* const block : oldest_) {
    if (block && (!found || block->freed < found->freed)) found = block;
  }
  if (found) remove(found);
  return found;
}

}  // namespace tapegrad::pool
