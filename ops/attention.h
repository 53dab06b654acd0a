// Attention: weighted means of values, the weights from how well keys fit queries.
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = dropout(softmax(scale query key^T + mask)) value over the last two dims: query [..., L, E], key [..., S, E], value [..., S, Ev] give
// [..., L, Ev]; dims in front broadcast. scale is 1 / sqrt(E) where none is given. attn_mask broadcasts to [..., L, S]: bool, true for the
// keys that take part, or of query's dtype, added to the scores. is_causal masks key j of query i where j > i, counted from the upper
// left corner whatever L and S, and goes without attn_mask. A query whose keys are all masked gets NaN, as the softmax of nothing is.
// Drops weights with probability dropout_p whenever it is above 0: pass 0 in evaluation.  With weights w and dw = dy value^T:
// ds = w (dw - sum(dw w)) along the keys;  dvalue = w^T dy, dquery = scale ds key, dkey = scale ds^T query, dattn_mask = ds.
// ShapeError, DTypeError; ValueError for dropout_p outside [0, 1] and for attn_mask together with is_causal. Vaswani et al.,
// "Attention is all you need", 2017.
TAPEGRAD_API Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                                 const Tensor& attn_mask = {}, double dropout_p = 0,
                                                 bool is_causal = false, std::optional<double> scale = {});

}  // namespace tapegrad
