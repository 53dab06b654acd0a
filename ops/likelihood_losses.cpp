// Negative log-likelihoods of counts and of measurements, put together from ops.
#include <cmath>
#include <numbers>

#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/sampling.h"
#include "tapegrad/ops/loss_parts.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {
namespace {

using std::numbers::pi;

void check_pair(const char* op, const Tensor& input, const Tensor& target) {
  check_defined(op, input, "input");
  check_defined(op, target, "target");
  if (!same_sizes(input, target))
    throw ShapeError(std::string(op) + ": input and target must have one shape, got input " + to_string(input.sizes()) +
                     " and target " + to_string(target.sizes()) + hint_for_shapes(input, target));
  if (!input.is_floating_point())
    throw DTypeError(std::string(op) + ": input must be float32 or float64, got " + name_of(input.dtype()) +
                     " (did you mean input.to(kFloat32)?)");
}

// One variance for each element, or one for each row.
Tensor spread_variance(const char* op, const Tensor& var, const Tensor& input) {
  check_defined(op, var, "var");
  if (!var.is_floating_point())
    throw DTypeError(std::string(op) + ": var must be float32 or float64, got " + name_of(var.dtype()));
  const int64_t dims = input.dim();
  const bool short_of_one = dims > 0 && var.dim() == dims - 1;
  const Tensor v = short_of_one ? unsqueeze(var, -1) : var;
  bool fits = v.dim() == dims;
  for (int64_t d = 0; fits && d < dims; ++d)
    fits = v.sizes()[d] == input.sizes()[d] || (d == dims - 1 && v.sizes()[d] == 1);
  if (!fits)
    throw ShapeError(std::string(op) + ": var must have input's shape, 1 in the last place, or lack it, got var " +
                     to_string(var.sizes()) + " and input " + to_string(input.sizes()));
  return v;
}

}  // namespace

Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, const PoissonNllLossOptions& options) {
  check_pair("poisson_nll_loss", input, target);
  if (autocast_lifts(input, target))
    return poisson_nll_loss(float32_under_autocast(input), float32_under_autocast(target), options);
  Tensor losses = options.log_input ? exp(input) - target * input : input - target * log(input + options.eps);
  if (options.full) {
    // Where it does not count, of 1 rather than of something without a logarithm.
    const Tensor counts = target > 1, t = where(counts, target, 1);
    losses = losses + where(counts, t * log(t) - t + log(t * (2 * pi)) * 0.5, 0);
  }
  return totalled(losses, total_of(options.reduction));
}

Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                         const GaussianNllLossOptions& options) {
  constexpr const char* name = "gaussian_nll_loss";
  check_pair(name, input, target);
  const Tensor given = spread_variance(name, var, input);
  if (!(options.eps > 0))
    throw ValueError(std::string(name) + ": eps must be positive, got " + std::to_string(options.eps));
  if (autocast_lifts(input, target, var))
    return gaussian_nll_loss(float32_under_autocast(input), float32_under_autocast(target), float32_under_autocast(var),
                             options);
  kernels::check_not_negative(name, "var", var.dtype() == kBFloat16 ? converted(var, kFloat32) : var);
  // The bound is no part of the rule: a variance that has become too small shall find out.
  const Tensor fixed = given.detach(), v = given + (clamp_min(fixed, options.eps) - fixed);
  Tensor losses = (log(v) + square(input - target) / v) * 0.5;
  if (options.full) losses = losses + 0.5 * std::log(2 * pi);
  return totalled(losses, total_of(options.reduction));
}

}  // namespace tapegrad
