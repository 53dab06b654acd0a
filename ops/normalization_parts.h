// Normalisation with running statistics as modules keep them. Internal.
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Without momentum the averages are over all batches so far. `batches` (int64, no dims), where there is one, counts them.
struct RunningStatistics {
  Tensor mean{}, var{}, batches{};
  std::optional<double> momentum = 0.1;
};

// batch_norm and instance_norm of ops/normalization.h.
Tensor normalized_channels(const Tensor& x, const RunningStatistics& running, const Tensor& weight, const Tensor& bias,
                           bool training, double eps);
Tensor normalized_instances(const Tensor& x, const RunningStatistics& running, const Tensor& weight, const Tensor& bias,
                            bool use_input_stats, double eps);

}  // namespace tapegrad
