// What the ways to convolve share. Internal.
#pragma once

#include <algorithm>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/conv.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {

constexpr int64_t kThreadWork = int64_t{1} << 19;  // multiply-adds a thread gets at least

inline int64_t product(const Dims3& d) { return d[0] * d[1] * d[2]; }

// Of the elements of x that lie at u = stride q + remainder (u = place + padding) along a dim: the terms that reach them, and where these find
// dy. Term t = first_tap + i tap_step reads y at q - first_y - i y_step.
struct Residue {
  int64_t taps, first_tap, tap_step, first_y, y_step;
  int64_t first, count;  // q of the first that lies in x; how many do
};

inline Residue residue_of(const ConvShape& s, size_t dim, int64_t r) {
  const int64_t stride = s.stride[dim], dilation = s.dilation[dim], padding = s.padding[dim];
  Residue found{};
  for (int64_t t = 0; t < s.kernel[dim]; ++t) {
    if (t * dilation % stride != r) continue;
    if (found.taps == 0) found.first_tap = t, found.first_y = (t * dilation - r) / stride;
    else if (found.taps == 1) {
      found.tap_step = t - found.first_tap;
      found.y_step = (t * dilation - r) / stride - found.first_y;
    }
    ++found.taps;
  }
  found.first = padding > r ? (padding - r + stride - 1) / stride : 0;
  const int64_t end = padding + s.x[dim] - r;  // u < padding + x
  found.count = std::max<int64_t>(0, (end + stride - 1) / stride - found.first);
  return found;
}

inline int64_t images_grain(const ConvShape& s) {
  return std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, product(s.y) * s.groups * s.out * s.terms()));
}

// run(image) for every image: several threads take some each, or all of them share each.
template <class Run> void for_images(const ConvShape& s, const Run& run) {
  const bool apart = s.batch >= 4 || s.batch >= detail::share_of_threads();
  if (!apart) {
    for (int64_t n = 0; n < s.batch; ++n) run(n);
    return;
  }
  parallel_for(0, s.batch, images_grain(s), [&](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) run(n);
  });
}

// The ways to do it: with the positions of an image side by side in a vector, or its channels. The arguments are contiguous and not empty, but for a
// sum of no terms, which is the bias, or 0.
template <class T> void conv_by_positions(const ConvShape& s, const T* x, const T* w, const T* bias, T* y);
template <class T> void conv_by_channels(const ConvShape& s, const T* x, const T* w, const T* bias, T* y);
template <class T> void conv_transpose_by_positions(const ConvShape& s, const T* y, const T* w, const T* bias, T* x);
template <class T> void conv_transpose_by_channels(const ConvShape& s, const T* y, const T* w, const T* bias, T* x);
// These add to dw.
template <class T> void conv_weight_by_positions(const ConvShape& s, const T* x, const T* dy, T* dw);
template <class T> void conv_weight_by_channels(const ConvShape& s, const T* x, const T* dy, T* dw);

}  // namespace tapegrad::kernels
