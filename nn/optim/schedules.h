// The schedules of learning rates by name. t is the epoch; what they share is in nn/optim/lr_scheduler.h.
#pragma once

#include "tapegrad/nn/optim/lr_scheduler.h"

namespace tapegrad::optim {

// base f(t), f one function for all groups or one for each. A state does not hold f. ValueError for another number of them.
class TAPEGRAD_API LambdaLR final : public LRScheduler {
 public:
  using Factor = std::function<double(int64_t epoch)>;
  LambdaLR(const Optimizer& optimizer, Factor lr_lambda) : LambdaLR(optimizer, std::vector{std::move(lr_lambda)}) {}
  LambdaLR(const Optimizer& optimizer, std::vector<Factor> lr_lambdas);

 private:
  const char* name() const override { return "LambdaLR"; }
  double next_lr(size_t g, double lr) const override;
  std::vector<Factor> factors_;
};

// lr gamma every step_size epochs. ValueError unless step_size is positive.
class TAPEGRAD_API StepLR final : public LRScheduler {
 public:
  StepLR(const Optimizer& optimizer, int64_t step_size, double gamma = 0.1);

 private:
  const char* name() const override { return "StepLR"; }
  double next_lr(size_t g, double lr) const override;
  void visit(NamedState& state) override;
  int64_t step_size_;
  double gamma_;
};

// lr gamma in every epoch of milestones, twice where it is named twice.
class TAPEGRAD_API MultiStepLR final : public LRScheduler {
 public:
  MultiStepLR(const Optimizer& optimizer, std::vector<int64_t> milestones, double gamma = 0.1);

 private:
  const char* name() const override { return "MultiStepLR"; }
  double next_lr(size_t g, double lr) const override;
  void visit(NamedState& state) override;
  std::vector<int64_t> milestones_;
  double gamma_;
};

// base factor up to epoch total_iters, then base. ValueError for a factor outside (0, 1].
class TAPEGRAD_API ConstantLR final : public LRScheduler {
 public:
  explicit ConstantLR(const Optimizer& optimizer, double factor = 1.0 / 3, int64_t total_iters = 5);

 private:
  const char* name() const override { return "ConstantLR"; }
  double next_lr(size_t g, double lr) const override;
  void visit(NamedState& state) override;
  double factor_;
  int64_t total_iters_;
};

// base (start_factor + (end_factor - start_factor) min(t / total_iters, 1)). ValueError: start_factor outside (0, 1], end_factor
// outside [0, 1], total_iters that is not positive.
class TAPEGRAD_API LinearLR final : public LRScheduler {
 public:
  explicit LinearLR(const Optimizer& optimizer, double start_factor = 1.0 / 3, double end_factor = 1,
                    int64_t total_iters = 5);

 private:
  const char* name() const override { return "LinearLR"; }
  double next_lr(size_t g, double lr) const override;
  void visit(NamedState& state) override;
  double start_factor_, end_factor_;
  int64_t total_iters_;
};

// base gamma^t.
class TAPEGRAD_API ExponentialLR final : public LRScheduler {
 public:
  ExponentialLR(const Optimizer& optimizer, double gamma);

 private:
  const char* name() const override { return "ExponentialLR"; }
  double next_lr(size_t g, double lr) const override;
  void visit(NamedState& state) override;
  double gamma_;
};

// eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2, up again after T_max. ValueError unless T_max is positive.
class TAPEGRAD_API CosineAnnealingLR final : public LRScheduler {
 public:
  CosineAnnealingLR(const Optimizer& optimizer, int64_t T_max, double eta_min = 0);

 private:
  const char* name() const override { return "CosineAnnealingLR"; }
  double next_lr(size_t g, double lr) const override;
  void visit(NamedState& state) override;
  int64_t length_;
  double lowest_;
};

// The same over T_0 epochs, then from base over T_0 T_mult, ... Loshchilov and Hutter, "SGDR" (ICLR 2017). step(t) goes to any
// epoch, a fraction too. ValueError: T_0 or T_mult below 1, an epoch outside [0, 2^53).
class TAPEGRAD_API CosineAnnealingWarmRestarts final : public LRScheduler {
 public:
  CosineAnnealingWarmRestarts(const Optimizer& optimizer, int64_t T_0, int64_t T_mult = 1, double eta_min = 0);
  void step() override;
  void step(double epoch);

 private:
  const char* name() const override { return "CosineAnnealingWarmRestarts"; }
  double next_lr(size_t g, double lr) const override;
  void begin() override { step(0.0); }
  void visit(NamedState& state) override;
  int64_t first_length_, growth_;
  double lowest_, since_ = 0;
  int64_t length_;
};

struct OneCycleLROptions {
  std::optional<int64_t> total_steps = {};  // or the product of the next two
  std::optional<int64_t> epochs = {}, steps_per_epoch = {};
  double pct_start = 0.3;               // of the steps, rising
  std::string anneal_strategy = "cos";  // or "linear"
  bool cycle_momentum = true;           // momentum, or beta1, the other way round
  PerGroup base_momentum = 0.85;
  PerGroup max_momentum = 0.95;
  double div_factor = 25;         // begins at max_lr / div_factor,
  double final_div_factor = 1e4;  // ends at that / final_div_factor
  bool three_phase = false;       // down to where it began first, then on to the end
};
// From max_lr / div_factor up to max_lr and down, once, over total_steps steps. Smith and Topin, "Super-convergence" (2019).
// ValueError: no number of steps, pct_start outside [0, 1], another strategy, cycle_momentum without momentum; a step too many.
class TAPEGRAD_API OneCycleLR final : public LRScheduler {
 public:
  OneCycleLR(const Optimizer& optimizer, PerGroup max_lr, const OneCycleLROptions& options);

 private:
  struct Phase {
    double end;
    int from, to;  // of the levels: 0 begin, 1 highest, 2 end
  };
  const char* name() const override { return "OneCycleLR"; }
  double next_lr(size_t g, double lr) const override;
  void set(const std::vector<double>& lrs) override;
  void visit(NamedState& state) override;
  std::vector<Phase> phases() const;
  // Between the levels of the phase that the epoch is in.
  template <class Level> double between(const Level& level) const;
  const char* momentum_name(size_t g) const;

  std::vector<double> highest_, base_momentum_, max_momentum_;
  int64_t total_steps_;
  double pct_start_, div_factor_, final_div_factor_;
  bool linear_, cycles_momentum_, three_phase_;
};

struct ReduceLROnPlateauOptions {
  std::string mode = "min";  // or "max": what is better
  double factor = 0.1;
  int64_t patience = 10;  // epochs without something better that are let pass
  double threshold = 1e-4;
  std::string threshold_mode = "rel";  // better than best (1 -+ threshold); or "abs": best -+ threshold
  int64_t cooldown = 0;                // epochs after a reduction that are not counted
  PerGroup min_lr = 0.0;
  double eps = 1e-8;  // smaller reductions are left out
};
// lr factor when a metric has not become better for more than `patience` steps. ValueError: factor of 1 or more, another mode.
class TAPEGRAD_API ReduceLROnPlateau {
 public:
  explicit ReduceLROnPlateau(const Optimizer& optimizer, const ReduceLROnPlateauOptions& options = {});
  void step(double metrics);
  void step(const Tensor& metrics) { step(metrics.item<double>()); }
  std::vector<double> get_last_lr() const { return last_lr_; }
  double best() const { return best_; }
  int64_t num_bad_epochs() const { return bad_epochs_; }
  OrderedDict<std::string, Tensor> state_dict() const;
  void load_state_dict(const OrderedDict<std::string, Tensor>& dict);

 private:
  bool is_better(double value) const;
  void visit(NamedState& state);
  std::vector<ParamGroup> groups_;
  bool upwards_, relative_;
  double factor_, threshold_, eps_, best_;
  int64_t patience_, cooldown_, cooldown_counter_ = 0, bad_epochs_ = 0, last_epoch_ = 0;
  std::vector<double> lowest_, last_lr_;
};

}  // namespace tapegrad::optim
