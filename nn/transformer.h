// Transformer encoders.
#pragma once

#include "tapegrad/nn/attention.h"
#include "tapegrad/nn/containers.h"
#include "tapegrad/nn/dropout.h"
#include "tapegrad/nn/normalization.h"

namespace tapegrad::nn {

struct TransformerEncoderLayerOptions {
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  std::string activation = "relu";  // or "gelu"
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;  // norms in front of attention and of the linear maps, not behind their sums
  bool bias = true;
};
// x = norm1(src + a(src)), y = norm2(x + f(x)); norm_first: x = src + a(norm1(src)), y = x + f(norm2(x)). a is self_attn and dropout,
// f(x) = linear2(dropout(activation(linear1(x)))) and dropout. src is [L, N, d_model], [N, L, d_model] with batch_first, or without N; masks
// and errors as MultiheadAttention's. ValueError for another word as activation and for dim_feedforward below 1. Vaswani et al.,
// "Attention is all you need", 2017.
class TAPEGRAD_API TransformerEncoderLayer final : public Cloneable<TransformerEncoderLayer> {
 public:
  TransformerEncoderLayer(int64_t d_model, int64_t nhead, const TransformerEncoderLayerOptions& options = {});
  Tensor forward(const Tensor& src, const Tensor& src_mask = {}, const Tensor& src_key_padding_mask = {},
                 bool is_causal = false) const;

  MultiheadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;

 private:
  Tensor attended(const Tensor& x, const Tensor& mask, const Tensor& padding, bool is_causal) const;
  Tensor fed_forward(const Tensor& x) const;

  bool norm_first_, gelu_;
};

// num_layers copies of encoder_layer, which start with its values, one behind the other, and norm, where there is one. ValueError for negative
// num_layers.
class TAPEGRAD_API TransformerEncoder final : public Cloneable<TransformerEncoder> {
 public:
  TransformerEncoder(const TransformerEncoderLayer& encoder_layer, int64_t num_layers,
                     std::optional<LayerNorm> norm = {});
  Tensor forward(const Tensor& src, const Tensor& mask = {}, const Tensor& src_key_padding_mask = {},
                 bool is_causal = false) const;

  ModuleList layers;
  std::optional<LayerNorm> norm;
};

}  // namespace tapegrad::nn
