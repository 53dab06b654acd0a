// Rounding, remainders, and numbers in place of NaN and infinities. f_(x) writes f(x) into x (errors: ops/inplace.h).
// ValueError for an undefined tensor; DTypeError for bool, nan_to_num aside.
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = the next integer below, above, towards 0;  dx = 0. Integer tensors come back as they are, copied.
TAPEGRAD_API Tensor floor(const Tensor& x);
TAPEGRAD_API Tensor ceil(const Tensor& x);
TAPEGRAD_API Tensor trunc(const Tensor& x);
// y = the nearest integer, of two the even one; or the nearest multiple of 10^-decimals;  dx = 0. Integer tensors come
// back as they are, and take no decimals (DTypeError).
TAPEGRAD_API Tensor round(const Tensor& x, int64_t decimals = 0);
// y = x - trunc(x);  dx = dy. DTypeError for integers.
TAPEGRAD_API Tensor frac(const Tensor& x);
// y = a - b trunc(a / b), exactly, with the sign of a;  da = dy, db = -dy trunc(a / b). The operands broadcast and promote.
// ValueError where integers are divided by 0; floats give NaN there.
TAPEGRAD_API Tensor fmod(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor fmod(const Tensor& a, const Scalar& b);
// y = a - b floor(a / b), with the sign of b;  da = dy, db = -dy floor(a / b). As fmod otherwise.
TAPEGRAD_API Tensor remainder(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor remainder(const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor remainder(const Scalar& a, const Tensor& b);
// y = x, with `nan` for NaN, `posinf` for inf and `neginf` for -inf; left out, these two are the largest and the lowest
// number of the dtype;  dx = dy where x is finite, else 0. Integer and bool tensors come back as they are, copied.
TAPEGRAD_API Tensor nan_to_num(const Tensor& x, std::optional<double> nan = {}, std::optional<double> posinf = {},
                               std::optional<double> neginf = {});

TAPEGRAD_API Tensor& floor_(const Tensor& x);
TAPEGRAD_API Tensor& ceil_(const Tensor& x);
TAPEGRAD_API Tensor& trunc_(const Tensor& x);
TAPEGRAD_API Tensor& round_(const Tensor& x, int64_t decimals = 0);
TAPEGRAD_API Tensor& frac_(const Tensor& x);
TAPEGRAD_API Tensor& fmod_(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor& fmod_(const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor& remainder_(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor& remainder_(const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor& nan_to_num_(const Tensor& x, std::optional<double> nan = {}, std::optional<double> posinf = {},
                                 std::optional<double> neginf = {});

}  // namespace tapegrad
