// What all optimizers share.
#include "tapegrad/nn/optim/optimizer.h"

#include <unordered_set>

#include "tapegrad/nn/internal.h"

namespace tapegrad::optim {

detail::Group::Group(std::vector<Tensor> params) {
  slots.reserve(params.size());
  for (Tensor& p : params) slots.push_back({std::move(p), {}, {}});
}

detail::Group::~Group() = default;

std::vector<Tensor> ParamGroup::params() const {
  std::vector<Tensor> out;
  for (const detail::Slot& slot : group_->slots) out.push_back(slot.param);
  return out;
}

Optimizer::~Optimizer() = default;

void Optimizer::check_group(const char* op, const detail::Group& group) const {
  if (group.slots.empty()) throw ValueError(std::string(op) + ": the list of parameters must not be empty, got none");
  std::unordered_set<const TensorImpl*> seen;
  for (const Ref<detail::Group>& other : groups_) {
    for (const detail::Slot& slot : other->slots) seen.insert(slot.param.impl());
  }
  for (size_t i = 0; i < group.slots.size(); ++i) {
    const Tensor& p = group.slots[i].param;
    const std::string which = std::string(op) + ": parameter " + std::to_string(i);
    if (!p.defined()) throw ValueError(which + " must be defined, got an undefined tensor (Tensor())");
    if (!p.is_floating_point())
      throw DTypeError(which + " must be float32 or float64, got " + name_of(p.dtype()) + " of shape " +
                       to_string(p.sizes()));
    if (!p.is_leaf())
      throw ValueError(which + " must be a leaf, got the result of an operation, shape " + to_string(p.sizes()) +
                       " (optimize the tensor it was computed from)");
    if (!seen.insert(p.impl()).second)
      throw ValueError(which + " must appear once over all groups, got the tensor of shape " + to_string(p.sizes()) +
                       " again");
  }
}

void Optimizer::zero_grad(bool set_to_none) {
  for (const Ref<detail::Group>& group : groups_) {
    for (const detail::Slot& slot : group->slots) nn::clear_grad(slot.param, set_to_none);
  }
}

std::vector<ParamGroup> Optimizer::param_groups() const {
  std::vector<ParamGroup> out;
  for (const Ref<detail::Group>& group : groups_) out.emplace_back(group);
  return out;
}

}  // namespace tapegrad::optim
