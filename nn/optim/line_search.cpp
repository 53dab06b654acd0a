// Bracketing and zooming by cubic interpolation: Nocedal and Wright, algorithms 3.5 and 3.6, with minFunc's safeguards.
#include "tapegrad/nn/optim/line_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tapegrad::optim::detail {
namespace {

constexpr double kDecrease = 1e-4, kCurvature = 0.9, kSmallestMove = 1e-9;
constexpr int kMostEvaluations = 25;

// Where the cubic through both points with their slopes is least, within bounds.
double least_of_cubic(const LinePoint& a, const LinePoint& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t), square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const LinePoint &left = a.t <= b.t ? a : b, &right = a.t <= b.t ? b : a;
  const double d2 = std::sqrt(square);
  const double t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  return std::min(std::max(t, low), high);
}

struct Search {
  const std::function<LinePoint(double)>& at;
  const LinePoint& origin;
  double reach;
  int used = 0;

  bool decreases(const LinePoint& p) const { return p.f <= origin.f + kDecrease * p.t * origin.slope; }
  bool is_flat(const LinePoint& p) const { return std::abs(p.slope) <= -kCurvature * origin.slope; }

  // An interval that holds a point as wanted: {lower, higher}; or that point, twice.
  std::pair<LinePoint, LinePoint> bracket(double first) {
    LinePoint before = origin, now = at(first);
    for (used = 0; used < kMostEvaluations; ++used) {
      if (!decreases(now) || (used > 1 && now.f >= before.f)) return ordered(before, now);
      if (is_flat(now)) return {now, now};
      if (now.slope >= 0) return ordered(before, now);
      const double t = least_of_cubic(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10);
      before = std::exchange(now, at(t));
    }
    return ordered(origin, now);
  }

  // NaN is higher than any number.
  static std::pair<LinePoint, LinePoint> ordered(const LinePoint& a, const LinePoint& b) {
    return a.f <= b.f || std::isnan(b.f) ? std::pair(a, b) : std::pair(b, a);
  }

  LinePoint zoom(LinePoint low, LinePoint high) {
    bool stalled = false;
    while (used < kMostEvaluations && std::abs(high.t - low.t) * reach >= kSmallestMove) {
      const LinePoint now = at(next(low, high, stalled));
      ++used;
      if (!decreases(now) || now.f >= low.f) {
        high = now;
        if (high.f < low.f) std::swap(low, high);
        continue;
      }
      if (is_flat(now)) return now;
      if (now.slope * (high.t - low.t) >= 0) high = low;
      low = now;
    }
    return low;
  }

  // Not for ever next to an end of the interval.
  static double next(const LinePoint& low, const LinePoint& high, bool& stalled) {
    const double left = std::min(low.t, high.t), right = std::max(low.t, high.t), margin = 0.1 * (right - left);
    double t = least_of_cubic(low, high, left, right);
    const bool is_near = std::min(right - t, t - left) < margin;
    if (is_near && (stalled || t >= right || t <= left)) {
      t = std::abs(t - right) < std::abs(t - left) ? right - margin : left + margin;
      stalled = false;
    } else {
      stalled = is_near;
    }
    return t;
  }
};

}  // namespace

LinePoint strong_wolfe(const std::function<LinePoint(double)>& at, const LinePoint& origin, double first,
                       double reach) {
  Search search{at, origin, reach};
  const auto [low, high] = search.bracket(first);
  return low.t == high.t ? low : search.zoom(low, high);
}

}  // namespace tapegrad::optim::detail
