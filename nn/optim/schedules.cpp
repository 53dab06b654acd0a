// The schedules of learning rates by name.
#include "tapegrad/nn/optim/schedules.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "tapegrad/nn/optim/named_state.h"

namespace tapegrad::optim {

using std::numbers::pi;

LambdaLR::LambdaLR(const Optimizer& optimizer, std::vector<Factor> lr_lambdas)
    : LRScheduler(optimizer), factors_(std::move(lr_lambdas)) {
  if (factors_.size() != 1 && factors_.size() != groups_.size())
    throw ValueError("LambdaLR: lr_lambda must be one function or one for each group, got " +
                     std::to_string(factors_.size()) + " for " + std::to_string(groups_.size()) + " groups");
  for (const Factor& factor : factors_) {
    if (!factor) throw ValueError("LambdaLR: lr_lambda must be a function, got an empty one");
  }
  go_to(0);
}

double LambdaLR::next_lr(size_t g, double) const {
  return base_lrs_[g] * factors_[factors_.size() == 1 ? 0 : g](last_epoch_);
}

StepLR::StepLR(const Optimizer& optimizer, int64_t step_size, double gamma)
    : LRScheduler(optimizer), step_size_(step_size), gamma_(gamma) {
  check_positive("step_size", step_size);
  go_to(0);
}

double StepLR::next_lr(size_t, double lr) const {
  return last_epoch_ > 0 && last_epoch_ % step_size_ == 0 ? lr * gamma_ : lr;
}

void StepLR::visit(NamedState& state) {
  LRScheduler::visit(state);
  state.positive("step_size", step_size_);
  state("gamma", gamma_);
}

MultiStepLR::MultiStepLR(const Optimizer& optimizer, std::vector<int64_t> milestones, double gamma)
    : LRScheduler(optimizer), milestones_(std::move(milestones)), gamma_(gamma) {
  go_to(0);
}

double MultiStepLR::next_lr(size_t, double lr) const {
  const auto times = std::count(milestones_.begin(), milestones_.end(), last_epoch_);
  return times == 0 ? lr : lr * std::pow(gamma_, static_cast<double>(times));
}

void MultiStepLR::visit(NamedState& state) {
  LRScheduler::visit(state);
  state.list("milestones", milestones_);
  state("gamma", gamma_);
}

ConstantLR::ConstantLR(const Optimizer& optimizer, double factor, int64_t total_iters)
    : LRScheduler(optimizer), factor_(factor), total_iters_(total_iters) {
  if (!(factor > 0 && factor <= 1))
    throw ValueError("ConstantLR: factor must lie in (0, 1], got " + std::to_string(factor));
  go_to(0);
}

double ConstantLR::next_lr(size_t, double lr) const {
  if (last_epoch_ == 0) return lr * factor_;
  return last_epoch_ == total_iters_ ? lr * (1 / factor_) : lr;
}

void ConstantLR::visit(NamedState& state) {
  LRScheduler::visit(state);
  state("factor", factor_);
  state("total_iters", total_iters_);
}

LinearLR::LinearLR(const Optimizer& optimizer, double start_factor, double end_factor, int64_t total_iters)
    : LRScheduler(optimizer), start_factor_(start_factor), end_factor_(end_factor), total_iters_(total_iters) {
  if (!(start_factor > 0 && start_factor <= 1))
    throw ValueError("LinearLR: start_factor must lie in (0, 1], got " + std::to_string(start_factor));
  if (!(end_factor >= 0 && end_factor <= 1))
    throw ValueError("LinearLR: end_factor must lie in [0, 1], got " + std::to_string(end_factor));
  check_positive("total_iters", total_iters);
  go_to(0);
}

double LinearLR::next_lr(size_t, double lr) const {
  if (last_epoch_ == 0) return lr * start_factor_;
  if (last_epoch_ > total_iters_) return lr;
  const double rise = end_factor_ - start_factor_, t = static_cast<double>(last_epoch_ - 1);
  return lr * (1 + rise / (static_cast<double>(total_iters_) * start_factor_ + t * rise));
}

void LinearLR::visit(NamedState& state) {
  LRScheduler::visit(state);
  state("start_factor", start_factor_);
  state("end_factor", end_factor_);
  state("total_iters", total_iters_);
}

ExponentialLR::ExponentialLR(const Optimizer& optimizer, double gamma) : LRScheduler(optimizer), gamma_(gamma) {
  go_to(0);
}

double ExponentialLR::next_lr(size_t, double lr) const { return last_epoch_ == 0 ? lr : lr * gamma_; }

void ExponentialLR::visit(NamedState& state) {
  LRScheduler::visit(state);
  state("gamma", gamma_);
}

CosineAnnealingLR::CosineAnnealingLR(const Optimizer& optimizer, int64_t T_max, double eta_min)
    : LRScheduler(optimizer), length_(T_max), lowest_(eta_min) {
  check_positive("T_max", T_max);
  go_to(0);
}

double CosineAnnealingLR::next_lr(size_t g, double lr) const {
  const auto t = static_cast<double>(last_epoch_), length = static_cast<double>(length_);
  if (last_epoch_ == 0) return lr;
  // Where the present lr is the lowest, there is nothing to multiply.
  if ((last_epoch_ - 1 - length_) % (2 * length_) == 0)
    return lr + (base_lrs_[g] - lowest_) * (1 - std::cos(pi / length)) / 2;
  return (1 + std::cos(pi * t / length)) / (1 + std::cos(pi * (t - 1) / length)) * (lr - lowest_) + lowest_;
}

void CosineAnnealingLR::visit(NamedState& state) {
  LRScheduler::visit(state);
  state.positive("T_max", length_);
  state("eta_min", lowest_);
}

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(const Optimizer& optimizer, int64_t T_0, int64_t T_mult,
                                                         double eta_min)
    : LRScheduler(optimizer), first_length_(T_0), growth_(T_mult), lowest_(eta_min), length_(T_0) {
  check_positive("T_0", T_0);
  check_positive("T_mult", T_mult);
  go_to(0);
}

double CosineAnnealingWarmRestarts::next_lr(size_t g, double) const {
  return lowest_ + (base_lrs_[g] - lowest_) * (1 + std::cos(pi * since_ / static_cast<double>(length_))) / 2;
}

void CosineAnnealingWarmRestarts::step() {
  check_outside_capture();
  since_ += 1;
  if (since_ >= static_cast<double>(length_)) {
    since_ -= static_cast<double>(length_);
    length_ *= growth_;
  }
  go_to(last_epoch_ + 1);
}

void CosineAnnealingWarmRestarts::step(double epoch) {
  check_outside_capture();
  if (!(epoch >= 0 && epoch < 0x1p53))
    throw ValueError("CosineAnnealingWarmRestarts: the epoch must lie in [0, 2^53), got " + std::to_string(epoch));
  length_ = first_length_;
  since_ = epoch;
  if (growth_ == 1) since_ = std::fmod(epoch, static_cast<double>(length_));
  else
    for (; since_ >= static_cast<double>(length_); length_ *= growth_) since_ -= static_cast<double>(length_);
  go_to(static_cast<int64_t>(std::floor(epoch)));
}

void CosineAnnealingWarmRestarts::visit(NamedState& state) {
  LRScheduler::visit(state);
  state.positive("T_0", first_length_);
  state.positive("T_mult", growth_);
  state("eta_min", lowest_);
  state("T_cur", since_);
  state.positive("T_i", length_);
}

}  // namespace tapegrad::optim
