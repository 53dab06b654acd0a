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

// Weight decay is a term of the gradient (Adam), or decoupled from it, a factor of the parameter (AdamW).
template <bool kDecoupled> struct AdamOptionsOf {
  double lr = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = kDecoupled ? 1e-2 : 0;
  bool amsgrad = false;
  bool maximize = false;
};
using AdamStepOptions = AdamOptionsOf<false>;
using AdamWStepOptions = AdamOptionsOf<true>;

struct RmspropStepOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  bool maximize = false;
};

struct AdagradStepOptions {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
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
// p = p - lr / (1 - beta1^t) m / (sqrt(u) / sqrt(1 - beta2^t) + eps), with t = ++*steps and u = v, or with v_max defined
// u = v_max = max(v_max, v). As torch.optim.Adam. m, v and v_max are contiguous, like p.
TAPEGRAD_API void adam_step(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const Tensor& v_max,
                            const AdamStepOptions& options, int64_t* steps, AdamCorrections* corrections);
// The same with p = (1 - lr weight_decay) p first, and nothing added to g. As torch.optim.AdamW.
TAPEGRAD_API void adam_step(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const Tensor& v_max,
                            const AdamWStepOptions& options, int64_t* steps, AdamCorrections* corrections);

// g = g (negated to maximize) + weight_decay p;  v = alpha v + (1 - alpha) g^2;  with `mean` defined (centered)
// mean = alpha mean + (1 - alpha) g and u = v - mean^2, else u = v;  s = g / (sqrt(u) + eps);  with `buffer` defined
// s = buffer = momentum buffer + s;  p = p - lr s. As torch.optim.RMSprop.
TAPEGRAD_API void rmsprop_step(const Tensor& p, const Tensor& g, const Tensor& v, const Tensor& mean,
                               const Tensor& buffer, const RmspropStepOptions& options);

// g = g (negated to maximize) + weight_decay p;  v = v + g^2;  p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(v) + eps), with
// t = ++*steps. As torch.optim.Adagrad.
TAPEGRAD_API void adagrad_step(const Tensor& p, const Tensor& g, const Tensor& v, const AdagradStepOptions& options,
                               int64_t* steps);

// DTypeError or ShapeError naming `op` unless g and the buffer (if defined) have p's dtype and number of elements.
TAPEGRAD_API void check_step(const char* op, const Tensor& p, const Tensor& g, const Tensor& buffer);

}  // namespace tapegrad
