// ctc_loss: a kernel for the loss and its gradient, and the gradient once more as operations, to be differentiated again.
#include <cmath>

#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/gather_parts.h"
#include "tapegrad/ops/kernels/ctc.h"
#include "tapegrad/ops/loss_parts.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/pad.h"
#include "tapegrad/ops/scan.h"

namespace tapegrad {
namespace {

// Stands for ln 0 where logarithms are added and subtracted: far below any other, yet a number.
constexpr double kNever = -1e30;

// The states of all sequences side by side: [N, L], labels with blanks around each, where the sequence has so many.
struct States {
  Tensor classes, present, skips, last;  // skips: the blank before may be left out; last: where paths end

  States(const Tensor& targets, const Tensor& lengths, int64_t most, int64_t blank) {
    const int64_t batch = lengths.numel();
    const Tensor behind = unsqueeze(lengths, 1), at = arange(most);
    // [N, S], blank behind the last
    Tensor labels = targets;
    if (targets.dim() == 1 && most > 0)
      labels = take(targets, clamp_max(unsqueeze(cumsum(lengths, 0) - lengths, 1) + at, targets.numel() - 1));
    if (most == 0) labels = zeros({batch, 0}, kInt64);
    labels = where(at < behind, labels, blank);
    const Tensor pairs = reshape(stack({full_like(labels, blank), labels}, 2), {batch, 2 * most});
    classes = pad(pairs, {0, 1}, "constant", blank);
    const Tensor position = arange(2 * most + 1), end = behind * 2;
    present = position <= end;
    last = logical_and(present, position >= end - 1);
    const Tensor before = slice(pad(classes, {2, 0}, "constant", blank), 1, 0, 2 * most + 1);
    skips = logical_and(classes != blank, classes != before);
  }
};

// x moved by some states, kNever or 0 where nothing comes from.
Tensor later(const Tensor& x, int64_t by) {
  const int64_t n = x.sizes()[1];
  return slice(pad(x, {by, 0}, "constant", kNever), 1, 0, n);
}
Tensor sooner(const Tensor& x, int64_t by) {
  const int64_t n = x.sizes()[1];
  return slice(pad(x, {0, by}, "constant", 0), 1, by, n + by);
}

// l_n = -ln sum over paths;  dlog_probs = -dl_n shares[t, n, c]
struct CtcLoss {
  static constexpr const char* name = "ctc_loss";
  int64_t blank;
  bool zero_infinity;
  SavedInput x{"log_probs"}, labels{"targets"}, times{"input_lengths"}, lengths{"target_lengths"};

  kernels::CtcOperands operands() const {
    return {contiguous_of(*x), contiguous_of(*labels), contiguous_of(*times), contiguous_of(*lengths)};
  }
  Tensor forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                 const Tensor& target_lengths) {
    x.save(log_probs);
    labels.save(targets);
    times.save(input_lengths);
    lengths.save(target_lengths);
    const kernels::CtcOperands in{contiguous_of(log_probs), contiguous_of(targets), contiguous_of(input_lengths),
                                  contiguous_of(target_lengths)};
    return kernels::ctc_loss(name, in, blank, zero_infinity);
  }

  // The share of the paths that are in class c at t, as operations in double: the sums forwards, then each state's share handed
  // back to those it came from.
  Tensor shares() const {
    const Tensor logs = clamp_min(to(*x, kFloat64), kNever);
    const int64_t n = logs.sizes()[0];
    const States states(*labels, *lengths, most_labels(), blank);
    std::vector<Tensor> sums, into(1);
    for (int64_t t = 0; t < n; ++t) {
      const Tensor log_prob = where(states.present, gather(select(logs, 0, t), 1, states.classes), kNever);
      if (t == 0) {
        sums.push_back(where(arange(states.classes.sizes()[1]) < 2, log_prob, kNever));
        continue;
      }
      const Tensor& a = sums.back();
      into.push_back(logsumexp(stack({a, later(a, 1), skipping(states, a)}), {0}));
      sums.push_back(where(unsqueeze(*times, 1) > t, log_prob + into.back(), a));
    }
    if (n == 0) return logs;
    const Tensor total = logsumexp(where(states.last, sums.back(), kNever), {1}, true);
    Tensor share = exp(where(states.last, sums.back() - total, kNever));
    std::vector<Tensor> by_class(static_cast<size_t>(n));
    for (int64_t t = n - 1; t >= 0; --t) {
      const Tensor runs = unsqueeze(*times, 1) > t;
      const Tensor here = where(logical_and(runs, states.present), share, 0);
      Tensor& out = by_class[static_cast<size_t>(t)];
      out = scatter_add(zeros({logs.sizes()[1], logs.sizes()[2]}, kFloat64), 1, states.classes, here);
      out = where(logical_and(runs, total < 0.5 * kNever), zero_infinity ? 0. : std::nan(""), out);
      if (t > 0) share = where(runs, handed_back(states, sums, into, share, t), share);
    }
    return stack(by_class);
  }
  static Tensor skipping(const States& states, const Tensor& a) { return where(states.skips, later(a, 2), kNever); }
  // No exponent is above 0, masks or not: an infinity would come back as NaN from under them.
  static Tensor handed_back(const States& states, const std::vector<Tensor>& sums, const std::vector<Tensor>& into,
                            const Tensor& share, int64_t t) {
    const Tensor &a = sums[static_cast<size_t>(t) - 1], &whole = into[static_cast<size_t>(t)];
    return share * exp(a - whole) + sooner(share * exp(later(a, 1) - whole), 1) +
           sooner(share * exp(skipping(states, a) - whole), 2);
  }
  // More labels than times have no path, so where targets lie in one list no sequence needs more states.
  int64_t most_labels() const {
    return (*labels).dim() == 2 ? (*labels).sizes()[1] : std::min((*labels).numel(), (*x).sizes()[0]);
  }

  Grads backward(const Tensor& dl) const {
    Grads dx(4);
    dx[0] = to(shares() * neg(unsqueeze(dl, 1)), (*x).dtype());
    return dx;
  }
  Grads backward_fused(const Tensor& dl) const {
    Grads dx(4);
    dx[0] = kernels::ctc_loss_backward(name, contiguous_of(dl), operands(), blank, zero_infinity);
    return dx;
  }
  Tensor tangent(const Grads& dx) const { return to(neg(sum(shares() * to(dx[0], kFloat64), {0, 2})), (*x).dtype()); }
};

Tensor checked_lengths(const char* argument, const Tensor& lengths, int64_t batch) {
  const Tensor out = index_of(CtcLoss::name, lengths);
  const bool fits = out.dim() <= 1 && out.numel() == batch;
  if (!fits)
    throw ShapeError(std::string("ctc_loss: ") + argument + " must have one element for each of " +
                     std::to_string(batch) + " sequences, got shape " + to_string(lengths.sizes()));
  return reshape(out, {batch});
}

void check_operands(const Tensor& log_probs, const Tensor& targets, int64_t blank) {
  constexpr const char* name = CtcLoss::name;
  check_defined(name, log_probs, "log_probs");
  check_defined(name, targets, "targets");
  if (!log_probs.is_floating_point())
    throw DTypeError(std::string(name) + ": log_probs must be float32 or float64, got " + name_of(log_probs.dtype()));
  const int64_t dims = log_probs.dim();
  const bool batch =
      dims == 3 && (targets.dim() == 1 || (targets.dim() == 2 && targets.sizes()[0] == log_probs.sizes()[1]));
  if (!batch && !(dims == 2 && targets.dim() == 1))
    throw ShapeError(std::string(name) +
                     ": log_probs must be [T, N, C] and targets [N, S] or one list, or [T, C] and [S], got log_probs " +
                     to_string(log_probs.sizes()) + " and targets " + to_string(targets.sizes()));
  const int64_t classes = log_probs.sizes()[dims - 1];
  if (blank < 0 || blank >= classes)
    throw ValueError(std::string(name) + ": blank must lie in [0, " + std::to_string(classes) + "), got " +
                     std::to_string(blank));
}

Tensor lengths_of(IntArrayRef lengths) { return tensor(std::vector<int64_t>(lengths.begin(), lengths.end()), kInt64); }

}  // namespace

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcLossOptions& options) {
  check_operands(log_probs, targets, options.blank);
  const bool batch = log_probs.dim() == 3;
  const Tensor x = batch ? log_probs : unsqueeze(log_probs, 1);
  const Tensor labels = index_of(CtcLoss::name, targets);
  const Tensor times = checked_lengths("input_lengths", input_lengths, x.sizes()[1]);
  const Tensor lengths = checked_lengths("target_lengths", target_lengths, x.sizes()[1]);
  Tensor losses = apply(CtcLoss{options.blank, options.zero_infinity}, x, labels, times, lengths);
  if (options.reduction == kMean) losses = losses / to(clamp_min(lengths, 1), losses.dtype());
  if (!batch) losses = squeeze(losses, 0);
  return totalled(losses, total_of(options.reduction));
}

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, IntArrayRef input_lengths, IntArrayRef target_lengths,
                const CtcLossOptions& options) {
  return ctc_loss(log_probs, targets, lengths_of(input_lengths), lengths_of(target_lengths), options);
}

}  // namespace tapegrad
