// What the files of nn share and nobody else sees.
#pragma once

#include "tapegrad/nn/module.h"

namespace tapegrad::nn {

// What a chain may join: an affine map, and the activation behind it.
enum class LayerKind : uint8_t { other, linear, relu, sigmoid, tanh };
LayerKind layer_kind(detail::Held& held);

struct ModuleState {
  struct Child {
    std::string name;
    Ref<detail::Held> held;
    bool own;
    LayerKind kind = layer_kind(*held);
  };

  RefCount refs;
  bool training = true;
  bool parameters_are_own = false;  // clone() need not find them among the members
  NamedTensors parameters, buffers;
  std::vector<Child> children;

  void retain() { refs.increment(); }
  void release() {
    if (refs.decrement()) delete this;
  }
  static ModuleState& of(const Module& module) { return module.state(); }
};

// Whether somebody on any thread wants to see layers one by one.
bool layers_are_seen();

// As std::ostream prints a double by default.
std::string shown(double value);

// Makes p's gradient absent, or zeros in the memory it has.
void clear_grad(const Tensor& p, bool set_to_none);

}  // namespace tapegrad::nn
