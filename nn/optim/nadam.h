// NAdam and RAdam.
#pragma once

#include "tapegrad/nn/optim/optimizer.h"
#include "tapegrad/ops/optim_step.h"

namespace tapegrad::optim {

using NAdamOptions = NadamStepOptions;
using RAdamOptions = RadamStepOptions;

// Dozat, "Incorporating Nesterov momentum into Adam" (ICLR workshop, 2016). The update is said in ops/optim_step.h. ValueError: a
// negative lr, eps, weight_decay or momentum_decay; a beta outside [0, 1).
class TAPEGRAD_API NAdam final : public Optimizer {
 public:
  explicit NAdam(std::vector<Tensor> params, const NAdamOptions& options = {});
  NAdam(std::vector<Tensor> params, double lr) : NAdam(std::move(params), NAdamOptions{.lr = lr}) {}
  void add_param_group(std::vector<Tensor> params, const NAdamOptions& options = {});
  std::vector<ParamGroupOf<NAdamOptions>> param_groups() const { return groups_with<NAdamOptions>(); }

 private:
  void update(detail::Group& group, const StepList& list, const StepClip& clip) override;
  const char* name() const override { return "NAdam"; }
  std::array<const char*, 3> state_names() const override { return {"exp_avg", "exp_avg_sq", nullptr}; }
};

// Liu et al., "On the variance of the adaptive learning rate and beyond" (ICLR 2020). The rest as NAdam.
class TAPEGRAD_API RAdam final : public Optimizer {
 public:
  explicit RAdam(std::vector<Tensor> params, const RAdamOptions& options = {});
  RAdam(std::vector<Tensor> params, double lr) : RAdam(std::move(params), RAdamOptions{.lr = lr}) {}
  void add_param_group(std::vector<Tensor> params, const RAdamOptions& options = {});
  std::vector<ParamGroupOf<RAdamOptions>> param_groups() const { return groups_with<RAdamOptions>(); }

 private:
  void update(detail::Group& group, const StepList& list, const StepClip& clip) override;
  const char* name() const override { return "RAdam"; }
  std::array<const char*, 3> state_names() const override { return {"exp_avg", "exp_avg_sq", nullptr}; }
};

}  // namespace tapegrad::optim
