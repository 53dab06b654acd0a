// Launches of users' own kernels.
#pragma once

#include <array>

#include "tapegrad/core/launch.h"

namespace tapegrad {
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
// The same at its first run.
template <class First> struct OwnKernel {
  const First& first;
  void operator()() const { first(); }
  static KernelNote note() { return {.by = "own"}; }
};

// ValueError unless all are defined, and `pointers` of them where that is not 0. Gives them in one list.
TAPEGRAD_API std::array<const Tensor*, 12> checked_operands(const char* name,
                                                            std::initializer_list<const Tensor*> outputs,
                                                            std::initializer_list<const Tensor*> inputs,
                                                            size_t pointers);
// Runs the kernel before whoever looks, and gives the list that is to keep it, or null.
TAPEGRAD_API LaunchList* run_watched(const char* name, std::initializer_list<const Tensor*> outputs,
                                     std::initializer_list<const Tensor*> inputs, const void* kernel,
                                     const KernelType& type);
TAPEGRAD_API void keep_own(LaunchList& list, const char* name, std::initializer_list<const Tensor*> outputs,
                           std::initializer_list<const Tensor*> inputs, const Closure& closure);

}  // namespace detail

// For kernels of users' own: runs fn(outputs' first elements..., inputs' first elements...), and runs it again whenever a
// capture is replayed. fn holds by value what else it needs (sizes, constants): no references, and no pointers taken
// outside, for a capture may move the memory. Instead of pointers fn may take nothing and hold the tensors. It may call
// operations, which are then part of it. Outputs count as written in place: what was saved of them for backward is stale.
//     launch("scale", {&y}, {&x}, [n = x.numel(), s](float* y, const float* x) { for (...) y[i] = s * x[i]; });
// ValueError: an undefined operand, or the wrong number of them; DTypeError: a pointer to another element type.
template <class Fn>
void launch(const char* name, std::initializer_list<const Tensor*> outputs, std::initializer_list<const Tensor*> inputs,
            const Fn& fn) {
  constexpr size_t N = detail::pointers_of<Fn>();
  const auto operands = detail::checked_operands(name, outputs, inputs, N);
  [&]<size_t... I>(std::index_sequence<I...>) {
    const auto first = [&] { fn(detail::CheckedPointer{name, operands[I]}...); };
    if (!detail::is_watched()) return first();
    using First = detail::OwnKernel<decltype(first)>;
    const First kernel{first};
    if (LaunchList* list = detail::run_watched(name, outputs, inputs, &kernel, detail::kernel_type<First>)) {
      using Kept = detail::PointerKernel<N, Fn>;
      const Kept kept{fn, {operands[I]->impl()->data...}};
      detail::keep_own(*list, name, outputs, inputs, {detail::copy_kernel<Kept>(&kept), &detail::kernel_type<Kept>});
    }
  }
  (std::make_index_sequence<N>{});
  for (const Tensor* y : outputs) y->impl()->storage->bump_version();
}

}  // namespace tapegrad
