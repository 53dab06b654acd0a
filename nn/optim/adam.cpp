// Adam.
#include "tapegrad/nn/optim/adam.h"

#include "tapegrad/core/copy.h"

namespace tapegrad::optim {
namespace {

struct AdamGroup final : detail::GroupWith<AdamOptions> {
  using GroupWith::GroupWith;
  AdamCorrections corrections;
};

void check(const AdamOptions& o) {
  const auto at_least_zero = [](const char* name, double value) {
    if (!(value >= 0))
      throw ValueError(std::string("Adam: ") + name + " must not be negative, got " + std::to_string(value));
  };
  at_least_zero("lr", o.lr);
  at_least_zero("eps", o.eps);
  at_least_zero("weight_decay", o.weight_decay);
  for (double beta : {o.betas.first, o.betas.second}) {
    if (!(beta >= 0 && beta < 1))
      throw ValueError("Adam: betas must be in [0, 1), got " + std::to_string(o.betas.first) + " and " +
                       std::to_string(o.betas.second));
  }
}

}  // namespace

Adam::Adam(std::vector<Tensor> params, const AdamOptions& options) { add_param_group(std::move(params), options); }

void Adam::add_param_group(std::vector<Tensor> params, const AdamOptions& options) {
  check(options);
  auto group = Ref<AdamGroup>::adopt(new AdamGroup(std::move(params), options));
  check_group("Adam", *group);
  for (detail::Slot& slot : group->slots) {
    slot.first = filled_tensor(slot.param.sizes(), slot.param.dtype(), 0);
    slot.second = filled_tensor(slot.param.sizes(), slot.param.dtype(), 0);
  }
  add_group(Ref<detail::Group>::share(group.get()));
}

void Adam::step() {
  for (const Ref<detail::Group>& group : groups()) {
    for (const detail::Slot& slot : group->slots) {
      const Tensor& g = slot.param.grad();
      if (g.defined()) check_step("Adam", slot.param, g, slot.first);
    }
  }
  for (const Ref<detail::Group>& ref : groups()) {
    auto& group = static_cast<AdamGroup&>(*ref);
    for (detail::Slot& slot : group.slots) {
      const Tensor& g = slot.param.grad();
      if (g.defined())
        adam_step(slot.param, g, slot.first, slot.second, group.options, &slot.steps, &group.corrections);
    }
  }
}

}  // namespace tapegrad::optim
