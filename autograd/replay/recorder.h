// What a capture notes while its function runs, beside the launches.
#pragma once

#include <memory>

#include "tapegrad/autograd/internal.h"
#include "tapegrad/core/kept_launch.h"

namespace tapegrad::autograd::replay {

// A leaf whose gradient the function computes.
struct LeafNote {
  Ref<TensorImpl> leaf;
  bool accumulates;  // into a gradient that was there before
};

// A switch that the function looked at; a program is right only while it stays.
struct FlagNote {
  const bool* flag;
  bool value;
  const char* what;
  std::shared_ptr<const void> owner;
};

struct Recorder {
  LaunchList list;
  std::vector<LeafNote> leaves;
  std::vector<FlagNote> flags;

  Recorder();
  ~Recorder() { stop(); }
  void stop();
  // Before the gradient of the leaf is stored.
  void note_leaf(TensorImpl& leaf);

 private:
  Recorder* outer_;
  bool active_ = true;
};

// Inside a capture: `flag` was looked at.
TAPEGRAD_API void note_flag(const bool& flag, const char* what, std::shared_ptr<const void> owner);

}  // namespace tapegrad::autograd::replay
