// Elementwise launches run as one pass: tile by tile, through all of them, with what only they see in a small buffer.
#pragma once

#include <memory>
#include <vector>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/kept_launch.h"

namespace tapegrad::autograd::replay {

inline constexpr int64_t kMaxTile = 4096;  // elements
inline constexpr int64_t kMinTile = 256;

// An elementwise launch, or a sum, as a member of a pass.
struct Member {
  size_t launch;
  Walk walk;                                      // a sum: one operand, what it reads
  int sum = -1;                                   // its place among the group's sums
  int slot[kMaxWalkOperands] = {-1, -1, -1, -1};  // the buffer that stands for the operand's memory, or -1
};

// Members over one index space, in their order.
class Group {
 public:
  std::vector<Member> members;
  std::vector<SumWalk> sums;  // of one dtype
  int slots = 0;              // buffers of one tile each

  int rank() const { return members[0].walk.rank; }
  int64_t numel() const;
  // Decides on the tile; call when members are final.
  void prepare();
  void run() const;
  int64_t tile() const { return tile_; }
  int64_t scratch_bytes() const { return slots * tile_ * 8; }

 private:
  void run_small() const;
  void run_flat(int64_t first, int64_t last, char* scratch, char* block_sums) const;
  void run_rows() const;
  void run_with_sums() const;
  int64_t tile_ = kMaxTile;
  std::shared_ptr<Scratch<char>> scratch_;  // of the thread that runs the program
};

int64_t elements(const Walk& walk);
// `walk` over the space of `space`, which has as many elements; false when it does not go over that space.
bool refine(Walk& walk, const Walk& space);

}  // namespace tapegrad::autograd::replay
