// What this machine does at most, measured by a small built-in probe.
#pragma once

#include <cstdint>
#include <vector>

#include "tapegrad/core/dtype.h"

namespace tapegrad {

struct MachinePeak {
  struct Level {
    int64_t bytes;  // operands of a launch up to this size
    double gbytes;  // can be read and written at this rate, GB/s
  };
  double gflops_float32, gflops_float64;
  std::vector<Level> levels;  // first-level cache to memory

  // Seconds that a launch needs at least.
  double seconds(int64_t flops, int64_t bytes, DType dtype) const;
};

// For the thread count of now; takes about 0.3 s when first asked for.
TAPEGRAD_API const MachinePeak& machine_peak();

}  // namespace tapegrad
