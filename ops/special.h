// Error and gamma functions. Integers and bool give float32.
// f_(x) writes f(x) into x (errors: ops/inplace.h). ValueError for an undefined tensor.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x;  dx = dy 2 / sqrt(pi) e^(-x^2).
TAPEGRAD_API Tensor erf(const Tensor& x);
// y = 1 - erf x, with all its digits where that is small;  dx = -dy 2 / sqrt(pi) e^(-x^2).
TAPEGRAD_API Tensor erfc(const Tensor& x);
// y with erf y = x, +-inf at +-1, NaN beyond;  dx = dy sqrt(pi) / 2 e^(y^2).
TAPEGRAD_API Tensor erfinv(const Tensor& x);
// y = ln |gamma(x)|, inf at 0 and the negative integers;  dx = dy digamma(x).
TAPEGRAD_API Tensor lgamma(const Tensor& x);
// y = (ln gamma)'(x), -inf at 0, NaN at the negative integers;  dx = dy polygamma(1, x). Beside its zeros below 0 the error is a
// few ulp of max(1, ln(1 - x)), not of y.
TAPEGRAD_API Tensor digamma(const Tensor& x);
// y = the n-th derivative of digamma, inf (odd n) or -inf (even n) at 0 and the negative integers;
// dx = dy polygamma(n + 1, x). ValueError for n < 0.
TAPEGRAD_API Tensor polygamma(int64_t n, const Tensor& x);

TAPEGRAD_API Tensor& erf_(const Tensor& x);
TAPEGRAD_API Tensor& erfc_(const Tensor& x);
TAPEGRAD_API Tensor& erfinv_(const Tensor& x);
TAPEGRAD_API Tensor& lgamma_(const Tensor& x);
TAPEGRAD_API Tensor& digamma_(const Tensor& x);
TAPEGRAD_API Tensor& polygamma_(const Tensor& x, int64_t n);

}  // namespace tapegrad
