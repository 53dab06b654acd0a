// Swaps what parameters stand for, for the length of a call.
#include "tapegrad/nn/functional_call.h"

#include "tapegrad/ops/shape.h"

namespace tapegrad::nn {
namespace {

// Everything but the count of handles.
void swap_contents(TensorImpl& a, TensorImpl& b) noexcept {
  std::swap(a.dtype, b.dtype);
  std::swap(a.requires_grad, b.requires_grad);
  std::swap(a.contiguous, b.contiguous);
  std::swap(a.no_grad_view, b.no_grad_view);
  std::swap(a.output, b.output);
  std::swap(a.derived_version, b.derived_version);
  std::swap(a.numel, b.numel);
  std::swap(a.data, b.data);
  std::swap(a.storage, b.storage);
  std::swap(a.node, b.node);
  std::swap(a.meta, b.meta);
  std::swap(a.base, b.base);
  std::swap(a.sizes, b.sizes);
  std::swap(a.strides, b.strides);
}

Tensor own_of(const Module& module, const std::string& name) {
  const NamedTensors parameters = module.named_parameters();
  if (const Tensor* t = parameters.find(name)) return *t;
  const NamedTensors buffers = module.named_buffers();
  if (const Tensor* t = buffers.find(name)) return *t;
  throw ValueError("functional_call: the name must be that of a parameter or a buffer of " + module.name() +
                   ", got \"" + name + "\"");
}

}  // namespace

Substitution::Substitution(const Module& module, const NamedTensors& tensors) {
  for (const auto& [name, t] : tensors) {
    const Tensor own = own_of(module, name);
    if (!t.defined())
      throw ValueError("functional_call: \"" + name + "\" must be defined, got an undefined tensor (Tensor())");
    if (!(IntArrayRef(own.sizes()) == IntArrayRef(t.sizes())))
      throw ShapeError("functional_call: \"" + name + "\" must have the shape " + to_string(own.sizes()) + ", got " +
                       to_string(t.sizes()));
    if (own.is_floating_point() != t.is_floating_point())
      throw DTypeError("functional_call: \"" + name + "\" must be like the module's, " + name_of(own.dtype()) +
                       ", got " + name_of(t.dtype()));
    // A view, so that the module's handle is not taken for the leaf that was given.
    swapped_.emplace_back(own, view(t, t.sizes()));
  }
  for (auto& [own, given] : swapped_) swap_contents(*own.impl(), *given.impl());
}

Substitution::~Substitution() {
  for (auto it = swapped_.rbegin(); it != swapped_.rend(); ++it) swap_contents(*it->first.impl(), *it->second.impl());
}

}  // namespace tapegrad::nn
