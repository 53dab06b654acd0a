// Adam.
#pragma once

#include "tapegrad/nn/optim/optimizer.h"
#include "tapegrad/ops/optim_step.h"

namespace tapegrad::optim {

using AdamOptions = AdamStepOptions;

// Kingma and Ba, "Adam: a method for stochastic optimization" (ICLR 2015), with weight decay as an L2 term of the
// gradient; the update is said in ops/optim_step.h. ValueError: a negative lr, eps or weight_decay; a beta outside [0, 1).
class TAPEGRAD_API Adam : public Optimizer {
 public:
  explicit Adam(std::vector<Tensor> params, const AdamOptions& options = {});
  Adam(std::vector<Tensor> params, double lr) : Adam(std::move(params), AdamOptions{.lr = lr}) {}
  void add_param_group(std::vector<Tensor> params, const AdamOptions& options = {});
  std::vector<ParamGroupOf<AdamOptions>> param_groups() const { return groups_with<AdamOptions>(); }
  using Optimizer::step;
  void step() override;
};

}  // namespace tapegrad::optim
