// Adam and AdamW.
#include "tapegrad/nn/optim/adam.h"

#include "tapegrad/ops/step_parts.h"

namespace tapegrad::optim {
namespace {

template <bool kDecoupled> struct AdamGroup final : detail::GroupWith<AdamOptionsOf<kDecoupled>> {
  using detail::GroupWith<AdamOptionsOf<kDecoupled>>::GroupWith;
  std::array<bool, 3> kept_state() const override { return {true, true, this->options.amsgrad}; }
  void visit_options(const detail::OptionVisitor& visit) override {
    auto& o = this->options;
    visit("lr", o.lr);
    visit("beta1", o.betas.first);
    visit("beta2", o.betas.second);
    visit("eps", o.eps);
    visit("weight_decay", o.weight_decay);
    visit("amsgrad", o.amsgrad);
    visit("maximize", o.maximize);
  }
  AdamCorrections corrections;
};

}  // namespace

template <bool kDecoupled> AdamOf<kDecoupled>::AdamOf(std::vector<Tensor> params, const Options& options) {
  add_param_group(std::move(params), options);
}

template <bool kDecoupled>
void AdamOf<kDecoupled>::add_param_group(std::vector<Tensor> params, const Options& options) {
  detail::check_not_negative(name(), "lr", options.lr);
  detail::check_not_negative(name(), "eps", options.eps);
  detail::check_not_negative(name(), "weight_decay", options.weight_decay);
  detail::check_beta(name(), "betas.first", options.betas.first);
  detail::check_beta(name(), "betas.second", options.betas.second);
  add_group(Ref<detail::Group>::adopt(new AdamGroup<kDecoupled>(std::move(params), options)));
}

template <bool kDecoupled>
void AdamOf<kDecoupled>::update(detail::Group& group, const StepList& list, const StepClip& clip) {
  auto& own = static_cast<AdamGroup<kDecoupled>&>(group);
  adam_step(list, own.options, &own.corrections, clip);
}

template class AdamOf<false>;
template class AdamOf<true>;

}  // namespace tapegrad::optim
