// RMSprop.
#include "tapegrad/nn/optim/rmsprop.h"

#include "tapegrad/ops/step_parts.h"

namespace tapegrad::optim {
namespace {

struct RmspropGroup final : detail::GroupWith<RMSpropOptions> {
  using GroupWith::GroupWith;
  std::array<bool, 3> kept_state() const override { return {true, options.momentum != 0, options.centered}; }
  void visit_options(const detail::OptionVisitor& visit) override {
    visit("lr", options.lr);
    visit("alpha", options.alpha);
    visit("eps", options.eps);
    visit("weight_decay", options.weight_decay);
    visit("momentum", options.momentum);
    visit("centered", options.centered);
    visit("maximize", options.maximize);
  }
};

}  // namespace

RMSprop::RMSprop(std::vector<Tensor> params, const RMSpropOptions& options) {
  add_param_group(std::move(params), options);
}

void RMSprop::add_param_group(std::vector<Tensor> params, const RMSpropOptions& options) {
  detail::check_not_negative(name(), "lr", options.lr);
  detail::check_not_negative(name(), "alpha", options.alpha);
  detail::check_not_negative(name(), "eps", options.eps);
  detail::check_not_negative(name(), "weight_decay", options.weight_decay);
  detail::check_not_negative(name(), "momentum", options.momentum);
  add_group(Ref<detail::Group>::adopt(new RmspropGroup(std::move(params), options)));
}

void RMSprop::update(detail::Group& group, const StepList& list, const StepClip& clip) {
  rmsprop_step(list, static_cast<RmspropGroup&>(group).options, clip);
}

}  // namespace tapegrad::optim
