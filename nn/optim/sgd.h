// Stochastic gradient descent.
#pragma once

#include "tapegrad/nn/optim/optimizer.h"
#include "tapegrad/ops/optim_step.h"

namespace tapegrad::optim {

using SGDOptions = SgdStepOptions;

// With momentum, Nesterov's too, and weight decay as an L2 term of the gradient; the update is said in ops/optim_step.h.
// ValueError: a negative lr, momentum or weight_decay; nesterov without momentum or with dampening.
class TAPEGRAD_API SGD final : public Optimizer {
 public:
  SGD(std::vector<Tensor> params, const SGDOptions& options);
  SGD(std::vector<Tensor> params, double lr) : SGD(std::move(params), SGDOptions{.lr = lr}) {}
  void add_param_group(std::vector<Tensor> params, const SGDOptions& options);
  std::vector<ParamGroupOf<SGDOptions>> param_groups() const { return groups_with<SGDOptions>(); }

 private:
  void update(detail::Group& group, const StepList& list, const StepClip& clip) override;
  const char* name() const override { return "SGD"; }
  std::array<const char*, 3> state_names() const override { return {"momentum_buffer", nullptr, nullptr}; }
};

}  // namespace tapegrad::optim
