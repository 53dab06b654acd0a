// Losses in one pass: of two tensors of one shape, and of class scores against class indices.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// What becomes of the losses of the elements or rows.
enum class Total : uint8_t { each, mean, sum };

// l(x, t), elementwise before the total.
enum class Pair : uint8_t {
  squared_error,   // (x - t)^2;  dx = 2 (x - t)
  cross_entropy,   // -t ln x - (1 - t) ln(1 - x), logarithms at least -100;  dx = (x - t) / max(x (1 - x), 1e-12)
  logistic,        // max(x, 0) - x t + ln(1 + e^-|x|);  dx = sigmoid(x) - t
  absolute_error,  // |x - t|;  dx = sign(x - t)
  smooth_error,  // d = x - t: scale d^2 / (2 width) where |d| < width, else scale (|d| - width / 2);  dx = scale d / width, scale sign(d)
};

// The constants of smooth_error.
struct Bend {
  double width = 1, scale = 1;
};

// x and t have one shape and one floating dtype. ValueError where cross_entropy meets an x outside [0, 1].
Tensor pair_loss(const char* name, Pair kind, const Tensor& x, const Tensor& t, Total total, const Bend& bend = {});
Tensor pair_loss_backward(const char* name, Pair kind, const Tensor& dl, const Tensor& x, const Tensor& t, Total total,
                          const Bend& bend = {});

// l[r] = -log softmax(x[r])[target[r]] for x [N, C] and int64 target [N], 0 where target is `ignored`. `kept`, for the
// gradient, receives logsumexp(x[r]) and behind those the number of rows that take part, which mean divides by.
// IndexError for another target outside [0, C).
Tensor cross_entropy(const char* name, const Tensor& x, const Tensor& target, int64_t ignored, Total total,
                     Tensor& kept);
Tensor cross_entropy_backward(const char* name, const Tensor& dl, const Tensor& x, const Tensor& target,
                              const Tensor& kept, int64_t ignored, Total total);
// l[r] = -x[r][target[r]], as above, and its gradient, for x of `sizes` [N, C].
Tensor nll_loss(const char* name, const Tensor& x, const Tensor& target, int64_t ignored, Total total);
Tensor nll_loss_backward(const char* name, const Tensor& dl, const Tensor& target, const Shape& sizes, int64_t ignored,
                         Total total);
// d loss / d l[r]: 1, or 1 / (number of rows that take part) for mean; 0 for ignored rows.
Tensor row_shares(const char* name, const Tensor& target, int64_t ignored, Total total, DType dtype);

}  // namespace tapegrad::kernels
