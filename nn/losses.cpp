// Losses as modules.
#include "tapegrad/nn/losses.h"

#include "tapegrad/core/print.h"
#include "tapegrad/nn/internal.h"

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

const char* name_of(Reduction reduction) {
  if (reduction == kNone) return "kNone";
  return reduction == kMean ? "kMean" : "kSum";
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

Tensor L1Loss::forward(const Tensor& input, const Tensor& target) const {
  return l1_loss(input, target, options_.reduction);
}

Tensor SmoothL1Loss::forward(const Tensor& input, const Tensor& target) const {
  return smooth_l1_loss(input, target, options_);
}

Tensor HuberLoss::forward(const Tensor& input, const Tensor& target) const {
  return huber_loss(input, target, options_);
}

Tensor KLDivLoss::forward(const Tensor& input, const Tensor& target) const { return kl_div(input, target, options_); }

Tensor SoftMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return soft_margin_loss(input, target, options_.reduction);
}

Tensor HingeEmbeddingLoss::forward(const Tensor& input, const Tensor& target) const {
  return hinge_embedding_loss(input, target, options_);
}
std::string HingeEmbeddingLoss::extra_repr() const { return "margin=" + shown(options_.margin); }

Tensor MarginRankingLoss::forward(const Tensor& input1, const Tensor& input2, const Tensor& target) const {
  return margin_ranking_loss(input1, input2, target, options_);
}

MultiMarginLoss::MultiMarginLoss(const MultiMarginLossOptions& options) : options_(without_tensors(options)) {
  if (options.p != 1 && options.p != 2)
    throw ValueError("MultiMarginLoss: p must be 1 or 2, got " + std::to_string(options.p));
  weight = register_buffer("weight", options.weight);
}

Tensor MultiMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return multi_margin_loss(input, target, with(options_, weight));
}

std::string MultiMarginLoss::extra_repr() const {
  return "p=" + std::to_string(options_.p) + ", margin=" + shown(options_.margin) +
         ", weight=" + tapegrad::to_string(static_cast<const Tensor&>(weight)) +
         ", reduction=" + name_of(options_.reduction);
}

}  // namespace tapegrad::nn
