// A function of tensors of any form: what it is called with.
#include "tapegrad/autograd/tensor_function.h"

namespace tapegrad::autograd {

void detail::wrong_count(int takes, size_t got) {
  throw ValueError("function: it takes " + std::to_string(takes) + (takes == 1 ? " tensor" : " tensors") +
                   ", got inputs for " + std::to_string(got));
}

}  // namespace tapegrad::autograd
