// Adam and AdamW.
#pragma once

#include "tapegrad/nn/optim/optimizer.h"
#include "tapegrad/ops/optim_step.h"

namespace tapegrad::optim {

// Kingma and Ba, "Adam: a method for stochastic optimization" (ICLR 2015), with weight decay as an L2 term of the gradient, or
// decoupled from it: Loshchilov and Hutter, "Decoupled weight decay regularization" (ICLR 2019). amsgrad: Reddi et al., "On
// the convergence of Adam and beyond" (ICLR 2018). The update is said in ops/optim_step.h. ValueError: a negative lr, eps or
// weight_decay; a beta outside [0, 1).
template <bool kDecoupled> class TAPEGRAD_API AdamOf final : public Optimizer {
 public:
  using Options = AdamOptionsOf<kDecoupled>;
  explicit AdamOf(std::vector<Tensor> params, const Options& options = {});
  AdamOf(std::vector<Tensor> params, double lr) : AdamOf(std::move(params), Options{.lr = lr}) {}
  void add_param_group(std::vector<Tensor> params, const Options& options = {});
  std::vector<ParamGroupOf<Options>> param_groups() const { return groups_with<Options>(); }

 private:
  void update(detail::Group& group, const StepList& list, const StepClip& clip) override;
  const char* name() const override { return kDecoupled ? "AdamW" : "Adam"; }
  std::array<const char*, 3> state_names() const override { return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}; }
};

extern template class AdamOf<false>;
extern template class AdamOf<true>;

using AdamOptions = AdamOptionsOf<false>;
using AdamWOptions = AdamOptionsOf<true>;
using Adam = AdamOf<false>;
using AdamW = AdamOf<true>;

}  // namespace tapegrad::optim
