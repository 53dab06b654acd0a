// Watches the gradients of a module in training: what vanishes, explodes, dies or stops being a number, and where.
#pragma once

#include <memory>

#include "tapegrad/nn/module.h"
#include "tapegrad/nn/optim/optimizer.h"

namespace tapegrad::nn {

// Root mean square is the norm over the square root of the number of elements; a weight is a parameter of two dims or more.
struct GradientMonitorOptions {
  double vanishing = 1e-5;  // share of the largest root mean square of a step below which a weight's gradient vanishes
  double exploding = 1e3;   // norm above which a parameter's gradient explodes
  double fast = 0.1;        // ratio of update to weight above and below which
  double slow = 1e-7;       // a weight learns too fast or not at all
  double dead = 0.5;        // share of dead units from which on a layer is warned of
  int64_t window = 50;      // steps without a positive value after which a unit is dead
  bool find_op = false;     // tell the op, and its forward line, where NaN or infinity begins; slow, as anomaly mode is
  int64_t history = 1000;   // points kept of each curve; longer runs keep every second step, every fourth, ...
};

// A parameter at the last step(). NaN: not known.
struct ParameterReading {
  std::string name;
  Shape sizes;
  double gradient;  // norm; NaN without a gradient
  double rms;       // its root mean square
  double update;    // |change by the optimizer| / |parameter before|; NaN where that is 0
  double lr;        // of its group; NaN without an optimizer, or outside it
};

// An activation that is watched.
struct ActivationReading {
  std::string name;
  int64_t units;
  double dead;  // share of units that were <= 0 for every sample of the last `window` steps (or as many as there are)
                // in which it was watched
};

struct GradientWarning {
  std::string kind;    // "vanishing", "exploding", "not finite", "dead", "update", "no gradient", "not optimized"
  std::string name;    // of the parameter or activation
  int64_t first_step;  // counted from 1
  int64_t steps;       // in how many it was so
  std::string text;    // the whole sentence, as of the last of them
};

// One object per training loop; no gradient, value or random number is changed by it.
//
//   nn::GradientMonitor monitor(net, adam);
//   for (...) {
//     const Tensor loss = cross_entropy(net(x), y);
//     monitor.watch(loss);  // finds every relu on the tape; before backward()
//     adam.zero_grad(); loss.backward(); adam.step();
//     monitor.step();
//   }
//   std::cout << monitor.table();
//   monitor.picture("out/gradients.png");
//
// It holds a copy of every parameter, for the size of an update. With find_op it watches the thread that made it, until it
// dies: make and destroy it in order with guards like DetectAnomalyGuard.
class TAPEGRAD_API GradientMonitor {
 public:
  // ValueError: no parameter requires grad, an option out of range.
  explicit GradientMonitor(const Module& module, const GradientMonitorOptions& options = {});
  // Knows learning rates as well, and what the optimizer leaves out.
  GradientMonitor(const Module& module, const optim::Optimizer& optimizer, const GradientMonitorOptions& options = {});
  ~GradientMonitor();
  GradientMonitor(const GradientMonitor&) = delete;
  GradientMonitor& operator=(const GradientMonitor&) = delete;

  // Takes in which units are positive for any sample. Units lie along `dim`, all else are samples: dim 1 of [N, C, ...]; a
  // tensor of one dim is one sample. ShapeError: another number of units than before under this name.
  void watch(const std::string& name, const Tensor& activation, int64_t dim = 1);
  // The same for every relu that `loss` was computed through, named after the parameters in front of it ("fc1 > relu"),
  // units along dim 1. AutogradError when backward() has freed the graph already.
  void watch(const Tensor& loss);
  // After the optimizer's step and before zero_grad(). ValueError when no parameter has a gradient.
  void step();

  int64_t steps() const;
  std::vector<ParameterReading> parameters() const;
  std::vector<ActivationReading> activations() const;
  // In the order they came up.
  std::vector<GradientWarning> warnings() const;
  // Readings of the last step, then the warnings.
  std::string table() const;
  // Norms, update ratios and dead units over the steps: writes the numbers to path's name with .dat and a gnuplot script
  // with .gp beside it, and draws path, a .png, where gnuplot is installed. Returns whether it did; one line on stderr says
  // why not. IOError when a file cannot be written.
  bool picture(const std::string& path) const;

 private:
  struct Record;
  std::unique_ptr<Record> record_;
};

}  // namespace tapegrad::nn
