// Losses as modules.
#include "tapegrad/nn/losses.h"

namespace tapegrad::nn {
namespace {

// The options with their weight taken from the buffer, which clone() rebinds and options alone would not.
template <class Options> Options with(const Options& options, const Tensor& weight) {
  Options copy = options;
  copy.weight = weight;
  return copy;
}

template <class Options> Options without_tensors(const Options& options) {
  Options copy = with(options, Tensor());
  if constexpr (requires { copy.pos_weight; }) copy.pos_weight = Tensor();
  return copy;
}

}  // namespace

CrossEntropyLoss::CrossEntropyLoss(const CrossEntropyLossOptions& options) : options_(without_tensors(options)) {
  weight = register_buffer("weight", options.weight);
}

Tensor CrossEntropyLoss::forward(const Tensor& input, const Tensor& target) const {
  return cross_entropy(input, target, with(options_, weight));
}

NLLLoss::NLLLoss(const NLLLossOptions& options) : options_(without_tensors(options)) {
  weight = register_buffer("weight", options.weight);
}

Tensor NLLLoss::forward(const Tensor& input, const Tensor& target) const {
  return nll_loss(input, target, with(options_, weight));
}

Tensor MSELoss::forward(const Tensor& input, const Tensor& target) const {
  return mse_loss(input, target, options_.reduction);
}

BCELoss::BCELoss(const BCELossOptions& options) : options_(without_tensors(options)) {
  weight = register_buffer("weight", options.weight);
}

Tensor BCELoss::forward(const Tensor& input, const Tensor& target) const {
  return binary_cross_entropy(input, target, with(options_, weight));
}

BCEWithLogitsLoss::BCEWithLogitsLoss(const BCEWithLogitsLossOptions& options) : options_(without_tensors(options)) {
  weight = register_buffer("weight", options.weight);
  pos_weight = register_buffer("pos_weight", options.pos_weight);
}

Tensor BCEWithLogitsLoss::forward(const Tensor& input, const Tensor& target) const {
  BCEWithLogitsLossOptions options = with(options_, weight);
  options.pos_weight = pos_weight;
  return binary_cross_entropy_with_logits(input, target, options);
}

}  // namespace tapegrad::nn
