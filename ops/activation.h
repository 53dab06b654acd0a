// Activations. Integer inputs give float32 (relu keeps them). Errors as in ops/elementwise.h.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = 1 / (1 + e^-x);  dx = dy y (1 - y).
TAPEGRAD_API Tensor sigmoid(const Tensor& x);
// y = tanh x;  dx = dy (1 - y^2).
TAPEGRAD_API Tensor tanh(const Tensor& x);
// y = max(x, 0);  dx = 0 where x <= 0, else dy (NaN too).
TAPEGRAD_API Tensor relu(const Tensor& x);
// y = x where x > 0, else slope x;  dx = dy where x > 0, else slope dy.
TAPEGRAD_API Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
// y = ln(1 + e^(beta x)) / beta, and x where beta x > threshold;  dx = dy sigmoid(beta x), and dy there.
TAPEGRAD_API Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20);
// y = e^x / sum e^x along dim;  dx = y (dy - sum(dy y)). IndexError for dim out of range.
TAPEGRAD_API Tensor softmax(const Tensor& x, int64_t dim);
// y = x - ln sum e^x along dim;  dx = dy - e^y sum(dy).
TAPEGRAD_API Tensor log_softmax(const Tensor& x, int64_t dim);

}  // namespace tapegrad
