// What a GradientMonitor has seen so far. Internal.
#pragma once

#include <optional>

#include "tapegrad/autograd/rewrite.h"
#include "tapegrad/nn/call_scope.h"
#include "tapegrad/nn/monitor.h"

namespace tapegrad::nn {

// A curve over the steps of which at most so many points are kept.
class Curve {
 public:
  void add(int64_t step, double value, int64_t kept);
  const std::vector<std::pair<int64_t, double>>& points() const { return points_; }

 private:
  std::vector<std::pair<int64_t, double>> points_;
  int64_t stride_ = 1;
};

// Sees every rule of this thread's sweeps, and tells which one was first to make a value that is not finite.
class FirstNotFinite {
 public:
  FirstNotFinite();
  // What was found since the last call; empty: nothing.
  std::string take() { return std::exchange(found_, ""); }

 private:
  void look(autograd::Node& node, const Grads& dx);
  std::string found_;
  autograd::RewriteGuard guard_;
};

struct GradientMonitor::Record {
  struct Parameter {
    Tensor tensor, before;
    ParameterReading reading;
    bool weight = false, optimized = true;
    std::optional<optim::ParamGroup> group;
    Curve gradient, update;
  };
  struct Activation {
    std::string name;
    int64_t looks = 0;           // steps in which it was watched
    bool seen = false;           // since the last step
    std::vector<int64_t> fired;  // per unit, the last look with a positive value, 0: none
    Curve dead;
    double share(int64_t window) const;
  };

  GradientMonitorOptions options;
  detail::SeparateLayers separate;  // watch(loss) looks for each relu on the tape
  std::vector<Parameter> parameters;
  std::vector<Activation> activations;
  std::vector<GradientWarning> warnings;
  int64_t steps = 0;
  bool has_optimizer = false;
  std::optional<FirstNotFinite> first_not_finite;

  Record(const Module& module, const GradientMonitorOptions& o);
  void read(Parameter& p);
  void warn(const char* kind, const std::string& name, const std::string& text);
  void judge_parameters();
  void judge_activations();
  // The name of the activation an op of the tape gives, by what stands in front of it.
  std::string place_of(const autograd::Node& node) const;
};

// Rows of cells in columns, the first to the left and all others to the right, a rule below the first row.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

}  // namespace tapegrad::nn
