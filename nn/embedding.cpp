// Rows of a table by their number.
#include "tapegrad/nn/embedding.h"

#include "tapegrad/autograd/state.h"
#include "tapegrad/nn/init.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::nn {

namespace {

Tensor new_table(int64_t num_embeddings, int64_t embedding_dim) {
  if (num_embeddings < 0 || embedding_dim < 0)
    throw ValueError("Embedding: num_embeddings and embedding_dim must not be negative, got " +
                     std::to_string(num_embeddings) + " and " + std::to_string(embedding_dim));
  return new_tensor({num_embeddings, embedding_dim}, kFloat32, "Embedding");
}

}  // namespace

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, const EmbeddingOptions& options)
    : Embedding(new_table(num_embeddings, embedding_dim), true, options) {
  reset_parameters();
}

Embedding::Embedding(const Tensor& table, bool requires_grad, const EmbeddingOptions& options)
    : weight(register_parameter("weight", table, requires_grad)), scale_grad_by_freq_(options.scale_grad_by_freq) {
  if (!options.padding_idx) return;
  const int64_t i = *options.padding_idx, rows = table.size(0);
  if (i < -rows || i >= rows)
    throw IndexError("Embedding: padding_idx must be a row of the table of " + std::to_string(rows) + ", got " +
                     std::to_string(i));
  padding_idx_ = i < 0 ? i + rows : i;
}

Embedding Embedding::from_pretrained(const Tensor& table, bool freeze, const EmbeddingOptions& options) {
  if (!table.defined() || table.dim() != 2)
    throw ShapeError("from_pretrained: the table must have 2 dims, got " +
                     (table.defined() ? "shape " + to_string(table.sizes()) : "an undefined tensor"));
  if (!table.is_floating_point())
    throw DTypeError(std::string("from_pretrained: the table must be float32 or float64, got ") +
                     name_of(table.dtype()));
  const NoGradGuard no_grad;
  return Embedding(table.clone().contiguous(), !freeze, options);
}

void Embedding::reset_parameters() {
  if (weight.numel() == 0) return;
  init::normal_(weight);
  const NoGradGuard no_grad;
  if (padding_idx_ >= 0) weight[padding_idx_].zero_();
}

Tensor Embedding::forward(const Tensor& x) const { return embedding(weight, x, padding_idx_, scale_grad_by_freq_); }

std::string Embedding::extra_repr() const {
  return "num_embeddings=" + std::to_string(weight.size(0)) + ", embedding_dim=" + std::to_string(weight.size(1)) +
         (padding_idx_ < 0 ? "" : ", padding_idx=" + std::to_string(padding_idx_)) +
         (scale_grad_by_freq_ ? ", scale_grad_by_freq=true" : "");
}

}  // namespace tapegrad::nn
