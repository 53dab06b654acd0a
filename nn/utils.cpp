// Clipping of gradients, and parameters as one vector.
#include "tapegrad/nn/utils.h"

#include <algorithm>
#include <cmath>

#include "tapegrad/autograd/state.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/flat_parts.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::nn::utils {
namespace {

std::vector<Tensor> gradients_of(const char* op, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> grads;
  for (const Tensor& p : parameters) {
    check_defined(op, p, "a parameter");
    if (!p.grad().defined()) continue;
    if (!p.grad().is_floating_point())
      throw DTypeError(std::string(op) + ": a gradient must be floating, got " + name_of(p.grad().dtype()) + " " +
                       to_string(p.grad().sizes()));
    grads.push_back(p.grad());
  }
  return grads;
}

bool is_flat(const Tensor& g) { return g.is_contiguous() && (g.dtype() == kFloat32 || g.dtype() == kFloat64); }

// The widest of the gradients, and at least float32: what their norm is measured in.
DType norm_dtype(const std::vector<Tensor>& grads) {
  const bool wide = std::any_of(grads.begin(), grads.end(), [](const Tensor& g) { return g.dtype() == kFloat64; });
  return wide ? kFloat64 : kFloat32;
}

// The norm of all of them as one vector: in one launch, or for other norms the norm of their norms.
Tensor total_norm(const std::vector<Tensor>& grads, double norm_type) {
  const bool common = norm_type == 1 || norm_type == 2 || std::isinf(norm_type);
  const DType dtype = norm_dtype(grads);
  std::vector<Tensor> parts;
  parts.reserve(grads.size());
  for (const Tensor& g : grads) {  // the largest of no elements is nothing, so these are passed over
    if (g.numel() == 0) continue;
    const Tensor x = g.dtype() == kBFloat16 ? to(g, kFloat32) : g;
    parts.push_back(common ? contiguous(x) : to(norm(x, norm_type), dtype));
  }
  if (parts.empty()) return zeros({}, dtype);
  if (!common) return norm(stack(parts), norm_type);
  FlatList list;
  for (const Tensor& g : parts) list.add(g);
  const Tensor total = new_tensor(IntArrayRef(), dtype);
  flat_norm(list, norm_type, total);
  return total;
}

// g = g min(1, max_norm / (total + 1e-6)), without a branch on the value, so that nothing is read here.
void clip(const std::vector<Tensor>& grads, const Tensor& total, double max_norm) {
  FlatList list;
  for (const Tensor& g : grads) {
    if (is_flat(g)) list.add(g);
  }
  const bool apart = !list.may_overlap();
  if (apart) flat_scale("clip_grad_norm_", list, total, ClipFactor(total, max_norm));
  Tensor scale;
  for (const Tensor& g : grads) {
    if (apart && is_flat(g)) continue;
    if (!scale.defined()) scale = clamp(max_norm / (total + 1e-6), std::nullopt, 1.0);
    g.mul_(to(scale, g.dtype()));
  }
}

}  // namespace

Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type,
                       bool error_if_nonfinite) {
  if (!(max_norm >= 0))
    throw ValueError("clip_grad_norm_: max_norm must not be negative, got " + std::to_string(max_norm));
  if (!(norm_type > 0))
    throw ValueError("clip_grad_norm_: norm_type must be positive, got " + std::to_string(norm_type));
  const NoGradGuard no_grad;
  const std::vector<Tensor> grads = gradients_of("clip_grad_norm_", parameters);
  if (grads.empty()) return zeros({});
  const Tensor total = total_norm(grads, norm_type);
  if (error_if_nonfinite && !std::isfinite(total.item<double>()))
    throw ValueError("clip_grad_norm_: the norm of the gradients must be finite, got " +
                     std::to_string(total.item<double>()) + " (no gradient was changed)");
  clip(grads, total, max_norm);
  return total;
}

void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value) {
  if (!(clip_value >= 0))
    throw ValueError("clip_grad_value_: clip_value must not be negative, got " + std::to_string(clip_value));
  const NoGradGuard no_grad;
  for (const Tensor& g : gradients_of("clip_grad_value_", parameters)) g.clamp_(-clip_value, clip_value);
}

Tensor parameters_to_vector(const std::vector<Tensor>& parameters) {
  if (parameters.empty()) throw ValueError("parameters_to_vector: the list of parameters must not be empty, got none");
  std::vector<Tensor> flat;
  flat.reserve(parameters.size());
  for (const Tensor& p : parameters) {
    check_defined("parameters_to_vector", p, "a parameter");
    if (p.dtype() != parameters[0].dtype())
      throw DTypeError(std::string("parameters_to_vector: parameters must have one dtype, got ") +
                       name_of(parameters[0].dtype()) + " and " + name_of(p.dtype()));
    flat.push_back(reshape(p, {-1}));
  }
  return cat(flat);
}

void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters) {
  check_defined("vector_to_parameters", vector, "vector");
  int64_t count = 0;
  for (const Tensor& p : parameters) {
    check_defined("vector_to_parameters", p, "a parameter");
    count += p.numel();
  }
  if (vector.dim() != 1 || vector.numel() != count)
    throw ShapeError("vector_to_parameters: the vector must have the " + std::to_string(count) +
                     " elements of the parameters, got shape " + to_string(vector.sizes()));
  const NoGradGuard no_grad;
  int64_t first = 0;
  for (const Tensor& p : parameters) {
    p.copy_(reshape(narrow(vector, 0, first, p.numel()), p.sizes()));
    first += p.numel();
  }
}

}  // namespace tapegrad::nn::utils
