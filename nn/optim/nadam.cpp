// NAdam and RAdam.
#include "tapegrad/nn/optim/nadam.h"

#include "tapegrad/ops/step_parts.h"

namespace tapegrad::optim {
namespace {

template <class Options> struct VariantGroup final : detail::GroupWith<Options> {
  using detail::GroupWith<Options>::GroupWith;
  std::array<bool, 3> kept_state() const override { return {true, true, false}; }
  void visit_options(const detail::OptionVisitor& visit) override {
    auto& o = this->options;
    visit("lr", o.lr);
    visit("beta1", o.betas.first);
    visit("beta2", o.betas.second);
    visit("eps", o.eps);
    visit("weight_decay", o.weight_decay);
    if constexpr (requires { o.momentum_decay; }) visit("momentum_decay", o.momentum_decay);
    visit("decoupled_weight_decay", o.decoupled_weight_decay);
    visit("maximize", o.maximize);
  }
};

template <class Options> void check(const char* op, const Options& o) {
  detail::check_not_negative(op, "lr", o.lr);
  detail::check_not_negative(op, "eps", o.eps);
  detail::check_not_negative(op, "weight_decay", o.weight_decay);
  if constexpr (requires { o.momentum_decay; }) detail::check_not_negative(op, "momentum_decay", o.momentum_decay);
  detail::check_beta(op, "betas.first", o.betas.first);
  detail::check_beta(op, "betas.second", o.betas.second);
}

}  // namespace

NAdam::NAdam(std::vector<Tensor> params, const NAdamOptions& options) { add_param_group(std::move(params), options); }

void NAdam::add_param_group(std::vector<Tensor> params, const NAdamOptions& options) {
  check(name(), options);
  auto group = Ref<detail::Group>::adopt(new VariantGroup<NAdamOptions>(std::move(params), options));
  group->mu_products.assign(group->slots.size(), 1);
  add_group(std::move(group));
}

void NAdam::update(detail::Group& group, const StepList& list, const StepClip& clip) {
  nadam_step(list, static_cast<VariantGroup<NAdamOptions>&>(group).options, group.steps.data(),
             group.mu_products.data(), clip);
}

RAdam::RAdam(std::vector<Tensor> params, const RAdamOptions& options) { add_param_group(std::move(params), options); }

void RAdam::add_param_group(std::vector<Tensor> params, const RAdamOptions& options) {
  check(name(), options);
  add_group(Ref<detail::Group>::adopt(new VariantGroup<RAdamOptions>(std::move(params), options)));
}

void RAdam::update(detail::Group& group, const StepList& list, const StepClip& clip) {
  radam_step(list, static_cast<VariantGroup<RAdamOptions>&>(group).options, clip);
}

}  // namespace tapegrad::optim
