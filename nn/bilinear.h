// Layers of two inputs or several pieces.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

struct BilinearOptions {
  bool bias = true;
};
// y[..., k] = sum over i, j of a[..., i] weight[k, i, j] b[..., j] + bias[k]. Both start uniform in (-1/sqrt(in1), 1/sqrt(in1)),
// as PyTorch's. ValueError for negative sizes.
class TAPEGRAD_API Bilinear final : public Cloneable<Bilinear> {
 public:
  Bilinear(int64_t in1_features, int64_t in2_features, int64_t out_features, const BilinearOptions& options = {});
  Tensor forward(const Tensor& a, const Tensor& b) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight;
  Parameter bias;  // undefined without
};

struct MaxoutOptions {
  int64_t pieces = 2;
  bool bias = true;
};
// y[..., k] = max over p of x[..., in] weight[p out + k, in]^T + bias[p out + k]: the largest of several affine maps. They
// start as Linear's. ValueError for negative sizes or fewer than one piece.
// Goodfellow et al., "Maxout networks" (ICML 2013).
class TAPEGRAD_API Maxout final : public Cloneable<Maxout> {
 public:
  Maxout(int64_t in_features, int64_t out_features, const MaxoutOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight;
  Parameter bias;  // undefined without

 private:
  int64_t pieces_;
};

}  // namespace tapegrad::nn
