// What a capture notes while its function runs, beside the launches.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "tapegrad/autograd/internal.h"
#include "tapegrad/autograd/replay/watched_leaf.h"
#include "tapegrad/core/kept_launch.h"

namespace tapegrad::autograd::replay {

// A leaf that the function took with recording on.
struct LeafNote {
  Ref<TensorImpl> leaf;
  bool required;      // grad, when it was met
  bool sets = false;  // by then the function had said itself whether it does
  // What runs set it by; null: none does; without a leaf: it was the function's own.
  std::shared_ptr<std::optional<WatchedLeaf>> set_by_runs = nullptr;
  bool swept = false;        // it got a gradient
  bool accumulates = false;  // into one that was there before
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
  std::vector<LeafNote> leaves;  // in the order they were met
  std::vector<Guard> guards;
  std::vector<ClearedGrad> cleared;

  Recorder();
  ~Recorder() { stop(); }
  void stop();
  // Before the gradient of the leaf is stored.
  void note_gradient(TensorImpl& leaf);
  // An operation takes t, which does not require grad, with recording on.
  void note_frozen(TensorImpl& t);
  // The function says whether t requires grad: so does every run, and what somebody else says before it no longer matters.
  void note_requires_grad(TensorImpl& t, bool value);
  // Where the function read a gradient of the run before and then let go of it, the new one goes to the same memory.
  void pin_grads();
  // Whether its memory was there before the capture.
  bool is_outside(const TensorImpl& t) const { return !list.has_created(t.storage.get()); }
  void add(Guard guard);

 private:
  LeafNote& note_of(TensorImpl& leaf);
  std::unordered_map<const TensorImpl*, size_t> index_;
  std::unordered_set<const void*> keys_;
  Recorder* outer_;
  bool active_ = true;
};

// Inside a capture: `what` (a switch) was looked at; `flag` lives as long as `owner`.
TAPEGRAD_API void note_flag(const bool& flag, const std::string& what, const std::shared_ptr<const void>& owner);
// The function sets the switch, here and at every run, so that what it looks like before a run no longer matters unless it was
// looked at before. Calls set(), which does it.
TAPEGRAD_API void note_set(const bool& flag, std::function<void()> set);
// Any condition.
TAPEGRAD_API void note_guard(Guard guard);
// The gradient of the leaf is about to be dropped.
TAPEGRAD_API void note_cleared(TensorImpl& leaf);

}  // namespace tapegrad::autograd::replay
