// Losses of counts, measurements, sequences and several labels as modules; what they compute is said in ops/losses.h and
// ops/margin_losses.h.
#pragma once

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/ops/losses.h"
#include "tapegrad/ops/margin_losses.h"

namespace tapegrad::nn {

using PoissonNLLLossOptions = PoissonNllLossOptions;
using GaussianNLLLossOptions = GaussianNllLossOptions;
using CTCLossOptions = CtcLossOptions;
using MultiLabelSoftMarginLossOptions = MultilabelSoftMarginLossOptions;
struct MultiLabelMarginLossOptions {
  Reduction reduction = kMean;
};

class TAPEGRAD_API PoissonNLLLoss final : public Cloneable<PoissonNLLLoss> {
 public:
  explicit PoissonNLLLoss(const PoissonNLLLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  PoissonNLLLossOptions options_;
};

class TAPEGRAD_API GaussianNLLLoss final : public Cloneable<GaussianNLLLoss> {
 public:
  explicit GaussianNLLLoss(const GaussianNLLLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target, const Tensor& var) const;

 private:
  GaussianNLLLossOptions options_;
};

class TAPEGRAD_API CTCLoss final : public Cloneable<CTCLoss> {
 public:
  explicit CTCLoss(const CTCLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                 const Tensor& target_lengths) const;

 private:
  CTCLossOptions options_;
};

class TAPEGRAD_API MultiLabelMarginLoss final : public Cloneable<MultiLabelMarginLoss> {
 public:
  explicit MultiLabelMarginLoss(const MultiLabelMarginLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  MultiLabelMarginLossOptions options_;
};

// The weight is a buffer, converted and saved with the module.
class TAPEGRAD_API MultiLabelSoftMarginLoss final : public Cloneable<MultiLabelSoftMarginLoss> {
 public:
  explicit MultiLabelSoftMarginLoss(const MultiLabelSoftMarginLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;

  Buffer weight;

 private:
  Reduction reduction_;
};

}  // namespace tapegrad::nn
