// Adagrad.
#pragma once

#include "tapegrad/nn/optim/optimizer.h"
#include "tapegrad/ops/optim_step.h"

namespace tapegrad::optim {

using AdagradOptions = AdagradStepOptions;

// Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization" (JMLR 12, 2011).
// The update is said in ops/optim_step.h; the sum of squares starts at initial_accumulator_value. ValueError: a negative
// option.
class TAPEGRAD_API Adagrad final : public Optimizer {
 public:
  explicit Adagrad(std::vector<Tensor> params, const AdagradOptions& options = {});
  Adagrad(std::vector<Tensor> params, double lr) : Adagrad(std::move(params), AdagradOptions{.lr = lr}) {}
  void add_param_group(std::vector<Tensor> params, const AdagradOptions& options = {});
  std::vector<ParamGroupOf<AdagradOptions>> param_groups() const { return groups_with<AdagradOptions>(); }

 private:
  void update(detail::Group& group, const StepList& list, const StepClip& clip) override;
  const char* name() const override { return "Adagrad"; }
  std::array<const char*, 3> state_names() const override { return {"sum", nullptr, nullptr}; }
};

}  // namespace tapegrad::optim
