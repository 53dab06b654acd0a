// Slabs: memory from the system for many small blocks of one class. Library internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tapegrad/core/pool.h"

namespace tapegrad::pool {

inline void push(Block*& list, void* p) {
  auto* block = static_cast<Block*>(p);
  block->next = list;
  list = block;
}

// Whoever calls holds the depot's lock.
class Slabs {
 public:
  int64_t bytes() const { return bytes_; }
  // Pushes the blocks of a fresh slab of the class onto the list, or of one for a single block. Gives their bytes, 0 when the
  // system has none left. Each slab of a class is twice as large as the one before, up to 8 MiB.
  int64_t add(int c, bool single, Block*& list);
  // Slabs whose every block lies in the lists (one for each class) go back to the system.
  void release_idle(Block** lists);

 private:
  struct Slab {
    char* data;
    size_t bytes;
    int block_class;
  };
  size_t index_of(const void* block) const;
  std::vector<bool> idle_slabs(Block* const* lists) const;

  std::vector<Slab> slabs_;
  size_t next_[kSmallClasses] = {};
  int64_t bytes_ = 0;
};

}  // namespace tapegrad::pool
