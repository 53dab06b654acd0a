// Losses, over a batch, reduced to a number or left per element.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

enum class Reduction : uint8_t { None, Mean, Sum };
inline constexpr Reduction kNone = Reduction::None;
inline constexpr Reduction kMean = Reduction::Mean;
inline constexpr Reduction kSum = Reduction::Sum;

// l = (x - target)^2;  dx = 2 dl (x - target). Shapes must be equal (ShapeError): broadcasting here hides mistakes.
TAPEGRAD_API Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = kMean);

// l = |x - target|;  dx = dl sign(x - target), 0 where they are equal. Equal shapes, as for the next three.
TAPEGRAD_API Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction = kMean);

struct SmoothL1LossOptions {
  Reduction reduction = kMean;
  double beta = 1;  // where the parabola ends; 0 makes it l1_loss
};
// d = x - target: l = d^2 / (2 beta) where |d| < beta, else |d| - beta / 2;  dx = dl d / beta, dl sign(d). ValueError for
// beta < 0.
TAPEGRAD_API Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1LossOptions& options = {});

struct HuberLossOptions {
  Reduction reduction = kMean;
  double delta = 1;
};
// d = x - target: l = d^2 / 2 where |d| < delta, else delta (|d| - delta / 2);  dx = dl d, dl delta sign(d). ValueError
// unless delta > 0.
TAPEGRAD_API Tensor huber_loss(const Tensor& input, const Tensor& target, const HuberLossOptions& options = {});

// The sum divided by the size of dim 0, which is the mathematical divergence of a batch. For kl_div only.
struct BatchMean {};
inline constexpr BatchMean kBatchMean{};
struct KlDivReduction {
  Reduction reduction;
  bool by_batch;
  KlDivReduction(Reduction r) : reduction(r), by_batch(false) {}
  KlDivReduction(BatchMean) : reduction(kSum), by_batch(true) {}
};
struct KlDivOptions {
  KlDivReduction reduction = kMean;
  bool log_target = false;  // target holds logarithms too
};
// l = target (ln target - x), 0 where target is 0; with log_target e^target (target - x). input x: log-probabilities.
// dx = -dl target, dtarget = dl (ln target + 1 - x).
TAPEGRAD_API Tensor kl_div(const Tensor& input, const Tensor& target, const KlDivOptions& options = {});

struct NllLossOptions {
  Tensor weight = {};           // per class, [C]
  int64_t ignore_index = -100;  // targets that take no part
  Reduction reduction = kMean;  // mean divides by the sum of the weights that took part
};
// l_i = -weight[t_i] input[i, t_i] for log-probabilities input [C], [N, C] or [N, C, d1, ...] and int64 targets
// [], [N] or [N, d1, ...]. IndexError for a target outside [0, C).
TAPEGRAD_API Tensor nll_loss(const Tensor& input, const Tensor& target, const NllLossOptions& options = {});

struct CrossEntropyOptions {
  Tensor weight = {};
  int64_t ignore_index = -100;  // class-index targets only (ValueError)
  Reduction reduction = kMean;
  double label_smoothing = 0;  // in [0, 1]: this share of the target is spread evenly over the classes
};
// l_i = -sum_c q_ic weight_c log softmax(input)_ic. target: class indices (int64, shape of input without C), or
// probabilities q of input's shape and dtype.  dinput = (softmax(input) - q) dl / n for unit weights.
TAPEGRAD_API Tensor cross_entropy(const Tensor& input, const Tensor& target, const CrossEntropyOptions& options = {});

struct BinaryCrossEntropyOptions {
  Tensor weight = {};  // broadcast against input
  Reduction reduction = kMean;
};
// l = -w (t ln x + (1 - t) ln(1 - x)), logarithms bounded below by -100;  dx = w (x - t) / max(x (1 - x), 1e-12).
// ValueError for an input outside [0, 1].
TAPEGRAD_API Tensor binary_cross_entropy(const Tensor& input, const Tensor& target,
                                         const BinaryCrossEntropyOptions& options = {});

struct BinaryCrossEntropyWithLogitsOptions {
  Tensor weight = {};
  Reduction reduction = kMean;
  Tensor pos_weight = {};  // weight of the positive term, broadcast against input
};
// l = w ((1 - t) x + (1 + (p - 1) t) softplus(-x)), stable for any x.
TAPEGRAD_API Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                                     const BinaryCrossEntropyWithLogitsOptions& options = {});

}  // namespace tapegrad
