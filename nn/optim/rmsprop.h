// RMSprop.
#pragma once

#include "tapegrad/nn/optim/optimizer.h"
#include "tapegrad/ops/optim_step.h"

namespace tapegrad::optim {

using RMSpropOptions = RmspropStepOptions;

// Tieleman and Hinton, "Lecture 6.5: rmsprop" (Coursera, 2012); centered: Graves, "Generating sequences with recurrent
// neural networks" (2013). The update is said in ops/optim_step.h. ValueError: a negative lr, eps, weight_decay, momentum or
// alpha.
class TAPEGRAD_API RMSprop final : public Optimizer {
 public:
  explicit RMSprop(std::vector<Tensor> params, const RMSpropOptions& options = {});
  RMSprop(std::vector<Tensor> params, double lr) : RMSprop(std::move(params), RMSpropOptions{.lr = lr}) {}
  void add_param_group(std::vector<Tensor> params, const RMSpropOptions& options = {});
  std::vector<ParamGroupOf<RMSpropOptions>> param_groups() const { return groups_with<RMSpropOptions>(); }

 private:
  void update(detail::Group& group, const StepList& list, const StepClip& clip) override;
  const char* name() const override { return "RMSprop"; }
  std::array<const char*, 3> state_names() const override { return {"square_avg", "momentum_buffer", "grad_avg"}; }
};

}  // namespace tapegrad::optim
