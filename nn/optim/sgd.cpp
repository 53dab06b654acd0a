// Stochastic gradient descent.
#include "tapegrad/nn/optim/sgd.h"

#include "tapegrad/core/copy.h"

namespace tapegrad::optim {
namespace {

using SgdGroup = detail::GroupWith<SGDOptions>;

void check(const SGDOptions& o) {
  const auto at_least_zero = [](const char* name, double value) {
    if (!(value >= 0))
      throw ValueError(std::string("SGD: ") + name + " must not be negative, got " + std::to_string(value));
  };
  at_least_zero("lr", o.lr);
  at_least_zero("momentum", o.momentum);
  at_least_zero("weight_decay", o.weight_decay);
  if (o.nesterov && (o.momentum <= 0 || o.dampening != 0))
    throw ValueError("SGD: nesterov needs momentum and no dampening, got momentum " + std::to_string(o.momentum) +
                     " and dampening " + std::to_string(o.dampening));
}

void make_buffer(detail::Slot& slot) {
  slot.first = filled_tensor(slot.param.sizes(), slot.param.dtype(), 0);
  slot.steps = 0;
}

}  // namespace

SGD::SGD(std::vector<Tensor> params, const SGDOptions& options) { add_param_group(std::move(params), options); }

void SGD::add_param_group(std::vector<Tensor> params, const SGDOptions& options) {
  check(options);
  auto group = Ref<SgdGroup>::adopt(new SgdGroup(std::move(params), options));
  check_group("SGD", *group);
  if (options.momentum != 0) {
    for (detail::Slot& slot : group->slots) make_buffer(slot);
  }
  add_group(Ref<detail::Group>::share(group.get()));
}

void SGD::step() {
  for (const Ref<detail::Group>& group : groups()) {
    const bool momentum = static_cast<SgdGroup&>(*group).options.momentum != 0;
    for (detail::Slot& slot : group->slots) {
      const Tensor& g = slot.param.grad();
      if (!g.defined()) continue;
      if (momentum && !slot.first.defined()) make_buffer(slot);  // momentum was turned on later
      check_step("SGD", slot.param, g, slot.first);
    }
  }
  for (const Ref<detail::Group>& group : groups()) {
    const SGDOptions& options = static_cast<SgdGroup&>(*group).options;
    for (detail::Slot& slot : group->slots) {
      const Tensor& g = slot.param.grad();
      if (g.defined()) sgd_step(slot.param, g, slot.first, options, &slot.steps);
    }
  }
}

}  // namespace tapegrad::optim
