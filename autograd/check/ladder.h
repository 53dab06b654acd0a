// Numerical derivatives along a line: a ladder of steps, each with an error bound, and the verdict over it. Internal.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace tapegrad::check {

using Values = std::vector<double>;

// What is differentiated: all outputs at x + t d. False where it has no value (an error, another shape).
struct Line {
  std::function<bool(double t, Values& f)> at;
  // The distance really walked between -t and +t, after rounding.
  std::function<double(double t)> width;
  double scale = 1;                    // size of x along d
  double noise = 0;                    // known absolute noise of the values, beside their rounding
  double eps = 2.220446049250313e-16;  // of the arithmetic f runs in
  bool linear = false;                 // f is linear along d: one long step is exact
};

enum class Judgement : uint8_t { pass, wrong, kink, jump, inconclusive };

struct Verdict {
  Judgement judgement = Judgement::inconclusive;
  double numeric = 0;
  double bound = 0;  // of the numeric value; the verdict allows ten times that
  double step = 0;
  int evaluations = 0;       // of the whole ladder so far
  double low = 0, high = 0;  // one-sided slopes at a kink
  bool at_kink = false;      // it passes, being the mean of both slopes
};

// Evaluations are shared by all outputs and made when they are first needed.
class Ladder {
 public:
  explicit Ladder(Line line);
  // Holds `analytic` against the derivative of output i; `terms` is the sum of the absolute terms analytic is made of.
  Verdict judge(size_t i, double analytic, double terms);
  // f at the point itself, where the caller has it.
  void set_centre(Values f);
  // Absolute noise of the values that is known beforehand.
  void set_noise(double noise) { line_.noise = noise; }

 private:
  struct Pair {
    bool known = false, valid = false;
    Values plus, minus;
  };
  struct Rung {
    bool valid = false;
    double r = 0, est = 0, h = 0, peak = 0;
  };
  static constexpr int kRungs = 32;

  double step(int rung) const;
  double rounding(double peak) const;
  bool evaluate(double t, Values& f);
  const Pair& pair(int rung);
  Rung rung(int k, size_t i, double noise);
  bool credible(const Rung& a, const Rung& b) const;
  Rung finer_that_agrees(const Rung& best, size_t i, double noise, double analytic, double terms);
  bool settles(const Rung& a, const Rung& b, double analytic, double terms) const;
  double measured_noise(size_t i);
  bool is_step_function(size_t i, double& bound, double& quantum);
  bool jumps(size_t i);
  Verdict judge_linear(size_t i, double analytic, double terms);
  // Slopes at both sides; decides between wrong, kink and jump.
  void look_for_kink(size_t i, double analytic, double terms, Verdict& v);
  const Values* centre();
  bool bends(size_t i);
  // For what passes: says so at a kink too, where differences to both sides may average to the analytic value.
  Verdict passed(size_t i, double analytic, double terms, Verdict v);
  Verdict finish(Verdict v) const;

  Line line_;
  std::vector<Pair> pairs_;
  std::vector<Values> noise_samples_;  // 8 for each spacing; empty where f has no value
  bool noise_known_ = false;
  Values centre_;
  bool centre_known_ = false, centre_valid_ = false;
  std::vector<Pair> sides_;  // at 1e-3, 1e-5, 1e-7
  int evaluations_ = 0;
};

}  // namespace tapegrad::check
