// Elementwise kernels over tensors of any layout: one launch of a SIMD tile per call.
#pragma once

#include "tapegrad/core/tensor.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {

using simd::Map;

// The constants of a tile (a slope, bounds), see simd.h.
struct Attr {
  double value[3] = {0, 0, 0};
};

// y = op(inputs), written into `out` where it is defined (of the result's shape and dtype), else into a new tensor.
// The inputs have one dtype and broadcast; `name` is for errors. DTypeError when the kernel does not take the dtype.
Tensor unary(const char* name, Map op, const Tensor& x, const Tensor& out = {}, Attr attr = {});
Tensor binary(const char* name, Map op, const Tensor& a, const Tensor& b, const Tensor& out = {}, Attr attr = {});
Tensor ternary(const char* name, Map op, const Tensor& c, const Tensor& a, const Tensor& b, const Tensor& out = {},
               Attr attr = {});
// y = op(x, s) with the number converted to x's dtype.
Tensor binary_scalar(const char* name, Map op, const Tensor& x, const Scalar& s, const Tensor& out = {});
// The same with a bool result.
Tensor test(const char* name, Map op, const Tensor& x);
Tensor test(const char* name, Map op, const Tensor& a, const Tensor& b);
Tensor test_scalar(const char* name, Map op, const Tensor& x, const Scalar& s);

}  // namespace tapegrad::kernels
