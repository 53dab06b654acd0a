// Reductions over any dims of tensors of any layout. Dims are named by a mask: bit d for dim d.
#pragma once

#include "tapegrad/core/tensor.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {

using simd::Reduce;

// sizes without the dims in `mask`, or with 1 in their place; and the number of elements that meet in one.
Shape reduced_sizes(const Shape& sizes, uint32_t mask, bool keepdim);
int64_t reduced_count(const Shape& sizes, uint32_t mask);

// A result of a reduction (with its dims kept or not) as a view with the sizes of what was reduced, repeated without copying.
Tensor spread(const Tensor& y, const Shape& sizes, uint32_t mask);

// bool and integers sum in int64.
Tensor sum(const char* name, const Tensor& x, uint32_t mask, bool keepdim);
Tensor mean(const char* name, const Tensor& x, uint32_t mask, bool keepdim);
// The largest, or smallest, element; the caller has made sure that there is one.
Tensor extreme(const char* name, const Tensor& x, uint32_t mask, bool keepdim, bool smallest);
// The product; of integers in int64 only.
Tensor prod(const char* name, const Tensor& x, uint32_t mask, bool keepdim);
// Whether all elements, or any, are not 0: bool.
Tensor truth(const char* name, const Tensor& x, uint32_t mask, bool keepdim, bool all);
// How many elements are not 0: int64.
Tensor count_nonzero(const char* name, const Tensor& x, uint32_t mask);
// ln sum e^x.
Tensor logsumexp(const char* name, const Tensor& x, uint32_t mask, bool keepdim);
// (sum |x|^p)^(1/p), see ops/reduce.h.
Tensor norm(const char* name, const Tensor& x, double p, uint32_t mask, bool keepdim);

}  // namespace tapegrad::kernels
