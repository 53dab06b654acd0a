// Layers: the affine map, and the smooth activations as modules.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

struct LinearOptions {
  bool bias = true;
};
// y[..., out] = x[..., in] weight[out, in]^T + bias[out]. Both start uniform in (-1/sqrt(in), 1/sqrt(in)), as PyTorch's:
// kaiming_uniform_ with a = sqrt(5). ValueError for negative sizes.
class TAPEGRAD_API Linear final : public Cloneable<Linear> {
 public:
  Linear(int64_t in_features, int64_t out_features, const LinearOptions& options = {});
  Tensor forward(const Tensor& x) const;
  // Draws the start values again, from the default generator.
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight;
  Parameter bias;  // undefined without
};

// y = 1 / (1 + e^-x)
class TAPEGRAD_API Sigmoid final : public Cloneable<Sigmoid> {
 public:
  Tensor forward(const Tensor& x) const;
};

// y = tanh x
class TAPEGRAD_API Tanh final : public Cloneable<Tanh> {
 public:
  Tensor forward(const Tensor& x) const;
};

struct SoftplusOptions {
  double beta = 1;
  double threshold = 20;
};
// y = ln(1 + e^(beta x)) / beta, and x where beta x > threshold
class TAPEGRAD_API Softplus final : public Cloneable<Softplus> {
 public:
  explicit Softplus(const SoftplusOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  SoftplusOptions options_;
};

// y = e^x / sum e^x along dim
class TAPEGRAD_API Softmax final : public Cloneable<Softmax> {
 public:
  explicit Softmax(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  int64_t dim_;
};

// y = x - ln sum e^x along dim
class TAPEGRAD_API LogSoftmax final : public Cloneable<LogSoftmax> {
 public:
  explicit LogSoftmax(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  int64_t dim_;
};

}  // namespace tapegrad::nn
