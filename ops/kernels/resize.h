// One dim of a contiguous tensor at another size: every result a weighted sum of up to four elements. Internal.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

enum class Resampling : uint8_t { nearest, nearest_exact, linear, cubic };

// Result i of `to` lies at scale i in x (align_corners), or at scale (i + 1/2) - 1/2.
struct Resize {
  using Attribute = Resize;
  Resampling by;
  bool align_corners;
  double scale;
  int64_t from, to;      // sizes of the dim
  int64_t outer, inner;  // elements in front of it and behind
};

// y [outer, to, inner] from x [outer, from, inner], of `sizes`; and dx from dy.
Tensor resize(const char* name, const Resize& r, const Tensor& x, const Shape& sizes);
Tensor resize_transpose(const char* name, const Resize& r, const Tensor& dy, const Shape& sizes);

}  // namespace tapegrad::kernels
