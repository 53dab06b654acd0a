// Losses that ask for a margin between what fits and what does not. Reductions as in ops/losses.h.
#pragma once

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

}  // namespace tapegrad
