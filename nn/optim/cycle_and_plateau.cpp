// OneCycleLR, which moves momentum too, and ReduceLROnPlateau, which is led by a metric.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "tapegrad/nn/optim/named_state.h"
#include "tapegrad/nn/optim/schedules.h"

namespace tapegrad::optim {
namespace {

[[noreturn]] void bad_choice(const char* op, const char* option, const std::string& known, const std::string& got) {
  throw ValueError(std::string(op) + ": " + option + " must be " + known + ", got \"" + got + "\"");
}

int64_t steps_in(const OneCycleLROptions& o) {
  int64_t steps = 0;
  if (o.total_steps) {
    steps = *o.total_steps;
  } else if (o.epochs && o.steps_per_epoch) {
    if (*o.epochs < 1 || *o.steps_per_epoch < 1 || __builtin_mul_overflow(*o.epochs, *o.steps_per_epoch, &steps))
      throw ValueError("OneCycleLR: epochs and steps_per_epoch must be positive, their product below 2^63, got " +
                       std::to_string(*o.epochs) + " and " + std::to_string(*o.steps_per_epoch));
  } else {
    throw ValueError("OneCycleLR: total_steps must be given, or epochs and steps_per_epoch, got neither");
  }
  if (steps < 1) throw ValueError("OneCycleLR: the number of steps must be positive, got " + std::to_string(steps));
  return steps;
}

}  // namespace

OneCycleLR::OneCycleLR(const Optimizer& optimizer, PerGroup max_lr, const OneCycleLROptions& o)
    : LRScheduler(optimizer),
      highest_(spread("max_lr", max_lr)),
      base_momentum_(spread("base_momentum", o.base_momentum)),
      max_momentum_(spread("max_momentum", o.max_momentum)),
      total_steps_(steps_in(o)),
      pct_start_(o.pct_start),
      div_factor_(o.div_factor),
      final_div_factor_(o.final_div_factor),
      linear_(o.anneal_strategy == "linear"),
      cycles_momentum_(o.cycle_momentum),
      three_phase_(o.three_phase) {
  if (!(pct_start_ >= 0 && pct_start_ <= 1))
    throw ValueError("OneCycleLR: pct_start must lie in [0, 1], got " + std::to_string(pct_start_));
  if (!linear_ && o.anneal_strategy != "cos")
    bad_choice(name(), "anneal_strategy", "\"cos\" or \"linear\"", o.anneal_strategy);
  for (size_t g = 0; cycles_momentum_ && g < groups_.size(); ++g) {
    if (!momentum_name(g))
      throw ValueError(
          "OneCycleLR: cycle_momentum needs an optimizer with momentum or betas, got one without (set cycle_momentum = "
          "false)");
  }
  for (size_t g = 0; g < groups_.size(); ++g) set_initial_lr(g, highest_[g] / div_factor_);
  go_to(0);
}

const char* OneCycleLR::momentum_name(size_t g) const {
  if (groups_[g].has_option("beta1")) return "beta1";
  return groups_[g].has_option("momentum") ? "momentum" : nullptr;
}

std::vector<OneCycleLR::Phase> OneCycleLR::phases() const {
  const auto total = static_cast<double>(total_steps_);
  const double up = pct_start_ * total - 1;
  if (three_phase_) return {{up, 0, 1}, {2 * pct_start_ * total - 2, 1, 0}, {total - 1, 0, 2}};
  return {{up, 0, 1}, {total - 1, 1, 2}};
}

template <class Level> double OneCycleLR::between(const Level& level) const {
  const std::vector<Phase> all = phases();
  const auto t = static_cast<double>(last_epoch_);
  double start = 0;
  size_t i = 0;
  for (; i + 1 < all.size() && t > all[i].end; ++i) start = all[i].end;
  const double span = all[i].end - start, share = span == 0 ? 1 : (t - start) / span;
  const double from = level(all[i].from), to = level(all[i].to);
  return linear_ ? (to - from) * share + from : to + (from - to) / 2 * (std::cos(std::numbers::pi * share) + 1);
}

double OneCycleLR::next_lr(size_t g, double) const {
  if (last_epoch_ > total_steps_)
    throw ValueError("OneCycleLR: step must be called at most " + std::to_string(total_steps_) + " times, got step " +
                     std::to_string(last_epoch_));
  const double first = highest_[g] / div_factor_;
  return between([&](int level) { return level == 0 ? first : level == 1 ? highest_[g] : first / final_div_factor_; });
}

void OneCycleLR::set(const std::vector<double>& lrs) {
  LRScheduler::set(lrs);
  for (size_t g = 0; cycles_momentum_ && g < groups_.size(); ++g)
    groups_[g].set_option(momentum_name(g),
                          between([&](int level) { return level == 1 ? base_momentum_[g] : max_momentum_[g]; }));
}

void OneCycleLR::visit(NamedState& state) {
  LRScheduler::visit(state);
  state("max_lr", highest_);
  state("base_momentum", base_momentum_);
  state("max_momentum", max_momentum_);
  state("total_steps", total_steps_);
  state("pct_start", pct_start_);
  state("div_factor", div_factor_);
  state("final_div_factor", final_div_factor_);
  state("linear", linear_);
  state("cycle_momentum", cycles_momentum_);
  state("three_phase", three_phase_);
}

ReduceLROnPlateau::ReduceLROnPlateau(const Optimizer& optimizer, const ReduceLROnPlateauOptions& o)
    : groups_(optimizer.param_groups()),
      upwards_(o.mode == "max"),
      relative_(o.threshold_mode == "rel"),
      factor_(o.factor),
      threshold_(o.threshold),
      eps_(o.eps),
      best_(upwards_ ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity()),
      patience_(o.patience),
      cooldown_(o.cooldown),
      lowest_(o.min_lr.values) {
  constexpr const char* name = "ReduceLROnPlateau";
  if (!(factor_ < 1)) throw ValueError("ReduceLROnPlateau: factor must be below 1, got " + std::to_string(factor_));
  if (!upwards_ && o.mode != "min") bad_choice(name, "mode", "\"min\" or \"max\"", o.mode);
  if (!relative_ && o.threshold_mode != "abs")
    bad_choice(name, "threshold_mode", "\"rel\" or \"abs\"", o.threshold_mode);
  if (lowest_.size() != 1 && lowest_.size() != groups_.size())
    throw ValueError("ReduceLROnPlateau: min_lr must be one number or one for each group, got " +
                     std::to_string(lowest_.size()) + " for " + std::to_string(groups_.size()) + " groups");
  if (lowest_.size() != groups_.size()) lowest_.assign(groups_.size(), lowest_[0]);
  for (const ParamGroup& group : groups_) last_lr_.push_back(group.lr());
}

bool ReduceLROnPlateau::is_better(double value) const {
  const double bound =
      relative_ ? best_ * (upwards_ ? 1 + threshold_ : 1 - threshold_) : best_ + (upwards_ ? threshold_ : -threshold_);
  return upwards_ ? value > bound : value < bound;
}

void ReduceLROnPlateau::step(double metrics) {
  tapegrad::detail::check_host_read(
      "a schedule sets lr on the host, which a replay would not do again (step it between runs)");
  ++last_epoch_;
  if (is_better(metrics)) {
    best_ = metrics;
    bad_epochs_ = 0;
  } else {
    ++bad_epochs_;
  }
  if (cooldown_counter_ > 0) {
    --cooldown_counter_;
    bad_epochs_ = 0;
  }
  if (bad_epochs_ > patience_) {
    for (size_t g = 0; g < groups_.size(); ++g) {
      const double lr = groups_[g].lr(), lower = std::max(lr * factor_, lowest_[g]);
      if (lr - lower > eps_) groups_[g].set_lr(lower);
    }
    cooldown_counter_ = cooldown_;
    bad_epochs_ = 0;
  }
  for (size_t g = 0; g < groups_.size(); ++g) last_lr_[g] = groups_[g].lr();
}

void ReduceLROnPlateau::visit(NamedState& state) {
  state("last_epoch", last_epoch_);
  state("best", best_);
  state("num_bad_epochs", bad_epochs_);
  state("cooldown_counter", cooldown_counter_);
  state("_last_lr", last_lr_);
  state("factor", factor_);
  state("patience", patience_);
  state("threshold", threshold_);
  state("cooldown", cooldown_);
  state("min_lrs", lowest_);
  state("eps", eps_);
}

OrderedDict<std::string, Tensor> ReduceLROnPlateau::state_dict() const {
  return NamedState::written([this](NamedState& state) { const_cast<ReduceLROnPlateau*>(this)->visit(state); });
}

void ReduceLROnPlateau::load_state_dict(const OrderedDict<std::string, Tensor>& dict) {
  NamedState::read("ReduceLROnPlateau", dict, [this](NamedState& state) { visit(state); });
}

}  // namespace tapegrad::optim
