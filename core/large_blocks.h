// Blocks above the small classes: their classes, where their memory is from, and the cache of freed ones. Library internal.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace tapegrad::pool {

inline constexpr size_t kHugePage = size_t{2} << 20;
inline constexpr size_t kLargeHeader = 64;
inline constexpr int kLargeClasses = 8 * 32;

// Eight classes per power of two from 32 KiB on, and a page: a power of two of elements has room for the headers before it.
constexpr size_t large_class_bytes(int c) { return (static_cast<size_t>(8 + c % 8) << (12 + c / 8)) + 4096; }

// The class for `bytes` behind the header; kLargeClasses and above: there is none.
constexpr int large_class_of(size_t bytes) {
  if (bytes <= large_class_bytes(0) - kLargeHeader) return 0;
  const size_t last = bytes + kLargeHeader - 4096 - 1;
  const int log = std::bit_width(last) - 1;  // 2^log <= last
  return (log - 15) * 8 + static_cast<int>((last >> (log - 3)) & 7) + 1;
}

// Stands in front of what the user gets; the links are for blocks in the cache.
struct LargeBlock {
  LargeBlock *newer, *older;  // of its class
  uint64_t freed;             // in the order of frees
  int block_class;

  char* data() { return reinterpret_cast<char*>(this) + kLargeHeader; }
  size_t bytes() const { return large_class_bytes(block_class); }
  static LargeBlock* of(void* data) { return reinterpret_cast<LargeBlock*>(static_cast<char*>(data) - kLargeHeader); }
};
static_assert(sizeof(LargeBlock) <= kLargeHeader);

// A block of the class, fresh: 64-byte aligned, from 2 MiB on in huge pages of its own where the system has them. Null when
// the system has none left.
LargeBlock* large_from_system(int c);
void large_to_system(LargeBlock* block) noexcept;

// Freed blocks that wait for the next of their class. Whoever calls holds the depot's lock.
class LargeCache {
 public:
  // The newest of the class, else of one up to twice as large; null: none.
  LargeBlock* take(int c) noexcept {
    LargeBlock* const block = newest_[c];
    if (!block) return take_larger(c);
    remove(block);
    return block;
  }
  // The one freed least recently; null: none.
  LargeBlock* take_oldest() noexcept;
  void put(LargeBlock* block) noexcept {
    const int c = block->block_class;
    block->freed = ++frees_;
    block->newer = nullptr;
    block->older = newest_[c];
    (block->older ? block->older->newer : oldest_[c]) = block;
    newest_[c] = block;
    bytes_ += static_cast<int64_t>(block->bytes());
  }
  int64_t bytes() const { return bytes_; }

 private:
  LargeBlock* take_larger(int c) noexcept;
  void remove(LargeBlock* block) noexcept {
    const int c = block->block_class;
    (block->newer ? block->newer->older : newest_[c]) = block->older;
    (block->older ? block->older->newer : oldest_[c]) = block->newer;
    bytes_ -= static_cast<int64_t>(block->bytes());
  }

  LargeBlock* newest_[kLargeClasses] = {};
  LargeBlock* oldest_[kLargeClasses] = {};
  uint64_t frees_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace tapegrad::pool
