// The ladder of central differences: Richardson's extrapolation on each rung, credible rungs, noise, kinks.
#include "tapegrad/autograd/check/ladder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tapegrad::check {
namespace {

constexpr double kAllowed = 10;   // a verdict allows this many error bounds
constexpr double kTight = 3e-10;  // relative bound with which a rung may decide alone
constexpr double kSides[] = {1e-3, 1e-5, 1e-7};
constexpr double kSpacings[] = {3e-13, 3e-10, 3e-8, 1e-6, 3e-5, 1e-3};
// Where noise is sampled, in spacings. Uneven: at even ones, a value rounded on the way may move by nearly whole last bits
// from sample to sample, and its rounding stay the same in all of them.
constexpr double kPlaces[] = {-3.61, -2.38, -1.57, -0.44, 0.53, 1.36, 2.62, 3.43};
constexpr size_t kNoiseSamples = std::size(kPlaces);
constexpr double kNoiseGrowth = 10;  // of noise from one spacing to another
constexpr int kFinest = 3;           // rungs that show a jump
constexpr double kJump = 1e4;        // roundings a jump is larger than

// Written so that a NaN never agrees.
bool agrees(double a, double b, double allowed) { return std::abs(a - b) <= allowed; }

bool same_kind_of_infinity(double a, double b) { return (std::isnan(a) && std::isnan(b)) || (std::isinf(a) && a == b); }

// Standard deviation of the noise in samples at kPlaces, from what polynomials below the given degree leave of them.
double difference_noise(const std::vector<double>& f, size_t degree) {
  double sum = 0;
  const size_t windows = f.size() - degree;
  for (size_t first = 0; first < windows; ++first) {
    double difference = 0, squares = 0;
    for (size_t k = first; k <= first + degree; ++k) {
      double weight = 1;  // of a divided difference
      for (size_t j = first; j <= first + degree; ++j) {
        if (j != k) weight /= kPlaces[k] - kPlaces[j];
      }
      difference += weight * f[k];
      squares += weight * weight;
    }
    sum += difference * difference / squares;
  }
  return std::sqrt(sum / static_cast<double>(windows));
}

}  // namespace

Ladder::Ladder(Line line) : line_(std::move(line)), pairs_(kRungs), sides_(std::size(kSides)) {}

double Ladder::step(int rung) const { return std::ldexp(line_.scale, -2 - rung); }

// Of a result and of values on the way, which may be larger than a result near 0.
double Ladder::rounding(double peak) const {
  return std::max({line_.eps * peak, line_.noise, line_.eps * line_.scale});
}

bool Ladder::evaluate(double t, Values& f) {
  ++evaluations_;
  return line_.at(t, f);
}

const Ladder::Pair& Ladder::pair(int rung) {
  Pair& p = pairs_[static_cast<size_t>(rung)];
  if (!p.known) {
    p.known = true;
    p.valid = evaluate(step(rung), p.plus) && evaluate(-step(rung), p.minus);
  }
  return p;
}

Ladder::Rung Ladder::rung(int k, size_t i, double noise) {
  Rung rung;
  const Pair& wide = pair(k);
  if (!wide.valid) return rung;
  const Pair& narrow = pair(k + 1);
  if (!narrow.valid) return rung;
  const double values[] = {wide.plus[i], wide.minus[i], narrow.plus[i], narrow.minus[i]};
  for (double v : values) {
    if (!std::isfinite(v)) return rung;
    rung.peak = std::max(rung.peak, std::abs(v));
  }
  rung.h = step(k);
  const double d1 = (values[0] - values[1]) / line_.width(rung.h);
  const double d2 = (values[2] - values[3]) / line_.width(rung.h / 2);
  rung.r = (4 * d2 - d1) / 3;
  const double floor = std::max({line_.eps * rung.peak, noise, line_.noise, 1e-4 * line_.eps * line_.scale});
  rung.est = std::abs(rung.r - d2) / 4 + 4 * floor / rung.h + 8 * line_.eps * std::abs(rung.r);
  rung.valid = std::isfinite(rung.r);
  return rung;
}

bool Ladder::credible(const Rung& a, const Rung& b) const {
  return a.valid && b.valid && agrees(a.r, b.r, kAllowed * (a.est + b.est));
}

// A credible pair decides early when it is tight and holds the analytic value, or when everything is exactly zero.
bool Ladder::settles(const Rung& a, const Rung& b, double analytic, double terms) const {
  if (!credible(a, b)) return false;
  if (analytic == 0 && a.r == 0 && b.r == 0) return true;
  const double tight = std::max(kTight, 100 * line_.eps) * std::abs(b.r);
  const double allowed = kAllowed * std::min(a.est, b.est) + 1e-11 * terms;
  return a.est <= tight && b.est <= tight && agrees(analytic, a.est < b.est ? a.r : b.r, allowed);
}

double Ladder::measured_noise(size_t i) {
  if (!noise_known_) {
    noise_known_ = true;
    for (double spacing : kSpacings) {
      for (double place : kPlaces) {
        Values f;
        if (!evaluate(place * spacing * line_.scale, f)) f.clear();
        noise_samples_.push_back(std::move(f));
      }
    }
  }
  double levels[std::size(kSpacings)] = {};
  for (size_t s = 0; s < std::size(kSpacings); ++s) {
    std::vector<double> f;
    for (size_t k = 0; k < kNoiseSamples; ++k) {
      const Values& sample = noise_samples_[s * kNoiseSamples + k];
      if (!sample.empty() && std::isfinite(sample[i])) f.push_back(sample[i]);
    }
    if (f.size() == kNoiseSamples) levels[s] = std::max(difference_noise(f, 5), difference_noise(f, 6));
  }
  // Noise is as large at another spacing, but perhaps not at the next: at a fine one nothing may move. What f's own course
  // or a kink between the samples leaves grows with the spacing.
  double noise = 0;
  for (double& level : levels) {
    for (double& other : levels) {
      if (&level != &other && level <= kNoiseGrowth * other && other <= kNoiseGrowth * level)
        noise = std::max(noise, level);
    }
  }
  return noise;
}

// Constant on every fine rung, and what ends that is a jump, not a last bit: the slope is 0, and `bound` what rounding hides
// over the widest of these rungs. A small jump is the last bit of a value on the way, the `quantum` of what can be seen.
bool Ladder::is_step_function(size_t i, double& bound, double& quantum) {
  bound = quantum = 0;
  int flat = 0;
  for (int k = kRungs - 1; k >= 0; --k, ++flat) {
    const Pair& p = pair(k);
    if (!p.valid) return false;
    const double peak = std::max(std::abs(p.plus[i]), std::abs(p.minus[i]));
    if (!std::isfinite(peak)) return false;
    const double step_up = std::abs(p.plus[i] - p.minus[i]);
    if (step_up != 0) {
      if (flat >= 3 && step_up <= kJump * rounding(peak)) quantum = step_up;
      return flat >= 3 && quantum == 0;
    }
    bound = 4 * rounding(peak) / step(k);
  }
  return true;
}

// The finest rungs all see the same two values, far more than rounding apart.
bool Ladder::jumps(size_t i) {
  const Pair& finest = pair(kRungs - 1);
  if (!finest.valid) return false;
  const double gap = finest.plus[i] - finest.minus[i];
  const double peak = std::max(std::abs(finest.plus[i]), std::abs(finest.minus[i]));
  if (!(std::abs(gap) > kJump * rounding(peak))) return false;
  for (int k = kRungs - 2; k >= kRungs - kFinest; --k) {
    const Pair& p = pair(k);
    if (!p.valid || !agrees(p.plus[i] - p.minus[i], gap, 0.01 * std::abs(gap))) return false;
  }
  return true;
}

Verdict Ladder::finish(Verdict v) const {
  v.evaluations = evaluations_;
  return v;
}

Verdict Ladder::judge_linear(size_t i, double analytic, double terms) {
  Verdict v;
  Values plus, minus;
  v.step = std::max(1.0, line_.scale);
  if (!evaluate(v.step, plus) || !evaluate(-v.step, minus)) return finish(v);
  v.numeric = (plus[i] - minus[i]) / line_.width(v.step);
  const double peak = std::max(std::abs(plus[i]), std::abs(minus[i]));
  v.bound = 64 * line_.eps * (peak / v.step + terms) / kAllowed;
  const bool right = agrees(analytic, v.numeric, kAllowed * v.bound) || same_kind_of_infinity(analytic, v.numeric);
  v.judgement = right ? Judgement::pass : Judgement::wrong;
  return finish(v);
}

// A finer credible rung with a smaller bound that holds the analytic value overrules `best`: where the slope is 0, no relative
// bound is small but that of the coarse rungs that reach across a kink.
Ladder::Rung Ladder::finer_that_agrees(const Rung& best, size_t i, double noise, double analytic, double terms) {
  if (!best.valid || agrees(analytic, best.r, kAllowed * best.est + 1e-11 * terms)) return best;
  Rung last = rung(0, i, noise);
  for (int k = 1; k + 1 < kRungs; ++k) {
    const Rung next = rung(k, i, noise);
    if (credible(last, next) && last.h < best.h && last.est < best.est &&
        agrees(analytic, last.r, kAllowed * last.est + 1e-11 * terms))
      return last;
    last = next;
  }
  return best;
}

Verdict Ladder::judge(size_t i, double analytic, double terms) {
  if (line_.linear) return judge_linear(i, analytic, terms);
  Verdict v;
  Rung last = rung(0, i, 0);
  for (int k = 1; k + 1 < kRungs; ++k) {
    const Rung next = rung(k, i, 0);
    if (settles(last, next, analytic, terms)) {
      const Rung& best = last.est < next.est ? last : next;
      return passed(i, analytic, terms, {Judgement::pass, best.r, best.est, best.h});
    }
    last = next;
  }
  double quantum = 0;
  if (is_step_function(i, v.bound, quantum)) {
    v.judgement = agrees(analytic, 0, kAllowed * v.bound) ? Judgement::pass : Judgement::wrong;
    v.step = step(kRungs - 1);
    if (v.judgement == Judgement::wrong) look_for_kink(i, analytic, terms, v);
    return finish(v);
  }
  if (jumps(i)) {
    look_for_kink(i, analytic, terms, v);
    if (v.judgement == Judgement::jump) return finish(v);
  }
  const double noise = std::max(measured_noise(i), 2 * quantum);
  Rung best;
  last = rung(0, i, noise);
  for (int k = 1; k + 1 < kRungs; ++k) {
    const Rung next = rung(k, i, noise);
    if (credible(last, next)) {
      // Known no better than the next agrees: both estimates of what Richardson leaves may be small by chance.
      last.est = std::max(last.est, std::abs(last.r - next.r) / 4);
      const auto relative = [](const Rung& r) { return r.est / std::max(std::abs(r.r), 1e-300); };
      if (!best.valid || relative(last) < relative(best)) best = last;
    }
    last = next;
  }
  best = finer_that_agrees(best, i, noise, analytic, terms);
  if (best.valid) {
    v.numeric = best.r, v.bound = best.est, v.step = best.h;
    v.judgement = agrees(analytic, best.r, kAllowed * best.est + 1e-11 * terms) ? Judgement::pass : Judgement::wrong;
  }
  if (v.judgement == Judgement::pass) return passed(i, analytic, terms, v);
  look_for_kink(i, analytic, terms, v);
  return finish(v);
}

void Ladder::set_centre(Values f) {
  centre_known_ = centre_valid_ = true;
  centre_ = std::move(f);
}

const Values* Ladder::centre() {
  if (!std::exchange(centre_known_, true)) centre_valid_ = evaluate(0, centre_);
  return centre_valid_ ? &centre_ : nullptr;
}

// Both sides' mean is off the centre in proportion to the step, not to its square, over the finest steps taken.
bool Ladder::bends(size_t i) {
  const Values* f = centre();
  if (!f || !std::isfinite((*f)[i])) return false;
  double finer = 0;
  int seen = 0;
  for (int k = kRungs - 1; k >= 0 && seen < kFinest; --k) {
    const Pair& p = pairs_[static_cast<size_t>(k)];
    if (!p.known || !p.valid) continue;
    const double h = step(k);
    const double peak = std::max({std::abs(p.plus[i]), std::abs(p.minus[i]), std::abs((*f)[i])});
    const double bend = std::abs(p.plus[i] + p.minus[i] - 2 * (*f)[i]) / h;
    if (!(bend > 1e3 * std::max(line_.eps * peak, line_.noise) / h)) return false;
    if (seen > 0 && finer < 0.7 * bend) return false;
    finer = bend;
    ++seen;
  }
  return seen == kFinest;
}

Verdict Ladder::passed(size_t i, double analytic, double terms, Verdict v) {
  if (!bends(i)) return finish(v);
  Verdict kink = v;
  look_for_kink(i, analytic, terms, kink);
  if (kink.judgement == Judgement::jump) return finish(kink);
  if (kink.judgement == Judgement::kink) v.at_kink = true, v.low = kink.low, v.high = kink.high;
  return finish(v);
}

void Ladder::look_for_kink(size_t i, double analytic, double terms, Verdict& v) {
  if (!centre() || !std::isfinite(centre_[i])) return;
  for (size_t k = 0; k < sides_.size(); ++k) {
    if (std::exchange(sides_[k].known, true)) continue;
    const double t = kSides[k] * line_.scale;
    sides_[k].valid = evaluate(t, sides_[k].plus) && evaluate(-t, sides_[k].minus);
  }
  double gap[3], right[3], left[3];
  for (size_t k = 0; k < sides_.size(); ++k) {
    if (!sides_[k].valid) return;
    const double half = line_.width(kSides[k] * line_.scale) / 2;
    right[k] = (sides_[k].plus[i] - centre_[i]) / half;
    left[k] = (centre_[i] - sides_[k].minus[i]) / half;
    if (!std::isfinite(right[k]) || !std::isfinite(left[k])) return;
    gap[k] = std::abs(right[k] - left[k]);
  }
  const double finest = kSides[2] * line_.scale;
  const double steepest = std::max(std::abs(right[2]), std::abs(left[2]));
  // At a jump the slopes grow as 1 / h.
  if (steepest > 1e3 * std::max(std::abs(right[0]), std::abs(left[0])) &&
      steepest * finest > kJump * rounding(std::abs(centre_[i]))) {
    v.judgement = std::isfinite(analytic) ? Judgement::jump : Judgement::wrong;
    return;
  }
  // A jump, seen at every spacing, would be taken for noise.
  const double measured = jumps(i) ? 0 : measured_noise(i);
  const double noise = 20 * (std::max({line_.eps * std::abs(centre_[i]), line_.noise, measured}) / finest);
  if (gap[2] <= noise || gap[2] <= 0.3 * gap[0]) return;
  v.low = std::min(left[2], right[2]);
  v.high = std::max(left[2], right[2]);
  // The slopes carry an error of first order in the step, seen in how they still move.
  const double slack = 2 * (std::abs(right[2] - right[1]) + std::abs(left[2] - left[1])) + noise + 1e-11 * terms;
  if (analytic >= v.low - slack && analytic <= v.high + slack) v.judgement = Judgement::kink;
}

}  // namespace tapegrad::check
