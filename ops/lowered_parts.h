// Products under AutocastGuard: operands of float32 are rounded, the result is bfloat16. Internal.
#pragma once

#include "tapegrad/autograd/state.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Whether the guard is on and has something to do: float32 or bfloat16, and not only the latter.
inline bool lowers(const Tensor& a, const Tensor& b) {
  const auto fits = [](const Tensor& x) { return x.dtype() == kBFloat16 || x.dtype() == kFloat32; };
  return autograd::state().autocast && fits(a) && fits(b) && (a.dtype() == kFloat32 || b.dtype() == kFloat32);
}

// mm, bmm and linear (of matrices) of what lowers() and has been checked. The gradient of a float32 leaf comes in float32, straight
// from the product; the rounded form of a leaf is made once and serves the rules too.
Tensor lowered_mm(const Tensor& a, const Tensor& b);
Tensor lowered_bmm(const Tensor& a, const Tensor& b);
Tensor lowered_linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace tapegrad
