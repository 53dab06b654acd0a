// Elements that are not zero, and distinct elements. How many there are is read before the launch that writes them.
#pragma once

#include <tuple>

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// The row-major numbers of the elements that are not 0, int64, one-dim.
Tensor positions(const char* name, const Tensor& x);
// The same as rows of indices, [n, dims of x].
Tensor nonzero(const char* name, const Tensor& x);

// Distinct values in ascending order, NaNs last and each by itself; and where asked for the inverse and the counts.
std::tuple<Tensor, Tensor, Tensor> unique(const char* name, const Tensor& x, bool inverse, bool counts);

}  // namespace tapegrad::kernels
