// Losses as modules: loss(input, target). What they compute is said in ops/losses.h.
#pragma once

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/ops/losses.h"
#include "tapegrad/ops/margin_losses.h"

namespace tapegrad::nn {

using CrossEntropyLossOptions = CrossEntropyOptions;
using NLLLossOptions = NllLossOptions;
using BCELossOptions = BinaryCrossEntropyOptions;
using BCEWithLogitsLossOptions = BinaryCrossEntropyWithLogitsOptions;
using SmoothL1LossOptions = tapegrad::SmoothL1LossOptions;
using HuberLossOptions = tapegrad::HuberLossOptions;
using KLDivLossOptions = KlDivOptions;
using HingeEmbeddingLossOptions = tapegrad::HingeEmbeddingLossOptions;
using MarginRankingLossOptions = tapegrad::MarginRankingLossOptions;
using MultiMarginLossOptions = tapegrad::MultiMarginLossOptions;
struct MSELossOptions {
  Reduction reduction = kMean;
};
struct L1LossOptions {
  Reduction reduction = kMean;
};
struct SoftMarginLossOptions {
  Reduction reduction = kMean;
};

// Weights given in the options are buffers of the module, so they are converted and saved with it.
class TAPEGRAD_API CrossEntropyLoss final : public Cloneable<CrossEntropyLoss> {
 public:
  explicit CrossEntropyLoss(const CrossEntropyLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;

  Buffer weight;

 private:
  CrossEntropyLossOptions options_;
};

class TAPEGRAD_API NLLLoss final : public Cloneable<NLLLoss> {
 public:
  explicit NLLLoss(const NLLLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;

  Buffer weight;

 private:
  NLLLossOptions options_;
};

class TAPEGRAD_API MSELoss final : public Cloneable<MSELoss> {
 public:
  explicit MSELoss(const MSELossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  MSELossOptions options_;
};

class TAPEGRAD_API BCELoss final : public Cloneable<BCELoss> {
 public:
  explicit BCELoss(const BCELossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;

  Buffer weight;

 private:
  BCELossOptions options_;
};

class TAPEGRAD_API BCEWithLogitsLoss final : public Cloneable<BCEWithLogitsLoss> {
 public:
  explicit BCEWithLogitsLoss(const BCEWithLogitsLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;

  Buffer weight;
  Buffer pos_weight;

 private:
  BCEWithLogitsLossOptions options_;
};

class TAPEGRAD_API L1Loss : public Cloneable<L1Loss> {
 public:
  explicit L1Loss(const L1LossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  L1LossOptions options_;
};

class TAPEGRAD_API SmoothL1Loss : public Cloneable<SmoothL1Loss> {
 public:
  explicit SmoothL1Loss(const SmoothL1LossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  SmoothL1LossOptions options_;
};

class TAPEGRAD_API HuberLoss : public Cloneable<HuberLoss> {
 public:
  explicit HuberLoss(const HuberLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  HuberLossOptions options_;
};

class TAPEGRAD_API KLDivLoss : public Cloneable<KLDivLoss> {
 public:
  explicit KLDivLoss(const KLDivLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  KLDivLossOptions options_;
};

class TAPEGRAD_API SoftMarginLoss : public Cloneable<SoftMarginLoss> {
 public:
  explicit SoftMarginLoss(const SoftMarginLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;

 private:
  SoftMarginLossOptions options_;
};

class TAPEGRAD_API HingeEmbeddingLoss : public Cloneable<HingeEmbeddingLoss> {
 public:
  explicit HingeEmbeddingLoss(const HingeEmbeddingLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input, const Tensor& target) const;
  std::string extra_repr() const override;

 private:
  HingeEmbeddingLossOptions options_;
};

class TAPEGRAD_API MarginRankingLoss : public Cloneable<MarginRankingLoss> {
 public:
  explicit MarginRankingLoss(const MarginRankingLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input1, const Tensor& input2, const Tensor& target) const;

 private:
  MarginRankingLossOptions options_;
};

// ValueError for p other than 1 and 2.
class TAPEGRAD_API MultiMarginLoss : public Cloneable<MultiMarginLoss> {
 public:
  explicit MultiMarginLoss(const MultiMarginLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
  std::string extra_repr() const override;

  Buffer weight;

 private:
  MultiMarginLossOptions options_;
};

}  // namespace tapegrad::nn
