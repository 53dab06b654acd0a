// Rows named by number, where the first dims of a tensor of any layout count as one: taking, overwriting, adding up.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// number = number * size + index for every element, negative indices counted from the end. index broadcasts to number, which
// is int64 and contiguous; it has been checked.
void count_on(const Tensor& number, const Tensor& index, int64_t size);

// y[j] = x[number[j]], [m, rest...], where the first `lead` dims of x count as rows in row-major order.
Tensor take_rows(const Tensor& x, int64_t lead, const Tensor& number);
// dst[number[j]] = src[j] or, where accumulate, += src[j], one after the other; src is contiguous, [m, rest...], or has one
// element.
void put_rows(const Tensor& dst, int64_t lead, const Tensor& number, const Tensor& src, bool accumulate = false);

}  // namespace tapegrad::kernels
