// Attention of several heads.
#include "tapegrad/nn/attention.h"

#include <cmath>
#include <limits>

#include "tapegrad/nn/init.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/attention_parts.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/select.h"
#include "tapegrad/ops/views.h"

namespace tapegrad::nn {
namespace {

constexpr const char* kName = "MultiheadAttention";

void check_options(int64_t embed_dim, int64_t num_heads, const MultiheadAttentionOptions& o) {
  if (embed_dim < 1 || num_heads < 1 || o.kdim.value_or(1) < 1 || o.vdim.value_or(1) < 1)
    throw ValueError(std::string(kName) + ": embed_dim, num_heads, kdim and vdim must be at least 1, got embed_dim " +
                     std::to_string(embed_dim) + ", num_heads " + std::to_string(num_heads) + ", kdim " +
                     std::to_string(o.kdim.value_or(embed_dim)) + " and vdim " +
                     std::to_string(o.vdim.value_or(embed_dim)));
  if (embed_dim % num_heads != 0)
    throw ValueError(std::string(kName) + ": num_heads must divide embed_dim, got num_heads " +
                     std::to_string(num_heads) + " and embed_dim " + std::to_string(embed_dim));
  if (!(o.dropout >= 0 && o.dropout <= 1))
    throw ValueError(std::string(kName) + ": dropout must lie in [0, 1], got " + std::to_string(o.dropout));
}

Linear made_out_proj(int64_t embed_dim, int64_t num_heads, const MultiheadAttentionOptions& o) {
  check_options(embed_dim, num_heads, o);
  return Linear(embed_dim, embed_dim, {.bias = o.bias});
}

// A mask in the dtype of the scores, to be added.
Tensor as_added(const Tensor& mask, DType dtype) {
  if (mask.dtype() != kBool) return mask;
  return masked_fill(zeros(mask.sizes(), dtype), mask, -std::numeric_limits<double>::infinity());
}

void check_mask(const char* which, const Tensor& mask, DType dtype) {
  if (mask.dtype() != kBool && mask.dtype() != dtype)
    throw DTypeError(std::string(kName) + ": " + which + " must be bool or of query's dtype, got " + which + " " +
                     name_of(mask.dtype()) + " and query " + name_of(dtype));
}

bool has_shape(const Tensor& x, IntArrayRef sizes) { return IntArrayRef(x.sizes()) == sizes; }

void check_inputs(const Tensor& query, const Tensor& key, const Tensor& value, int64_t size,
                  const MultiheadAttentionOptions& o) {
  check_defined(kName, query, "query");
  check_defined(kName, key, "key");
  check_defined(kName, value, "value");
  const bool batched = query.dim() == 3;
  const int64_t of_batch = o.batch_first ? 0 : 1, of_length = batched ? 1 - of_batch : 0;
  const int64_t kdim = o.kdim.value_or(size), vdim = o.vdim.value_or(size);
  const auto fits = [&](const Tensor& x, int64_t last) {
    return x.dim() == query.dim() && (!batched || x.size(of_batch) == query.size(of_batch)) && x.size(-1) == last;
  };
  if ((batched || query.dim() == 2) && fits(query, size) && fits(key, kdim) && fits(value, vdim) &&
      key.size(of_length) == value.size(of_length))
    return;
  const auto layout = [&](const char* length, int64_t width) {
    const std::string last = std::to_string(width) + "]";
    return (o.batch_first ? std::string("[N, ") + length + ", " : std::string("[") + length + ", N, ") + last;
  };
  throw ShapeError(std::string(kName) + ": query, key and value must be " + layout("L", size) + ", " +
                   layout("S", kdim) + " and " + layout("S", vdim) + ", or all without N, got query " +
                   to_string(query.sizes()) + ", key " + to_string(key.sizes()) + " and value " +
                   to_string(value.sizes()));
}

}  // namespace

// One call's operands by heads, [N, num_heads, length, size].
struct MultiheadAttention::Call {
  Tensor q, k, v;
  int64_t batch, queries, keys, added = 0;  // keys: those that were given
};

MultiheadAttention::MultiheadAttention(int64_t embed_dim, int64_t num_heads, const MultiheadAttentionOptions& options)
    : out_proj(made_out_proj(embed_dim, num_heads, options)),
      embed_dim_(embed_dim),
      num_heads_(num_heads),
      options_(options) {
  const auto parameter = [&](const char* key, IntArrayRef sizes) {
    return register_parameter(key, new_tensor(sizes, kFloat32, kName));
  };
  const int64_t kdim = options.kdim.value_or(embed_dim), vdim = options.vdim.value_or(embed_dim);
  if (kdim == embed_dim && vdim == embed_dim) {
    in_proj_weight = parameter("in_proj_weight", {3 * embed_dim, embed_dim});
  } else {
    q_proj_weight = parameter("q_proj_weight", {embed_dim, embed_dim});
    k_proj_weight = parameter("k_proj_weight", {embed_dim, kdim});
    v_proj_weight = parameter("v_proj_weight", {embed_dim, vdim});
  }
  if (options.bias) in_proj_bias = parameter("in_proj_bias", 3 * embed_dim);
  if (options.add_bias_kv) {
    bias_k = parameter("bias_k", {1, 1, embed_dim});
    bias_v = parameter("bias_v", {1, 1, embed_dim});
  }
  register_module("out_proj", out_proj);
  reset_parameters();
}

void MultiheadAttention::reset_parameters() {
  for (const Tensor& w : {in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight}) {
    if (w.defined()) init::xavier_uniform_(w);
  }
  if (in_proj_bias.defined()) {
    init::zeros_(in_proj_bias);
    init::zeros_(out_proj.bias);
  }
  for (const Tensor& b : {bias_k, bias_v}) {
    if (b.defined()) init::xavier_normal_(b);
  }
}

// Each through its own rows of the weight; one product where all are one tensor.
std::vector<Tensor> MultiheadAttention::projected(const Tensor& query, const Tensor& key, const Tensor& value) const {
  const bool joined = in_proj_weight.defined();
  if (joined && query.impl() == key.impl() && key.impl() == value.impl())
    return chunk(linear(query, in_proj_weight, in_proj_bias), 3, -1);
  const std::vector<Tensor> weights =
      joined ? chunk(in_proj_weight, 3) : std::vector<Tensor>{q_proj_weight, k_proj_weight, v_proj_weight};
  const std::vector<Tensor> biases = in_proj_bias.defined() ? chunk(in_proj_bias, 3) : std::vector<Tensor>(3);
  return {linear(query, weights[0], biases[0]), linear(key, weights[1], biases[1]),
          linear(value, weights[2], biases[2])};
}

Tensor MultiheadAttention::heads(const Tensor& x, bool batched) const {
  const int64_t size = embed_dim_ / num_heads_;
  if (!batched) return transpose(reshape(x, {1, x.size(0), num_heads_, size}), 1, 2);
  const Tensor cut = reshape(x, {x.size(0), x.size(1), num_heads_, size});
  return options_.batch_first ? transpose(cut, 1, 2) : permute(cut, {1, 2, 0, 3});
}

void MultiheadAttention::add_keys(Call& c) const {
  const Shape sizes{c.batch, num_heads_, 1, embed_dim_ / num_heads_};
  if (bias_k.defined()) {
    const auto row = [&](const Tensor& b) { return expand(reshape(b, {1, num_heads_, 1, sizes[3]}), sizes); };
    c.k = cat({c.k, row(bias_k)}, 2);
    c.v = cat({c.v, row(bias_v)}, 2);
    ++c.added;
  }
  if (options_.add_zero_attn) {
    const Tensor row = zeros(sizes, c.k.dtype());
    c.k = cat({c.k, row}, 2);
    c.v = cat({c.v, row}, 2);
    ++c.added;
  }
}

Tensor MultiheadAttention::mask_of(const Call& c, const Tensor& key_padding_mask, const Tensor& attn_mask,
                                   bool is_causal) const {
  Tensor mask = attn_mask, padding = key_padding_mask;
  const Shape one{c.queries, c.keys}, each{c.batch * num_heads_, c.queries, c.keys};
  if (mask.defined()) {
    if (has_shape(mask, each)) mask = reshape(mask, {c.batch, num_heads_, c.queries, c.keys});
    else if (!has_shape(mask, one))
      throw ShapeError(std::string(kName) + ": attn_mask must be " + to_string(one) + " or " + to_string(each) +
                       ", got shape " + to_string(mask.sizes()));
  } else if (is_causal) {
    mask = later_keys(c.queries, c.keys);
  }
  if (padding.defined()) {
    if (!has_shape(padding, {c.batch, c.keys}) && !(c.batch == 1 && has_shape(padding, {c.keys})))
      throw ShapeError(std::string(kName) + ": key_padding_mask must be " + to_string(Shape{c.batch, c.keys}) +
                       ", got shape " + to_string(padding.sizes()));
    padding = reshape(padding, {c.batch, 1, 1, c.keys});
  }
  if (mask.defined() && padding.defined()) {
    mask = mask.dtype() == kBool && padding.dtype() == kBool
               ? logical_or(mask, padding)
               : as_added(mask, c.q.dtype()) + as_added(padding, c.q.dtype());
  } else if (padding.defined()) {
    mask = padding;
  }
  if (!mask.defined() || c.added == 0) return mask;
  Shape sizes = mask.sizes();
  sizes[sizes.size() - 1] = c.added;
  return cat({mask, zeros(sizes, mask.dtype())}, -1);
}

std::tuple<Tensor, Tensor> MultiheadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                                       const Tensor& key_padding_mask, bool need_weights,
                                                       const Tensor& attn_mask, bool average_attn_weights,
                                                       bool is_causal) const {
  check_inputs(query, key, value, embed_dim_, options_);
  if (key_padding_mask.defined()) check_mask("key_padding_mask", key_padding_mask, query.dtype());
  if (attn_mask.defined()) check_mask("attn_mask", attn_mask, query.dtype());
  const bool batched = query.dim() == 3;
  const int64_t of_batch = options_.batch_first ? 0 : 1, of_length = batched ? 1 - of_batch : 0;

  const std::vector<Tensor> qkv = projected(query, key, value);
  Call c{heads(qkv[0], batched), heads(qkv[1], batched), heads(qkv[2], batched), batched ? query.size(of_batch) : 1,
         query.size(of_length),  key.size(of_length)};
  add_keys(c);
  const Tensor mask = mask_of(c, key_padding_mask, attn_mask, is_causal);
  const double scale = 1 / std::sqrt(static_cast<double>(embed_dim_ / num_heads_));
  Tensor weights = attention_weights(c.q, c.k, mask, is_training() ? options_.dropout : 0, scale);
  const Tensor y = matmul(weights, c.v);
  const Tensor ordered = batched && !options_.batch_first ? permute(y, {2, 0, 1, 3}) : transpose(y, 1, 2);
  const Tensor out = out_proj(reshape(ordered, query.sizes()));
  if (!need_weights) return {out, Tensor()};
  if (average_attn_weights) weights = mean(weights, 1);
  return {out, batched ? weights : squeeze(weights, 0)};
}

std::string MultiheadAttention::extra_repr() const {
  return "embed_dim=" + std::to_string(embed_dim_) + ", num_heads=" + std::to_string(num_heads_) +
         ", dropout=" + shown(options_.dropout) + ", batch_first=" + (options_.batch_first ? "true" : "false");
}

}  // namespace tapegrad::nn
