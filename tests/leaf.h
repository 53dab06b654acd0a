// Float64 tensors of given numbers, and the gradient to hold them against.
#pragma once

#include "tapegrad/tapegrad.h"

inline tapegrad::Tensor leaf(const tapegrad::TensorData& data) {
  return tapegrad::tensor(data, tapegrad::dtype(tapegrad::kFloat64).requires_grad());
}
inline tapegrad::Tensor values(const tapegrad::TensorData& data) { return tapegrad::tensor(data, tapegrad::kFloat64); }

// Of the sum of y with weights 1, 2, 3, ...
inline tapegrad::Tensor gradient(const tapegrad::Tensor& y, const tapegrad::Tensor& x) {
  const tapegrad::Tensor w = tapegrad::arange(y.numel(), tapegrad::kFloat64).view(y.sizes()) + 1;
  return tapegrad::autograd::grad({y}, {x}, {w}, true)[0];
}
