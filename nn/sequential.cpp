// A chain of anything callable with a tensor.
#include "tapegrad/nn/sequential.h"

#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {

Tensor Sequential::forward(const Tensor& x) const {
  const auto& children = state().children;
  if (children.empty()) return x;
  Tensor y = children[0].held->call(x);
  for (size_t i = 1; i < children.size(); ++i) y = children[i].held->call(y);
  return y;
}

}  // namespace tapegrad::nn
