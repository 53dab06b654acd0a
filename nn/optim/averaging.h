// What is done with weights beside training: their moving average, and stopping when a metric no longer gets better.
#pragma once

#include <memory>
#include <optional>

#include "tapegrad/nn/module.h"

namespace tapegrad::optim {

class NamedState;

struct ExponentialMovingAverageOptions {
  double decay = 0.999;
  bool warm_up = false;  // min(decay, (1 + n) / (10 + n)) at update n = 1, 2, ..., so that the start is soon forgotten
};

// average = decay average + (1 - decay) weight, begun with the weights as they are. Buffers are not averaged but taken as they are at
// the latest update. update() belongs behind the optimizer's step, inside a captured step too. ValueError: a decay outside [0, 1], no
// weights; DTypeError for weights that are not float32 or float64, and for an update after the module was converted to another.
class TAPEGRAD_API ExponentialMovingAverage {
 public:
  explicit ExponentialMovingAverage(const nn::Module& module, const ExponentialMovingAverageOptions& options = {});
  explicit ExponentialMovingAverage(std::vector<Tensor> params, const ExponentialMovingAverageOptions& options = {});
  ~ExponentialMovingAverage();
  ExponentialMovingAverage(ExponentialMovingAverage&&) noexcept;
  ExponentialMovingAverage& operator=(ExponentialMovingAverage&&) noexcept;

  // ValueError between apply() and restore().
  void update();
  // Puts the averages in the weights' place; restore() puts the weights back. ValueError for either twice.
  void apply();
  void restore();
  // The same for as long as what it returns lives: { const auto averaged = ema.scope(); evaluate(net); }
  class Scope {
   public:
    explicit Scope(ExponentialMovingAverage& average) : average_(average) { average_.apply(); }
    ~Scope() {
      if (average_.applied_) average_.restore();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    ExponentialMovingAverage& average_;
  };
  [[nodiscard]] Scope scope() { return Scope(*this); }

  // By the module's names, or numbers; they share memory with this.
  nn::NamedTensors averages() const;
  int64_t num_updates() const;
  // "n_averaged", and "module.NAME" for every average.
  nn::StateDict state_dict() const;
  void load_state_dict(const nn::StateDict& dict);

 private:
  ExponentialMovingAverage(const nn::NamedTensors& averaged, const nn::NamedTensors& taken,
                           const ExponentialMovingAverageOptions& options);
  struct Pace;
  struct Entry {
    std::string name;
    Tensor weight, average, put_aside;
    bool averaged;
  };
  void add(const std::string& name, const Tensor& weight, bool averaged);
  void visit(NamedState& state);
  std::shared_ptr<Pace> pace_;
  std::vector<Entry> entries_;
  bool applied_ = false;
};

struct EarlyStoppingOptions {
  int64_t patience = 10;     // steps without something better after which to stop
  double min_delta = 0;      // what is better by less does not count
  std::string mode = "min";  // or "max": what is better
  bool restore_best = true;  // where a module was given
};

// for (...) { train(); if (stopping.step(validation_loss)) break; }
// With a module its weights and buffers are kept at the best metric, and put back when it is time to stop. NaN is never better.
// ValueError: patience below 1, a negative min_delta, another mode.
class TAPEGRAD_API EarlyStopping {
 public:
  explicit EarlyStopping(const EarlyStoppingOptions& options = {});
  explicit EarlyStopping(const nn::Module& module, const EarlyStoppingOptions& options = {});

  // Whether to stop.
  bool step(double metric);
  bool step(const Tensor& metric) { return step(metric.item<double>()); }
  bool should_stop() const { return bad_steps_ >= patience_; }
  double best() const { return best_; }
  // The step it was seen in, from 0; -1 before the first.
  int64_t best_step() const { return best_step_; }
  int64_t num_bad_steps() const { return bad_steps_; }
  // Puts the kept weights back. ValueError without a module or a step.
  void restore_best();

  nn::StateDict state_dict() const;
  void load_state_dict(const nn::StateDict& dict);

 private:
  void visit(NamedState& state);
  nn::StateDict weights_, kept_;  // the module's, and as they were at the best metric
  int64_t patience_, steps_ = 0, bad_steps_ = 0, best_step_ = -1;
  double min_delta_, best_;
  bool upwards_, restores_;
};

}  // namespace tapegrad::optim
