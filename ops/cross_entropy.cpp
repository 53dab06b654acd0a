// nll_loss and cross_entropy, for class indices and for probabilities.
#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/along.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/indexing.h"
#include "tapegrad/ops/kernels/loss.h"
#include "tapegrad/ops/kernels/reduce.h"
#include "tapegrad/ops/loss_parts.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::Total;

namespace {

// l_r = -log softmax(x)_r[t_r];  dx_r = (softmax(x)_r - onehot(t_r)) dl_r, for x [N, C] and t [N]
struct CrossEntropy {
  static constexpr const char* name = "cross_entropy";
  int64_t ignored;
  Total total;
  SavedInput x{"input"}, target{"target"}, kept{"logsumexp"};
  Tensor forward(const Tensor& scores, const Tensor& classes) {
    x.save(scores);
    target.save(classes);
    Tensor row_sums;
    Tensor loss = kernels::cross_entropy(name, scores, classes, ignored, total, row_sums);
    kept.save(row_sums);
    return loss;
  }
  Tensor shares() const { return kernels::row_shares(name, *target, ignored, total, (*x).dtype()); }
  // softmax(x) - onehot(t)
  Tensor slopes() const {
    const Shape& sizes = (*x).sizes();
    const Tensor ones = filled_tensor(sizes[0], (*x).dtype(), 1);
    return softmax(*x, 1) - kernels::put_along(name, ones, *target, sizes, 1, ignored);
  }
  Grads backward(const Tensor& dl) const { return {slopes() * unsqueeze(dl * shares(), 1), Tensor()}; }
  Grads backward_fused(const Tensor& dl) const {
    return {kernels::cross_entropy_backward(name, dl, *x, *target, *kept, ignored, total), Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor dl = sum(slopes() * dx[0], 1) * shares();
    return total == Total::each ? dl : sum(dl);
  }
};

// l_r = -x_r[t_r];  dx_r = -onehot(t_r) dl_r, for x [N, C] and t [N]
struct NllLoss {
  static constexpr const char* name = "nll_loss";
  int64_t ignored;
  Total total;
  Shape sizes;
  SavedInput target{"target"};
  Tensor forward(const Tensor& logs, const Tensor& classes) {
    return kernels::nll_loss(name, logs, target.save(classes), ignored, total);
  }
  Tensor shares(DType dtype) const { return kernels::row_shares(name, *target, ignored, total, dtype); }
  Grads backward(const Tensor& dl) const {
    return {put_along(name, neg(dl * shares(dl.dtype())), *target, sizes, 1, ignored), Tensor()};
  }
  Grads backward_fused(const Tensor& dl) const {
    return {kernels::nll_loss_backward(name, dl, *target, sizes, ignored, total), Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor dl = neg(take_along(name, dx[0], *target, 1, ignored)) * shares(dx[0].dtype());
    return total == Total::each ? dl : sum(dl);
  }
};

int64_t class_dim(const Tensor& input) { return input.dim() == 1 ? 0 : 1; }

void check_floating(const char* op, const Tensor& input) {
  if (!input.is_floating_point())
    throw DTypeError(std::string(op) + ": input must be float32 or float64, got " + name_of(input.dtype()) +
                     " (did you mean input.to(kFloat32)?)");
}

// Class indices: int64, in the input's shape without its class dim.
void check_classes(const char* op, const Tensor& input, const Tensor& target) {
  check_floating(op, input);
  if (target.dtype() != kInt64)
    throw DTypeError(std::string(op) + ": class indices must be int64, got target " + name_of(target.dtype()) +
                     " (did you mean target.to(kInt64)?)");
  bool fits = input.dim() >= 1;
  if (fits) {
    const Shape expected = kernels::reduced_sizes(input.sizes(), 1u << class_dim(input), false);
    fits = IntArrayRef(expected) == IntArrayRef(target.sizes());
  }
  if (!fits)
    throw ShapeError(std::string(op) +
                     ": input must be [C], [N, C] or [N, C, d1, ...] and class indices the same without C" +
                     ", got input " + to_string(input.sizes()) + " and target " + to_string(target.sizes()));
}

void check_weight(const char* op, const Tensor& input, const Tensor& weight) {
  if (!weight.defined()) return;
  const int64_t classes = input.sizes()[class_dim(input)];
  if (weight.dim() != 1 || weight.sizes()[0] != classes)
    throw ShapeError(std::string(op) + ": weight must have one element per class, got weight " +
                     to_string(weight.sizes()) + " and input " + to_string(input.sizes()));
  if (weight.dtype() != input.dtype())
    throw DTypeError(std::string(op) + ": weight must have input's dtype, got weight " + name_of(weight.dtype()) +
                     " and input " + name_of(input.dtype()));
}

// Of each target, the weight of its class, 0 for ignored ones.
Tensor weights_of(const Tensor& weight, const Tensor& target, int64_t ignored, DType dtype) {
  const Tensor takes_part = target != ignored;
  if (!weight.defined()) return to(takes_part, dtype);
  return where(takes_part, index(weight, {where(takes_part, target, 0)}), 0);
}

// The losses, their total, or their mean by weight.
Tensor weighted_total(const Tensor& losses, const Tensor& weights, Total total) {
  if (total == Total::each) return losses;
  return total == Total::sum ? sum(losses) : sum(losses) / sum(weights);
}

// The weight of each class, shaped to meet input's class dim.
Tensor across_classes(const Tensor& weight, const Tensor& input) {
  if (input.dim() == 1) return weight;
  Shape sizes = Shape::filled(input.dim(), 1);
  sizes[1] = weight.numel();
  return reshape(weight, sizes);
}

Tensor probability_loss(const Tensor& input, const Tensor& target, const CrossEntropyOptions& options) {
  constexpr const char* name = CrossEntropy::name;
  check_floating(name, input);
  if (!same_sizes(input, target))
    throw ShapeError(std::string(name) + ": probabilities must have input's shape, got input " +
                     to_string(input.sizes()) + " and target " + to_string(target.sizes()) +
                     " (class indices must be int64)");
  if (target.dtype() != input.dtype())
    throw DTypeError(std::string(name) + ": probabilities must have input's dtype, got input " +
                     name_of(input.dtype()) + " and target " + name_of(target.dtype()));
  if (input.dim() == 0) throw ShapeError(std::string(name) + ": input must have a class dim, got shape []");
  if (options.ignore_index >= 0)
    throw ValueError(std::string(name) + ": ignore_index is for class indices, got ignore_index " +
                     std::to_string(options.ignore_index) + " and probabilities as target");
  check_weight(name, input, options.weight);
  const int64_t dim = class_dim(input);
  const int64_t classes = input.sizes()[dim];
  const double smoothing = options.label_smoothing;
  const Tensor q = smoothing > 0 ? target * (1 - smoothing) + smoothing / static_cast<double>(classes) : target;
  Tensor terms = log_softmax(input, dim) * q;
  if (options.weight.defined()) terms = terms * across_classes(options.weight, input);
  const Tensor losses = neg(sum(terms, dim));
  return totalled(losses, total_of(options.reduction));
}

// (1 - s) nll + s / C sum_c of the losses each class would have
Tensor smoothed_loss(const Tensor& input, const Tensor& target, const CrossEntropyOptions& options) {
  const int64_t dim = class_dim(input);
  const Total total = total_of(options.reduction);
  const Tensor logs = log_softmax(input, dim);
  const double share = options.label_smoothing / static_cast<double>(input.sizes()[dim]);
  const Tensor picked = take_along(CrossEntropy::name, logs, target, dim, options.ignore_index);
  const Tensor weights = weights_of(options.weight, target, options.ignore_index, input.dtype());
  Tensor all = neg(sum(options.weight.defined() ? logs * across_classes(options.weight, input) : logs, dim));
  all = where(target != options.ignore_index, all, 0);
  return weighted_total(all * share - picked * weights * (1 - options.label_smoothing), weights, total);
}

// nll_loss of checked arguments, for `op`.
Tensor picked_loss(const char* op, const Tensor& input, const Tensor& target, const NllLossOptions& options) {
  const Total total = total_of(options.reduction);
  Tensor losses = neg(take_along(op, input, target, class_dim(input), options.ignore_index));
  if (!options.weight.defined() && total != Total::mean) return totalled(losses, total);
  const Tensor weights = weights_of(options.weight, target, options.ignore_index, input.dtype());
  if (options.weight.defined()) losses = losses * weights;
  return weighted_total(losses, weights, total);
}

}  // namespace

Tensor nll_loss(const Tensor& input, const Tensor& target, const NllLossOptions& options) {
  check_defined("nll_loss", input, "input");
  check_defined("nll_loss", target, "target");
  check_classes("nll_loss", input, target);
  if (autocast_lifts(input)) return nll_loss(float32_under_autocast(input), target, options);
  check_weight("nll_loss", input, options.weight);
  if (input.dim() == 2 && !options.weight.defined())
    return apply(NllLoss{.ignored = options.ignore_index, .total = total_of(options.reduction), .sizes = input.sizes()},
                 input, target);
  return picked_loss("nll_loss", input, target, options);
}

Tensor cross_entropy(const Tensor& input, const Tensor& target, const CrossEntropyOptions& options) {
  constexpr const char* name = CrossEntropy::name;
  check_defined(name, input, "input");
  check_defined(name, target, "target");
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    throw ValueError(std::string(name) + ": label_smoothing must lie in [0, 1], got " +
                     std::to_string(options.label_smoothing));
  if (autocast_lifts(input, target))
    return cross_entropy(float32_under_autocast(input), float32_under_autocast(target), options);
  if (target.is_floating_point()) return probability_loss(input, target, options);
  check_classes(name, input, target);
  check_weight(name, input, options.weight);
  if (options.label_smoothing > 0) return smoothed_loss(input, target, options);
  if (options.weight.defined() || input.dim() > 2)
    return picked_loss(
        name, log_softmax(input, class_dim(input)), target,
        {.weight = options.weight, .ignore_index = options.ignore_index, .reduction = options.reduction});
  const CrossEntropy op{.ignored = options.ignore_index, .total = total_of(options.reduction)};
  if (input.dim() == 2) return apply(op, input, target);
  const Tensor loss = apply(op, unsqueeze(input, 0), unsqueeze(target, 0));
  return op.total == Total::each ? squeeze(loss, 0) : loss;
}

}  // namespace tapegrad
