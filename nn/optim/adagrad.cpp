// Adagrad.
#include "tapegrad/nn/optim/adagrad.h"

#include "tapegrad/core/copy.h"
#include "tapegrad/ops/step_parts.h"

namespace tapegrad::optim {
namespace {

struct AdagradGroup final : detail::GroupWith<AdagradOptions> {
  using GroupWith::GroupWith;
  std::array<bool, 3> kept_state() const override { return {true, false, false}; }
  void visit_options(const detail::OptionVisitor& visit) override {
    visit("lr", options.lr);
    visit("lr_decay", options.lr_decay);
    visit("weight_decay", options.weight_decay);
    visit("initial_accumulator_value", options.initial_accumulator_value);
    visit("eps", options.eps);
    visit("maximize", options.maximize);
  }
};

}  // namespace

Adagrad::Adagrad(std::vector<Tensor> params, const AdagradOptions& options) {
  add_param_group(std::move(params), options);
}

void Adagrad::add_param_group(std::vector<Tensor> params, const AdagradOptions& options) {
  detail::check_not_negative(name(), "lr", options.lr);
  detail::check_not_negative(name(), "lr_decay", options.lr_decay);
  detail::check_not_negative(name(), "weight_decay", options.weight_decay);
  detail::check_not_negative(name(), "initial_accumulator_value", options.initial_accumulator_value);
  detail::check_not_negative(name(), "eps", options.eps);
  auto group = Ref<detail::Group>::adopt(new AdagradGroup(std::move(params), options));
  add_group(group);
  for (detail::Slot& slot : group->slots) fill(slot.state[0], options.initial_accumulator_value);
}

void Adagrad::update(detail::Group& group, const StepList& list, const StepClip& clip) {
  adagrad_step(list, static_cast<AdagradGroup&>(group).options, clip);
}

}  // namespace tapegrad::optim
