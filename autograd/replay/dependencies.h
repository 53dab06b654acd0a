// Which kept launches must stay behind which others, by the memory they read and write.
#pragma once

#include <vector>

#include "tapegrad/core/kept_launch.h"

namespace tapegrad::autograd::replay {

// before[i]: the earlier launches that launch i must follow, sorted; what follows from others by way of them may be left out.
std::vector<std::vector<size_t>> dependencies(const std::vector<KeptLaunch>& launches, size_t storages);

// Whether launch i must run again: it has an effect on memory that `kept` says is seen from outside, on a later launch that has
// one, or one that cannot be seen from here.
std::vector<bool> useful_launches(const std::vector<KeptLaunch>& launches, const std::vector<bool>& kept);

// Launches with effects beside their operands, whose order is kept.
inline bool is_ordered(const KeptLaunch& launch) {
  return launch.kind == LaunchKind::random || launch.kind == LaunchKind::other;
}

inline bool overlap(const LaunchOperand& a, const LaunchOperand& b) {
  return a.storage == b.storage && a.low < b.high && b.low < a.high;
}

}  // namespace tapegrad::autograd::replay
