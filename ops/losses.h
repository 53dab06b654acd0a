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

struct PoissonNllLossOptions {
  bool log_input = true;  // input is the logarithm of the rate
  bool full = false;      // with Stirling's approximation of ln target!, t ln t - t + ln(2 pi t) / 2, where t > 1
  double eps = 1e-8;      // added to the rate before its logarithm
  Reduction reduction = kMean;
};
// l = e^x - t x, or without log_input x - t ln(x + eps);  dx = dl (e^x - t), or dl (1 - t / (x + eps)). Equal shapes.
TAPEGRAD_API Tensor poisson_nll_loss(const Tensor& input, const Tensor& target,
                                     const PoissonNllLossOptions& options = {});

struct GaussianNllLossOptions {
  bool full = false;  // with ln(2 pi) / 2
  double eps = 1e-6;  // smaller variances count as this, with the gradient they would have there
  Reduction reduction = kMean;
};
// l = (ln v + (x - t)^2 / v) / 2 with v = max(var, eps);  dx = dl (x - t) / v, dvar = dl (1 - (x - t)^2 / v) / (2 v). input and target of one
// shape; var of the same, with 1 in the last place, or without it (ShapeError). ValueError for a negative variance.
TAPEGRAD_API Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                                      const GaussianNllLossOptions& options = {});

struct CtcLossOptions {
  int64_t blank = 0;
  Reduction reduction = kMean;  // mean: of l / max(target length, 1)
  bool zero_infinity = false;   // infinite losses count as 0, with a gradient of 0
};
// l_n = -ln of the sum over all paths of exp(sum over t of log_probs[t, n, path[t]]), a path being input_lengths[n] classes that become the
// target when repetitions, then blanks are left out; infinite where there is none. log_probs [T, N, C] or [T, C]; targets, without
// blanks, [N, S] or one behind the other; lengths [N], or [] for [T, C]; int64 or int32. dlog_probs[t, n, c] = -dl times the share of the
// paths with path[t] = c: that of log_probs themselves, to which PyTorch adds exp(log_probs), which log_softmax cancels; NaN where l is
// infinite. ValueError for lengths that do not fit and a blank among targets, IndexError for classes outside [0, C).
// Graves et al., "Connectionist temporal classification" (ICML 2006).
TAPEGRAD_API Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                             const Tensor& target_lengths, const CtcLossOptions& options = {});
TAPEGRAD_API Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, IntArrayRef input_lengths,
                             IntArrayRef target_lengths, const CtcLossOptions& options = {});

}  // namespace tapegrad
