// Rows of a table by their number.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

struct EmbeddingOptions {
  std::optional<int64_t> padding_idx = {};  // this row starts at 0 and has no gradient; negative counts from the end
  bool scale_grad_by_freq = false;          // divides a row's gradient by how often the call asked for it
};
// y[..., :] = weight[x[...], :] for integers x. The table starts as N(0, 1). ValueError for negative sizes, IndexError for a
// padding_idx outside the table.
class TAPEGRAD_API Embedding final : public Cloneable<Embedding> {
 public:
  Embedding(int64_t num_embeddings, int64_t embedding_dim, const EmbeddingOptions& options = {});
  // With a copy of `table` [num_embeddings, embedding_dim], trained on unless freeze. ShapeError, DTypeError.
  static Embedding from_pretrained(const Tensor& table, bool freeze = true, const EmbeddingOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight;

 private:
  Embedding(const Tensor& table, bool requires_grad, const EmbeddingOptions& options);

  int64_t padding_idx_ = -1;  // -1: none
  bool scale_grad_by_freq_;
};

}  // namespace tapegrad::nn
