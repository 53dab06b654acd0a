// A chain of anything callable with a tensor.
#include "tapegrad/nn/sequential.h"

#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {

Tensor Sequential::forward(const Tensor& x) const {
  const auto& children = state().children;
  if (children.empty()) return x;
  const auto call = [](detail::Held& entry, const Tensor& in) {
    const detail::CallScope scope(entry.module());
    return entry.call(in);
  };
  Tensor y = call(*children[0].held, x);
  for (size_t i = 1; i < children.size(); ++i) y = call(*children[i].held, y);
  return y;
}

}  // namespace tapegrad::nn
