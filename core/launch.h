// The launch point: every kernel passes through here and either runs, or runs and is also kept.
#pragma once

#include <initializer_list>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// What a launch does to its operands, for whoever rearranges kept launches. Only `map` may be fused.
enum class LaunchKind : uint8_t { map, reduce, gemm, copy, random, other };

// A kernel kept for another run: its closure, with the memory it reads and writes held alive.
struct TAPEGRAD_API KeptLaunch {
  const char* name;
  LaunchKind kind;
  void* closure;
  void (*run)(void* closure);
  void (*destroy)(void* closure);
  std::vector<Tensor> outputs, inputs;

  KeptLaunch(const char* name, LaunchKind kind, void* closure, void (*run)(void*), void (*destroy)(void*));
  KeptLaunch(KeptLaunch&& other) noexcept;
  KeptLaunch& operator=(KeptLaunch&& other) noexcept;
  ~KeptLaunch();
};

// While alive, keeps every launch of its thread; run() does them again, in order, over the same memory.
class TAPEGRAD_API LaunchList {
 public:
  LaunchList();
  ~LaunchList();
  LaunchList(const LaunchList&) = delete;
  LaunchList& operator=(const LaunchList&) = delete;
  // Stops keeping; the list can still be run.
  void stop();
  void run() const;
  const std::vector<KeptLaunch>& launches() const { return launches_; }
  // Takes the closure over.
  void keep(const char* name, LaunchKind kind, std::initializer_list<const Tensor*> outputs,
            std::initializer_list<const Tensor*> inputs, void* closure, void (*run)(void*), void (*destroy)(void*));

 private:
  std::vector<KeptLaunch> launches_;
  LaunchList* outer_;
  bool active_ = true;
};

// The list that keeps this thread's launches now, or null.
TAPEGRAD_API LaunchList* keeping();

namespace detail {
#ifdef TAPEGRAD_BUILDING
extern constinit thread_local LaunchList* current_list __attribute__((tls_model("initial-exec")));
inline LaunchList* current() { return current_list; }
#else
inline LaunchList* current() { return keeping(); }
#endif
}  // namespace detail

// Runs fn(), which computes `outputs` from `inputs`. fn must hold by value all it needs to run again: raw pointers and
// sizes, no tensors, no references.
template <class Fn>
void launch(const char* name, LaunchKind kind, std::initializer_list<const Tensor*> outputs,
            std::initializer_list<const Tensor*> inputs, const Fn& fn) {
  fn();
  if (LaunchList* list = detail::current()) [[unlikely]]
    list->keep(
        name, kind, outputs, inputs, new Fn(fn), [](void* closure) { (*static_cast<Fn*>(closure))(); },
        [](void* closure) { delete static_cast<Fn*>(closure); });
}

// For kernels of users' own.
template <class Fn>
void launch(const char* name, std::initializer_list<const Tensor*> outputs, std::initializer_list<const Tensor*> inputs,
            const Fn& fn) {
  launch(name, LaunchKind::other, outputs, inputs, fn);
}

}  // namespace tapegrad
