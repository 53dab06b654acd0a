// Stochastic gradient descent.
#include "tapegrad/nn/optim/sgd.h"

#include "tapegrad/ops/step_parts.h"

namespace tapegrad::optim {
namespace {

struct SgdGroup final : detail::GroupWith<SGDOptions> {
  using GroupWith::GroupWith;
  std::array<bool, 3> kept_state() const override { return {options.momentum != 0, false, false}; }
  void visit_options(const detail::OptionVisitor& visit) override {
    visit("lr", options.lr);
    visit("momentum", options.momentum);
    visit("dampening", options.dampening);
    visit("weight_decay", options.weight_decay);
    visit("nesterov", options.nesterov);
    visit("maximize", options.maximize);
  }
};

void check(const SGDOptions& o) {
  detail::check_not_negative("SGD", "lr", o.lr);
  detail::check_not_negative("SGD", "momentum", o.momentum);
  detail::check_not_negative("SGD", "weight_decay", o.weight_decay);
  if (o.nesterov && (o.momentum <= 0 || o.dampening != 0))
    throw ValueError("SGD: nesterov needs momentum and no dampening, got momentum " + std::to_string(o.momentum) +
                     " and dampening " + std::to_string(o.dampening));
}

}  // namespace

SGD::SGD(std::vector<Tensor> params, const SGDOptions& options) { add_param_group(std::move(params), options); }

void SGD::add_param_group(std::vector<Tensor> params, const SGDOptions& options) {
  check(options);
  add_group(Ref<detail::Group>::adopt(new SgdGroup(std::move(params), options)));
}

void SGD::update(detail::Group& group, const StepList& list, const StepClip& clip) {
  sgd_step(list, static_cast<SgdGroup&>(group).options, clip);
}

}  // namespace tapegrad::optim
