// Schedules of learning rates: what they share, and those that put others together.
#pragma once

#include <memory>

#include "tapegrad/nn/optim/optimizer.h"

namespace tapegrad::optim {

class NamedState;

// One number for all groups of an optimizer, or one for each.
struct PerGroup {
  PerGroup(double value) : values{value} {}
  PerGroup(std::initializer_list<double> v) : values(v) {}
  PerGroup(std::vector<double> v) : values(std::move(v)) {}
  std::vector<double> values;
};

// Sets lr, and says by what rule, for the groups that the optimizer has when the schedule is made; epoch 0 begins there and then.
// step() comes after the optimizer's, between the runs of a captured program. The rules are PyTorch's: most go from the present lr
// to the next, so that several schedules of one optimizer multiply. base: lr before the first schedule of the optimizer changed it.
class TAPEGRAD_API LRScheduler {
 public:
  virtual ~LRScheduler();
  LRScheduler(const LRScheduler&) = delete;
  LRScheduler& operator=(const LRScheduler&) = delete;

  // One epoch on. AutogradError inside a capture. When it throws, nothing was changed, but by schedules that a chain had stepped before.
  virtual void step();
  // Back to epoch 0, with lr from base.
  void restart();
  // Of each group, as this schedule set it last.
  std::vector<double> get_last_lr() const { return last_lr_; }
  int64_t last_epoch() const { return last_epoch_; }

  // The options, the epoch and lr of every group. What lr is now belongs to the optimizer and its state.
  OrderedDict<std::string, Tensor> state_dict() const;
  // ValueError with every key that is missing or unexpected and what differs; the schedule is then as it was.
  void load_state_dict(const OrderedDict<std::string, Tensor>& dict);

 protected:
  explicit LRScheduler(const Optimizer& optimizer) : LRScheduler(optimizer.param_groups()) {}
  explicit LRScheduler(std::vector<ParamGroup> groups);
  LRScheduler(LRScheduler&&) noexcept;
  LRScheduler& operator=(LRScheduler&&) noexcept;

  virtual const char* name() const = 0;
  // lr of group g at last_epoch(), from what it is now.
  virtual double next_lr(size_t g, double lr) const = 0;
  // Names the members that a state holds.
  virtual void visit(NamedState& state);
  // Sets what the epoch asks for; constructors end with go_to(0).
  virtual void set(const std::vector<double>& lrs);
  // Sets what comes of epoch 0, from the present lr.
  virtual void begin() { go_to(0); }
  void go_to(int64_t epoch);
  // ValueError unless it is above 0.
  void check_positive(const char* option, int64_t value) const;
  // One for each group. ValueError for another number of them.
  std::vector<double> spread(const char* option, const PerGroup& values) const;
  // As if the group had begun with this lr.
  void set_initial_lr(size_t g, double lr);
  static void check_outside_capture();

  friend class SequentialLR;
  friend class ChainedScheduler;
  std::vector<ParamGroup> groups_;
  std::vector<double> base_lrs_, last_lr_;
  int64_t last_epoch_ = -1;
};

// Schedules to be put together: {optim::LinearLR(optimizer), optim::CosineAnnealingLR(optimizer, 90)}.
class SchedulerList {
 public:
  template <class... S>
    requires(std::is_base_of_v<LRScheduler, S>&&...)
  SchedulerList(S... schedulers) { (list_.push_back(std::make_shared<S>(std::move(schedulers))), ...); }
  SchedulerList(std::vector<std::shared_ptr<LRScheduler>> schedulers) : list_(std::move(schedulers)) {}
  const std::vector<std::shared_ptr<LRScheduler>>& list() const { return list_; }

 private:
  std::vector<std::shared_ptr<LRScheduler>> list_;
};

// One schedule after the other: schedules[i + 1] begins, at its epoch 0 and from base, in epoch milestones[i]. Warm-up, for one.
// ValueError: not one milestone less than schedules, milestones that do not rise from above 0, schedules of other groups.
class TAPEGRAD_API SequentialLR final : public LRScheduler {
 public:
  SequentialLR(const Optimizer& optimizer, SchedulerList schedulers, std::vector<int64_t> milestones);
  void step() override;

 private:
  const char* name() const override { return "SequentialLR"; }
  double next_lr(size_t, double lr) const override { return lr; }
  void begin() override;
  void visit(NamedState& state) override;
  std::vector<std::shared_ptr<LRScheduler>> schedulers_;
  std::vector<int64_t> milestones_;
};

// All of them at once, one after the other in every step: their factors multiply. ValueError: none, schedules of other groups.
class TAPEGRAD_API ChainedScheduler final : public LRScheduler {
 public:
  explicit ChainedScheduler(SchedulerList schedulers);
  void step() override;

 private:
  const char* name() const override { return "ChainedScheduler"; }
  double next_lr(size_t, double lr) const override { return lr; }
  void begin() override;
  void visit(NamedState& state) override;
  std::vector<std::shared_ptr<LRScheduler>> schedulers_;
};

}  // namespace tapegrad::optim
