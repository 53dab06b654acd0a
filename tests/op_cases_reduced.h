// What the rows of losses share: their reductions.
#pragma once

#include "op_cases.h"

namespace op_cases {

inline constexpr Reduction kReductions[] = {kNone, kMean, kSum};
inline const char* name_of(Reduction r) { return r == kNone ? "none" : r == kMean ? "mean" : "sum"; }

// `each`, whose magnitudes are set, reduced.
inline Array reduced(const Array& each, Reduction reduction) {
  if (reduction == kNone) return each;
  Array y(Shape{}, {0});
  y.magnitude = {0};
  for (int64_t i = 0; i < each.numel(); ++i) {
    y[0] += each[i];
    y.magnitude[0] += each.magnitude[static_cast<size_t>(i)];
  }
  if (reduction == kMean) {
    y[0] /= static_cast<double>(each.numel());
    y.magnitude[0] /= static_cast<double>(each.numel());
  }
  return y;
}

}  // namespace op_cases
