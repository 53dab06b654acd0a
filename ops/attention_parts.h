// What attention as an operation and as a module share. Internal.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// dropout(softmax(scale query key^T + mask)), the operands as scaled_dot_product_attention's and unchecked, but a mask of bool is true for
// the keys to leave out.
Tensor attention_weights(const Tensor& query, const Tensor& key, const Tensor& mask, double dropout_p, double scale);
// [L, S], true where j > i.
Tensor later_keys(int64_t queries, int64_t keys);

}  // namespace tapegrad
