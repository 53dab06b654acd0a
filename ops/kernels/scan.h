// Running sums, products and their kin along a dim, in order; float32 runs in float64. Lines never meet, so the bits do not
// depend on threads.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

enum class Scan : uint8_t { sum, prod, logsumexp };

// y[i] = x[0] op ... op x[i] along dim; from the end, x[i] op ... op x[n-1], when `reverse`. int64 (sum, prod), float32 and
// float64. Written into `out` where it is defined, which may be x itself.
Tensor scan(const char* name, Scan kind, const Tensor& x, int64_t dim, bool reverse, const Tensor& out = {});
// y[i] = b[i] + a[i] y[i-1], and b[i] + a[i] y[i+1] when `reverse`, with y = 0 outside. float32 and float64.
Tensor recurrence(const char* name, const Tensor& a, const Tensor& b, int64_t dim, bool reverse);
// y[i] = dy times the product of all x[j] along dim but x[i]; dy has size 1 there.
Tensor products_of_others(const char* name, const Tensor& dy, const Tensor& x, int64_t dim);

}  // namespace tapegrad::kernels
