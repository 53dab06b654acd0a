// Who looks at the launches of a thread: a list that keeps them, observers that time them, or nobody, which costs one test.
#pragma once

#include <atomic>
#include <span>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

class LaunchList;
struct Walk;
struct SumWalk;

// What a launch does to its operands, for whoever rearranges kept launches. Those of kind `random` and `other` keep their
// order among themselves; what a `constant` writes is the same at every run.
enum class LaunchKind : uint8_t { map, reduce, gemm, copy, random, constant, other };

// What a training step was doing when the launch was made.
enum class LaunchPhase : uint8_t { forward, backward, optimizer };
inline const char* name_of(LaunchPhase p) {
  return p == LaunchPhase::forward ? "forward" : p == LaunchPhase::backward ? "backward" : "optimizer";
}

// What a kernel may tell of itself, by a function note() beside its call.
struct KernelNote {
  const char* tier = nullptr;  // "tiny", "medium" or "large"; null: by the size of its operands
  const char* by = "loop";     // "simd", "onednn", a plain "loop", or "own": a kernel of the user's
  const char* variant = "";    // the instruction set, or the implementation's name
  int64_t flops = -1;          // -1: elementwise one per element written, reductions one per element read, others none
};

// A tensor that a launch reads or writes.
struct OperandNote {
  const Shape* sizes;
  DType dtype;
  int64_t bytes;     // of distinct elements
  const void* data;  // in the memory of the tensor's storage; null where that is not known any more
  bool written;
};

// The tensors that a launch writes, or reads; null and undefined ones are none.
using Operands = std::span<const Tensor* const>;

// A launch that has run.
struct LaunchReport {
  const char* name;
  LaunchKind kind;
  LaunchPhase phase;
  std::span<const OperandNote> operands;
  KernelNote note{};
  int64_t start = 0, took = 0;  // nanoseconds

  int64_t bytes() const;
  std::string implementation() const;  // "simd avx512"
  // "[4, 3] [3, 2] -> [4, 2]"
  std::string shapes() const;
  DType dtype() const;  // of the first result, or else of the first operand
};

// Sees what its thread does from start() to stop(); both on the thread that made it.
class TAPEGRAD_API LaunchObserver {
 public:
  virtual void launched(const LaunchReport&) {}
  virtual void created(Storage&) {}
  // A scope begins, and the innermost ends. Kinds: "module", "program", "backward", "optimizer", "user".
  virtual void entered(const char* /*kind*/, const std::string& /*name*/) {}
  virtual void left() {}

 protected:
  LaunchObserver() = default;
  virtual ~LaunchObserver();
  LaunchObserver(const LaunchObserver&) = delete;
  LaunchObserver& operator=(const LaunchObserver&) = delete;
  void start();
  void stop() noexcept;

 private:
  friend struct Watch;
  LaunchObserver* outer_ = nullptr;
  bool active_ = false;
};

namespace detail {

// A type of kernels, for who does not know the type.
struct KernelType {
  size_t bytes;
  void (*run)(const void* kernel);
  void* (*copy)(const void* kernel);
  void (*destroy)(void* kernel);
  bool (*walk)(const void* kernel, Walk& walk);   // null: it is not elementwise
  bool (*sum)(const void* kernel, SumWalk& sum);  // null: it is no sum
  KernelNote (*note)(const void* kernel);         // null: nothing to tell
};

TAPEGRAD_API int64_t now();  // nanoseconds
// Bytes of t's elements, repeated ones once.
int64_t distinct_bytes(const TensorImpl& t);
// Runs the kernel and shows the observers the report, which lacks only what the run gives.
TAPEGRAD_API void observe(LaunchReport& report, const void* kernel, const KernelType& type);
// The same for the operands of a launch.
TAPEGRAD_API void observe(const char* name, LaunchKind kind, Operands outputs, Operands inputs, const void* kernel,
                          const KernelType& type);

// Begins and ends a scope of this thread for its observers.
TAPEGRAD_API void enter(const char* kind, const std::string& name);
TAPEGRAD_API void leave() noexcept;
// How many observers there are, on all threads: scopes cost one load while there is none.
TAPEGRAD_API extern std::atomic<int> observers;
inline bool observed() { return observers.load(std::memory_order_relaxed) != 0; }

class ObservedScope {
 public:
  // name() is called only when somebody looks.
  template <class Name> ObservedScope(const char* kind, const Name& name) : entered_(observed()) {
    if (entered_) [[unlikely]]
      enter(kind, name());
  }
  ~ObservedScope() {
    if (entered_) [[unlikely]]
      leave();
  }
  ObservedScope(const ObservedScope&) = delete;
  ObservedScope& operator=(const ObservedScope&) = delete;

 private:
  bool entered_;
};

}  // namespace detail

// Of one thread.
struct Watch {
  LaunchList* list = nullptr;
  LaunchObserver* observers = nullptr;
  static void add(LaunchObserver& o);
  static void remove(LaunchObserver& o);
  static LaunchObserver* next(const LaunchObserver& o);
};

// The list that keeps this thread's launches now, or null.
TAPEGRAD_API LaunchList* keeping();
TAPEGRAD_API bool watched();

namespace detail {

#ifdef TAPEGRAD_BUILDING
// Null when nobody looks. A thread starts with the address of `undecided`: its first launch finds out about TAPEGRAD_VERBOSE.
extern constinit thread_local Watch* watch __attribute__((tls_model("initial-exec")));
extern constinit thread_local LaunchPhase phase __attribute__((tls_model("initial-exec")));
inline bool is_watched() { return watch != nullptr; }
inline LaunchList* current() { return watch ? watch->list : nullptr; }
// Sets the list that keeps, and gives the one that was there.
LaunchList* exchange_list(LaunchList* list);
// Of a storage that is new.
void created(Storage* storage);
#else
inline bool is_watched() { return watched(); }
inline LaunchList* current() { return keeping(); }
#endif

}  // namespace detail
}  // namespace tapegrad
