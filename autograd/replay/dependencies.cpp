// Dependencies of kept launches.
#include "tapegrad/autograd/replay/dependencies.h"

#include <algorithm>

namespace tapegrad::autograd::replay {
namespace {

struct Access {
  size_t launch;
  const LaunchOperand* operand;
};

// The accesses to a storage so far, in two lists: a read need not look at the reads before it, of which there may be many.
struct Accesses {
  std::vector<Access> reads, writes;
};

// Adds to `before` those that conflict with this access. What a write without gaps covers is forgotten: it stands for that.
void meet(std::vector<Access>& so_far, size_t launch, const LaunchOperand& operand, std::vector<size_t>& before) {
  std::erase_if(so_far, [&](const Access& a) {
    if (a.launch == launch || !overlap(*a.operand, operand)) return false;
    before.push_back(a.launch);
    return operand.written && operand.dense && operand.low <= a.operand->low && a.operand->high <= operand.high;
  });
}

void add_access(Accesses& so_far, size_t launch, const LaunchOperand& operand, std::vector<size_t>& before) {
  meet(so_far.writes, launch, operand, before);
  if (operand.written) meet(so_far.reads, launch, operand, before);
  (operand.written ? so_far.writes : so_far.reads).push_back({launch, &operand});
}

}  // namespace

std::vector<std::vector<size_t>> dependencies(const std::vector<KeptLaunch>& launches, size_t storages) {
  std::vector<std::vector<size_t>> before(launches.size());
  std::vector<Accesses> accesses(storages);
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
  std::vector<int> writers(kept.size());
  for (const KeptLaunch& launch : launches) {
    for (const LaunchOperand& o : launch.operands) writers[o.storage] += o.written;
  }
  std::vector<bool> useful(launches.size());
  for (size_t i = launches.size(); i-- > 0;) {
    bool here = is_ordered(launches[i]);
    for (const LaunchOperand& o : launches[i].operands) {
      // A constant that nobody else can write is still there.
      const bool lasting = launches[i].kind == LaunchKind::constant && writers[o.storage] == 1 && !kept[o.storage];
      here = here || (o.written && needed[o.storage] && !lasting);
    }
    useful[i] = here;
    if (!here) continue;
    for (const LaunchOperand& o : launches[i].operands) {
      if (!o.written) needed[o.storage] = true;
    }
  }
  return useful;
}

}  // namespace tapegrad::autograd::replay
