// What all optimizers share: groups of parameters with options of their own, and zero_grad.
#pragma once

#include "tapegrad/autograd/state.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad::optim {

namespace detail {

// A parameter with the state its optimizer keeps for it.
struct Slot {
  Tensor param;
  Tensor first, second;  // momentum buffer, or first and second moment
  int64_t steps = 0;
};

// Heap memory of the optimizer that stays where it is, so that kept launches may read from it.
struct TAPEGRAD_API Group {
  explicit Group(std::vector<Tensor> params);
  virtual ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  void retain() { refs.increment(); }
  void release() {
    if (refs.decrement()) delete this;
  }

  RefCount refs;
  std::vector<Slot> slots;
  double* lr = nullptr;  // among the options of the derived type
};

template <class Options> struct GroupWith : Group {
  GroupWith(std::vector<Tensor> params, const Options& o) : Group(std::move(params)), options(o) { lr = &options.lr; }
  Options options;
};

}  // namespace detail

// A handle to a group: for (auto& group : optimizer.param_groups()) group.set_lr(0.1 * group.lr());
class TAPEGRAD_API ParamGroup {
 public:
  explicit ParamGroup(Ref<detail::Group> group) : group_(std::move(group)) {}
  std::vector<Tensor> params() const;
  double lr() const { return *group_->lr; }
  void set_lr(double lr) { *group_->lr = lr; }

 protected:
  Ref<detail::Group> group_;
};

// The same with all options: group.options().momentum = 0.8.
template <class Options> class ParamGroupOf : public ParamGroup {
 public:
  using ParamGroup::ParamGroup;
  Options& options() const { return static_cast<detail::GroupWith<Options>&>(*group_).options; }
};

// Parameters without a gradient are skipped by every step. ValueError: no parameters, a parameter twice, one that is not
// a leaf; DTypeError for one that is not floating.
class TAPEGRAD_API Optimizer {
 public:
  Optimizer() = default;
  virtual ~Optimizer();
  Optimizer(Optimizer&&) noexcept = default;
  Optimizer& operator=(Optimizer&&) noexcept = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // One update of all parameters from their gradients. When it throws, no parameter was changed.
  virtual void step() = 0;
  // Calls closure(), which recomputes gradients and returns the loss, then steps; returns that loss.
  template <class F>
    requires requires(F& f) { Tensor(f()); }
  Tensor step(F closure) {
    Tensor loss;
    {
      AutoGradMode recording(true);
      loss = closure();
    }
    step();
    return loss;
  }
  // Gradients to absent, or with false to zeros in the memory they have.
  void zero_grad(bool set_to_none = true);
  std::vector<ParamGroup> param_groups() const;

 protected:
  // Refuses a group whose parameters break the rules above; add_group takes one that has passed and is complete.
  void check_group(const char* op, const detail::Group& group) const;
  void add_group(Ref<detail::Group> group) { groups_.push_back(std::move(group)); }
  const std::vector<Ref<detail::Group>>& groups() const { return groups_; }
  template <class Options> std::vector<ParamGroupOf<Options>> groups_with() const {
    std::vector<ParamGroupOf<Options>> out;
    for (const Ref<detail::Group>& group : groups_) out.emplace_back(group);
    return out;
  }

 private:
  std::vector<Ref<detail::Group>> groups_;
};

}  // namespace tapegrad::optim
