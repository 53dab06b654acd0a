// What the tape adds to a printed tensor.
#include "tapegrad/core/print.h"

#include "tapegrad/autograd/node.h"

namespace tapegrad::autograd {

std::string tape_suffix(const Tensor& x) {
  try {
    if (const Ref<Node> node = x.grad_fn()) return std::string("grad_fn=<") + node->name() + ">";
    return x.requires_grad() ? "requires_grad=true" : "";
  } catch (const AutogradError&) {  // a view whose history a write has overtaken; its values can be looked at
    return "grad_fn=<Invalid>";
  }
}

}  // namespace tapegrad::autograd
