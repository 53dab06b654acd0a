// Rows of a matrix named by an index: taking, adding up, overwriting.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// y[j] = x[index[j]] for x [n, ...] contiguous and index int64, one-dim, in [0, n).
Tensor take_rows(const Tensor& x, const Tensor& index);
// y [rows, ...] zeros, plus x[j] at y[index[j]], one after the other.
Tensor add_rows(const Tensor& x, const Tensor& index, int64_t rows);
// dst[index[j]] = src[j], or += one after the other, where the first `lead` dims of dst (any layout) count as rows in row-major order; src is
// contiguous, [m, rest...], or has one element.
void put_rows(const Tensor& dst, int64_t lead, const Tensor& index, const Tensor& src, bool accumulate = false);

}  // namespace tapegrad::kernels
