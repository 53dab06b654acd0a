// What the files of nn share and nobody else sees.
#pragma once

#include "tapegrad/nn/module.h"

namespace tapegrad::nn {

struct ModuleState {
  struct Child {
    std::string name;
    Ref<detail::Held> held;
    bool own;
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

// As std::ostream prints a double by default.
std::string shown(double value);

// Makes p's gradient absent, or zeros in the memory it has.
void clear_grad(const Tensor& p, bool set_to_none);

}  // namespace tapegrad::nn
