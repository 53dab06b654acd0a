// Distances as modules, and the losses of distances; what they compute is said in ops/distance.h and ops/margin_losses.h.
#pragma once

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/ops/distance.h"
#include "tapegrad/ops/margin_losses.h"

namespace tapegrad::nn {

using TripletMarginLossOptions = tapegrad::TripletMarginLossOptions;
using TripletMarginWithDistanceLossOptions = tapegrad::TripletMarginWithDistanceLossOptions;
using CosineEmbeddingLossOptions = tapegrad::CosineEmbeddingLossOptions;

struct CosineSimilarityOptions {
  int64_t dim = 1;
  double eps = 1e-8;
};
class TAPEGRAD_API CosineSimilarity final : public Cloneable<CosineSimilarity> {
 public:
  explicit CosineSimilarity(const CosineSimilarityOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x1, const Tensor& x2) const;
  std::string extra_repr() const override;

 private:
  CosineSimilarityOptions options_;
};

struct PairwiseDistanceOptions {
  double p = 2;
  double eps = 1e-6;
  bool keepdim = false;
};
class TAPEGRAD_API PairwiseDistance final : public Cloneable<PairwiseDistance> {
 public:
  explicit PairwiseDistance(const PairwiseDistanceOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x1, const Tensor& x2) const;
  std::string extra_repr() const override;

 private:
  PairwiseDistanceOptions options_;
};

class TAPEGRAD_API TripletMarginLoss final : public Cloneable<TripletMarginLoss> {
 public:
  explicit TripletMarginLoss(const TripletMarginLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const;
  std::string extra_repr() const override;

 private:
  TripletMarginLossOptions options_;
};

class TAPEGRAD_API TripletMarginWithDistanceLoss final : public Cloneable<TripletMarginWithDistanceLoss> {
 public:
  explicit TripletMarginWithDistanceLoss(const TripletMarginWithDistanceLossOptions& options = {})
      : options_(options) {}
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const;

 private:
  TripletMarginWithDistanceLossOptions options_;
};

class TAPEGRAD_API CosineEmbeddingLoss final : public Cloneable<CosineEmbeddingLoss> {
 public:
  explicit CosineEmbeddingLoss(const CosineEmbeddingLossOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& input1, const Tensor& input2, const Tensor& target) const;
  std::string extra_repr() const override;

 private:
  CosineEmbeddingLossOptions options_;
};

}  // namespace tapegrad::nn
