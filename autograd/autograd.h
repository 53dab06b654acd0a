// Derivatives over the tape: backward and grad (reverse mode), jvp (forward mode), anomaly detection, hooks.
#pragma once

#include <optional>
#include <vector>

#include "tapegrad/autograd/node.h"
#include "tapegrad/autograd/state.h"

namespace tapegrad {

namespace autograd {

// Adds to every leaf's grad() the gradient of sum_i <grad_outputs[i], outputs[i]>. An undefined (or missing) entry of
// grad_outputs means 1 and is allowed for one-element outputs only. The graph is freed as it is swept unless
// retain_graph (default: create_graph). create_graph records the sweep, for gradients of gradients.
// AutogradError: an output has no graph, the graph was freed, a saved tensor was written, wrong shape of a gradient.
// Either all leaves are updated or, when an error is thrown, none.
TAPEGRAD_API void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs = {},
                           std::optional<bool> retain_graph = {}, bool create_graph = false);

// The same gradients by `inputs` (leaves or recorded tensors), returned instead of added. Only what leads from the
// outputs to the inputs is computed. AutogradError for an input that no output depends on, unless allow_unused: then
// its entry is undefined.
TAPEGRAD_API std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                                      const std::vector<Tensor>& grad_outputs = {},
                                      std::optional<bool> retain_graph = {}, bool create_graph = false,
                                      bool allow_unused = false);

// Forward mode over the recorded graph: the derivative of `outputs` along `tangents` of `inputs`, one per output
// (undefined: zero). The graph is kept; with create_graph the derivative is itself recorded.
TAPEGRAD_API std::vector<Tensor> jvp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& tangents, bool create_graph = false);

// While alive: recordings remember their stack, and backward stops at the first rule that makes a NaN and says where its
// forward was. Slow.
class TAPEGRAD_API DetectAnomalyGuard {
 public:
  explicit DetectAnomalyGuard(bool enabled = true);
  ~DetectAnomalyGuard();
  DetectAnomalyGuard(const DetectAnomalyGuard&) = delete;
  DetectAnomalyGuard& operator=(const DetectAnomalyGuard&) = delete;

 private:
  bool previous_;
};
TAPEGRAD_API void set_detect_anomaly(bool enabled);
TAPEGRAD_API bool is_anomaly_enabled();

// For rules that can add into memory: the sum so far of the gradient by input `i` of the node whose rule runs, when the
// sweep alone holds it, else undefined. A rule that has added into it returns that very tensor.
TAPEGRAD_API Tensor accumulator(int64_t i);

// Nodes this thread has recorded that are alive.
TAPEGRAD_API int64_t live_nodes();

namespace detail {
TAPEGRAD_API unsigned add_hook(const Tensor& t, Hook* hook);
}

}  // namespace autograd

// Calls fn(grad) once per backward with the full gradient of t, before it is passed on or stored. fn returns the gradient to use
// in its place, or nothing. The result is for remove_hook.
template <class F> unsigned register_hook(const Tensor& t, F fn) {
  struct Holder final : autograd::Hook {
    explicit Holder(F f) : fn(std::move(f)) {}
    Tensor operator()(const Tensor& grad) override {
      if constexpr (std::is_void_v<decltype(fn(grad))>) {
        fn(grad);
        return {};
      } else {
        return fn(grad);
      }
    }
    F fn;
  };
  return autograd::detail::add_hook(t, new Holder(std::move(fn)));
}
TAPEGRAD_API void remove_hook(const Tensor& t, unsigned id);

template <class F> unsigned Tensor::register_hook(F fn) const { return tapegrad::register_hook(*this, std::move(fn)); }

}  // namespace tapegrad
