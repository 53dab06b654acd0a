// Losses of two tensors of one shape: one fused node each where no weights are given; and kl_div.
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

using kernels::Bend;
using kernels::Pair;
using kernels::Total;

namespace {

// What multiplies the gradient of a single l: dl, or dl / n.
Tensor each_dl(const Tensor& dl, Total total, int64_t n) { return total == Total::mean ? dl / n : dl; }

// l = (x - t)^2;  dx = 2 dl (x - t), dt = -dx
struct SquaredError {
  static constexpr const char* name = "mse_loss";
  static constexpr Pair kind = Pair::squared_error;
  static Tensor dx(const Tensor& dl, const Tensor& x, const Tensor& t, const Bend&) { return (x - t) * (dl * 2); }
  static Tensor dt(const Tensor& dl, const Tensor& x, const Tensor& t, const Bend&) { return (t - x) * (dl * 2); }
};

// l = -t ln x - (1 - t) ln(1 - x);  dx = dl (x - t) / (x (1 - x)), dt = dl (ln(1 - x) - ln x)
struct BinaryCrossEntropy {
  static constexpr const char* name = "binary_cross_entropy";
  static constexpr Pair kind = Pair::cross_entropy;
  static Tensor dx(const Tensor& dl, const Tensor& x, const Tensor& t, const Bend&) {
    return (x - t) / clamp((1 - x) * x, 1e-12) * dl;
  }
  static Tensor dt(const Tensor& dl, const Tensor& x, const Tensor&, const Bend&) {
    return (clamp(log(1 - x), -100) - clamp(log(x), -100)) * dl;
  }
};

// l = max(x, 0) - x t + ln(1 + e^-|x|);  dx = dl (sigmoid(x) - t), dt = -dl x
struct Logistic {
  static constexpr const char* name = "binary_cross_entropy_with_logits";
  static constexpr Pair kind = Pair::logistic;
  static Tensor dx(const Tensor& dl, const Tensor& x, const Tensor& t, const Bend&) { return (sigmoid(x) - t) * dl; }
  static Tensor dt(const Tensor& dl, const Tensor& x, const Tensor&, const Bend&) { return neg(x * dl); }
};

// l = |x - t|;  dx = dl sign(x - t), dt = -dx
struct AbsoluteError {
  static constexpr const char* name = "l1_loss";
  static constexpr Pair kind = Pair::absolute_error;
  static Tensor dx(const Tensor& dl, const Tensor& x, const Tensor& t, const Bend&) { return sign(x - t) * dl; }
  static Tensor dt(const Tensor& dl, const Tensor& x, const Tensor& t, const Bend&) { return sign(t - x) * dl; }
};

// d = x - t: l = s d^2 / (2 w) where |d| < w, else s (|d| - w / 2);  dx = dl s d / w, dl s sign(d), dt = -dx
template <bool huber> struct SmoothError {
  static constexpr const char* name = huber ? "huber_loss" : "smooth_l1_loss";
  static constexpr Pair kind = Pair::smooth_error;
  static Tensor dx(const Tensor& dl, const Tensor& x, const Tensor& t, const Bend& b) {
    const Tensor d = x - t;
    return where(abs(d) < b.width, d * (b.scale / b.width), sign(d) * b.scale) * dl;
  }
  static Tensor dt(const Tensor& dl, const Tensor& x, const Tensor& t, const Bend& b) { return dx(dl, t, x, b); }
};

// A loss of two tensors of one shape, with the rules of one of the structs above.
template <class Rule> struct PairLoss {
  static constexpr const char* name = Rule::name;
  Total total;
  Bend bend = {};
  SavedInput x{"input"}, t{"target"};
  Tensor forward(const Tensor& input, const Tensor& target) {
    return kernels::pair_loss(name, Rule::kind, x.save(input), t.save(target), total, bend);
  }
  Grads backward(const Tensor& dy) const {
    const Tensor dl = each_dl(dy, total, (*x).numel());
    return {autograd::needs(0) ? Rule::dx(dl, *x, *t, bend) : Tensor(),
            autograd::needs(1) ? Rule::dt(dl, *x, *t, bend) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    constexpr bool odd = Rule::kind != Pair::cross_entropy && Rule::kind != Pair::logistic;  // l(x, t) = f(x - t)
    Tensor by_input, by_target;
    if (autograd::needs(0) || odd) by_input = kernels::pair_loss_backward(name, Rule::kind, dy, *x, *t, total, bend);
    if (!autograd::needs(1)) return {by_input, by_target};
    if (odd) by_target = kernels::unary(name, kernels::Map::neg, by_input, autograd::needs(0) ? Tensor() : by_input);
    else by_target = Rule::dt(each_dl(dy, total, (*x).numel()), *x, *t, bend);
    return {by_input, by_target};
  }
  Tensor tangent(const Grads& dx) const {
    Tensor dl;
    if (dx[0].defined()) dl = Rule::dx(dx[0], *x, *t, bend);
    if (dx[1].defined()) {
      const Tensor by_target = Rule::dt(dx[1], *x, *t, bend);
      dl = dl.defined() ? dl + by_target : by_target;
    }
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

// The floating dtype both are brought to.
DType common_dtype(const char* op, const Tensor& input, const Tensor& target) {
  const DType dtype = promote_types(input.dtype(), target.dtype());
  if (!is_floating_point(dtype))
    throw DTypeError(std::string(op) + ": input or target must be float32 or float64, got input " +
                     name_of(input.dtype()) + " and target " + name_of(target.dtype()) +
                     " (did you mean input.to(kFloat32)?)");
  return dtype;
}

template <class Rule> Tensor pair_loss(const Tensor& input, const Tensor& target, Total total, const Bend& bend = {}) {
  PairLoss<Rule> op{.total = total, .bend = bend};
  if (input.dtype() == target.dtype() && input.is_floating_point()) return apply(std::move(op), input, target);
  const DType dtype = common_dtype(Rule::name, input, target);
  return apply(std::move(op), to(input, dtype), to(target, dtype));
}

// Weights broadcast against the losses, never the other way round.
Tensor weighted(const char* op, const Tensor& losses, const Tensor& weight, const char* argument) {
  if (!broadcasts_to(weight.sizes(), losses.sizes()))
    throw ShapeError(std::string(op) + ": " + argument + " must broadcast to input, got " + argument + " " +
                     to_string(weight.sizes()) + " and input " + to_string(losses.sizes()));
  return losses * weight;
}

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  check_pair("mse_loss", input, target);
  return pair_loss<SquaredError>(input, target, total_of(reduction));
}

Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  check_pair("l1_loss", input, target);
  return pair_loss<AbsoluteError>(input, target, total_of(reduction));
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1LossOptions& options) {
  using Rule = SmoothError<false>;
  check_pair(Rule::name, input, target);
  if (!(options.beta >= 0))
    throw ValueError(std::string(Rule::name) + ": beta must not be negative, got " + std::to_string(options.beta));
  const Total total = total_of(options.reduction);
  if (options.beta == 0) return pair_loss<AbsoluteError>(input, target, total);
  return pair_loss<Rule>(input, target, total, {.width = options.beta, .scale = 1});
}

Tensor huber_loss(const Tensor& input, const Tensor& target, const HuberLossOptions& options) {
  using Rule = SmoothError<true>;
  check_pair(Rule::name, input, target);
  if (!(options.delta > 0))
    throw ValueError(std::string(Rule::name) + ": delta must be positive, got " + std::to_string(options.delta));
  return pair_loss<Rule>(input, target, total_of(options.reduction), {.width = options.delta, .scale = options.delta});
}

Tensor kl_div(const Tensor& input, const Tensor& target, const KlDivOptions& options) {
  check_pair("kl_div", input, target);
  if (autocast_lifts(input, target))
    return kl_div(float32_under_autocast(input), float32_under_autocast(target), options);
  const DType dtype = common_dtype("kl_div", input, target);
  const Tensor x = to(input, dtype), t = to(target, dtype);
  // The logarithm of what is 0 is not taken, so that its gradient is 0 there, not NaN.
  const Tensor losses = options.log_target ? exp(t) * (t - x) : t * (log(where(t == 0, 1, t)) - x);
  const Tensor y = totalled(losses, total_of(options.reduction.reduction));
  const bool divided = options.reduction.by_batch && input.dim() > 0;
  return divided ? y / input.sizes()[0] : y;
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
