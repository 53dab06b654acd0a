// scaled_dot_product_attention, put together from ops.
#include "tapegrad/ops/attention.h"

#include <cmath>
#include <limits>

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/attention_parts.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/rearrange.h"
#include "tapegrad/ops/sampling.h"
#include "tapegrad/ops/select.h"

namespace tapegrad {
namespace {

constexpr const char* name = "scaled_dot_product_attention";

std::string three(const std::string& query, const std::string& key, const std::string& value) {
  return "got query " + query + ", key " + key + " and value " + value;
}

Shape in_front(const Tensor& x) { return Shape(IntArrayRef(x.sizes().data(), x.dim() - 2)); }

void check_operands(const Tensor& query, const Tensor& key, const Tensor& value) {
  check_defined(name, query, "query");
  check_defined(name, key, "key");
  check_defined(name, value, "value");
  const DType dtype = query.dtype();
  const bool alike = autograd::state().autocast
                         ? query.is_floating_point() && key.is_floating_point() && value.is_floating_point()
                         : query.is_floating_point() && key.dtype() == dtype && value.dtype() == dtype;
  if (!alike)
    throw DTypeError(std::string(name) + ": query, key and value must be of one floating dtype, " +
                     three(name_of(dtype), name_of(key.dtype()), name_of(value.dtype())));
  const auto wrong = [&](const char* rule) {
    throw ShapeError(std::string(name) + ": " + rule + ", " +
                     three(to_string(query.sizes()), to_string(key.sizes()), to_string(value.sizes())));
  };
  if (query.dim() < 2 || key.dim() < 2 || value.dim() < 2)
    wrong("query, key and value must have at least two dims, [..., length, size]");
  if (query.size(-1) != key.size(-1)) wrong("query and key must have the same last size");
  if (key.size(-2) != value.size(-2))
    wrong("key and value must have the same length, which is their last size but one");
}

void check_mask(const Tensor& mask, const Tensor& query, const Tensor& key, bool is_causal) {
  if (!mask.defined()) return;
  if (is_causal)
    throw ValueError(std::string(name) + ": attn_mask and is_causal exclude each other, got both, attn_mask " +
                     to_string(mask.sizes()));
  if (mask.dtype() != kBool && (autograd::state().autocast ? !mask.is_floating_point() : mask.dtype() != query.dtype()))
    throw DTypeError(std::string(name) + ": attn_mask must be bool or of query's dtype, got attn_mask " +
                     name_of(mask.dtype()) + " and query " + name_of(query.dtype()));
  Shape scores = broadcast_shapes(in_front(query), in_front(key), name);
  scores.push_back(query.size(-2));
  scores.push_back(key.size(-2));
  Shape both;
  try {
    both = broadcast_shapes(mask.sizes(), scores, name);
  } catch (const ShapeError&) {}
  if (!(IntArrayRef(both) == IntArrayRef(scores)))
    throw ShapeError(std::string(name) + ": attn_mask must broadcast to the scores, got attn_mask " +
                     to_string(mask.sizes()) + " and scores " + to_string(scores));
}

}  // namespace

Tensor later_keys(int64_t queries, int64_t keys) { return triu(ones({queries, keys}, kBool), 1); }

Tensor attention_weights(const Tensor& query, const Tensor& key, const Tensor& mask, double dropout_p, double scale) {
  Tensor scores = matmul(query * scale, transpose(key, -2, -1));
  if (mask.defined() && mask.dtype() == kBool)
    scores = masked_fill(scores, mask, -std::numeric_limits<double>::infinity());
  else if (mask.defined()) scores = scores + mask;
  return dropout(softmax(scores, -1), dropout_p, dropout_p > 0);
}

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale) {
  check_operands(query, key, value);
  check_mask(attn_mask, query, key, is_causal);
  if (!(dropout_p >= 0 && dropout_p <= 1))
    throw ValueError(std::string(name) + ": dropout_p must lie in [0, 1], got " + std::to_string(dropout_p));
  if (!autograd::state().autocast && query.dtype() == kBFloat16) {  // rounded once, at the end
    const auto wide = [](const Tensor& x) { return x.defined() && x.dtype() == kBFloat16 ? to(x, kFloat32) : x; };
    return to(
        scaled_dot_product_attention(wide(query), wide(key), wide(value), wide(attn_mask), dropout_p, is_causal, scale),
        kBFloat16);
  }
  const bool chosen = attn_mask.defined() && attn_mask.dtype() == kBool;
  const Tensor mask = is_causal ? later_keys(query.size(-2), key.size(-2))
                      : chosen  ? logical_not(attn_mask)
                                : attn_mask;
  const double factor = scale ? *scale : 1 / std::sqrt(static_cast<double>(query.size(-1)));
  return matmul(attention_weights(query, key, mask, dropout_p, factor), value);
}

}  // namespace tapegrad
