// Pooling of contiguous planes of up to three dims: the largest element of each window, the mean, the transposed mean. Internal.
#pragma once

#include "tapegrad/core/tensor.h"
#include "tapegrad/ops/kernels/windows.h"

namespace tapegrad::kernels {

struct PoolShape {
  using Attribute = PoolShape;
  int64_t planes = 1;
  Windows3 dim = {};
  int64_t divisor = 0;  // of a mean, in place of the count of each window; 0: none
  int64_t x_plane() const { return dim[0].x * dim[1].x * dim[2].x; }
  int64_t y_plane() const { return dim[0].y * dim[1].y * dim[2].y; }
};

// The dtype of positions beside elements of `dtype`.
constexpr DType position_type(DType dtype) { return dtype == kFloat64 ? kInt64 : kInt32; }

// The largest element of every window, the first of equal ones, NaN before all; y is of `sizes`. `position`, where it is not null, becomes
// where in its plane each was, of position_type.
Tensor max_pool(const char* name, const PoolShape& s, const Tensor& x, const Shape& sizes, Tensor* position);
// dx[position] += dy in every plane, and 0 elsewhere.
Tensor max_pool_backward(const char* name, const PoolShape& s, const Tensor& dy, const Tensor& position,
                         const Shape& sizes);
// The mean of every window; and dx from dy.
Tensor avg_pool(const char* name, const PoolShape& s, const Tensor& x, const Shape& sizes);
Tensor avg_pool_transpose(const char* name, const PoolShape& s, const Tensor& dy, const Shape& sizes);

}  // namespace tapegrad::kernels
