// mse_loss, binary_cross_entropy and binary_cross_entropy_with_logits: one fused node each where no weights are given.
#include "tapegrad/ops/losses.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/kernels/loss.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/loss_parts.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {

using kernels::Pair;
using kernels::Total;

namespace {

// What multiplies the gradient of a single l: dl, or dl / n.
Tensor each_dl(const Tensor& dl, Total total, int64_t n) { return total == Total::mean ? dl / n : dl; }

// l = (x - t)^2;  dx = 2 dl (x - t), dt = -dx
struct SquaredError {
  static constexpr const char* name = "mse_loss";
  static constexpr Pair kind = Pair::squared_error;
  static Tensor dx(const Tensor& dl, const Tensor& x, const Tensor& t) { return (x - t) * (dl * 2); }
  static Tensor dt(const Tensor& dl, const Tensor& x, const Tensor& t) { return (t - x) * (dl * 2); }
};

// l = -t ln x - (1 - t) ln(1 - x);  dx = dl (x - t) / (x (1 - x)), dt = dl (ln(1 - x) - ln x)
struct BinaryCrossEntropy {
  static constexpr const char* name = "binary_cross_entropy";
  static constexpr Pair kind = Pair::cross_entropy;
  static Tensor dx(const Tensor& dl, const Tensor& x, const Tensor& t) {
    return (x - t) / clamp((1 - x) * x, 1e-12) * dl;
  }
  static Tensor dt(const Tensor& dl, const Tensor& x, const Tensor&) {
    return (clamp(log(1 - x), -100) - clamp(log(x), -100)) * dl;
  }
};

// l = max(x, 0) - x t + ln(1 + e^-|x|);  dx = dl (sigmoid(x) - t), dt = -dl x
struct Logistic {
  static constexpr const char* name = "binary_cross_entropy_with_logits";
  static constexpr Pair kind = Pair::logistic;
  static Tensor dx(const Tensor& dl, const Tensor& x, const Tensor& t) { return (sigmoid(x) - t) * dl; }
  static Tensor dt(const Tensor& dl, const Tensor& x, const Tensor&) { return neg(x * dl); }
};

// A loss of two tensors of one shape, with the rules of one of the structs above.
template <class Rule> struct PairLoss {
  static constexpr const char* name = Rule::name;
  Total total;
  SavedInput x{"input"}, t{"target"};
  Tensor forward(const Tensor& input, const Tensor& target) {
    x.save(input);
    t.save(target);
    return kernels::pair_loss(name, Rule::kind, input, target, total);
  }
  Grads backward(const Tensor& dy) const {
    const Tensor dl = each_dl(dy, total, (*x).numel());
    return {autograd::needs(0) ? Rule::dx(dl, *x, *t) : Tensor(), autograd::needs(1) ? Rule::dt(dl, *x, *t) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    if (autograd::needs(1)) return backward(dy);
    return {kernels::pair_loss_backward(name, Rule::kind, dy, *x, *t, total), Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    Tensor dl;
    if (dx[0].defined()) dl = Rule::dx(dx[0], *x, *t);
    if (dx[1].defined()) dl = dl.defined() ? dl + Rule::dt(dx[1], *x, *t) : Rule::dt(dx[1], *x, *t);
    return totalled(dl, total);
  }
};

void check_pair(const char* op, const Tensor& input, const Tensor& target) {
  check_defined(op, input, "input");
  check_defined(op, target, "target");
  if (same_sizes(input, target)) return;
  throw ShapeError(std::string(op) + ": input and target must have one shape, got input " + to_string(input.sizes()) +
                   " and target " + to_string(target.sizes()) + hint_for_shapes(input, target));
}

// One floating dtype for both.
template <class Rule> Tensor pair_loss(const Tensor& input, const Tensor& target, Total total) {
  if (input.dtype() == target.dtype() && input.is_floating_point())
    return apply(PairLoss<Rule>{.total = total}, input, target);
  const DType dtype = promote_types(input.dtype(), target.dtype());
  if (!is_floating_point(dtype))
    throw DTypeError(std::string(Rule::name) + ": input or target must be float32 or float64, got input " +
                     name_of(input.dtype()) + " and target " + name_of(target.dtype()) +
                     " (did you mean input.to(kFloat32)?)");
  return apply(PairLoss<Rule>{.total = total}, to(input, dtype), to(target, dtype));
}

// Weights broadcast against the losses, never the other way round.
Tensor weighted(const char* op, const Tensor& losses, const Tensor& weight, const char* argument) {
  const int64_t added = losses.dim() - weight.dim();
  bool fits = added >= 0;
  for (int64_t d = 0; fits && d < weight.dim(); ++d)
    fits = weight.sizes()[d] == 1 || weight.sizes()[d] == losses.sizes()[d + added];
  if (!fits)
    throw ShapeError(std::string(op) + ": " + argument + " must broadcast to input, got " + argument + " " +
                     to_string(weight.sizes()) + " and input " + to_string(losses.sizes()));
  return losses * weight;
}

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  check_pair("mse_loss", input, target);
  return pair_loss<SquaredError>(input, target, total_of(reduction));
}

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const BinaryCrossEntropyOptions& options) {
  constexpr const char* name = BinaryCrossEntropy::name;
  check_pair(name, input, target);
  const Total total = total_of(options.reduction);
  if (!options.weight.defined()) return pair_loss<BinaryCrossEntropy>(input, target, total);
  const Tensor losses = pair_loss<BinaryCrossEntropy>(input, target, Total::each);
  return totalled(weighted(name, losses, options.weight, "weight"), total);
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const BinaryCrossEntropyWithLogitsOptions& options) {
  constexpr const char* name = Logistic::name;
  check_pair(name, input, target);
  const Total total = total_of(options.reduction);
  if (!options.weight.defined() && !options.pos_weight.defined()) return pair_loss<Logistic>(input, target, total);
  Tensor losses = pair_loss<Logistic>(input, target, Total::each);
  if (options.pos_weight.defined()) {
    // (1 - t) x + (1 + (p - 1) t) softplus(-x) = the loss without p, and (p - 1) t softplus(-x)
    const Tensor softplus = pair_loss<Logistic>(input, ones_like(target), Total::each);
    losses = losses + weighted(name, target * softplus, options.pos_weight - 1, "pos_weight");
  }
  if (options.weight.defined()) losses = weighted(name, losses, options.weight, "weight");
  return totalled(losses, total);
}

}  // namespace tapegrad
