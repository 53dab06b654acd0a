// What the steps of optimizers compute, and their options. g is the gradient, clipped where that was asked for, negated to
// maximize; t counts the steps from 1.
#pragma once

#include <cstdint>
#include <utility>

namespace tapegrad {

// g = g + weight_decay p;  with momentum: b = momentum b + (1 - dampening) g, in the first step b = g, and g = nesterov ?
// g + momentum b : b;  p = p - lr g. As torch.optim.SGD.
struct SgdStepOptions {
  double lr;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  p = p - lr / (1 - beta1^t) m / (sqrt(u) / sqrt(1 - beta2^t) + eps)
// with u = v, or with amsgrad u = v_max = max(v_max, v). Weight decay is a term of the gradient, g = g + weight_decay p, as in
// torch.optim.Adam; or decoupled from it, p = (1 - lr weight_decay) p first, as in torch.optim.AdamW.
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

// As Adam, with Nesterov's momentum: mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), P_t = mu_1 ... mu_t,
// p = p - lr (mu_t+1 / (1 - P_t mu_t+1) m + (1 - mu_t) / (1 - P_t) g) / (sqrt(v / (1 - beta2^t)) + eps). Weight decay is a term
// of the gradient, or decoupled from it. As torch.optim.NAdam.
struct NadamStepOptions {
  double lr = 2e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
  bool decoupled_weight_decay = false;
  bool maximize = false;
};

// m and v as Adam's. With R = 2 / (1 - beta2) - 1 and r = R - 2 t beta2^t / (1 - beta2^t), p = p - lr / (1 - beta1^t) m while
// r <= 5, then p = p - lr / (1 - beta1^t) m sqrt(1 - beta2^t) / (sqrt(v) + eps) sqrt((r - 4) (r - 2) R / ((R - 4) (R - 2) r)).
// Weight decay as NAdam's. As torch.optim.RAdam.
struct RadamStepOptions {
  double lr = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;
  bool maximize = false;
};

// g = g + weight_decay p;  v = alpha v + (1 - alpha) g^2;  u = v, or centered: mean = alpha mean + (1 - alpha) g and
// u = v - mean^2;  s = g / (sqrt(u) + eps);  with momentum: s = b = momentum b + s;  p = p - lr s. As torch.optim.RMSprop.
struct RmspropStepOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  bool maximize = false;
};

// g = g + weight_decay p;  v = v + g^2;  p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(v) + eps). As torch.optim.Adagrad.
struct AdagradStepOptions {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;
};

// 1 - beta^t for both betas, kept from one parameter to the next that has taken as many steps.
struct AdamCorrections {
  int64_t step = 0;
  std::pair<double, double> betas = {0, 0};
  double first = 0, second = 0;
};

}  // namespace tapegrad
