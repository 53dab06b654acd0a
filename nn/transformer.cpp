// Transformer encoders.
#include "tapegrad/nn/transformer.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/gated.h"

namespace tapegrad::nn {
namespace {

const TransformerEncoderLayerOptions& checked(const TransformerEncoderLayerOptions& o) {
  if (o.dim_feedforward < 1)
    throw ValueError("TransformerEncoderLayer: dim_feedforward must be at least 1, got " +
                     std::to_string(o.dim_feedforward));
  if (o.activation != "relu" && o.activation != "gelu")
    throw ValueError("TransformerEncoderLayer: activation must be \"relu\" or \"gelu\", got \"" + o.activation + "\"");
  return o;
}

LayerNorm norm_of(int64_t d_model, const TransformerEncoderLayerOptions& o) {
  return LayerNorm({d_model}, {.eps = o.layer_norm_eps, .bias = o.bias});
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(int64_t d_model, int64_t nhead,
                                                 const TransformerEncoderLayerOptions& options)
    : self_attn(register_module("self_attn", MultiheadAttention(d_model, nhead,
                                                                {.dropout = checked(options).dropout,
                                                                 .bias = options.bias,
                                                                 .batch_first = options.batch_first}))),
      linear1(register_module("linear1", Linear(d_model, options.dim_feedforward, {.bias = options.bias}))),
      dropout(register_module("dropout", Dropout(options.dropout))),
      linear2(register_module("linear2", Linear(options.dim_feedforward, d_model, {.bias = options.bias}))),
      norm1(register_module("norm1", norm_of(d_model, options))),
      norm2(register_module("norm2", norm_of(d_model, options))),
      dropout1(register_module("dropout1", Dropout(options.dropout))),
      dropout2(register_module("dropout2", Dropout(options.dropout))),
      norm_first_(options.norm_first),
      gelu_(options.activation == "gelu") {}

Tensor TransformerEncoderLayer::attended(const Tensor& x, const Tensor& mask, const Tensor& padding,
                                         bool is_causal) const {
  return dropout1(std::get<0>(self_attn(x, x, x, padding, false, mask, true, is_causal)));
}

Tensor TransformerEncoderLayer::fed_forward(const Tensor& x) const {
  const Tensor h = linear1(x);
  return dropout2(linear2(dropout(gelu_ ? gelu(h) : relu(h))));
}

Tensor TransformerEncoderLayer::forward(const Tensor& src, const Tensor& src_mask, const Tensor& src_key_padding_mask,
                                        bool is_causal) const {
  if (!norm_first_) {
    const Tensor x = norm1(src + attended(src, src_mask, src_key_padding_mask, is_causal));
    return norm2(x + fed_forward(x));
  }
  const Tensor x = src + attended(norm1(src), src_mask, src_key_padding_mask, is_causal);
  return x + fed_forward(norm2(x));
}

TransformerEncoder::TransformerEncoder(const TransformerEncoderLayer& encoder_layer, int64_t num_layers,
                                       std::optional<LayerNorm> last)
    : norm(std::move(last)) {
  if (num_layers < 0)
    throw ValueError("TransformerEncoder: num_layers must not be negative, got " + std::to_string(num_layers));
  for (int64_t i = 0; i < num_layers; ++i) layers.push_back(encoder_layer.clone());
  register_module("layers", layers);
  if (norm) register_module("norm", *norm);
}

Tensor TransformerEncoder::forward(const Tensor& src, const Tensor& mask, const Tensor& src_key_padding_mask,
                                   bool is_causal) const {
  Tensor x = src;
  for (int64_t i = 0; i < layers.size(); ++i)
    x = layers.at<TransformerEncoderLayer>(i)(x, mask, src_key_padding_mask, is_causal);
  return norm ? (*norm)(x) : x;
}

}  // namespace tapegrad::nn
