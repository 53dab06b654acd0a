// Dependencies of kept launches.
#include "tapegrad/autograd/replay/dependencies.h"

#include <algorithm>

namespace tapegrad::autograd::replay {
namespace {

struct Access {
  size_t launch;
  const LaunchOperand* operand;
};

// Adds to `before` those of the accesses so far that this one conflicts with, and joins them; a write without gaps stands
// for what it covers.
void add_access(std::vector<Access>& so_far, size_t launch, const LaunchOperand& operand, std::vector<size_t>& before) {
  std::erase_if(so_far, [&](const Access& a) {
    if (a.launch == launch || !overlap(*a.operand, operand) || !(a.operand->written || operand.written)) return false;
    before.push_back(a.launch);
    return operand.written && operand.dense && operand.low <= a.operand->low && a.operand->high <= operand.high;
  });
  so_far.push_back({launch, &operand});
}

}  // namespace

std::vector<std::vector<size_t>> dependencies(const std::vector<KeptLaunch>& launches, size_t storages) {
  std::vector<std::vector<size_t>> before(launches.size());
  std::vector<std::vector<Access>> accesses(storages);
  size_t last_ordered = SIZE_MAX;
  for (size_t i = 0; i < launches.size(); ++i) {
    for (const bool written : {false, true}) {  // reads first, so that they are not taken for covered
      for (const LaunchOperand& o : launches[i].operands) {
        if (o.written == written) add_access(accesses[o.storage], i, o, before[i]);
      }
    }
    if (is_ordered(launches[i])) {
      if (last_ordered != SIZE_MAX) before[i].push_back(last_ordered);
      last_ordered = i;
    }
    std::sort(before[i].begin(), before[i].end());
    before[i].erase(std::unique(before[i].begin(), before[i].end()), before[i].end());
  }
  return before;
}

std::vector<bool> useful_launches(const std::vector<KeptLaunch>& launches, const std::vector<bool>& kept) {
  std::vector<bool> needed = kept;  // storages
  std::vector<bool> useful(launches.size());
  for (size_t i = launches.size(); i-- > 0;) {
    bool here = is_ordered(launches[i]);
    for (const LaunchOperand& o : launches[i].operands) here = here || (o.written && needed[o.storage]);
    useful[i] = here;
    if (!here) continue;
    for (const LaunchOperand& o : launches[i].operands) {
      if (!o.written) needed[o.storage] = true;
    }
  }
  return useful;
}

}  // namespace tapegrad::autograd::replay
