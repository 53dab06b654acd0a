// In-place forms: f_(x, ...) writes f(x, ...) into x, which keeps its shape and dtype, and gives x the new history.
// AutogradError: a leaf that requires grad (with recording on), an expanded tensor. DTypeError, ShapeError: a result that does not fit x.
#pragma once

#include <optional>

#include "tapegrad/core/random.h"

namespace tapegrad {

TAPEGRAD_API Tensor& add_(const Tensor& x, const Tensor& other, const Scalar& alpha = 1);
TAPEGRAD_API Tensor& add_(const Tensor& x, const Scalar& other, const Scalar& alpha = 1);
TAPEGRAD_API Tensor& sub_(const Tensor& x, const Tensor& other, const Scalar& alpha = 1);
TAPEGRAD_API Tensor& sub_(const Tensor& x, const Scalar& other, const Scalar& alpha = 1);
TAPEGRAD_API Tensor& mul_(const Tensor& x, const Tensor& other);
TAPEGRAD_API Tensor& mul_(const Tensor& x, const Scalar& other);
TAPEGRAD_API Tensor& div_(const Tensor& x, const Tensor& other);
TAPEGRAD_API Tensor& div_(const Tensor& x, const Scalar& other);
TAPEGRAD_API Tensor& neg_(const Tensor& x);
TAPEGRAD_API Tensor& pow_(const Tensor& x, const Tensor& exponent);
TAPEGRAD_API Tensor& pow_(const Tensor& x, const Scalar& exponent);
TAPEGRAD_API Tensor& square_(const Tensor& x);
TAPEGRAD_API Tensor& exp_(const Tensor& x);
TAPEGRAD_API Tensor& log_(const Tensor& x);
TAPEGRAD_API Tensor& sqrt_(const Tensor& x);
TAPEGRAD_API Tensor& abs_(const Tensor& x);
TAPEGRAD_API Tensor& sign_(const Tensor& x);
TAPEGRAD_API Tensor& clamp_(const Tensor& x, const std::optional<Scalar>& min = {},
                            const std::optional<Scalar>& max = {});
TAPEGRAD_API Tensor& sigmoid_(const Tensor& x);
TAPEGRAD_API Tensor& tanh_(const Tensor& x);
TAPEGRAD_API Tensor& relu_(const Tensor& x);
TAPEGRAD_API Tensor& leaky_relu_(const Tensor& x, double negative_slope = 0.01);
TAPEGRAD_API Tensor& silu_(const Tensor& x);
TAPEGRAD_API Tensor& mish_(const Tensor& x);
TAPEGRAD_API Tensor& hardsigmoid_(const Tensor& x);
TAPEGRAD_API Tensor& hardswish_(const Tensor& x);
TAPEGRAD_API Tensor& elu_(const Tensor& x, double alpha = 1);
TAPEGRAD_API Tensor& selu_(const Tensor& x);
TAPEGRAD_API Tensor& celu_(const Tensor& x, double alpha = 1);
TAPEGRAD_API Tensor& hardtanh_(const Tensor& x, double min_val = -1, double max_val = 1);
TAPEGRAD_API Tensor& relu6_(const Tensor& x);
TAPEGRAD_API Tensor& threshold_(const Tensor& x, const Scalar& threshold, const Scalar& value);
// Every element to a number (a 0-dim tensor's, with its gradient), or to the elements of src, which broadcasts and converts.
TAPEGRAD_API Tensor& zero_(const Tensor& x);
TAPEGRAD_API Tensor& fill_(const Tensor& x, const Scalar& value);
TAPEGRAD_API Tensor& fill_(const Tensor& x, const Tensor& value);
TAPEGRAD_API Tensor& copy_(const Tensor& x, const Tensor& src);
// Random elements; see core/random.h. No gradient.
TAPEGRAD_API Tensor& uniform_(const Tensor& x, double from = 0, double to = 1,
                              Generator& generator = default_generator());
TAPEGRAD_API Tensor& normal_(const Tensor& x, double mean = 0, double std = 1,
                             Generator& generator = default_generator());

}  // namespace tapegrad
