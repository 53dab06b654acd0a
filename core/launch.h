// The launch point: every kernel passes through here and either runs, or runs and is also kept. Users' own: own_launch.h.
#pragma once

#include <initializer_list>
#include <memory>

#include "tapegrad/core/watch.h"

namespace tapegrad {

struct KeptLaunch;
struct KeptStorage;

namespace detail {

// Whoever moves memory looks for pointers among the words of a kept kernel. So that a small field beside stale bytes is not taken for
// one, padding is cleared; where it cannot be, and where a copy is more than its bytes, `bytes` is 0: nothing to be found.
#if __has_builtin(__builtin_clear_padding)
template <class Fn> inline constexpr bool has_plain_words = std::is_trivially_copyable_v<Fn>;
#else
template <class Fn> inline constexpr bool has_plain_words = false;
#endif

template <class Fn> void* copy_kernel(const void* kernel) {
  Fn* const copy = new Fn(*static_cast<const Fn*>(kernel));
  if constexpr (has_plain_words<Fn>) __builtin_clear_padding(copy);
  return copy;
}

template <class Fn> constexpr KernelType describe_kernel() {
  KernelType t{has_plain_words<Fn> ? sizeof(Fn) : 0,
               [](const void* f) { (*static_cast<const Fn*>(f))(); },
               &copy_kernel<Fn>,
               [](void* f) { delete static_cast<Fn*>(f); },
               nullptr,
               nullptr,
               nullptr};
  if constexpr (requires(const Fn& f, Walk& w) { f.walk(w); })
    t.walk = [](const void* f, Walk& w) { return static_cast<const Fn*>(f)->walk(w); };
  if constexpr (requires(const Fn& f, SumWalk& w) { f.sum_walk(w); })
    t.sum = [](const void* f, SumWalk& w) { return static_cast<const Fn*>(f)->sum_walk(w); };
  if constexpr (requires(const Fn& f) { f.note(); })
    t.note = [](const void* f) -> KernelNote { return static_cast<const Fn*>(f)->note(); };
  return t;
}
template <class Fn> inline constexpr KernelType kernel_type = describe_kernel<Fn>();

// A kernel with all it needs to run again, and what it can tell about itself (see kept_launch.h).
struct Closure {
  void* object;
  const KernelType* type;
  void run() const { type->run(object); }
};

}  // namespace detail

// While alive, keeps every launch of its thread; run() does them again, in order, over the same memory. It holds that
// memory, unseen by Storage::references().
class TAPEGRAD_API LaunchList {
 public:
  LaunchList();
  ~LaunchList();
  LaunchList(const LaunchList&) = delete;
  LaunchList& operator=(const LaunchList&) = delete;
  // Stops keeping; the list can still be run.
  void stop();
  void run() const;
  std::vector<KeptLaunch>& launches() const;
  const std::vector<KeptStorage>& storages() const;
  bool uses(const Storage* storage) const;
  // Whether the memory was created while this list was active.
  bool has_created(const Storage* storage) const;
  // Lets go of storage `i`; launches that use it must not run any more.
  void drop(size_t i);
  // Takes the closure over.
  void keep(const char* name, LaunchKind kind, Operands outputs, Operands inputs, const detail::Closure& closure);
  void created(Storage* storage);
  // The name, for as long as the list.
  const char* own_name(const char* name);
  // Memory outside tensors that a launch reads and writes: counts and options of an optimizer, a generator's counter.
  void note_host(void* data, size_t bytes);
  const std::vector<std::pair<void*, size_t>>& host() const;
  // Keeps what such memory belongs to for as long as the list.
  void hold(std::shared_ptr<const void> owner);
  // seen(context, launch) for every launch kept from here on, after it ran.
  void watch(void (*seen)(void* context, const KeptLaunch& launch), void* context) {
    seen_ = seen;
    context_ = context;
  }

  // From here on reading elements on the host is an AutogradError, to which where() adds the place.
  void refuse_host_reads(std::string (*where)()) { where_ = where; }
  void check_host_read(const char* what) const {
    if (where_ && !running_) refuse(what);
  }
  // Whether a launch of the user's own is running now. What it reads and launches is its business: it does so again when it runs
  // again, so nothing of it is kept. Setting it gives what it was.
  bool running() const { return running_; }
  bool set_running(bool running) { return std::exchange(running_, running); }

 private:
  struct State;
  [[noreturn]] void refuse(const char* what) const;
  State* state_;
  LaunchList* outer_;
  std::string (*where_)() = nullptr;
  void (*seen_)(void*, const KeptLaunch&) = nullptr;
  void* context_ = nullptr;
  bool running_ = false;
  bool active_ = true;
};

namespace detail {
TAPEGRAD_API void launch_watched(const char* name, LaunchKind kind, Operands outputs, Operands inputs,
                                 const void* kernel, const KernelType& type);
}

// Runs fn(), which computes `outputs` from `inputs`. fn must hold by value all it needs to run again: raw pointers and
// sizes, no tensors, no references. For kernels of the library.
template <class Fn>
void launch(const char* name, LaunchKind kind, std::initializer_list<const Tensor*> outputs,
            std::initializer_list<const Tensor*> inputs, const Fn& fn) {
  if (detail::is_watched()) [[unlikely]]
    return detail::launch_watched(name, kind, outputs, inputs, &fn, detail::kernel_type<Fn>);
  fn();
}

}  // namespace tapegrad
