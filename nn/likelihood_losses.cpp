// Losses of counts, measurements, sequences and several labels as modules.
#include "tapegrad/nn/likelihood_losses.h"

namespace tapegrad::nn {

Tensor PoissonNLLLoss::forward(const Tensor& input, const Tensor& target) const {
  return poisson_nll_loss(input, target, options_);
}

Tensor GaussianNLLLoss::forward(const Tensor& input, const Tensor& target, const Tensor& var) const {
  return gaussian_nll_loss(input, target, var, options_);
}

Tensor CTCLoss::forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                        const Tensor& target_lengths) const {
  return ctc_loss(log_probs, targets, input_lengths, target_lengths, options_);
}

Tensor MultiLabelMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return multilabel_margin_loss(input, target, options_.reduction);
}

MultiLabelSoftMarginLoss::MultiLabelSoftMarginLoss(const MultiLabelSoftMarginLossOptions& options)
    : reduction_(options.reduction) {
  weight = register_buffer("weight", options.weight);
}

Tensor MultiLabelSoftMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return multilabel_soft_margin_loss(input, target, {.weight = weight, .reduction = reduction_});
}

}  // namespace tapegrad::nn
