// The launch point: every kernel passes through here and either runs, or runs and is also kept.
#pragma once

#include <array>
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
  // Lets go of storage `i`; launches that use it must not run any more.
  void drop(size_t i);
  // Takes the closure over.
  void keep(const char* name, LaunchKind kind, Operands outputs, Operands inputs, const detail::Closure& closure);
  void created(Storage* storage);
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
  // Whether a launch of the user's own is running now; gives what it was.
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

namespace detail {

// The first element of an operand, as whatever pointer a kernel asks for; the dtype was checked before.
struct OperandPointer {
  char* address;
  template <class T> operator T*() const { return reinterpret_cast<T*>(address); }
};
// The same with the check.
struct CheckedPointer {
  const char* kernel;
  const Tensor* tensor;
  template <class T> operator T*() const {
    if constexpr (!std::is_void_v<T>) check(dtype_of<std::remove_const_t<T>>());
    return reinterpret_cast<T*>(tensor->impl()->data);
  }
  TAPEGRAD_API void check(DType asked) const;
};

template <class Fn, class P, size_t... I> constexpr bool takes(std::index_sequence<I...>) {
  return std::is_invocable_v<const Fn&, decltype((void(I), std::declval<P>()))...>;
}
// How many pointers fn wants.
template <class Fn, size_t N = 0> constexpr size_t pointers_of() {
  static_assert(N <= 12, "launch: fn must be callable with nothing, or with one pointer per output and input");
  if constexpr (N > 12) return 0;
  else if constexpr (takes<Fn, OperandPointer>(std::make_index_sequence<N>{})) return N;
  else return pointers_of<Fn, N + 1>();
}

template <size_t N, class Fn> struct PointerKernel {
  Fn fn;
  std::array<char*, N> at;
  void operator()() const {
    [&]<size_t... I>(std::index_sequence<I...>) { fn(OperandPointer{at[I]}...); }
    (std::make_index_sequence<N>{});
  }
  static KernelNote note() { return {.by = "own"}; }
};
// The same at its first run, or a kernel that takes no pointers.
template <class Fn> struct OwnKernel {
  Fn fn;
  void operator()() const { fn(); }
  static KernelNote note() { return {.by = "own"}; }
};

// What a user's own kernel reads while it runs is its business.
class RunningLaunch {
 public:
  RunningLaunch() : list_(current()), outer_(list_ && list_->set_running(true)) {}
  ~RunningLaunch() {
    if (list_) list_->set_running(outer_);
  }
  RunningLaunch(const RunningLaunch&) = delete;
  RunningLaunch& operator=(const RunningLaunch&) = delete;

 private:
  LaunchList* list_;
  bool outer_;
};

// ValueError unless all are defined, and `pointers` of them where that is not 0. Gives them in one list.
TAPEGRAD_API std::array<const Tensor*, 12> checked_operands(const char* name,
                                                            std::initializer_list<const Tensor*> outputs,
                                                            std::initializer_list<const Tensor*> inputs,
                                                            size_t pointers);

}  // namespace detail

// For kernels of users' own: runs fn(outputs' first elements..., inputs' first elements...), and runs it again whenever a
// capture is replayed. fn holds by value what else it needs (sizes, constants): no references, and no pointers taken
// outside, for a capture may move the memory. Instead of pointers fn may take nothing and hold the tensors.
//     launch("scale", {&y}, {&x}, [n = x.numel(), s](float* y, const float* x) { for (...) y[i] = s * x[i]; });
// ValueError: an undefined operand, or the wrong number of them; DTypeError: a pointer to another element type.
template <class Fn>
void launch(const char* name, std::initializer_list<const Tensor*> outputs, std::initializer_list<const Tensor*> inputs,
            const Fn& fn) {
  constexpr size_t N = detail::pointers_of<Fn>();
  const auto operands = detail::checked_operands(name, outputs, inputs, N);
  const detail::RunningLaunch running;
  if constexpr (N == 0) {
    launch(name, LaunchKind::other, outputs, inputs, detail::OwnKernel<Fn>{fn});
  } else {
    [&]<size_t... I>(std::index_sequence<I...>) {
      if (!detail::is_watched()) {
        fn(detail::CheckedPointer{name, operands[I]}...);
        return;
      }
      const auto checked = [&] { fn(detail::CheckedPointer{name, operands[I]}...); };
      detail::OwnKernel<decltype(checked)> kernel{checked};
      detail::observe(name, LaunchKind::other, outputs, inputs, &kernel, detail::kernel_type<decltype(kernel)>);
      LaunchList* const list = detail::current();
      if (!list) return;
      using Kept = detail::PointerKernel<N, Fn>;
      const Kept kept{fn, {operands[I]->impl()->data...}};
      list->keep(name, LaunchKind::other, outputs, inputs,
                 {detail::copy_kernel<Kept>(&kept), &detail::kernel_type<Kept>});
    }
    (std::make_index_sequence<N>{});
  }
}

}  // namespace tapegrad
