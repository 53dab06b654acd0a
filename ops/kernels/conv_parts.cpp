// The places of x that have the taps of a convolution in common.
#include "tapegrad/ops/kernels/conv_parts.h"

#include <numeric>

namespace tapegrad::kernels {
namespace {

// a / b; the divisions of a tiny convolution are felt, and most are by 1.
int64_t quotient(int64_t a, int64_t b) { return b == 1 ? a : a / b; }

}  // namespace

int64_t gcd_of_steps(const ConvShape& s, size_t dim) { return std::gcd(s.stride[dim], s.dilation[dim]); }

Residue residue_of(const ConvShape& s, size_t dim, int64_t t) {
  const int64_t stride = s.stride[dim], dilation = s.dilation[dim];
  Residue found{};
  found.first_tap = t, found.first_y = quotient(t * dilation, stride);
  found.remainder = t * dilation - found.first_y * stride;
  found.tap_step = period_of(s, dim), found.y_step = quotient(found.tap_step * dilation, stride);
  found.taps = quotient(s.kernel[dim] - t + found.tap_step - 1, found.tap_step);
  const int64_t before = s.padding[dim] - found.remainder, end = before + s.x[dim];  // of x, in u - remainder
  found.first = before > 0 ? quotient(before + stride - 1, stride) : 0;
  found.count = std::max<int64_t>(0, quotient(end + stride - 1, stride) - found.first);
  return found;
}

Reach reach_around_y(const ConvShape& s, size_t dim) {
  Reach reach{0, s.y[dim]};
  for (int64_t t = 0, n = residues(s, dim); t < n; ++t) {
    const Residue e = residue_of(s, dim, t);
    if (e.count == 0) continue;
    reach.before = std::max(reach.before, e.first_y + (e.taps - 1) * e.y_step - e.first);
    reach.end = std::max(reach.end, e.first + e.count - e.first_y);
  }
  return reach;
}

}  // namespace tapegrad::kernels
