// Normalisation of float32 and float64: fused forward, fused first-order backward, running statistics.
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// x as [n, groups, channels, inner]. A statistic is over channels and inner, or `across` n and inner (channels is 1 then); weight and
// bias have groups * channels elements.
struct Norm {
  using Attribute = Norm;
  int64_t n, groups, channels, inner;
  double eps;
  bool across = false;
  bool centred = true;  // else the mean counts as 0, and the variance is the mean square
  bool given = false;   // mean and variance are operands, not results

  int64_t statistics() const { return across ? groups : n * groups; }
  int64_t terms() const { return (across ? n : channels) * inner; }  // of a statistic
};

// y = (x - mean) / sqrt(var + eps) weight + bias; mean and biased var are written too, or read where they are given. Weight and bias may
// be undefined, and mean is where it counts as 0.
Tensor normalize(const char* name, const Norm& norm, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 Tensor& mean, Tensor& var);

struct NormGradients {
  Tensor x, weight, bias;  // the latter two flat, and only where they are wanted
};
NormGradients normalize_backward(const char* name, const Norm& norm, const Tensor& dy, const Tensor& x,
                                 const Tensor& weight, const Tensor& mean, const Tensor& var, bool wants_weight,
                                 bool wants_bias);

// Moves contiguous running statistics, one per group, to the mean over n of what normalize() wrote, of the variance unbiased: `momentum`
// of the way, or to the average over all batches. `batches`, if it is defined, is one more.
void move_running(const char* name, const Norm& norm, const Tensor& mean, const Tensor& var, const Tensor& running_mean,
                  const Tensor& running_var, const Tensor& batches, std::optional<double> momentum);

}  // namespace tapegrad::kernels
