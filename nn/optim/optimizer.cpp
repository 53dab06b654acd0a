// What all optimizers share.
#include "tapegrad/nn/optim/optimizer.h"

#include <algorithm>
#include <unordered_set>

#include "tapegrad/autograd/replay/recorder.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/step_parts.h"

namespace tapegrad::optim {

// What clipping keeps where kept launches find it.
struct detail::Clip {
  double max_norm = 0;
  Tensor norm;
  FlatList gradients;  // of a step
};

detail::Group::Group(std::vector<Tensor> params) : steps(params.size()) {
  slots.reserve(params.size());
  for (Tensor& p : params) slots.push_back({std::move(p)});
}

detail::Group::~Group() = default;

std::vector<Tensor> ParamGroup::params() const {
  std::vector<Tensor> out;
  for (const detail::Slot& slot : group_->slots) out.push_back(slot.param);
  return out;
}

void ParamGroup::set_lr(double lr) {
  tapegrad::detail::check_host_read(
      "set_lr() sets a number on the host, which a replay would not do again (set it between runs)");
  *group_->lr = lr;
}

bool ParamGroup::has_option(const std::string& name) const {
  bool found = false;
  group_->visit_options(detail::OptionVisitor([&](const char* option, double&) { found |= name == option; }));
  return found;
}

double ParamGroup::option(const std::string& name) const {
  std::optional<double> found;
  std::string known;
  group_->visit_options(detail::OptionVisitor([&](const char* option, double& value) {
    if (name == option) found = value;
    known += std::string(known.empty() ? "" : ", ") + option;
  }));
  if (!found) throw ValueError("option: the name must be one of [" + known + "], got \"" + name + "\"");
  return *found;
}

void ParamGroup::set_option(const std::string& name, double value) {
  tapegrad::detail::check_host_read(
      "set_option() sets a number on the host, which a replay would not do again (set it between runs)");
  (void)option(name);
  group_->visit_options(detail::OptionVisitor([&](const char* option, double& current) {
    if (name == option) current = value;
  }));
}

Optimizer::~Optimizer() = default;

Tensor Optimizer::step_with(const std::function<Tensor()>& closure) {
  Tensor loss;
  {
    AutoGradMode recording(true);
    loss = closure();
  }
  step();
  return loss;
}

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

namespace {

// A slot's state in elements, so that each starts a cache line.
int64_t padded(const Tensor& p) {
  const int64_t line = 64 / p.element_size();
  return (p.numel() + line - 1) / line * line;
}

}  // namespace

void Optimizer::fill_in(detail::Group& group) {
  const std::array<bool, 3> kept = group.kept_state();
  if (kept == group.filled) return;
  // fn(slot, k) for every state that is missing.
  const auto for_missing = [&](DType dtype, const auto& fn) {
    for (size_t k = 0; k < kept.size(); ++k) {
      for (detail::Slot& slot : group.slots) {
        if (kept[k] && slot.param.dtype() == dtype && !slot.state[k].defined()) fn(slot, k);
      }
    }
  };
  for (const DType dtype : {kFloat32, kFloat64}) {
    int64_t total = 0, offset = 0;
    bool any = false;  // one without elements has a state too, without elements
    for_missing(dtype, [&](detail::Slot& slot, size_t) {
      any = true;
      total += padded(slot.param);
    });
    if (!any) continue;
    const Tensor flat = filled_tensor(total, dtype, 0);
    for_missing(dtype, [&](detail::Slot& slot, size_t k) {
      const Shape& sizes = slot.param.sizes();
      slot.state[k] = alias(flat, sizes, contiguous_strides(sizes), offset);
      offset += padded(slot.param);
    });
  }
  group.filled = kept;
}

void Optimizer::add_group(Ref<detail::Group> group) {
  check_group(*group);
  fill_in(*group);
  groups_.push_back(std::move(group));
  for (const Ref<detail::Group>& each : groups_) each->of = groups_.size();
  if (clip_ && clip_->norm.defined()) clip_->norm = converted(clip_->norm, norm_dtype());
  if (!keeping()) return;
  // An optimizer of the captured step's own starts anew at every run.
  launch("restart", LaunchKind::other, {}, {}, [restarted = groups_.back()] {
    std::fill(restarted->steps.begin(), restarted->steps.end(), 0);
    std::fill(restarted->mu_products.begin(), restarted->mu_products.end(), 1);
  });
}

namespace {

// A captured step has the state of its capture at hand, and no other.
void note_kept_state(const char* op, const Ref<detail::Group>& group) {
  autograd::replay::note_guard(
      {group.get(), [group, kept = group->kept_state()] { return group->kept_state() == kept; },
       std::string("an option of ") + op + " that decides which state is kept (momentum, amsgrad, centered) was set"});
  autograd::replay::note_guard({&group->of, [group, of = group->of] { return group->of == of; },
                                std::string("a group of parameters was added to ") + op});
}

// For the length of a step: says what its launches are for.
class StepScope {
 public:
  template <class Name>
  explicit StepScope(const Name& name)
      : outer_(std::exchange(tapegrad::detail::phase, LaunchPhase::optimizer)), scope_("optimizer", name) {}
  // Inlined, gcc 12 drops the store on the way out of a step that throws.
  [[gnu::noinline]] ~StepScope() { tapegrad::detail::phase = outer_; }
  StepScope(const StepScope&) = delete;
  StepScope& operator=(const StepScope&) = delete;

 private:
  LaunchPhase outer_;
  tapegrad::detail::ObservedScope scope_;
};

StepList& list_of(detail::Group& group, DType dtype) {
  for (StepList& list : group.lists) {
    if (list.dtype() == dtype) return list;
  }
  group.lists.emplace_back(dtype).clear(group.filled);
  return group.lists.back();
}

// Refuses gradients and state that do not fit.
void list_gradients(const char* name, detail::Group& group) {
  for (StepList& list : group.lists) list.clear(group.filled);
  StepList* list = nullptr;
  for (size_t i = 0; i < group.slots.size(); ++i) {
    const detail::Slot& slot = group.slots[i];
    const autograd::GradMeta* meta = slot.param.impl()->meta;
    if (!meta || !meta->grad.defined()) continue;
    check_step(name, slot.param, meta->grad, slot.state, group.filled);
    const DType dtype = slot.param.impl()->dtype;
    if (!list || list->dtype() != dtype) list = &list_of(group, dtype);
    list->add(slot.param, meta->grad, slot.state, &group.steps[i]);
  }
}

}  // namespace

// Launches kept now read what belongs to the optimizer again later.
void Optimizer::note_kept() {
  LaunchList* const list = keeping();
  if (!clip_) clip_ = std::make_shared<detail::Clip>();
  list->hold(clip_);
  for (const Ref<detail::Group>& group : groups_) {
    list->hold(std::make_shared<Ref<detail::Group>>(group));
    list->note_host(group->steps.data(), group->steps.size() * sizeof(int64_t));
    if (!group->mu_products.empty())
      list->note_host(group->mu_products.data(), group->mu_products.size() * sizeof(double));
    if (autograd::state().recorder) note_kept_state(name(), group);
  }
  if (!autograd::state().recorder) return;
  autograd::replay::note_guard({clip_.get(),
                                [clip = clip_, on = clip_->max_norm > 0] { return (clip->max_norm > 0) == on; },
                                std::string("clipping in ") + name() + " was switched on or off (set_max_grad_norm)"});
}

// The widest of the parameters.
DType Optimizer::norm_dtype() const {
  for (const Ref<detail::Group>& group : groups_) {
    for (const detail::Slot& slot : group->slots) {
      if (slot.param.dtype() == kFloat64) return kFloat64;
    }
  }
  return kFloat32;
}

StepClip Optimizer::measure_gradients() const {
  if (!(max_grad_norm() > 0)) return {};
  FlatList& gradients = clip_->gradients;
  gradients.clear();
  for (const Ref<detail::Group>& group : groups_) {
    for (const StepList& list : group->lists) list.for_each_gradient([&](const Tensor& g) { gradients.add(g); });
  }
  if (!clip_->norm.defined()) clip_->norm = new_tensor(IntArrayRef(), norm_dtype());
  flat_norm(gradients, 2, clip_->norm);
  return {clip_->norm, ClipFactor(clip_->norm, 0, &clip_->max_norm)};
}

void Optimizer::step() {
  const StepScope scope([&] { return std::string(name()) + ".step"; });
  for (const Ref<detail::Group>& group : groups_) {
    fill_in(*group);
    list_gradients(name(), *group);
  }
  if (keeping()) [[unlikely]]
    note_kept();
  const StepClip clip = measure_gradients();
  for (const Ref<detail::Group>& group : groups_) {
    for (StepList& list : group->lists) {
      if (list.empty()) continue;
      update(*group, list, clip);
      list.finish();
    }
  }
}

void Optimizer::set_max_grad_norm(double max_norm) {
  detail::check_not_negative(name(), "max_grad_norm", max_norm);
  if (!clip_) clip_ = std::make_shared<detail::Clip>();
  clip_->max_norm = max_norm;
}

double Optimizer::max_grad_norm() const { return clip_ ? clip_->max_norm : 0; }

Tensor Optimizer::grad_norm() const { return clip_ && clip_->norm.defined() ? clone_of(clip_->norm) : Tensor(); }

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
