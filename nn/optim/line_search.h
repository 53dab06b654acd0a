// A line search that ends where the strong Wolfe conditions hold. Internal.
#pragma once

#include <functional>

#include "tapegrad/core/tensor.h"

namespace tapegrad::optim::detail {

// A point on the line x + t d: the function there, its gradient and its slope along d.
struct LinePoint {
  double t = 0, f = 0, slope = 0;
  Tensor gradient = {};
};

// A point that satisfies f(t) <= f(0) + t slope / 10^4 and |slope(t)| <= 0.9 |slope(0)|, or the best found in 25 evaluations; tried
// from t = first on. reach: the largest element of |d|.
LinePoint strong_wolfe(const std::function<LinePoint(double t)>& at, const LinePoint& origin, double first,
                       double reach);

}  // namespace tapegrad::optim::detail
