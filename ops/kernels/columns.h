// Patches of images as columns of a matrix, and columns added up to images; both contiguous. Internal.
#pragma once

#include "tapegrad/core/tensor.h"
#include "tapegrad/ops/kernels/windows.h"

namespace tapegrad::kernels {

// `channels` planes (those of all images), with height and width windows, of which there is one column for each position.
struct Patches {
  int64_t channels;
  Windows height, width;
  int64_t plane() const { return height.x * width.x; }
  int64_t positions() const { return height.y * width.y; }
  int64_t places() const { return height.kernel * width.kernel; }
};

// y[c, place, position] = x[c, where the place of the window at the position lies], 0 outside.
Tensor im2col(const char* name, const Patches& s, const Tensor& x, const Shape& sizes);
// x[c, there] = the sum of y over what lies there.
Tensor col2im(const char* name, const Patches& s, const Tensor& y, const Shape& sizes);

}  // namespace tapegrad::kernels
