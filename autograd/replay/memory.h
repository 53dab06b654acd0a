// One block of memory for all that a program computes and nobody else sees, shared by what is not alive at once.
#pragma once

#include "tapegrad/autograd/replay/fuse.h"

namespace tapegrad::autograd::replay {

struct MemoryPlan {
  std::unique_ptr<Scratch<char>> block;
  std::vector<bool> moved;    // storages that now lie in the block
  int64_t planned_bytes = 0;  // of the block
  int64_t apart_bytes = 0;    // of the moved storages, each for itself
  int64_t buffers = 0;
};

// Moves every storage of the list that `temporary` allows, that a step of the program writes in full before anything reads
// it, and to which every launch that uses it holds a pointer that can be found.
MemoryPlan plan_memory(std::vector<Step>& steps, LaunchList& list, const std::vector<bool>& temporary);

}  // namespace tapegrad::autograd::replay
