// Normalisation: x less a mean and over a deviation, taken per channel, per group of channels or over the last dims, then scaled by
// weight and moved by bias where there are any. Statistics are exact in two passes, far from 0 too; squares of float32 end at deviations of 1e19, and with eps = 0 of
// 1e-19, far below which a variance is 0 and y infinite or NaN, as PyTorch's. float32 and float64.
// Errors: ShapeError for sizes that do not fit, DTypeError for integers and for operands of another dtype than x (float32 beside
// bfloat16 is fine), ValueError for a negative eps.
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = h w + b, h = (x - m) r, r = 1 / sqrt(v + eps), of x [N, C] or [N, C, ...], with the mean m and the biased variance v of each
// channel over the rest when training, running_mean and running_var otherwise;  with g = dy w: dx = r (g - mean g - h mean(g h)) when
// training, r g otherwise;  dw = sum dy h, db = sum dy. Training moves running statistics, where there are any, `momentum` of the way
// to m and the unbiased v, in place; they have no gradient. ValueError for one value per channel when training, for running
// statistics missing otherwise, and for two of them in one memory when training. Ioffe and Szegedy, "Batch normalization", 2015.
TAPEGRAD_API Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                               const Tensor& weight = {}, const Tensor& bias = {}, bool training = false,
                               double momentum = 0.1, double eps = 1e-5);
// As batch_norm, with mean and variance of every channel of every sample of x [N, C, ...]; running statistics, where there are any,
// move to the mean of these over N, and take their place without use_input_stats. ValueError for one value per channel.
// Ulyanov et al., "Instance normalization", 2016.
TAPEGRAD_API Tensor instance_norm(const Tensor& x, const Tensor& running_mean = {}, const Tensor& running_var = {},
                                  const Tensor& weight = {}, const Tensor& bias = {}, bool use_input_stats = true,
                                  double momentum = 0.1, double eps = 1e-5);
// y = h w + b, h = (x - m) / sqrt(v + eps), with mean and biased variance over the last dims, whose sizes are normalized_shape, as
// are those of weight and bias;  dx, dw, db as batch_norm's. Ba et al., "Layer normalization", 2016.
TAPEGRAD_API Tensor layer_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight = {},
                               const Tensor& bias = {}, double eps = 1e-5);
// The same with mean and variance of each of num_groups groups of neighbouring channels of each sample of x [N, C, ...]; weight and
// bias are [C]. ShapeError where num_groups does not divide C. Wu and He, "Group normalization", 2018.
TAPEGRAD_API Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = {}, const Tensor& bias = {},
                               double eps = 1e-5);
// y = h w, h = x / sqrt(mean(x^2) + eps) over the last dims, as layer_norm; eps is the dtype's epsilon by default;  with g = dy w,
// r = 1 / sqrt(mean(x^2) + eps): dx = r (g - h mean(g h)), dw = sum dy h. Zhang and Sennrich, "Root mean square layer
// normalization", 2019.
TAPEGRAD_API Tensor rms_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight = {},
                             std::optional<double> eps = {});

}  // namespace tapegrad
