// Trigonometric and hyperbolic functions, in radians. Integers and bool give float32 (hypot refuses them).
// f_(x) writes f(x) into x (errors: ops/inplace.h). ValueError for an undefined tensor.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = sin x;  dx = dy cos x.
TAPEGRAD_API Tensor sin(const Tensor& x);
// y = cos x;  dx = -dy sin x.
TAPEGRAD_API Tensor cos(const Tensor& x);
// y = tan x;  dx = dy (1 + y^2).
TAPEGRAD_API Tensor tan(const Tensor& x);
// y in [-pi/2, pi/2] with sin y = x, NaN for |x| > 1;  dx = dy / sqrt(1 - x^2).
TAPEGRAD_API Tensor asin(const Tensor& x);
// y in [0, pi] with cos y = x, NaN for |x| > 1;  dx = -dy / sqrt(1 - x^2).
TAPEGRAD_API Tensor acos(const Tensor& x);
// y in [-pi/2, pi/2] with tan y = x;  dx = dy / (1 + x^2).
TAPEGRAD_API Tensor atan(const Tensor& x);
// y in [-pi, pi], the angle of the point with ordinate a and abscissa b;  da = dy b / (a^2 + b^2), db = -dy a / (a^2 + b^2).
// The operands broadcast and promote.
TAPEGRAD_API Tensor atan2(const Tensor& a, const Tensor& b);
// y = (e^x - e^-x) / 2;  dx = dy cosh x.
TAPEGRAD_API Tensor sinh(const Tensor& x);
// y = (e^x + e^-x) / 2;  dx = dy sinh x.
TAPEGRAD_API Tensor cosh(const Tensor& x);
// y = ln cosh x, without overflow far from 0 and with all its digits next to it;  dx = dy tanh x.
TAPEGRAD_API Tensor log_cosh(const Tensor& x);
// y with sinh y = x;  dx = dy / sqrt(x^2 + 1).
TAPEGRAD_API Tensor asinh(const Tensor& x);
// y >= 0 with cosh y = x, NaN for x < 1;  dx = dy / sqrt(x^2 - 1).
TAPEGRAD_API Tensor acosh(const Tensor& x);
// y with tanh y = x, +-inf at +-1, NaN beyond;  dx = dy / (1 - x^2).
TAPEGRAD_API Tensor atanh(const Tensor& x);
// y = sqrt(a^2 + b^2) without overflow on the way;  da = dy a / y, db = dy b / y. The operands broadcast and promote;
// DTypeError for integers.
TAPEGRAD_API Tensor hypot(const Tensor& a, const Tensor& b);

TAPEGRAD_API Tensor& sin_(const Tensor& x);
TAPEGRAD_API Tensor& cos_(const Tensor& x);
TAPEGRAD_API Tensor& tan_(const Tensor& x);
TAPEGRAD_API Tensor& asin_(const Tensor& x);
TAPEGRAD_API Tensor& acos_(const Tensor& x);
TAPEGRAD_API Tensor& atan_(const Tensor& x);
TAPEGRAD_API Tensor& atan2_(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor& sinh_(const Tensor& x);
TAPEGRAD_API Tensor& cosh_(const Tensor& x);
TAPEGRAD_API Tensor& log_cosh_(const Tensor& x);
TAPEGRAD_API Tensor& asinh_(const Tensor& x);
TAPEGRAD_API Tensor& acosh_(const Tensor& x);
TAPEGRAD_API Tensor& atanh_(const Tensor& x);
TAPEGRAD_API Tensor& hypot_(const Tensor& a, const Tensor& b);

}  // namespace tapegrad
