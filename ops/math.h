// Exponentials, logarithms and reciprocals beyond those of ops/elementwise.h. Integers and bool give float32.
// f_(x) writes f(x) into x (errors: ops/inplace.h). ValueError for an undefined tensor.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = e^x - 1, with all its digits next to 0;  dx = dy (y + 1).
TAPEGRAD_API Tensor expm1(const Tensor& x);
// y = 2^x;  dx = dy y ln 2.
TAPEGRAD_API Tensor exp2(const Tensor& x);
// y = ln(1 + x), with all its digits next to 0;  dx = dy / (1 + x).
TAPEGRAD_API Tensor log1p(const Tensor& x);
// y = log x to the base 2 (to the base 10);  dx = dy / (x ln 2) (dy / (x ln 10)).
TAPEGRAD_API Tensor log2(const Tensor& x);
TAPEGRAD_API Tensor log10(const Tensor& x);
// y = 1 / sqrt x;  dx = -dy y^3 / 2.
TAPEGRAD_API Tensor rsqrt(const Tensor& x);
// y = 1 / x;  dx = -dy y^2.
TAPEGRAD_API Tensor reciprocal(const Tensor& x);

TAPEGRAD_API Tensor& expm1_(const Tensor& x);
TAPEGRAD_API Tensor& exp2_(const Tensor& x);
TAPEGRAD_API Tensor& log1p_(const Tensor& x);
TAPEGRAD_API Tensor& log2_(const Tensor& x);
TAPEGRAD_API Tensor& log10_(const Tensor& x);
TAPEGRAD_API Tensor& rsqrt_(const Tensor& x);
TAPEGRAD_API Tensor& reciprocal_(const Tensor& x);

}  // namespace tapegrad
