// The gradients of every sample's loss, one sample after the other.
#include "tapegrad/autograd/transform/internal.h"
#include "tapegrad/autograd/transform/jacobian.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::autograd {

using transform::Tensors;

namespace {

int64_t samples_of(const Tensors& parameters, const Tensors& batch) {
  if (parameters.empty()) throw ValueError("per_sample_grads: there must be at least one parameter, got none");
  for (size_t k = 0; k < parameters.size(); ++k) {
    if (!parameters[k].defined() || !parameters[k].requires_grad())
      throw AutogradError("per_sample_grads: every parameter must require grad, got parameter " + std::to_string(k) +
                          (parameters[k].defined() ? " of shape " + to_string(parameters[k].sizes()) + " that does not"
                                                   : ", an undefined tensor (Tensor())"));
  }
  if (batch.empty()) throw ValueError("per_sample_grads: there must be at least one tensor of samples, got none");
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!batch[i].defined() || batch[i].dim() == 0)
      throw ValueError("per_sample_grads: a batch has its samples along dim 0, got batch " + std::to_string(i) +
                       (batch[i].defined() ? " of shape []" : ", an undefined tensor (Tensor())"));
    if (batch[i].sizes()[0] != batch[0].sizes()[0])
      throw ShapeError("per_sample_grads: the tensors of a batch must have the same number of samples, got batch 0 " +
                       to_string(batch[0].sizes()) + " and batch " + std::to_string(i) + " " +
                       to_string(batch[i].sizes()));
  }
  return batch[0].sizes()[0];
}

Tensor loss_of(TensorFunction loss, const Tensors& batch, int64_t n) {
  const AutoGradMode on(true);
  Tensors sample;
  for (const Tensor& b : batch) sample.push_back(narrow(b, 0, n, 1));
  const Tensors y = loss(sample);
  if (y.size() != 1 || !y[0].defined() || y[0].numel() != 1)
    throw ValueError(
        "per_sample_grads: the loss of a sample must be one tensor of one element, got " +
        (y.size() == 1 && y[0].defined() ? "shape " + to_string(y[0].sizes()) : std::to_string(y.size()) + " tensors"));
  return y[0];
}

}  // namespace

Tensors per_sample_grads(TensorFunction loss, const Tensors& parameters, const Tensors& batch,
                         const PerSampleOptions& options) {
  const int64_t count = samples_of(parameters, batch);
  Tensors result;
  for (const Tensor& p : parameters) {
    Shape sizes = p.sizes();
    if (sizes.size() == kMaxRank)
      throw ShapeError("per_sample_grads: a parameter must have at most " + std::to_string(kMaxRank - 1) +
                       " dims, got shape " + to_string(sizes));
    sizes.insert(0, count);
    result.push_back(filled_tensor(sizes, p.dtype(), 0));
  }
  for (int64_t n = 0; n < count; ++n) {
    const Tensor y = loss_of(loss, batch, n);
    if (!y.requires_grad() && !options.strict) continue;
    const Tensors g = grad({y}, parameters, {}, false, false, true);
    for (size_t k = 0; k < g.size(); ++k) {
      if (!g[k].defined() && options.strict)
        throw AutogradError("per_sample_grads: with strict, the loss must depend on every parameter, got sample " +
                            std::to_string(n) + " independent of parameter " + std::to_string(k) + ", shape " +
                            to_string(parameters[k].sizes()));
      if (!g[k].defined()) continue;
      const Shape& sizes = parameters[k].sizes();
      copy(alias(result[k], sizes, contiguous_strides(sizes), n * parameters[k].numel()), g[k]);
    }
  }
  return result;
}

}  // namespace tapegrad::autograd
