// Checks the gradients of a module, by its inputs and by its parameters.
#pragma once

#include "tapegrad/autograd/check/gradcheck.h"
#include "tapegrad/nn/functional_call.h"

namespace tapegrad::nn {

namespace detail {

// Names and tensors that a check of a module moves, and how to put them into it.
class TAPEGRAD_API ModuleCheck {
 public:
  ModuleCheck(const Module& module, const std::vector<Tensor>& inputs, GradcheckOptions& options);
  const std::vector<Tensor>& all() const { return all_; }  // inputs, then parameters
  std::vector<Tensor> inputs_of(const std::vector<Tensor>& all) const;
  // Parameters from `all`; buffers as they were before the check, in the same precision. Seeds the default generator.
  NamedTensors state_of(const std::vector<Tensor>& all) const;

 private:
  size_t inputs_;
  uint64_t seed_;
  std::vector<Tensor> all_;
  std::vector<std::string> parameters_;
  NamedTensors buffers_;
};

}  // namespace detail

// gradcheck_report of module.forward(inputs...), by the inputs that require grad and by every parameter that does, which the
// report calls by their names. The numbers are taken in float64, also for a float32 module. Every run starts from the same
// buffers and the same random numbers, so that dropout and running statistics can be checked; the module is left as it was.
template <class M>
GradcheckReport check_module(M& module, const std::vector<Tensor>& inputs, GradcheckOptions options = {}) {
  const detail::ModuleCheck check(module, inputs, options);
  const auto f = [&](const std::vector<Tensor>& all) {
    const Substitution substitution(module, check.state_of(all));
    const auto forward = [&](const auto&... x) -> decltype(module.forward(x...)) { return module.forward(x...); };
    return GradcheckFunction(forward)(check.inputs_of(all));
  };
  return gradcheck_report(f, check.all(), options);
}

}  // namespace tapegrad::nn
