// What a check of a module moves, and in which state every run starts.
#include "tapegrad/nn/check.h"

#include "tapegrad/core/copy.h"
#include "tapegrad/core/random.h"

namespace tapegrad::nn::detail {

ModuleCheck::ModuleCheck(const Module& module, const std::vector<Tensor>& inputs, GradcheckOptions& options)
    : inputs_(inputs.size()), seed_(options.seed), all_(inputs) {
  if (options.input_names.empty()) {
    for (size_t i = 0; i < inputs.size(); ++i) options.input_names.push_back("x" + std::to_string(i));
  }
  for (const auto& [name, t] : module.named_parameters()) {
    parameters_.push_back(name);
    options.input_names.push_back(name);
    all_.push_back(t);
  }
  for (const auto& [name, t] : module.named_buffers()) buffers_.append(name, clone_of(t));
}

std::vector<Tensor> ModuleCheck::inputs_of(const std::vector<Tensor>& all) const {
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(inputs_)};
}

NamedTensors ModuleCheck::state_of(const std::vector<Tensor>& all) const {
  default_generator().manual_seed(seed_);
  NamedTensors state;
  DType floating = kFloat32;
  for (const Tensor& t : all) floating = t.defined() && t.dtype() == kFloat64 ? kFloat64 : floating;
  for (size_t i = 0; i < parameters_.size(); ++i) state.append(parameters_[i], all[inputs_ + i]);
  for (const auto& [name, t] : buffers_)
    state.append(name, t.is_floating_point() ? converted(clone_of(t), floating) : clone_of(t));
  return state;
}

}  // namespace tapegrad::nn::detail
