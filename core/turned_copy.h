// Copies whose source runs along another dim than the destination: a matrix into its transpose, channels first into last.
#pragma once

#include "tapegrad/core/iterate.h"
#include "tapegrad/core/kept_launch.h"

namespace tapegrad {

// Read in the order of the destination, every element of the source would be another cache line, and rows a power of two apart
// share a few sets of the cache. So a block is read line by line, turned in the first-level cache, and written row by row.
class TurnedCopy {
 public:
  // The dim, other than the last, in which elements of the source lie closest; -1 where the loop itself is as fast.
  static int source_dim(const StridedLoop<2>& prepared);
  // Operand 0 of the loop, of dtype `to`, is written by `tile` from operand 1.
  TurnedCopy(const StridedLoop<2>& prepared, int source_dim, Walk::Tile tile, DType to, DType from);
  void operator()() const;
  bool walk(Walk& w) const;
  static KernelNote note() { return {.by = "turned blocks"}; }

 private:
  void blocks(int64_t first, int64_t last) const;
  void block(const char* from, char* to, int64_t rows, int64_t cols, char* turned) const;

  StridedLoop<2> loop_;
  Walk::Tile tile_;
  int64_t item_, from_item_;
  int row_dim_, col_dim_;  // the source runs along the first, the destination along the second
  int64_t block_rows_, block_cols_;
  int64_t down_, per_plane_;  // blocks on top of each other, and in a plane of the two dims
  bool direct_;               // turned to where they belong: no conversion, and lines that stay until they are full
};

}  // namespace tapegrad
