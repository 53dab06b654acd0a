// What the pooling kernels take: planes, whose rows are laid out so that whole vectors of windows can be read.
#pragma once

#include <type_traits>

#include "tapegrad/ops/kernels/windows.h"

namespace tapegrad::kernels::simd {

template <class T> using PositionOf = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// Planes one behind the other. Row (d, h) of the first lies at x + (d height.x + h) pitch, with width.padding elements in front of it that count for nothing, and as many
// behind it as a vector of windows reads. width.stride is 1 or 2.
template <class T> struct PoolPlane {
  Windows depth, height, width;
  const Window *deep, *high;  // those of depth and height, one by one
  int64_t planes;
  const T* x;
  int64_t pitch;
  T* y;
  PositionOf<T>* position;  // or null
  const T* counts;          // of a mean: of each window of a row, for whole vectors
  T divisor;                // of a mean: in place of the counts of depth and height, or 0
};

// dx += what its windows hand out of dy; x is not laid out, of any stride.
template <class T> struct PoolSpread {
  Windows depth, height, width;
  const Window *deep, *high;
  const T* dy;
  T* dx;
  const T* counts;
  T divisor;
  T* row;  // workspace of width.y elements
};

template <class T> struct PoolKernels {
  int64_t lanes;
  void (*max)(const PoolPlane<T>&);
  void (*mean)(const PoolPlane<T>&);
  void (*spread)(const PoolSpread<T>&);
};

}  // namespace tapegrad::kernels::simd
