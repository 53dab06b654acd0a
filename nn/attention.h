// Attention of several heads.
#pragma once

#include <optional>
#include <tuple>

#include "tapegrad/nn/layers.h"

namespace tapegrad::nn {

struct MultiheadAttentionOptions {
  double dropout = 0;  // of the weights, while training
  bool bias = true;
  bool add_bias_kv = false;                     // one more key and value, trained
  bool add_zero_attn = false;                   // one more key and value, zeros
  std::optional<int64_t> kdim = {}, vdim = {};  // sizes of key and value where they are not embed_dim
  bool batch_first = false;
};
// Query, key and value each through a linear map of their own, cut into num_heads heads that attend as scaled_dot_product_attention does,
// joined again and through out_proj. query [L, N, E], key [S, N, kdim], value [S, N, vdim], with batch_first [N, L, E] and so on, or without
// N; y has the shape of query. The weights are [N, L, S + what was added], averaged over the heads or [N, num_heads, L, ...], as the values
// met them: after dropout. Masks are true for what is left out, or of query's dtype and added to the scores: key_padding_mask [N, S],
// attn_mask [L, S] or [N num_heads, L, S]; is_causal alone stands for the mask of later keys, beside an attn_mask it says that this is it. A
// query whose keys are all masked gets NaN. in_proj_weight starts by xavier_uniform_, bias_k and bias_v by xavier_normal_, biases as 0.
// ValueError for sizes below 1 and for num_heads that does not divide embed_dim; ShapeError, DTypeError.
class TAPEGRAD_API MultiheadAttention final : public Cloneable<MultiheadAttention> {
 public:
  MultiheadAttention(int64_t embed_dim, int64_t num_heads, const MultiheadAttentionOptions& options = {});
  // (y, weights), the latter undefined unless need_weights.
  std::tuple<Tensor, Tensor> forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                     const Tensor& key_padding_mask = {}, bool need_weights = true,
                                     const Tensor& attn_mask = {}, bool average_attn_weights = true,
                                     bool is_causal = false) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter in_proj_weight;                               // [3 E, E], undefined where kdim or vdim differ; then
  Parameter q_proj_weight, k_proj_weight, v_proj_weight;  // [E, E], [E, kdim], [E, vdim]
  Parameter in_proj_bias;                                 // undefined without bias, as out_proj's
  Parameter bias_k, bias_v;                               // [1, 1, E], undefined unless add_bias_kv
  Linear out_proj;

 private:
  struct Call;
  Tensor heads(const Tensor& projected, bool batched) const;
  std::vector<Tensor> projected(const Tensor& query, const Tensor& key, const Tensor& value) const;
  void add_keys(Call& call) const;
  Tensor mask_of(const Call& call, const Tensor& key_padding_mask, const Tensor& attn_mask, bool is_causal) const;

  int64_t embed_dim_, num_heads_;
  MultiheadAttentionOptions options_;
};

}  // namespace tapegrad::nn
