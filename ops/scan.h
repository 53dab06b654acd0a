// Scans: every element of the result takes in the elements before it along one dim. y has x's sizes.
// Errors: IndexError for a dim out of range.
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y[i] = x[0] + ... + x[i];  dx[i] = dy[i] + ... + dy[n-1]. Of bool and integers int64. dtype: converted to it first.
TAPEGRAD_API Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
// y[i] = x[0] ... x[i];  dx[i] = sum over j >= i of dy[j] times the product of x[0] ... x[j] without x[i], right where x
// has zeros. dtypes as cumsum.
TAPEGRAD_API Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
// y[i] = ln(e^x[0] + ... + e^x[i]), stable;  dx[i] = sum over j >= i of dy[j] e^(x[i] - y[j]). Floating dtypes only (DTypeError).
TAPEGRAD_API Tensor logcumsumexp(const Tensor& x, int64_t dim);

}  // namespace tapegrad
