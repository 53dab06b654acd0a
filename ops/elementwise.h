// Elementwise arithmetic. Operands broadcast against each other and promote as PyTorch's do; NaN passes through.
// Errors: ShapeError where shapes do not broadcast, DTypeError where a dtype is not taken, ValueError for an undefined tensor
// and for a number that does not fit the integers it meets (in uint8 -1 to -255 wrap).
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = a + alpha b;  da = dy, db = alpha dy. On bool: or (alpha must be 1).
TAPEGRAD_API Tensor add(const Tensor& a, const Tensor& b, const Scalar& alpha = 1);
TAPEGRAD_API Tensor add(const Tensor& a, const Scalar& b, const Scalar& alpha = 1);
// y = a - alpha b;  da = dy, db = -alpha dy. Not where both are bool.
TAPEGRAD_API Tensor sub(const Tensor& a, const Tensor& b, const Scalar& alpha = 1);
TAPEGRAD_API Tensor sub(const Tensor& a, const Scalar& b, const Scalar& alpha = 1);
// y = a b;  da = dy b, db = dy a. On bool: and.
TAPEGRAD_API Tensor mul(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor mul(const Tensor& a, const Scalar& b);
// y = a / b, true division: integers give float32;  da = dy / b, db = -dy y / b.
TAPEGRAD_API Tensor div(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor div(const Tensor& a, const Scalar& b);
// y = -x;  dx = -dy. Not on bool.
TAPEGRAD_API Tensor neg(const Tensor& x);
// y = x^p;  dx = dy p x^(p-1) (0 where p = 0), dp = dy y log x (0 where x = 0 and p >= 0).
// ValueError: an integer tensor to a negative integer scalar.
TAPEGRAD_API Tensor pow(const Tensor& x, const Tensor& exponent);
TAPEGRAD_API Tensor pow(const Tensor& x, const Scalar& exponent);
TAPEGRAD_API Tensor pow(const Scalar& x, const Tensor& exponent);
// y = x x;  dx = 2 dy x.
TAPEGRAD_API Tensor square(const Tensor& x);
// y = e^x;  dx = dy y. Integers give float32, as for all functions below with a real result.
TAPEGRAD_API Tensor exp(const Tensor& x);
// y = ln x;  dx = dy / x.
TAPEGRAD_API Tensor log(const Tensor& x);
// y = sqrt x;  dx = dy / (2 y).
TAPEGRAD_API Tensor sqrt(const Tensor& x);
// y = |x|;  dx = dy sign(x), 0 at 0.
TAPEGRAD_API Tensor abs(const Tensor& x);
// y = -1, 0 or 1;  dx = 0.
TAPEGRAD_API Tensor sign(const Tensor& x);
// y = min(max(x, lo), hi), either bound may be left out, NaN where x or a bound is;  dx = dy where lo <= x <= hi, else 0.
// ValueError without bounds. Integer bounds that the dtype does not hold count as the ends of its range.
TAPEGRAD_API Tensor clamp(const Tensor& x, const std::optional<Scalar>& min = {},
                          const std::optional<Scalar>& max = {});
// The same for bounds that broadcast;  dlo = dy where x < lo < hi, dhi = dy where x > hi or lo > hi, else 0.
TAPEGRAD_API Tensor clamp(const Tensor& x, const std::optional<Tensor>& min, const std::optional<Tensor>& max = {});
// With the one bound.
TAPEGRAD_API Tensor clamp_min(const Tensor& x, const Scalar& min);
TAPEGRAD_API Tensor clamp_min(const Tensor& x, const Tensor& min);
TAPEGRAD_API Tensor clamp_max(const Tensor& x, const Scalar& max);
TAPEGRAD_API Tensor clamp_max(const Tensor& x, const Tensor& max);
// y = the larger (smaller) one, NaN if either is;  dy goes to it, half to each where they are equal.
TAPEGRAD_API Tensor maximum(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor minimum(const Tensor& a, const Tensor& b);
// y = a where condition (bool), else b;  da = dy where condition, db = dy elsewhere.
TAPEGRAD_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor where(const Tensor& condition, const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor where(const Tensor& condition, const Scalar& a, const Tensor& b);
TAPEGRAD_API Tensor where(const Tensor& condition, const Scalar& a, const Scalar& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, const Scalar& b) { return add(a, b); }
inline Tensor operator+(const Scalar& a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, const Scalar& b) { return sub(a, b); }
TAPEGRAD_API Tensor operator-(const Scalar& a, const Tensor& b);
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, const Scalar& b) { return mul(a, b); }
inline Tensor operator*(const Scalar& a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, const Scalar& b) { return div(a, b); }
TAPEGRAD_API Tensor operator/(const Scalar& a, const Tensor& b);

}  // namespace tapegrad
