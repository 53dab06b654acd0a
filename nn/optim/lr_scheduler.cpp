// What schedules of learning rates share, and those that put others together.
#include "tapegrad/nn/optim/lr_scheduler.h"

#include <algorithm>

#include "tapegrad/core/launch.h"
#include "tapegrad/nn/optim/named_state.h"

namespace tapegrad::optim {

LRScheduler::LRScheduler(std::vector<ParamGroup> groups) : groups_(std::move(groups)) {
  check_outside_capture();
  for (ParamGroup& group : groups_) {
    if (!group.group_->initial_lr) group.group_->initial_lr = group.lr();
    base_lrs_.push_back(group.initial_lr());
    last_lr_.push_back(group.lr());
  }
}

LRScheduler::~LRScheduler() = default;
LRScheduler::LRScheduler(LRScheduler&&) noexcept = default;
LRScheduler& LRScheduler::operator=(LRScheduler&&) noexcept = default;

void LRScheduler::check_outside_capture() {
  tapegrad::detail::check_host_read(
      "a schedule sets lr on the host, which a replay would not do again (step it between runs)");
}

void LRScheduler::go_to(int64_t epoch) {
  const int64_t before = std::exchange(last_epoch_, epoch);
  try {
    std::vector<double> lrs;
    for (size_t g = 0; g < groups_.size(); ++g) lrs.push_back(next_lr(g, groups_[g].lr()));
    set(lrs);
  } catch (...) {
    last_epoch_ = before;
    throw;
  }
}

void LRScheduler::set(const std::vector<double>& lrs) {
  for (size_t g = 0; g < groups_.size(); ++g) groups_[g].set_lr(lrs[g]);
  last_lr_ = lrs;
}

void LRScheduler::step() {
  check_outside_capture();
  go_to(last_epoch_ + 1);
}

void LRScheduler::restart() {
  check_outside_capture();
  for (size_t g = 0; g < groups_.size(); ++g) groups_[g].set_lr(base_lrs_[g]);
  begin();
}

void LRScheduler::set_initial_lr(size_t g, double lr) {
  groups_[g].group_->initial_lr = lr;
  base_lrs_[g] = lr;
}

void LRScheduler::check_positive(const char* option, int64_t value) const {
  if (value < 1)
    throw ValueError(std::string(name()) + ": " + option + " must be positive, got " + std::to_string(value));
}

std::vector<double> LRScheduler::spread(const char* option, const PerGroup& given) const {
  if (given.values.size() == groups_.size()) return given.values;
  if (given.values.size() != 1)
    throw ValueError(std::string(name()) + ": " + option + " must be one number or one for each group, got " +
                     std::to_string(given.values.size()) + " for " + std::to_string(groups_.size()) + " groups");
  return std::vector<double>(groups_.size(), given.values[0]);
}

void LRScheduler::visit(NamedState& state) {
  state("last_epoch", last_epoch_);
  state("base_lrs", base_lrs_);
  state("_last_lr", last_lr_);
}

OrderedDict<std::string, Tensor> LRScheduler::state_dict() const {
  return NamedState::written([this](NamedState& state) { const_cast<LRScheduler*>(this)->visit(state); });
}

void LRScheduler::load_state_dict(const OrderedDict<std::string, Tensor>& dict) {
  NamedState::read(name(), dict, [this](NamedState& state) { visit(state); });
}

namespace {

using Schedulers = std::vector<std::shared_ptr<LRScheduler>>;

const Schedulers& checked(const char* op, const Schedulers& schedulers) {
  if (schedulers.empty()) throw ValueError(std::string(op) + ": there must be a schedule, got none");
  for (const auto& scheduler : schedulers) {
    if (!scheduler) throw ValueError(std::string(op) + ": schedules must not be null, got one that is");
  }
  return schedulers;
}

[[noreturn]] void other_groups(const char* op, size_t i) {
  throw ValueError(std::string(op) + ": all schedules must be of the given optimizer, got schedule " +
                   std::to_string(i) + " of another, or of other groups");
}

bool have_same_groups(const std::vector<ParamGroup>& a, const std::vector<ParamGroup>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ParamGroup& x, const ParamGroup& y) { return x.is_same(y); });
}

}  // namespace

SequentialLR::SequentialLR(const Optimizer& optimizer, SchedulerList schedulers, std::vector<int64_t> milestones)
    : LRScheduler(optimizer),
      schedulers_(checked("SequentialLR", schedulers.list())),
      milestones_(std::move(milestones)) {
  for (size_t i = 0; i < schedulers_.size(); ++i) {
    if (!have_same_groups(groups_, schedulers_[i]->groups_)) other_groups(name(), i);
  }
  if (milestones_.size() + 1 != schedulers_.size())
    throw ValueError("SequentialLR: there must be one milestone less than schedules, got " +
                     std::to_string(milestones_.size()) + " and " + std::to_string(schedulers_.size()));
  for (size_t i = 0; i < milestones_.size(); ++i) {
    const int64_t before = i == 0 ? 0 : milestones_[i - 1];
    if (milestones_[i] <= before)
      throw ValueError("SequentialLR: milestones must rise, from above 0, got " + std::to_string(milestones_[i]) +
                       " after " + std::to_string(before));
  }
  restart();
}

void SequentialLR::begin() {
  schedulers_.front()->begin();
  last_epoch_ = 0;
  last_lr_ = schedulers_.front()->get_last_lr();
}

void SequentialLR::step() {
  const int64_t epoch = last_epoch_ + 1;
  const auto begun = std::upper_bound(milestones_.begin(), milestones_.end(), epoch) - milestones_.begin();
  LRScheduler& scheduler = *schedulers_[static_cast<size_t>(begun)];
  if (begun > 0 && milestones_[static_cast<size_t>(begun) - 1] == epoch) scheduler.restart();
  else scheduler.step();
  last_epoch_ = epoch;
  last_lr_ = scheduler.get_last_lr();
}

void SequentialLR::visit(NamedState& state) {
  LRScheduler::visit(state);
  state("_milestones", milestones_);
  for (size_t i = 0; i < schedulers_.size(); ++i)
    state.nested("_schedulers." + std::to_string(i) + ".", [&](NamedState& inner) { schedulers_[i]->visit(inner); });
}

ChainedScheduler::ChainedScheduler(SchedulerList schedulers)
    : LRScheduler(checked("ChainedScheduler", schedulers.list()).front()->groups_), schedulers_(schedulers.list()) {
  for (size_t i = 1; i < schedulers_.size(); ++i) {
    if (!have_same_groups(groups_, schedulers_[i]->groups_)) other_groups(name(), i);
  }
  last_epoch_ = 0;  // every schedule has begun when it was made
}

void ChainedScheduler::step() {
  check_outside_capture();
  for (const auto& scheduler : schedulers_) scheduler->step();
  ++last_epoch_;
  last_lr_ = schedulers_.back()->get_last_lr();
}

void ChainedScheduler::begin() {
  for (const auto& scheduler : schedulers_) scheduler->begin();
  last_epoch_ = 0;
  last_lr_ = schedulers_.back()->get_last_lr();
}

void ChainedScheduler::visit(NamedState& state) {
  LRScheduler::visit(state);
  for (size_t i = 0; i < schedulers_.size(); ++i)
    state.nested("_schedulers." + std::to_string(i) + ".", [&](NamedState& inner) { schedulers_[i]->visit(inner); });
}

}  // namespace tapegrad::optim
