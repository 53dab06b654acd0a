// Convolutions of up to three spatial dims over contiguous tensors: forward, by the image, by the weight. Internal.
#pragma once

#include <array>

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

using Dims3 = std::array<int64_t, 3>;  // depth, height, width; 1 where a tensor has fewer

// y[n, g out + o, p] = sum over i, t of w[g out + o, i, t] x[n, g in + i, stride p + dilation t - padding], zero outside x.
struct ConvShape {
  using Attribute = ConvShape;
  int64_t batch, groups, in, out;  // channels of one group
  Dims3 x, y, kernel, stride, padding, dilation;
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t terms() const { return in * taps(); }
};

// x [batch, groups in, ...], w [groups out, in, ...], bias [groups out] or undefined; y [batch, groups out, ...], of `sizes`.
Tensor conv(const char* name, const ConvShape& s, const Tensor& x, const Tensor& w, const Tensor& bias,
            const Shape& sizes);
// The transposed map: dx from dy, plus bias [groups in] where it is defined.
Tensor conv_transpose(const char* name, const ConvShape& s, const Tensor& dy, const Tensor& w, const Tensor& bias,
                      const Shape& sizes);
// dw from x and dy, added to `into` where that is defined.
Tensor conv_weight(const char* name, const ConvShape& s, const Tensor& x, const Tensor& dy, const Tensor& into,
                   const Shape& sizes);

}  // namespace tapegrad::kernels
