// A chain of anything callable with a tensor.
#include "tapegrad/nn/sequential.h"

#include "tapegrad/autograd/state.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/nn/layers.h"
#include "tapegrad/nn/rectifiers.h"
#include "tapegrad/ops/linalg.h"

namespace tapegrad::nn {

LayerKind layer_kind(detail::Held& held) {
  const std::type_info& type = typeid(held.module());
  return type == typeid(Linear)    ? LayerKind::linear
         : type == typeid(ReLU)    ? LayerKind::relu
         : type == typeid(Sigmoid) ? LayerKind::sigmoid
         : type == typeid(Tanh)    ? LayerKind::tanh
                                   : LayerKind::other;
}

namespace {

// What linear_activation() takes; anything else is left to linear(), which says what is wrong with it.
bool fits(const Tensor& x, const Linear& fc) {
  if (!x.defined() || x.dim() == 0 || fc.weight.dim() != 2 || x.dtype() != fc.weight.dtype()) return false;
  if (x.dtype() != kFloat32 && x.dtype() != kFloat64) return false;
  return x.sizes()[x.dim() - 1] == fc.weight.sizes()[1] && (!fc.bias.defined() || fc.bias.dtype() == x.dtype());
}

LinearActivation activation_of(LayerKind kind) {
  return kind == LayerKind::relu      ? LinearActivation::relu
         : kind == LayerKind::sigmoid ? LinearActivation::sigmoid
                                      : LinearActivation::tanh;
}

// A Linear and the activation behind it as one operation, where nobody can tell: no profile, monitor or check of the tape looks.
bool may_join() { return !layers_are_seen() && autograd::state().watch == 0; }

}  // namespace

Tensor Sequential::forward(const Tensor& x) const {
  const auto& children = state().children;
  if (children.empty()) return x;
  const auto call = [](detail::Held& entry, const Tensor& in) {
    const detail::CallScope scope(entry.module());
    return entry.call(in);
  };
  const bool join = may_join();
  Tensor y = x;
  for (size_t i = 0; i < children.size(); ++i) {
    if (join && children[i].kind == LayerKind::linear && i + 1 < children.size() &&
        children[i + 1].kind > LayerKind::linear) {
      const auto& fc = static_cast<const Linear&>(children[i].held->module());
      if (fits(y, fc)) {
        y = linear_activation(y, fc.weight, fc.bias, activation_of(children[++i].kind));
        continue;
      }
    }
    y = call(*children[i].held, y);
  }
  return y;
}

}  // namespace tapegrad::nn
