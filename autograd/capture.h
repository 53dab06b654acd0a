// Capture and replay: what a function launches, kept once and run again without shapes, allocation or recording.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

struct CaptureOptions {
  // Steps for which the function and its replay run side by side from the same state before capture() returns; the first
  // launch that differs is an AutogradError. They leave no trace in tensors, optimizers and generators. -1: 1 in debug builds
  // of the library, else 0.
  int verify = -1;
  // When something that the program took for given has changed (see Program), capture anew instead of throwing.
  bool recapture = false;
  // Elementwise launches in passes over tiles that stay in the first-level cache.
  bool fuse = true;
  // Memory that only the program sees is shared by what is not alive at once.
  bool plan_memory = true;
};

// What a program consists of.
struct ProgramStats {
  int64_t launches;        // that the function made
  int64_t steps;           // that are left: fused, without those whose results nobody sees
  int64_t fused_groups;    // steps that are passes over more than one launch
  int64_t fused_launches;  // launches in them
  int64_t buffers;         // blocks of memory that only the program sees
  int64_t eager_bytes;     // these together
  int64_t inside_bytes;    // of these, what fused passes keep in the cache
  int64_t planned_bytes;   // the one block that all the others share
};

// A captured function: calling it does what calling the function again would, bit by bit. New inputs are written into the
// tensors that the function reads (x.copy_(batch)), or handed over where it was captured with inputs. What the function
// returned, assigned to tensors outside, or left in .grad() holds the results of the latest run.
//
// Taken for given, and checked before each run: the thread count; the training mode of the modules; whether tensors require grad, their
// hooks, and that those without a gradient when the function begins have none; that optimizers keep the same state and have no
// more groups; that tensors taken from outside are still held by somebody else (a variable that was assigned a new tensor is not read
// again); shapes and dtypes of inputs handed over.
// If that does not hold, a run is an AutogradError that says what has changed, or with CaptureOptions::recapture captures anew.
// Numbers that the function computed on the host stay as they were. What a step changes from run to run (optimizers'
// counts and options, generators) is read where its owner keeps it.
// A handle; one thread at a time may run it, and programs that share no memory may run side by side. A run that fails may be
// followed by others.
class TAPEGRAD_API Program {
 public:
  // Runs it; the first (or only) tensor that the function returned, undefined if it returned none.
  Tensor operator()() const;
  // The same after copying into the inputs it was captured with. ShapeError, DTypeError, ValueError for their number.
  Tensor operator()(const std::vector<Tensor>& inputs) const;
  // Everything the function returned.
  const std::vector<Tensor>& outputs() const;

  ProgramStats stats() const;
  // One line per step: its launches, shapes, and where results lie; then the totals.
  std::string text() const;
  // The same on standard output.
  void print() const;
  // Steps and the memory between them in the DOT language: `dot -Tsvg`.
  std::string dot() const;

  // A handle to nothing, to be assigned to; whatever is asked of it but captured() is a ValueError.
  Program() = default;
  // False for a handle to nothing, which one that was moved from is too.
  bool captured() const { return state_ != nullptr; }

  // State behind the handle. Library internal.
  struct State;
  explicit Program(std::shared_ptr<State> state) : state_(std::move(state)) {}
  State& state() const;

 private:
  std::shared_ptr<State> state_;
};

namespace detail {

using CapturedFn = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;
TAPEGRAD_API Program capture(CapturedFn fn, const std::vector<Tensor>& inputs, const CaptureOptions& options);

template <class R> std::vector<Tensor> returned(R&& result) {
  if constexpr (std::is_convertible_v<R, Tensor>) return {Tensor(std::forward<R>(result))};
  else return std::vector<Tensor>(std::begin(result), std::end(result));
}

template <class F, class... In> std::vector<Tensor> call_captured(F& fn, const In&... in) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&, const In&...>>) {
    fn(in...);
    return {};
  } else {
    return returned(fn(in...));
  }
}

template <class F, size_t... I> constexpr bool takes_tensors(std::index_sequence<I...>) {
  return std::is_invocable_v<F&, decltype((void(I), std::declval<const Tensor&>()))...>;
}
// How many tensors fn is a function of.
template <class F, size_t N = 1> constexpr size_t tensors_of() {
  static_assert(N <= 8, "capture: fn must be callable with one to eight tensors, or with a std::vector<Tensor>");
  if constexpr (N > 8 || takes_tensors<F>(std::make_index_sequence<N>{})) return N;
  else return tensors_of<F, N + 1>();
}
TAPEGRAD_API void check_taken(size_t taken, size_t given);

}  // namespace detail

// Runs fn() twice, once to warm up and once to keep what it launches: any training or inference step, with forward,
// backward, zero_grad() and optimizer. fn may return nothing, a tensor, or several; it stays alive with the program, and
// what it refers to must. AutogradError, with the line: fn reads elements on the host (item(), data_ptr(), printing), calls
// something whose shape depends on values (nonzero, masks), sets a learning rate, goes through a loader, captures or runs a program itself.
template <class F>
  requires(std::is_invocable_v<F&>)
Program capture(F fn, const CaptureOptions& options = {}) {
  const auto shared = std::make_shared<F>(std::move(fn));  // F may be one that can only be moved
  return detail::capture([shared](const std::vector<Tensor>&) { return detail::call_captured(*shared); }, {}, options);
}

// The same for a function of tensors: fn(copies of inputs...) where it takes as many tensors, or fn(the list of copies). The program keeps
// the copies, which require grad where the inputs do, and is called with tensors of the same shapes and dtypes: step({images, labels}).
template <class F>
  requires(!std::is_invocable_v<F&>)
Program capture(F fn, const std::vector<Tensor>& inputs, const CaptureOptions& options = {}) {
  const auto shared = std::make_shared<F>(std::move(fn));
  return detail::capture(
      [shared](const std::vector<Tensor>& in) {
        if constexpr (std::is_invocable_v<F&, const std::vector<Tensor>&>) {
          return detail::call_captured(*shared, in);
        } else {
          constexpr size_t N = detail::tensors_of<F>();
          detail::check_taken(N, in.size());
          return [&]<size_t... I>(std::index_sequence<I...>) { return detail::call_captured(*shared, in[I]...); }
          (std::make_index_sequence<N>{});
        }
      },
      inputs, options);
}

}  // namespace tapegrad
