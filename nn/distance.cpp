// Distances and their losses as modules.
#include "tapegrad/nn/distance.h"

#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {

Tensor CosineSimilarity::forward(const Tensor& x1, const Tensor& x2) const {
  return cosine_similarity(x1, x2, options_.dim, options_.eps);
}
std::string CosineSimilarity::extra_repr() const {
  return "dim=" + std::to_string(options_.dim) + ", eps=" + shown(options_.eps);
}

Tensor PairwiseDistance::forward(const Tensor& x1, const Tensor& x2) const {
  return pairwise_distance(x1, x2, options_.p, options_.eps, options_.keepdim);
}
std::string PairwiseDistance::extra_repr() const {
  return "p=" + shown(options_.p) + ", eps=" + shown(options_.eps) +
         ", keepdim=" + (options_.keepdim ? "true" : "false");
}

Tensor TripletMarginLoss::forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const {
  return triplet_margin_loss(anchor, positive, negative, options_);
}
std::string TripletMarginLoss::extra_repr() const {
  return "margin=" + shown(options_.margin) + ", p=" + shown(options_.p) + ", eps=" + shown(options_.eps) +
         ", swap=" + (options_.swap ? "true" : "false");
}

Tensor TripletMarginWithDistanceLoss::forward(const Tensor& anchor, const Tensor& positive,
                                              const Tensor& negative) const {
  return triplet_margin_with_distance_loss(anchor, positive, negative, options_);
}

Tensor CosineEmbeddingLoss::forward(const Tensor& input1, const Tensor& input2, const Tensor& target) const {
  return cosine_embedding_loss(input1, input2, target, options_);
}
std::string CosineEmbeddingLoss::extra_repr() const { return "margin=" + shown(options_.margin); }

}  // namespace tapegrad::nn
