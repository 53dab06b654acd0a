// What all optimizers share.
#include "tapegrad/nn/optim/optimizer.h"

#include <unordered_set>

#include "tapegrad/autograd/replay/recorder.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/optim_step.h"

namespace tapegrad::optim {

detail::Group::Group(std::vector<Tensor> params) {
  slots.reserve(params.size());
  for (Tensor& p : params) slots.push_back({std::move(p), {}});
}

detail::Group::~Group() = default;

std::vector<Tensor> ParamGroup::params() const {
  std::vector<Tensor> out;
  for (const detail::Slot& slot : group_->slots) out.push_back(slot.param);
  return out;
}

Optimizer::~Optimizer() = default;

void Optimizer::check_group(const detail::Group& group) const {
  const char* op = name();
  if (group.slots.empty()) throw ValueError(std::string(op) + ": the list of parameters must not be empty, got none");
  std::unordered_set<const TensorImpl*> seen;
  for (const Ref<detail::Group>& other : groups_) {
    for (const detail::Slot& slot : other->slots) seen.insert(slot.param.impl());
  }
  for (size_t i = 0; i < group.slots.size(); ++i) {
    const Tensor& p = group.slots[i].param;
    const std::string which = std::string(op) + ": parameter " + std::to_string(i);
    if (!p.defined()) throw ValueError(which + " must be defined, got an undefined tensor (Tensor())");
    if (p.dtype() == kBFloat16)
      throw DTypeError(which + " must be float32 or float64, got bfloat16 of shape " + to_string(p.sizes()) +
                       " (keep parameters in float32 and use AutocastGuard, which multiplies in bfloat16)");
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

void Optimizer::fill_in(detail::Group& group) const {
  const std::array<bool, 3> kept = group.kept_state();
  for (detail::Slot& slot : group.slots) {
    for (size_t k = 0; k < kept.size(); ++k) {
      if (kept[k] && !slot.state[k].defined()) slot.state[k] = filled_tensor(slot.param.sizes(), slot.param.dtype(), 0);
    }
  }
}

void Optimizer::add_group(Ref<detail::Group> group) {
  check_group(*group);
  fill_in(*group);
  groups_.push_back(std::move(group));
}

namespace {

// A captured step has the state of its capture at hand, and no other.
void note_kept_state(const char* op, const Ref<detail::Group>& group) {
  if (!autograd::state().recorder) return;
  autograd::replay::note_guard(
      {group.get(), [group, kept = group->kept_state()] { return group->kept_state() == kept; },
       std::string("an option of ") + op + " that decides which state is kept (momentum, amsgrad, centered) was set"});
}

}  // namespace

Optimizer::StepScope::StepScope(const Optimizer& optimizer)
    : outer_(std::exchange(tapegrad::detail::phase, LaunchPhase::optimizer)),
      scope_("optimizer", [&] { return std::string(optimizer.name()) + ".step"; }) {}
Optimizer::StepScope::~StepScope() { tapegrad::detail::phase = outer_; }

Optimizer::StepScope Optimizer::prepare_step() {
  for (const Ref<detail::Group>& group : groups_) {
    fill_in(*group);
    for_each_gradient(*group, [&](detail::Slot& slot, const Tensor& g) {
      for (const Tensor& state : slot.state) check_step(name(), slot.param, g, state);
    });
    if (LaunchList* list = keeping()) {
      list->hold(std::make_shared<Ref<detail::Group>>(group));
      note_kept_state(name(), group);
      for (detail::Slot& slot : group->slots) list->note_host(&slot.steps, sizeof slot.steps);
    }
  }
  return StepScope(*this);
}

void Optimizer::zero_grad(bool set_to_none) {
  for (const Ref<detail::Group>& group : groups_) {
    for (const detail::Slot& slot : group->slots) nn::clear_grad(slot.param, set_to_none);
  }
}

namespace detail {

void check_not_negative(const char* op, const char* option, double value) {
  if (!(value >= 0))
    throw ValueError(std::string(op) + ": " + option + " must be a number that is not negative, got " +
                     std::to_string(value));
}

void check_beta(const char* op, const char* option, double value) {
  if (!(value >= 0 && value < 1))
    throw ValueError(std::string(op) + ": " + option + " must be in [0, 1), got " + std::to_string(value));
}

}  // namespace detail

std::vector<ParamGroup> Optimizer::param_groups() const {
  std::vector<ParamGroup> out;
  for (const Ref<detail::Group>& group : groups_) out.emplace_back(group);
  return out;
}

}  // namespace tapegrad::optim
