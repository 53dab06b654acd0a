// Losses that ask for a margin between what fits and what does not. Reductions as in ops/losses.h.
#pragma once

#include <functional>

#include "tapegrad/ops/losses.h"

namespace tapegrad {

struct HingeEmbeddingLossOptions {
  double margin = 1;
  Reduction reduction = kMean;
};
// l = x where target is 1, max(0, margin - x) where it is -1;  dx = dl, and -dl where x <= margin. Equal shapes.
TAPEGRAD_API Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target,
                                         const HingeEmbeddingLossOptions& options = {});

struct MarginRankingLossOptions {
  double margin = 0;
  Reduction reduction = kMean;
};
// l = max(0, margin - target (x1 - x2)), target 1 where x1 should rank higher, else -1. Shapes broadcast; ShapeError
// unless all three have the same number of dims.
// dx1 = -dl target, dx2 = dl target, dtarget = -dl (x1 - x2), all 0 where margin is kept.
TAPEGRAD_API Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                                        const MarginRankingLossOptions& options = {});

struct MultiMarginLossOptions {
  int64_t p = 1;  // 1 or 2
  double margin = 1;
  Tensor weight = {};  // per class, [C]
  Reduction reduction = kMean;
};
// l_i = weight[t_i] sum over c != t_i of max(0, margin - input[i, t_i] + input[i, c])^p / C, for scores input [C] or
// [N, C] and int64 targets [] or [N]. IndexError for a target outside [0, C), ValueError for another p.
TAPEGRAD_API Tensor multi_margin_loss(const Tensor& input, const Tensor& target,
                                      const MultiMarginLossOptions& options = {});

// l = ln(1 + e^(-target x)), target 1 or -1, stable for any x;  dx = -dl target sigmoid(-target x). Equal shapes.
TAPEGRAD_API Tensor soft_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction = kMean);

// l_i = sum over t in T_i and c not in T_i of max(0, 1 - input[i, t] + input[i, c]) / C, for scores input [C] or [N, C] and int64
// targets of the same shape: row i holds the classes T_i, and -1 behind the last.  dinput = dl times the terms above 0 that it
// takes part in, over C, those with a minus subtracted. IndexError for a class outside [0, C).
TAPEGRAD_API Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction = kMean);

struct MultilabelSoftMarginLossOptions {
  Tensor weight = {};  // broadcast against input
  Reduction reduction = kMean;
};
// l_i = -mean over c of weight_c (t ln sigmoid(x) + (1 - t) ln sigmoid(-x)) for scores x = input[..., c] and targets t of the same
// shape;  dx = dl weight (sigmoid(x) - t) / C. ShapeError without dims.
TAPEGRAD_API Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target,
                                                const MultilabelSoftMarginLossOptions& options = {});

struct TripletMarginLossOptions {
  double margin = 1;
  double p = 2;
  double eps = 1e-6;
  bool swap = false;  // the smaller of d(a, n) and d(p, n) counts as the distance of the negative
  Reduction reduction = kMean;
};
// l = max(0, margin + d(a, p) - d(a, n)) with d = pairwise_distance(., ., p, eps), rows in the last dim. dl goes on to both distances, with
// a minus to the second, where l > 0. ShapeError unless all three have the same number of dims, ValueError unless margin > 0.
TAPEGRAD_API Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                        const TripletMarginLossOptions& options = {});

struct TripletMarginWithDistanceLossOptions {
  std::function<Tensor(const Tensor&, const Tensor&)> distance_function = {};  // pairwise_distance
  double margin = 1;
  bool swap = false;
  Reduction reduction = kMean;
};
// The same for any distance.
TAPEGRAD_API Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive,
                                                      const Tensor& negative,
                                                      const TripletMarginWithDistanceLossOptions& options = {});

struct CosineEmbeddingLossOptions {
  double margin = 0;
  Reduction reduction = kMean;
};
// l = 1 - cos(x1, x2) where target is 1, max(0, cos(x1, x2) - margin) where it is -1, else 0; cos = x1 x2 / sqrt((x1^2 + 1e-12)
// (x2^2 + 1e-12)) over rows [D] with a target [], or [N, D] with [N]. dl goes on to cos with a minus, or where l > 0 without.
TAPEGRAD_API Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                                          const CosineEmbeddingLossOptions& options = {});

}  // namespace tapegrad
