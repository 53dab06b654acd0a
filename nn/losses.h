// Losses as modules: loss(input, target). What they compute is said in ops/losses.h.
#pragma once

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/ops/losses.h"

namespace tapegrad::nn {

using CrossEntropyLossOptions = CrossEntropyOptions;
using NLLLossOptions = NllLossOptions;
using BCELossOptions = BinaryCrossEntropyOptions;
using BCEWithLogitsLossOptions = BinaryCrossEntropyWithLogitsOptions;
struct MSELossOptions {
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

}  // namespace tapegrad::nn
