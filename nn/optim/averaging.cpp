// Moving averages of weights, and early stopping.
#include "tapegrad/nn/optim/averaging.h"

#include <algorithm>
#include <limits>

#include "tapegrad/autograd/state.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/nn/optim/named_state.h"

namespace tapegrad::optim {

// Where kept launches find how far an update goes.
struct ExponentialMovingAverage::Pace {
  double decay;
  bool warm_up;
  int64_t updates = 0;
  double share = 0;  // of the weights in the update that runs

  void begin() {
    const auto n = static_cast<double>(++updates);
    share = 1 - (warm_up ? std::min(decay, (1 + n) / (10 + n)) : decay);
  }
};

namespace {

template <class T> void move_towards(T* average, const T* weight, int64_t n, T share) {
  parallel_for(0, n, kParallelGrain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) average[i] += share * (weight[i] - average[i]);
  });
}

constexpr const char* kAverage = "ExponentialMovingAverage";

nn::NamedTensors numbered(const std::vector<Tensor>& params) {
  nn::NamedTensors out;
  for (size_t i = 0; i < params.size(); ++i) out.append(std::to_string(i), params[i]);
  return out;
}

}  // namespace

ExponentialMovingAverage::ExponentialMovingAverage(const nn::Module& module,
                                                   const ExponentialMovingAverageOptions& options)
    : ExponentialMovingAverage(module.named_parameters(), module.named_buffers(), options) {}

ExponentialMovingAverage::ExponentialMovingAverage(std::vector<Tensor> params,
                                                   const ExponentialMovingAverageOptions& options)
    : ExponentialMovingAverage(numbered(params), {}, options) {}

ExponentialMovingAverage::ExponentialMovingAverage(const nn::NamedTensors& averaged, const nn::NamedTensors& taken,
                                                   const ExponentialMovingAverageOptions& options)
    : pace_(std::make_shared<Pace>(Pace{options.decay, options.warm_up})) {
  if (!(options.decay >= 0 && options.decay <= 1))
    throw ValueError("ExponentialMovingAverage: decay must lie in [0, 1], got " + std::to_string(options.decay));
  for (const auto& [name, parameter] : averaged) add(name, parameter, true);
  for (const auto& [name, buffer] : taken) add(name, buffer, false);
  if (entries_.empty()) throw ValueError("ExponentialMovingAverage: there must be weights, got none");
}

ExponentialMovingAverage::~ExponentialMovingAverage() = default;
ExponentialMovingAverage::ExponentialMovingAverage(ExponentialMovingAverage&&) noexcept = default;
ExponentialMovingAverage& ExponentialMovingAverage::operator=(ExponentialMovingAverage&&) noexcept = default;

void ExponentialMovingAverage::add(const std::string& name, const Tensor& weight, bool averaged) {
  if (!weight.defined()) throw ValueError("ExponentialMovingAverage: weights must be defined, got an undefined tensor");
  if (averaged && weight.dtype() != kFloat32 && weight.dtype() != kFloat64)
    throw DTypeError("ExponentialMovingAverage: weights must be float32 or float64, got " + name + ", which is " +
                     tapegrad::name_of(weight.dtype()));
  // The weight itself: what is detached keeps its memory when the module converts.
  entries_.push_back({name, weight, clone_of(weight.detach()), {}, averaged});
}

void ExponentialMovingAverage::update() {
  if (applied_) throw ValueError("ExponentialMovingAverage: update needs the weights in place, got it after apply()");
  for (const Entry& entry : entries_) {
    if (entry.weight.dtype() != entry.average.dtype())
      throw DTypeError("ExponentialMovingAverage: weights must keep their dtype, got " + entry.name + ", which was " +
                       tapegrad::name_of(entry.average.dtype()) + " and is " + tapegrad::name_of(entry.weight.dtype()) +
                       " (convert the module before)");
  }
  const NoGradGuard no_grad;
  if (LaunchList* const list = keeping()) {
    list->hold(pace_);
    list->note_host(pace_.get(), sizeof(Pace));
  }
  Pace* const pace = pace_.get();
  launch("ema_begin", LaunchKind::other, {}, {}, [pace] { pace->begin(); });
  for (const Entry& entry : entries_) {
    if (!entry.averaged) {
      copy(entry.average, entry.weight);
      continue;
    }
    const Tensor weight = contiguous_of(entry.weight);
    dispatch_floating(kAverage, weight.dtype(), [&]<class T>() {
      launch("ema_update", LaunchKind::other, {&entry.average}, {&entry.average, &weight},
             [pace, to = entry.average.elements<T>(), from = static_cast<const T*>(weight.elements<T>()),
              n = weight.numel()] { move_towards(to, from, n, static_cast<T>(pace->share)); });
    });
    entry.average.impl()->storage->bump_version();
  }
}

void ExponentialMovingAverage::apply() {
  if (applied_) throw ValueError("ExponentialMovingAverage: apply needs the weights in place, got it a second time");
  const NoGradGuard no_grad;
  for (Entry& entry : entries_) entry.put_aside = clone_of(entry.weight);
  for (Entry& entry : entries_) entry.weight.copy_(entry.average);
  applied_ = true;
}

void ExponentialMovingAverage::restore() {
  if (!applied_) throw ValueError("ExponentialMovingAverage: restore comes after apply(), got it without");
  const NoGradGuard no_grad;
  for (Entry& entry : entries_) entry.weight.copy_(std::exchange(entry.put_aside, Tensor()));
  applied_ = false;
}

nn::NamedTensors ExponentialMovingAverage::averages() const {
  nn::NamedTensors out;
  for (const Entry& entry : entries_) out.append(entry.name, entry.average);
  return out;
}

int64_t ExponentialMovingAverage::num_updates() const { return pace_->updates; }

void ExponentialMovingAverage::visit(NamedState& state) {
  state("n_averaged", pace_->updates);
  for (const Entry& entry : entries_) state("module." + entry.name, entry.average);
}

nn::StateDict ExponentialMovingAverage::state_dict() const {
  return NamedState::written([this](NamedState& state) { const_cast<ExponentialMovingAverage*>(this)->visit(state); });
}

void ExponentialMovingAverage::load_state_dict(const nn::StateDict& dict) {
  NamedState::read(kAverage, dict, [this](NamedState& state) { visit(state); });
}

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& o)
    : patience_(o.patience),
      min_delta_(o.min_delta),
      best_(o.mode == "max" ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity()),
      upwards_(o.mode == "max"),
      restores_(o.restore_best) {
  if (patience_ < 1) throw ValueError("EarlyStopping: patience must be positive, got " + std::to_string(patience_));
  if (!(min_delta_ >= 0))
    throw ValueError("EarlyStopping: min_delta must not be negative, got " + std::to_string(min_delta_));
  if (!upwards_ && o.mode != "min")
    throw ValueError("EarlyStopping: mode must be \"min\" or \"max\", got \"" + o.mode + "\"");
}

EarlyStopping::EarlyStopping(const nn::Module& module, const EarlyStoppingOptions& options) : EarlyStopping(options) {
  // Themselves, not detached as in state_dict(): they are to be found when the module has converted.
  for (const nn::NamedTensors& list : {module.named_parameters(), module.named_buffers()}) {
    for (const auto& [name, weight] : list) weights_.append(name, weight);
  }
  for (const auto& [name, weight] : weights_) kept_.append(name, clone_of(weight.detach()));
}

bool EarlyStopping::step(double metric) {
  const bool was_over = should_stop();
  const bool better = upwards_ ? metric > best_ + min_delta_ : metric < best_ - min_delta_;
  if (better) {
    best_ = metric;
    best_step_ = steps_;
    bad_steps_ = 0;
    for (const auto& [name, weight] : weights_) {
      Tensor& kept = kept_[name];
      if (kept.dtype() == weight.dtype()) copy(kept, weight.detach());
      else kept = clone_of(weight.detach());
    }
  } else {
    ++bad_steps_;
  }
  ++steps_;
  if (should_stop() && !was_over && restores_ && best_step_ >= 0 && weights_.size() > 0) restore_best();
  return should_stop();
}

void EarlyStopping::restore_best() {
  if (weights_.size() == 0 || best_step_ < 0)
    throw ValueError("EarlyStopping: restore_best needs a module and a step that was better, got none");
  const NoGradGuard no_grad;
  for (auto& [name, weight] : weights_) weight.copy_(kept_[name]);
}

void EarlyStopping::visit(NamedState& state) {
  state("step", steps_);
  state("best", best_);
  state("best_step", best_step_);
  state("num_bad_steps", bad_steps_);
  for (const auto& [name, kept] : kept_) state("best_weights." + name, kept);
}

nn::StateDict EarlyStopping::state_dict() const {
  return NamedState::written([this](NamedState& state) { const_cast<EarlyStopping*>(this)->visit(state); });
}

void EarlyStopping::load_state_dict(const nn::StateDict& dict) {
  NamedState::read("EarlyStopping", dict, [this](NamedState& state) { visit(state); });
}

}  // namespace tapegrad::optim
