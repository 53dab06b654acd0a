// L-BFGS.
#pragma once

#include "tapegrad/nn/optim/optimizer.h"

namespace tapegrad::optim {

class NamedState;

struct LBFGSOptions {
  double lr = 1;
  int64_t max_iter = 20;                 // of one step
  std::optional<int64_t> max_eval = {};  // of the closure in one step; 5 / 4 max_iter where it is not given
  double tolerance_grad = 1e-7;          // of the largest element of the gradient
  double tolerance_change = 1e-9;        // of loss and parameters
  int64_t history_size = 100;
  std::optional<std::string> line_search_fn = {};  // "strong_wolfe", or lr as it is
};

// Nocedal and Wright, "Numerical optimization" (2006), algorithms 7.4 and 3.5; as torch.optim.LBFGS. One group of parameters of one
// dtype. step(closure) calls the closure, which makes gradients anew and returns the loss, many times, and returns its first loss;
// where it throws, the parameters are as the latest whole iteration left them. Numbers are read on the host: no part of a capture.
// ValueError: a second group, step() without a closure, set_max_grad_norm(), a negative option, another line search.
class TAPEGRAD_API LBFGS final : public Optimizer {
 public:
  explicit LBFGS(std::vector<Tensor> params, const LBFGSOptions& options = {});
  LBFGS(std::vector<Tensor> params, double lr) : LBFGS(std::move(params), LBFGSOptions{.lr = lr}) {}
  std::vector<ParamGroupOf<LBFGSOptions>> param_groups() const { return groups_with<LBFGSOptions>(); }
  using Optimizer::step;
  void step() override;

  // The optimizer's, and "state.0.NAME" for d, t, H_diag, prev_flat_grad, prev_loss, n_iter, func_evals, and with a row for each
  // pair of the history old_dirs, old_stps and ro.
  OrderedDict<std::string, Tensor> state_dict() const override;
  void load_state_dict(const OrderedDict<std::string, Tensor>& dict) override;

 private:
  struct Run;
  struct History {
    std::vector<Tensor> changes, steps;  // of the gradient, and of the parameters
    std::vector<double> weights;         // 1 / (change step)
  };
  Tensor step_with(const std::function<Tensor()>& closure) override;
  void update(detail::Group&, const StepList&, const StepClip&) override {}
  const char* name() const override { return "LBFGS"; }
  std::array<const char*, 3> state_names() const override { return {}; }
  void visit(NamedState& state);

  std::vector<Tensor> params_;
  int64_t numel_ = 0;
  History history_;
  Tensor direction_, last_gradient_;  // flat; undefined before the first iteration
  double step_size_ = 0, scale_ = 1, last_loss_ = 0;
  int64_t iterations_ = 0, evaluations_ = 0;
};

}  // namespace tapegrad::optim
