// Softmax and log-softmax along any dim of float32 and float64 tensors.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

Tensor softmax(const char* name, const Tensor& x, int64_t dim, bool log);
// dx from dy and y = softmax(x), or log_softmax(x).
Tensor softmax_backward(const char* name, const Tensor& dy, const Tensor& y, int64_t dim, bool log);

}  // namespace tapegrad::kernels
