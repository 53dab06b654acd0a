// A matrix as the product kernels want it. Internal.
#pragma once

#include <algorithm>

#include "tapegrad/core/copy.h"

namespace tapegrad::kernels {

// Rows `ld` apart, or stored transposed. Anything else is copied first.
struct Stored {
  Tensor t;
  int64_t ld;
  bool transposed;
};

inline Stored stored(const Tensor& x, int64_t dim, bool transpose) {
  const int64_t rows = x.sizes()[dim], cols = x.sizes()[dim + 1];
  const int64_t row_stride = x.strides()[dim], col_stride = x.strides()[dim + 1];
  if ((col_stride == 1 || cols == 1) && row_stride >= std::max<int64_t>(cols, 1)) return {x, row_stride, transpose};
  if ((row_stride == 1 || rows == 1) && col_stride >= std::max<int64_t>(rows, 1)) return {x, col_stride, !transpose};
  if (rows == 1 && (col_stride == 1 || cols == 1)) return {x, std::max<int64_t>(cols, 1), transpose};
  return {clone_of(x), std::max<int64_t>(cols, 1), transpose};
}

}  // namespace tapegrad::kernels
