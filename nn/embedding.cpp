// Rows of a table by their number.
#include "tapegrad/nn/embedding.h"

#include "tapegrad/autograd/state.h"
#include "tapegrad/nn/init.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/inplace.h"

namespace tapegrad::nn {

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, const EmbeddingOptions& options) {
  if (num_embeddings < 0 || embedding_dim < 0)
    throw ValueError("Embedding: num_embeddings and embedding_dim must not be negative, got " +
                     std::to_string(num_embeddings) + " and " + std::to_string(embedding_dim));
  if (options.padding_idx) {
    const int64_t i = *options.padding_idx;
    if (i < -num_embeddings || i >= num_embeddings)
      throw IndexError("Embedding: padding_idx must be a row of the table of " + std::to_string(num_embeddings) +
                       ", got " + std::to_string(i));
    padding_idx_ = i < 0 ? i + num_embeddings : i;
  }
  weight = register_parameter("weight", new_tensor({num_embeddings, embedding_dim}, kFloat32));
  reset_parameters();
}

Embedding Embedding::from_pretrained(const Tensor& table, bool freeze, const EmbeddingOptions& options) {
  if (!table.defined() || table.dim() != 2)
    throw ShapeError("from_pretrained: the table must have 2 dims, got " +
                     (table.defined() ? "shape " + to_string(table.sizes()) : "an undefined tensor"));
  Embedding embedding(table.size(0), table.size(1), options);
  if (table.dtype() != kFloat32) embedding.to(table.dtype());
  const NoGradGuard no_grad;
  embedding.weight.copy_(table);
  embedding.weight.set_requires_grad(!freeze);
  return embedding;
}

void Embedding::reset_parameters() {
  if (weight.numel() == 0) return;
  init::normal_(weight);
  const NoGradGuard no_grad;
  if (padding_idx_ >= 0) weight[padding_idx_].zero_();
}

Tensor Embedding::forward(const Tensor& x) const { return embedding(weight, x, padding_idx_); }

std::string Embedding::extra_repr() const {
  return "num_embeddings=" + std::to_string(weight.size(0)) + ", embedding_dim=" + std::to_string(weight.size(1)) +
         (padding_idx_ < 0 ? "" : ", padding_idx=" + std::to_string(padding_idx_));
}

}  // namespace tapegrad::nn
