// Functions of three operands: a way between two tensors, and products and quotients added to a third.
// f_(x, ...) writes f(x, ...) into x (errors: ops/inplace.h). ShapeError where shapes do not broadcast, ValueError for an
// undefined tensor.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = start + weight (end - start), weight a number or a tensor, all of one floating dtype, broadcast;
// dstart = dy (1 - weight), dend = dy weight, dweight = dy (end - start). DTypeError for other or differing dtypes.
TAPEGRAD_API Tensor lerp(const Tensor& start, const Tensor& end, const Scalar& weight);
TAPEGRAD_API Tensor lerp(const Tensor& start, const Tensor& end, const Tensor& weight);
// y = x + value a b;  dx = dy, da = dy value b, db = dy value a. The operands broadcast and promote. On integers, value must be one.
TAPEGRAD_API Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value = 1);
// y = x + value a / b;  dx = dy, da = dy value / b, db = -dy value a / b^2. DTypeError where a and b are both integers.
TAPEGRAD_API Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value = 1);

TAPEGRAD_API Tensor& lerp_(const Tensor& start, const Tensor& end, const Scalar& weight);
TAPEGRAD_API Tensor& lerp_(const Tensor& start, const Tensor& end, const Tensor& weight);
TAPEGRAD_API Tensor& addcmul_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value = 1);
TAPEGRAD_API Tensor& addcdiv_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value = 1);

}  // namespace tapegrad
