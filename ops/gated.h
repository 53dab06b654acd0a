// Activations that weigh x by a gate between 0 and 1, and the gates. Integer inputs give float32. Errors as in
// ops/elementwise.h.
#pragma once

#include <string_view>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = x s, s = sigmoid(x);  dx = dy s (1 + x (1 - s)).
TAPEGRAD_API Tensor silu(const Tensor& x);
// approximate "none": y = x p, p = (1 + erf(x / sqrt 2)) / 2;  dx = dy (p + x e^(-x^2 / 2) / sqrt(2 pi)).
// approximate "tanh": y = x (1 + tanh u) / 2, u = sqrt(2 / pi) (x + 0.044715 x^3). ValueError for another word.
// Hendrycks and Gimpel, "Gaussian error linear units", 2016.
TAPEGRAD_API Tensor gelu(const Tensor& x, std::string_view approximate = "none");
// y = x t, t = tanh(ln(1 + e^x));  dx = dy (t + x (1 - t^2) sigmoid(x)). Misra, "Mish", 2019.
TAPEGRAD_API Tensor mish(const Tensor& x);
// y = min(max(x + 3, 0), 6) / 6;  dx = dy / 6 where -3 < x < 3, else 0.
TAPEGRAD_API Tensor hardsigmoid(const Tensor& x);
// y = x hardsigmoid(x);  dx = dy where x >= 3, dy (x / 3 + 1/2) where -3 < x < 3, else 0.
TAPEGRAD_API Tensor hardswish(const Tensor& x);
// y = ln sigmoid(x) = -ln(1 + e^-x), for any x;  dx = dy sigmoid(-x).
TAPEGRAD_API Tensor logsigmoid(const Tensor& x);
inline Tensor log_sigmoid(const Tensor& x) { return logsigmoid(x); }
// y = a sigmoid(b) for the first half a and the second half b of x along dim;  da = dy s, db = dy a s (1 - s).
// ShapeError for an odd size or no dims, IndexError for dim out of range.
TAPEGRAD_API Tensor glu(const Tensor& x, int64_t dim = -1);

}  // namespace tapegrad
