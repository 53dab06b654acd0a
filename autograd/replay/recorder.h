// What a capture notes while its function runs, beside the launches.
#pragma once

#include <functional>
#include <memory>

#include "tapegrad/autograd/internal.h"
#include "tapegrad/core/kept_launch.h"

namespace tapegrad::autograd::replay {

// A leaf whose gradient the function computes.
struct LeafNote {
  Ref<TensorImpl> leaf;
  bool accumulates;  // into a gradient that was there before
};

// Something that the function looked at; a program is right only while it stays.
struct Guard {
  const void* key;  // the same for the same thing
  std::function<bool()> holds;
  std::string broken;  // what has happened when it does not
};

// A gradient that was there before the capture and that the function let go of.
struct ClearedGrad {
  Ref<TensorImpl> leaf;
  Tensor grad;
};

struct Recorder {
  LaunchList list;
  std::vector<LeafNote> leaves;
  std::vector<Guard> guards;
  std::vector<ClearedGrad> cleared;

  Recorder();
  ~Recorder() { stop(); }
  void stop();
  // Before the gradient of the leaf is stored.
  void note_leaf(TensorImpl& leaf);
  // Where the function read a gradient of the run before and then let go of it, the new one goes to the same memory.
  void pin_grads();
  // Whether its memory was there before the capture.
  bool is_outside(const Tensor& t) const;

 private:
  Recorder* outer_;
  bool active_ = true;
};

// Inside a capture: `what` (a switch) was looked at; `flag` lives as long as `owner`.
TAPEGRAD_API void note_flag(const bool& flag, const std::string& what, const std::shared_ptr<const void>& owner);
// Any condition.
TAPEGRAD_API void note_guard(Guard guard);
// The gradient of the leaf is about to be dropped.
TAPEGRAD_API void note_cleared(TensorImpl& leaf);

}  // namespace tapegrad::autograd::replay
