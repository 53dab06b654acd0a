// Watches a recording for the gradient checker: inputs and stacks of every node, and where values leave the tape. Internal.
#pragma once

#include <string>
#include <vector>

#include "tapegrad/autograd/internal.h"

namespace tapegrad::autograd {

// A value that was on the tape and went on without it.
struct Severed {
  std::string what;  // "detach", the name of an op that ran with recording off
  std::vector<void*> stack;
};

// While alive, this thread's recordings are watched.
class WatchGuard {
 public:
  WatchGuard();
  ~WatchGuard();
  WatchGuard(const WatchGuard&) = delete;
  WatchGuard& operator=(const WatchGuard&) = delete;
  const std::vector<Severed>& severed() const { return severed_; }

 private:
  friend void note_severed(const char* what, const TensorImpl& t);
  std::vector<Severed> severed_;
  WatchGuard* outer_;
  uint8_t watch_;
};

}  // namespace tapegrad::autograd
