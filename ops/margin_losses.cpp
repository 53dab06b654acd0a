// The margin losses, put together from ops.
#include "tapegrad/ops/margin_losses.h"

#include <limits>

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/along.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/distance.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/indexing.h"
#include "tapegrad/ops/kernels/multilabel.h"
#include "tapegrad/ops/loss_parts.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {
namespace {

void check_floating(const char* op, const Tensor& x, const char* argument) {
  if (!x.is_floating_point())
    throw DTypeError(std::string(op) + ": " + argument + " must be float32 or float64, got " + name_of(x.dtype()) +
                     " (did you mean " + argument + ".to(kFloat32)?)");
}

void check_pair(const char* op, const Tensor& input, const Tensor& target) {
  check_defined(op, input, "input");
  check_defined(op, target, "target");
  if (!same_sizes(input, target))
    throw ShapeError(std::string(op) + ": input and target must have one shape, got input " + to_string(input.sizes()) +
                     " and target " + to_string(target.sizes()) + hint_for_shapes(input, target));
  check_floating(op, input, "input");
}

// Scores [C] or [N, C] with one class index each.
void check_classes(const char* op, const Tensor& input, const Tensor& target) {
  check_defined(op, input, "input");
  check_defined(op, target, "target");
  check_floating(op, input, "input");
  if (target.dtype() != kInt64)
    throw DTypeError(std::string(op) + ": class indices must be int64, got target " + name_of(target.dtype()) +
                     " (did you mean target.to(kInt64)?)");
  const bool one = input.dim() == 1 && target.dim() == 0;
  const bool batch = input.dim() == 2 && target.dim() == 1 && target.sizes()[0] == input.sizes()[0];
  if (!one && !batch)
    throw ShapeError(std::string(op) +
                     ": input must be [C] or [N, C] and class indices the same without C, got input " +
                     to_string(input.sizes()) + " and target " + to_string(target.sizes()));
}

void check_weight(const char* op, const Tensor& weight, const Tensor& input) {
  if (!weight.defined()) return;
  if (weight.dim() != 1 || weight.sizes()[0] != input.sizes()[input.dim() - 1])
    throw ShapeError(std::string(op) + ": weight must have one element per class, got weight " +
                     to_string(weight.sizes()) + " and input " + to_string(input.sizes()));
  if (weight.dtype() != input.dtype())
    throw DTypeError(std::string(op) + ": weight must have input's dtype, got weight " + name_of(weight.dtype()) +
                     " and input " + name_of(input.dtype()));
}

// The losses of scores [N, C].
Tensor multi_margin(const char* op, const Tensor& x, const Tensor& target, const MultiMarginLossOptions& options) {
  const int64_t classes = x.sizes()[1];
  const Tensor scores = unsqueeze(take_along(op, x, target, 1), 1);
  const Tensor short_by = x - scores + options.margin;
  const Tensor others = arange(classes) != unsqueeze(target, 1);
  const Tensor counted = logical_and(others, short_by > 0);
  Tensor terms = where(counted, options.p == 1 ? short_by : square(short_by), 0);
  if (options.weight.defined()) terms = terms * unsqueeze(index(options.weight, {target}), 1);
  return sum(terms, 1) / classes;
}

}  // namespace

Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, const HingeEmbeddingLossOptions& options) {
  check_pair("hinge_embedding_loss", input, target);
  if (autocast_lifts(input)) return hinge_embedding_loss(float32_under_autocast(input), target, options);
  const Tensor apart = where(target != 1, clamp(options.margin - input, 0), 0);
  return totalled(apart + where(target != -1, input, 0), total_of(options.reduction));
}

Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                           const MarginRankingLossOptions& options) {
  constexpr const char* name = "margin_ranking_loss";
  check_defined(name, input1, "input1");
  check_defined(name, input2, "input2");
  check_defined(name, target, "target");
  if (input1.dim() != input2.dim() || input1.dim() != target.dim())
    throw ShapeError(std::string(name) + ": input1, input2 and target must have the same number of dims, got " +
                     to_string(input1.sizes()) + ", " + to_string(input2.sizes()) + " and " +
                     to_string(target.sizes()));
  check_floating(name, input1, "input1");
  check_floating(name, input2, "input2");
  if (autocast_lifts(input1, input2))
    return margin_ranking_loss(float32_under_autocast(input1), float32_under_autocast(input2), target, options);
  broadcast_shapes(broadcast_shapes(input1.sizes(), input2.sizes(), name), target.sizes(), name);
  const Tensor kept = (input2 - input1) * target + options.margin;
  return totalled(clamp(kept, 0), total_of(options.reduction));
}

Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const MultiMarginLossOptions& options) {
  constexpr const char* name = "multi_margin_loss";
  check_classes(name, input, target);
  if (autocast_lifts(input)) return multi_margin_loss(float32_under_autocast(input), target, options);
  check_weight(name, options.weight, input);
  if (options.p != 1 && options.p != 2)
    throw ValueError(std::string(name) + ": p must be 1 or 2, got " + std::to_string(options.p));
  const kernels::Total total = total_of(options.reduction);
  if (input.dim() == 2) return totalled(multi_margin(name, input, target, options), total);
  const Tensor losses = multi_margin(name, unsqueeze(input, 0), unsqueeze(target, 0), options);
  return squeeze(losses, 0);
}

Tensor soft_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  check_pair("soft_margin_loss", input, target);
  if (autocast_lifts(input)) return soft_margin_loss(float32_under_autocast(input), target, reduction);
  // No point beyond which the exponential is left out: it would cost the last digits.
  return totalled(softplus(neg(input) * target, 1, std::numeric_limits<double>::infinity()), total_of(reduction));
}

namespace {

// l_i = sum over named t and other c of max(0, 1 - x[i, t] + x[i, c]) / C;  dx = dl slopes, which are constants between the edges
struct MultilabelMargin {
  static constexpr const char* name = "multilabel_margin_loss";
  SavedInput slopes{"slopes"};
  Tensor forward(const Tensor& x, const Tensor& target) {
    const Tensor by_x = new_tensor(x.sizes(), x.dtype());
    const Tensor y = kernels::multilabel_margin(name, x, target, by_x);
    slopes.save(by_x);
    return y;
  }
  Grads backward(const Tensor& dl) const { return {*slopes * unsqueeze(dl, 1), Tensor()}; }
  Tensor tangent(const Grads& dx) const { return sum(*slopes * dx[0], 1); }
};

}  // namespace

Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  constexpr const char* name = MultilabelMargin::name;
  check_pair(name, input, target);
  if (input.dim() != 1 && input.dim() != 2)
    throw ShapeError(std::string(name) + ": input must be [C] or [N, C], got shape " + to_string(input.sizes()));
  if (target.dtype() != kInt64)
    throw DTypeError(std::string(name) + ": class indices must be int64, got target " + name_of(target.dtype()) +
                     " (did you mean target.to(kInt64)?)");
  if (input.dim() == 2) return totalled(apply(MultilabelMargin{}, input, target), total_of(reduction));
  return squeeze(apply(MultilabelMargin{}, unsqueeze(input, 0), unsqueeze(target, 0)), 0);
}

Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target,
                                   const MultilabelSoftMarginLossOptions& options) {
  constexpr const char* name = "multilabel_soft_margin_loss";
  check_pair(name, input, target);
  if (input.dim() == 0) throw ShapeError(std::string(name) + ": input must have a class dim, got shape []");
  const Tensor& weight = options.weight;
  if (weight.defined() && !broadcasts_to(weight.sizes(), input.sizes()))
    throw ShapeError(std::string(name) + ": weight must broadcast to input, got weight " + to_string(weight.sizes()) +
                     " and input " + to_string(input.sizes()));
  if (autocast_lifts(input)) return multilabel_soft_margin_loss(float32_under_autocast(input), target, options);
  Tensor terms = binary_cross_entropy_with_logits(input, target, {.reduction = kNone});
  if (weight.defined()) terms = terms * weight;
  return totalled(mean(terms, -1), total_of(options.reduction));
}

namespace {

void check_triplet(const char* op, const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                   double margin) {
  check_defined(op, anchor, "anchor");
  check_defined(op, positive, "positive");
  check_defined(op, negative, "negative");
  if (anchor.dim() != positive.dim() || anchor.dim() != negative.dim())
    throw ShapeError(std::string(op) + ": anchor, positive and negative must have the same number of dims, got " +
                     to_string(anchor.sizes()) + ", " + to_string(positive.sizes()) + " and " +
                     to_string(negative.sizes()));
  check_floating(op, anchor, "anchor");
  check_floating(op, positive, "positive");
  check_floating(op, negative, "negative");
  broadcast_shapes(broadcast_shapes(anchor.sizes(), positive.sizes(), op), negative.sizes(), op);
  if (!(margin > 0)) throw ValueError(std::string(op) + ": margin must be positive, got " + std::to_string(margin));
}

template <class Distance>
Tensor triplet(const Tensor& anchor, const Tensor& positive, const Tensor& negative, const Distance& distance,
               double margin, bool swap, Reduction reduction) {
  const Tensor close = distance(anchor, positive);
  Tensor far = distance(anchor, negative);
  if (swap) far = minimum(far, distance(positive, negative));
  return totalled(clamp_min(close - far + margin, 0), total_of(reduction));
}

}  // namespace

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginLossOptions& o) {
  check_triplet("triplet_margin_loss", anchor, positive, negative, o.margin);
  const auto distance = [&](const Tensor& a, const Tensor& b) { return pairwise_distance(a, b, o.p, o.eps); };
  return triplet(anchor, positive, negative, distance, o.margin, o.swap, o.reduction);
}

Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                         const TripletMarginWithDistanceLossOptions& o) {
  check_triplet("triplet_margin_with_distance_loss", anchor, positive, negative, o.margin);
  if (o.distance_function)
    return triplet(anchor, positive, negative, o.distance_function, o.margin, o.swap, o.reduction);
  const auto distance = [](const Tensor& a, const Tensor& b) { return pairwise_distance(a, b); };
  return triplet(anchor, positive, negative, distance, o.margin, o.swap, o.reduction);
}

Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                             const CosineEmbeddingLossOptions& options) {
  constexpr const char* name = "cosine_embedding_loss";
  check_defined(name, input1, "input1");
  check_defined(name, input2, "input2");
  check_defined(name, target, "target");
  check_floating(name, input1, "input1");
  check_floating(name, input2, "input2");
  const int64_t dims = input1.dim();
  const bool fits = same_sizes(input1, input2) && (dims == 1 || dims == 2) && target.dim() == dims - 1 &&
                    (dims == 1 || target.sizes()[0] == input1.sizes()[0]);
  if (!fits)
    throw ShapeError(std::string(name) + ": input1 and input2 must be [D] with a target [], or [N, D] with [N], got " +
                     to_string(input1.sizes()) + ", " + to_string(input2.sizes()) + " and " +
                     to_string(target.sizes()));
  if (autocast_lifts(input1, input2))
    return cosine_embedding_loss(float32_under_autocast(input1), float32_under_autocast(input2), target, options);
  constexpr double tiny = 1e-12;
  const Tensor size = sqrt((sum(square(input1), -1) + tiny) * (sum(square(input2), -1) + tiny));
  const Tensor cosine = sum(input1 * input2, -1) / size;
  const Tensor losses =
      where(target == 1, 1 - cosine, 0) + where(target == -1, clamp_min(cosine - options.margin, 0), 0);
  return totalled(losses, total_of(options.reduction));
}

}  // namespace tapegrad
