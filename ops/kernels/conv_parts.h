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
  int64_t remainder;
  int64_t taps, first_tap, tap_step, first_y, y_step;
  int64_t first, count;  // q of the first that lies in x; how many do
};

int64_t gcd_of_steps(const ConvShape& s, size_t dim);
// From a tap to the next with the same remainder.
inline int64_t period_of(const ConvShape& s, size_t dim) {
  return s.dilation[dim] == 1 || s.stride[dim] == 1 ? s.stride[dim] : s.stride[dim] / gcd_of_steps(s, dim);
}
// Remainders that some tap has, those of taps 0, 1, ... in their order: others are not gone through, however many there are.
inline int64_t residues(const ConvShape& s, size_t dim) { return std::min(s.kernel[dim], period_of(s, dim)); }

// That of tap t.
Residue residue_of(const ConvShape& s, size_t dim, int64_t t);

// The places of x with the same remainders.
struct Class {
  Residue e[3];
  int64_t taps() const { return e[0].taps * e[1].taps * e[2].taps; }
  Dims3 count() const { return {e[0].count, e[1].count, e[2].count}; }
  // Where the first of them lies.
  int64_t place(const ConvShape& s) const {
    Dims3 at;
    for (size_t i = 0; i < 3; ++i) at[i] = s.stride[i] * e[i].first + e[i].remainder - s.padding[i];
    return (at[0] * s.x[1] + at[1]) * s.x[2] + at[2];
  }
};

// f(class) for those that have places and taps.
template <class F> void for_classes(const ConvShape& s, const F& f) {
  const Dims3 n = {residues(s, 0), residues(s, 1), residues(s, 2)};
  Class c{};
  for (int64_t d = 0; d < n[0]; ++d) {
    c.e[0] = residue_of(s, 0, d);
    for (int64_t h = 0; h < n[1]; ++h) {
      c.e[1] = residue_of(s, 1, h);
      for (int64_t w = 0; w < n[2]; ++w) {
        c.e[2] = residue_of(s, 2, w);
        if (product(c.count()) > 0) f(c);
      }
    }
  }
}

// What classes read of y along a dim: from so many zeros before it, up to `end`.
struct Reach {
  int64_t before, end;
};
Reach reach_around_y(const ConvShape& s, size_t dim);

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
