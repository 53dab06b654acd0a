// Per-thread state of the tape, and the guards that change it for a scope.
#pragma once

#include <cstdint>

#include "tapegrad/core/export.h"

namespace tapegrad {

namespace autograd {

class Node;
class Outside;
namespace replay {
struct Recorder;
}

// What recording and sweeping do beside their work; while all are off, that costs one test.
enum WatchBits : uint8_t {
  kAnomaly = 1,     // remember stacks, look for NaN
  kKeepInputs = 2,  // nodes keep copies of their inputs, for the gradient checker
  kRewrite = 4,     // gradients pass through a rewriter, for tests of the gradient checker
  kTrace = 8,       // a tracer is shown what is recorded, which is everything
};

struct State {
  bool grad_enabled = true;
  bool autocast = false;  // see AutocastGuard
  uint8_t watch = 0;      // WatchBits
  uint32_t tape = 0;      // this thread's tape, 0 before its first node
  uint64_t needs = 0;     // bit i: input i of the op that runs now wants a gradient
  uint64_t next_sequence = 1;
  int64_t live_nodes = 0;                // recorded by this thread minus freed by it
  Node* current = nullptr;               // the node whose rule runs now
  Outside* outside = nullptr;            // notes what operations take from outside, see there
  replay::Recorder* recorder = nullptr;  // of the capture that runs now
};

TAPEGRAD_API State& state_of_thread();
#ifdef TAPEGRAD_BUILDING
extern constinit thread_local State thread_state __attribute__((tls_model("initial-exec")));
inline State& state() { return thread_state; }
#else
inline State& state() { return state_of_thread(); }
#endif

// Inside forward: whether input i requires grad and the op is being recorded. Inside a rule: whether the gradient by
// input i is wanted. Inputs from the 63rd on share one answer.
inline bool needs(int64_t i) { return (state().needs >> (i < 63 ? i : 63)) & 1; }
inline bool recording() { return state().needs != 0; }
inline bool keeps_inputs() { return state().watch & kKeepInputs; }

}  // namespace autograd

struct GradMode {
  static bool is_enabled() { return autograd::state().grad_enabled; }
  static void set_enabled(bool value) { autograd::state().grad_enabled = value; }
};

namespace autograd {
// The flag of AutocastGuard for this thread, until the end of the scope.
class AutocastMode {
 public:
  explicit AutocastMode(bool enabled) : previous_(state().autocast) { state().autocast = enabled; }
  ~AutocastMode() { state().autocast = previous_; }
  AutocastMode(const AutocastMode&) = delete;
  AutocastMode& operator=(const AutocastMode&) = delete;

 private:
  bool previous_;
};
}  // namespace autograd

// Turns recording on or off for this thread until the end of the scope.
class AutoGradMode {
 public:
  explicit AutoGradMode(bool enabled) : previous_(GradMode::is_enabled()) { GradMode::set_enabled(enabled); }
  ~AutoGradMode() { GradMode::set_enabled(previous_); }
  AutoGradMode(const AutoGradMode&) = delete;
  AutoGradMode& operator=(const AutoGradMode&) = delete;

 private:
  bool previous_;
};

struct NoGradGuard : AutoGradMode {
  NoGradGuard() : AutoGradMode(false) {}
};

// For pure inference: nothing is recorded for the scope. Tensors made in it are ordinary ones.
struct InferenceMode : AutoGradMode {
  explicit InferenceMode(bool enabled = true) : AutoGradMode(!enabled && GradMode::is_enabled()) {}
};

}  // namespace tapegrad
