// Calls a module with other parameters than its own.
#pragma once

#include "tapegrad/nn/module.h"

namespace tapegrad::nn {

// While alive, the module's parameters and buffers of these names stand for the given tensors, history included: what forward
// computes leads back to those. Names are dotted, as in state_dict(); the rest of the module keeps its own. ValueError for an
// unknown name, ShapeError or DTypeError for a tensor that does not fit. Not for two threads at once.
class TAPEGRAD_API Substitution {
 public:
  Substitution(const Module& module, const NamedTensors& tensors);
  ~Substitution();
  Substitution(const Substitution&) = delete;
  Substitution& operator=(const Substitution&) = delete;

 private:
  std::vector<std::pair<Tensor, Tensor>> swapped_;  // the module's own handle, and the tensor that holds its contents
};

// module.forward(inputs...) with these tensors in place of its own:
//   Tensor y = functional_call(net, {{"fc1.weight", w}}, x);
template <class M, class... In> auto functional_call(M& module, const NamedTensors& tensors, const In&... inputs) {
  const Substitution substitution(module, tensors);
  return module.forward(inputs...);
}

}  // namespace tapegrad::nn
