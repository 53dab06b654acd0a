// Comparisons and predicates: bool results, no gradient. Operands broadcast and promote. A number is
// compared as it is, whether or not the tensor's integers reach it.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = a == b, a != b, a < b, a <= b, a > b, a >= b, element by element; NaN is unequal to everything. No gradient.
TAPEGRAD_API Tensor eq(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor eq(const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor ne(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor ne(const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor lt(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor lt(const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor le(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor le(const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor gt(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor gt(const Tensor& a, const Scalar& b);
TAPEGRAD_API Tensor ge(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor ge(const Tensor& a, const Scalar& b);

// Elementwise tests of one tensor; integers are finite and no NaN.
TAPEGRAD_API Tensor isnan(const Tensor& x);
TAPEGRAD_API Tensor isinf(const Tensor& x);
TAPEGRAD_API Tensor isfinite(const Tensor& x);
// x == 0; and both != 0, one of them, just one of them.
TAPEGRAD_API Tensor logical_not(const Tensor& x);
TAPEGRAD_API Tensor logical_and(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor logical_or(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor logical_xor(const Tensor& a, const Tensor& b);
// The same on bool tensors, as ~m, m & n, m | n, m ^ n. DTypeError for any other dtype.
TAPEGRAD_API Tensor operator~(const Tensor& x);
TAPEGRAD_API Tensor operator&(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor operator|(const Tensor& a, const Tensor& b);
TAPEGRAD_API Tensor operator^(const Tensor& a, const Tensor& b);

// Whether all |a - b| <= atol + rtol |b|; equal infinities count as close, NaNs only with equal_nan.
TAPEGRAD_API bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
                           bool equal_nan = false);
// Whether shapes and all elements are the same; NaN equals nothing.
TAPEGRAD_API bool equal(const Tensor& a, const Tensor& b);

inline Tensor operator==(const Tensor& a, const Tensor& b) { return eq(a, b); }
inline Tensor operator==(const Tensor& a, const Scalar& b) { return eq(a, b); }
inline Tensor operator==(const Scalar& a, const Tensor& b) { return eq(b, a); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return ne(a, b); }
inline Tensor operator!=(const Tensor& a, const Scalar& b) { return ne(a, b); }
inline Tensor operator!=(const Scalar& a, const Tensor& b) { return ne(b, a); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
inline Tensor operator<(const Tensor& a, const Scalar& b) { return lt(a, b); }
inline Tensor operator<(const Scalar& a, const Tensor& b) { return gt(b, a); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
inline Tensor operator<=(const Tensor& a, const Scalar& b) { return le(a, b); }
inline Tensor operator<=(const Scalar& a, const Tensor& b) { return ge(b, a); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
inline Tensor operator>(const Tensor& a, const Scalar& b) { return gt(a, b); }
inline Tensor operator>(const Scalar& a, const Tensor& b) { return lt(b, a); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
inline Tensor operator>=(const Tensor& a, const Scalar& b) { return ge(a, b); }
inline Tensor operator>=(const Scalar& a, const Tensor& b) { return le(b, a); }

}  // namespace tapegrad
