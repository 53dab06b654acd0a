// Activations put together from pieces, most of them straight. Integer inputs give float32, except where an op keeps them.
// Errors as in ops/elementwise.h.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = x where x > 0, else alpha (e^x - 1);  dx = dy, and dy alpha e^x there.
TAPEGRAD_API Tensor elu(const Tensor& x, double alpha = 1);
// y = s x where x > 0, else s a (e^x - 1), with s = 1.0507009873554805, a = 1.6732632423543772;  dx = s dy, and
// dy s a e^x there. Klambauer et al., "Self-normalizing neural networks", 2017.
TAPEGRAD_API Tensor selu(const Tensor& x);
// y = x where x > 0, else alpha (e^(x / alpha) - 1);  dx = dy, and dy e^(x / alpha) there. ValueError for alpha = 0.
TAPEGRAD_API Tensor celu(const Tensor& x, double alpha = 1);
// y = min(max(x, min_val), max_val);  dx = dy where min_val < x < max_val, else 0. Integers keep their dtype and truncate
// the bounds; ValueError for a negative bound on uint8.
TAPEGRAD_API Tensor hardtanh(const Tensor& x, double min_val = -1, double max_val = 1);
// y = min(max(x, 0), 6), as hardtanh.
TAPEGRAD_API Tensor relu6(const Tensor& x);
// y = x where x > threshold, else value;  dx = dy, and 0 there. Keeps integers.
TAPEGRAD_API Tensor threshold(const Tensor& x, const Scalar& threshold, const Scalar& value);
// y = x where x > 0, else w x, with w the one element of weight, or weight[c] for the index c along dim 1;
// dx = dy, and w dy there; dw = sum of x dy where x <= 0. ShapeError: weight neither of one element nor of x.size(1).
// DTypeError: x and weight of different dtypes.
TAPEGRAD_API Tensor prelu(const Tensor& x, const Tensor& weight);
// y = x - lambda where x > lambda, x + lambda where x < -lambda, else 0;  dx = dy, dy, 0. ValueError for lambda < 0.
TAPEGRAD_API Tensor softshrink(const Tensor& x, double lambda = 0.5);
// y = x where |x| > lambda, else 0;  dx = dy, and 0 there.
TAPEGRAD_API Tensor hardshrink(const Tensor& x, double lambda = 0.5);
// y = x - tanh x;  dx = dy tanh(x)^2.
TAPEGRAD_API Tensor tanhshrink(const Tensor& x);
// y = x / (1 + |x|);  dx = dy / (1 + |x|)^2.
TAPEGRAD_API Tensor softsign(const Tensor& x);

}  // namespace tapegrad
