// One optimizer step on one parameter, in place and outside the tape: one fused launch.
#pragma once

#include <utility>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

struct SgdStepOptions {
  double lr;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

struct AdamStepOptions {
  double lr = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
};

// 1 - beta^t for both betas, kept from one parameter to the next of the same step.
struct AdamCorrections {
  int64_t step = 0;
  std::pair<double, double> betas = {0, 0};
  double first = 0, second = 0;
};

// Options, step counts and corrections are read and written when the launch runs, also when it runs again: their owner
// keeps them, and the buffers, for as long as that may happen.

// g = g (negated to maximize) + weight_decay p;  with momentum: b = momentum b + (1 - dampening) g (the first step, where
// *steps is 0: b = g), g = nesterov ? g + momentum b : b;  p = p - lr g. As torch.optim.SGD. `buffer` (contiguous, like p)
// and `steps` may be undefined and null without momentum.
TAPEGRAD_API void sgd_step(const Tensor& p, const Tensor& g, const Tensor& buffer, const SgdStepOptions& options,
                           int64_t* steps);

// g = g (negated to maximize) + weight_decay p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
// p = p - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps), with t = ++*steps. As torch.optim.Adam. m and v are
// contiguous, like p.
TAPEGRAD_API void adam_step(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v,
                            const AdamStepOptions& options, int64_t* steps, AdamCorrections* corrections);

// DTypeError or ShapeError naming `op` unless g and the buffer (if defined) have p's dtype and number of elements.
TAPEGRAD_API void check_step(const char* op, const Tensor& p, const Tensor& g, const Tensor& buffer);

}  // namespace tapegrad
