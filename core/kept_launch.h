// What is known of a kept launch beside its closure: the memory it uses, and elementwise launches and sums as data.
#pragma once

#include <memory>
#include <vector>

#include "tapegrad/core/launch.h"

namespace tapegrad {

inline constexpr int kMaxWalkOperands = 4;

// An elementwise launch as data. Element (i_0, ..., i_{rank-1}) of operand k lies at data[k] + sum_d i_d stride[d][k]
// (bytes); operand 0 is written, the others are read.
struct Walk {
  // One run: element i of operand k at ptr[k] + i * stride[k].
  using Tile = void (*)(char* const* ptr, const int64_t* stride, int64_t n, const double* attr);
  Tile tile;
  int operands;
  int rank;
  int64_t size[kMaxRank];
  int64_t stride[kMaxRank][kMaxWalkOperands];
  char* data[kMaxWalkOperands];
  int64_t item;  // bytes of an element of operand 0
  double attr[3] = {0, 0, 0};
  int number_at = 0;  // the operand that is the number below, of stride 0; 0: none
  alignas(8) char number[8] = {};
};

// The sum of n contiguous elements of `item` bytes as data: pieces of `piece` elements, whose sums are summed again; each
// in blocks of `block`, whose sums are joined.
struct SumWalk {
  void (*rows)(const void* src, void* dst, int64_t rows, int64_t cols, int64_t ld);
  void (*join)(const void* sums, void* dst, int64_t n);
  char* src;
  char* dst;
  int64_t n, item, piece, block;
};

// A tensor that a kept launch reads or writes.
struct LaunchOperand {
  size_t storage;    // index in the list's storages
  char *low, *high;  // all its elements lie in [low, high)
  bool written;
  bool dense;  // without gaps
  DType dtype;
  Shape sizes;
  int64_t bytes;  // of distinct elements
};

// A kernel kept for another run.
struct TAPEGRAD_API KeptLaunch {
  const char* name;
  LaunchKind kind;
  LaunchPhase phase;
  detail::Closure closure;
  std::unique_ptr<Walk> walk;    // if it is elementwise
  std::unique_ptr<SumWalk> sum;  // if it is a sum over everything
  std::vector<LaunchOperand> operands;

  KeptLaunch(const char* launch_name, LaunchKind launch_kind, const detail::Closure& c);
  KeptLaunch(KeptLaunch&& other) noexcept;
  KeptLaunch& operator=(KeptLaunch&& other) noexcept;
  ~KeptLaunch();
  void run() const { closure.run(); }
};

// Memory that kept launches use.
struct KeptStorage {
  Storage* storage;   // null once it was dropped
  bool created_here;  // while the list was active
};

}  // namespace tapegrad
