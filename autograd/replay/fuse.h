// Puts elementwise launches over one index space together, and all in an order that their memory allows.
#pragma once

#include "tapegrad/autograd/replay/group.h"

namespace tapegrad::autograd::replay {

// What a program runs at one place: one launch, or a group.
struct Step {
  std::vector<size_t> launches;  // in their order
  std::unique_ptr<Group> group;  // null: one launch, run by its own closure
};

// The useful launches as steps, in an order to run them in; without `together` each is a step of its own.
std::vector<Step> fuse(const std::vector<KeptLaunch>& launches, const std::vector<bool>& useful, size_t storages,
                       bool together);

// Gives buffers of a tile to storages that only one group uses and that `temporary` allows. inside[s] is set for them.
void keep_inside(std::vector<Step>& steps, const std::vector<KeptLaunch>& launches, const std::vector<bool>& temporary,
                 std::vector<bool>& inside);

}  // namespace tapegrad::autograd::replay
