// Memory for time: a stretch of a network that keeps its inputs only, and runs again in backward.
#pragma once

#include <memory>

#include "tapegrad/autograd/tensor_function.h"

namespace tapegrad::autograd {

struct CheckpointOptions {
  // Draw from the default generator of the second run what the first one drew, so that dropout masks agree. The
  // generator itself goes on where it is.
  bool preserve_rng_state = true;
};

namespace detail {
TAPEGRAD_API std::vector<Tensor> checkpoint(std::shared_ptr<void> owner, TensorFunction f,
                                            const std::vector<Tensor>& inputs, const CheckpointOptions& options);
template <class F> auto call_of(F& f) {
  if constexpr (tensors_taken<F>() == 0) return f(std::vector<Tensor>());
  else if constexpr (tensors_taken<F>() == 3) return f(Tensor(), Tensor(), Tensor());
  else if constexpr (tensors_taken<F>() == 2) return f(Tensor(), Tensor());
  else return f(Tensor());
}
template <class F> using ResultOf = decltype(call_of(std::declval<F&>()));
}  // namespace detail

// f(inputs), of which the tape keeps one node: the inputs and f. Backward runs f again with recording on and sweeps that.
// Gradients reach the inputs and whatever else f uses that requires grad (parameters of a module, tensors recorded
// outside), through backward() and through grad() alike; create_graph and forward mode work. Checkpoints nest. With
// recording off this is f(inputs) and nothing else.
//
// f is copied into the node: let it hold handles (modules and tensors) by value. It must compute the same again: what it
// takes from outside besides tensors (a mode, a counter), and buffers it updates, are as they are by then. An explicit
// Generator is not set back.
//   Tensor y = autograd::checkpoint([block](const Tensor& x) { return block(x); }, x);
//
// ValueError: an undefined output. AutogradError: f writes an input in place; in backward: an input or a tensor from
// outside was written since; f gives other shapes, or uses more or fewer tensors that require grad than in forward.
template <class F>
  requires(detail::tensors_taken<F>() >= 0)
detail::ResultOf<F> checkpoint(F f, const std::vector<Tensor>& inputs, const CheckpointOptions& options = {}) {
  auto owner = std::make_shared<F>(std::move(f));
  const TensorFunction lent(*owner);
  std::vector<Tensor> y = detail::checkpoint(std::move(owner), lent, inputs, options);
  if constexpr (std::is_convertible_v<detail::ResultOf<F>, std::vector<Tensor>>) return y;
  else return y[0];
}
template <class F, class T>
  requires(detail::tensors_taken<F>() >= 0 && std::is_base_of_v<Tensor, T>)
detail::ResultOf<F> checkpoint(F f, const T& x, const CheckpointOptions& options = {}) {
  return checkpoint(std::move(f), std::vector<Tensor>{x}, options);
}

// Where to cut a chain of `steps` >= 2 so that reversing it with `snapshots` states in memory (its input among them)
// runs as few steps as can be: the steps in front of the cut run again later, the state at the cut is kept. Griewank and
// Walther, "Algorithm 799: Revolve" (2000). ValueError for fewer steps or less than one snapshot.
TAPEGRAD_API int64_t revolve_cut(int64_t steps, int64_t snapshots);
// How often steps run in one forward and backward over such a chain: once each with recording, and
// r steps - C(snapshots + r, r - 1) times without, where r is the smallest number with steps <= C(snapshots + r, r).
TAPEGRAD_API int64_t revolve_evaluations(int64_t steps, int64_t snapshots);

}  // namespace tapegrad::autograd
