// The margin losses, put together from ops.
#include "tapegrad/ops/margin_losses.h"

#include <limits>

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/along.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/indexing.h"
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

}  // namespace tapegrad
