// Rules by way of a composition, for an operation whose own rule is one kernel: it says what else it could have been made of, and where a
// rule must be differentiable, or runs forwards, that is recorded and taken in its place. Internal.
#pragma once

#include "tapegrad/autograd/grads.h"
#include "tapegrad/autograd/tensor_function.h"

namespace tapegrad::autograd {

// f(inputs) are the operation's outputs; inputs, those it was given, may be undefined. To be called in rules.
Grads composed_backward(TensorFunction f, const std::vector<Tensor>& inputs, const Grads& dy);
Grads composed_tangent(TensorFunction f, const std::vector<Tensor>& inputs, const Grads& dx);

}  // namespace tapegrad::autograd
