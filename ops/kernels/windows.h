// Windows along one dim, of pooling. Internal.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace tapegrad::kernels {

// What one window has of x: begin, begin + dilation, ... below end. `count` is how many elements a mean divides by.
struct Window {
  int64_t begin, end, count;
};

// y windows over a dim of x elements. Window i begins at i stride - padding and has `kernel` elements, `dilation` apart; those
// outside x are left out. Where stride is 0, y windows share x out: from floor(i x / y) up to ceil((i + 1) x / y).
struct Windows {
  int64_t x = 1, y = 1, kernel = 1, stride = 1, padding = 0, dilation = 1;
  bool counts_padding = false;

  Window operator[](int64_t i) const {
    if (stride == 0) {
      const int64_t begin = i * x / y, end = ((i + 1) * x + y - 1) / y;
      return {begin, end, end - begin};
    }
    const int64_t from = i * stride - padding, to = from + (kernel - 1) * dilation + 1;
    const int64_t begin = from < 0 ? from + (-from + dilation - 1) / dilation * dilation : from;
    const int64_t end = std::min(to, x);
    return {begin, end, counts_padding ? std::min(to, x + padding) - from : end - begin};
  }
  // One behind the last element of the last window.
  int64_t reach() const { return (y - 1) * stride - padding + (kernel - 1) * dilation + 1; }
};

// The windows whose element number `place` lies in x: first .. last, each at window * stride + shift.
struct Run {
  int64_t first, last, shift;
  Run(const Windows& w, int64_t place) {
    shift = place * w.dilation - w.padding;
    first = shift < 0 ? std::min(w.y, (-shift + w.stride - 1) / w.stride) : 0;
    last = shift < w.x ? std::clamp((w.x - shift + w.stride - 1) / w.stride, first, w.y) : first;
  }
};

// Depth, height, width.
using Windows3 = std::array<Windows, 3>;

}  // namespace tapegrad::kernels
