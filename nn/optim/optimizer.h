// What all optimizers share: groups of parameters with options of their own, and zero_grad.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>

#include "tapegrad/autograd/state.h"
#include "tapegrad/core/ordered_dict.h"
#include "tapegrad/core/watch.h"

namespace tapegrad {
class StepList;
struct StepClip;
}  // namespace tapegrad

namespace tapegrad::optim {

namespace detail {

struct Clip;

// A parameter with the state its optimizer keeps for it.
struct Slot {
  Tensor param;
  Tensor state[3] = {};  // under the names of the optimizer's state_names(); undefined where it keeps none
};

// Sees, and may change, options as numbers; a switch is 0 or 1.
class OptionVisitor {
 public:
  using Fn = std::function<void(const char* name, double& value)>;
  explicit OptionVisitor(Fn fn) : fn_(std::move(fn)) {}
  void operator()(const char* name, double& value) const { fn_(name, value); }
  void operator()(const char* name, bool& value) const {
    double number = value;
    fn_(name, number);
    value = number != 0;
  }
  void operator()(const char* name, int64_t& value) const {
    auto number = static_cast<double>(value);
    fn_(name, number);
    value = static_cast<int64_t>(number);
  }

 private:
  Fn fn_;
};

// Heap memory of the optimizer that stays where it is, so that kept launches may read from it.
struct TAPEGRAD_API Group {
  explicit Group(std::vector<Tensor> params);
  virtual ~Group();
  virtual void visit_options(const OptionVisitor& visit) = 0;
  // Which of the optimizer's state_names() its options make it keep for every parameter.
  virtual std::array<bool, 3> kept_state() const = 0;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  void retain() { refs.increment(); }
  void release() {
    if (refs.decrement()) delete this;
  }

  RefCount refs;
  size_t of = 1;  // groups that its optimizer has
  std::vector<Slot> slots;
  std::vector<int64_t> steps;        // that each slot has taken
  std::vector<double> mu_products;   // NAdam's, of each slot; none for others
  std::optional<double> initial_lr;  // what lr was when a scheduler first took it over
  double* lr = nullptr;              // among the options of the derived type
  std::array<bool, 3> filled{};      // kept_state() as all slots have it
  std::vector<StepList> lists;       // of a step: the slots with gradients, by dtype
};

// Optimizers derive from it to say what their options are called.
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
  // AutogradError inside a capture: a replay would not do it again.
  void set_lr(double lr);
  // What lr was before the first scheduler changed it.
  double initial_lr() const { return group_->initial_lr.value_or(lr()); }
  // Any option as a number, by the name it has in state_dict(): "momentum", "beta1", ...; a switch is 0 or 1. ValueError for a
  // name that is none.
  bool has_option(const std::string& name) const;
  double option(const std::string& name) const;
  void set_option(const std::string& name, double value);
  // Whether both are handles to the same group.
  bool is_same(const ParamGroup& other) const { return group_.get() == other.group_.get(); }

 protected:
  friend class LRScheduler;
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

  // One update of all parameters from their gradients, one launch per group and dtype. When it throws, no parameter was changed.
  virtual void step();
  // Calls closure(), which recomputes gradients and returns the loss, then steps; returns that loss.
  template <class F>
    requires requires(F& f) { Tensor(f()); }
  Tensor step(F closure) {
    return step_with([&] { return Tensor(closure()); });
  }
  // Gradients to absent, or with false to zeros in the memory they have.
  void zero_grad(bool set_to_none = true);
  std::vector<ParamGroup> param_groups() const;

  // From here on step() works with g min(1, max_norm / (norm + 1e-6)) in place of g, norm being that of the gradients of all groups
  // as one vector: what nn::utils::clip_grad_norm_ before it would do, bit for bit, without a pass that writes gradients, so
  // grad() stays as it was. 0: no clipping. Not part of the state. ValueError: negative or NaN.
  void set_max_grad_norm(double max_norm);
  double max_grad_norm() const;
  // The norm of the gradients of the latest step that clipped, before it did, in a tensor of its own; undefined before the first.
  Tensor grad_norm() const;

  // What a later run needs to go on as if there had been no break: "param_groups.G.OPTION" (float64, a switch is 0 or 1), with
  // "param_groups.G.initial_lr" once there was a schedule, so that one made later begins at the same base, and for
  // parameter I, counted over all groups, "state.I.step" (int64) and "state.I.NAME", NAME as PyTorch calls it (exp_avg,
  // exp_avg_sq, momentum_buffer, ...). The state shares memory with the optimizer.
  virtual OrderedDict<std::string, Tensor> state_dict() const;
  // Copies it in. ValueError with every key that is missing or unexpected and every shape or dtype that differs; the
  // optimizer is then as it was.
  virtual void load_state_dict(const OrderedDict<std::string, Tensor>& dict);

 protected:
  // step(closure).
  virtual Tensor step_with(const std::function<Tensor()>& closure);
  virtual const char* name() const = 0;
  // What the slots' state is called, in order; null: nothing there.
  virtual std::array<const char*, 3> state_names() const = 0;
  // The update of the parameters in `list`, all of one dtype and with a gradient.
  virtual void update(detail::Group& group, const StepList& list, const StepClip& clip) = 0;
  // Makes the group's state and takes it in, unless its parameters break the rules above.
  void add_group(Ref<detail::Group> group);
  template <class Options> std::vector<ParamGroupOf<Options>> groups_with() const {
    std::vector<ParamGroupOf<Options>> out;
    for (const Ref<detail::Group>& group : groups_) out.emplace_back(group);
    return out;
  }

 private:
  void check_group(const detail::Group& group) const;
  // Zeros for what a slot of the group should keep and does not yet, all in one block of memory.
  static void fill_in(detail::Group& group);
  DType norm_dtype() const;
  StepClip measure_gradients() const;
  void note_kept();
  std::vector<Ref<detail::Group>> groups_;
  std::shared_ptr<detail::Clip> clip_;
};

namespace detail {
// ValueError naming the optimizer and the option.
TAPEGRAD_API void check_not_negative(const char* op, const char* option, double value);
TAPEGRAD_API void check_beta(const char* op, const char* option, double value);  // in [0, 1)
}  // namespace detail

}  // namespace tapegrad::optim
