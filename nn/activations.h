// Gates and shrinkage as modules; what they compute is said in ops/gated.h and ops/rectifier.h. Sigmoid, Tanh,
// Softplus, Softmax and LogSoftmax are in nn/layers.h, ReLU and its kin in nn/rectifiers.h.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

// y = x sigmoid(x)
class TAPEGRAD_API SiLU final : public Cloneable<SiLU> {
 public:
  Tensor forward(const Tensor& x) const;
};

// y = x tanh(ln(1 + e^x))
class TAPEGRAD_API Mish final : public Cloneable<Mish> {
 public:
  Tensor forward(const Tensor& x) const;
};

// y = min(max(x + 3, 0), 6) / 6
class TAPEGRAD_API Hardsigmoid final : public Cloneable<Hardsigmoid> {
 public:
  Tensor forward(const Tensor& x) const;
};

// y = x min(max(x + 3, 0), 6) / 6
class TAPEGRAD_API Hardswish final : public Cloneable<Hardswish> {
 public:
  Tensor forward(const Tensor& x) const;
};

// y = ln sigmoid(x)
class TAPEGRAD_API LogSigmoid final : public Cloneable<LogSigmoid> {
 public:
  Tensor forward(const Tensor& x) const;
};

// y = x - tanh x
class TAPEGRAD_API Tanhshrink final : public Cloneable<Tanhshrink> {
 public:
  Tensor forward(const Tensor& x) const;
};

// y = x / (1 + |x|)
class TAPEGRAD_API Softsign final : public Cloneable<Softsign> {
 public:
  Tensor forward(const Tensor& x) const;
};

struct GELUOptions {
  std::string approximate = "none";  // or "tanh"
};
// y = x (1 + erf(x / sqrt 2)) / 2, or its approximation by tanh. ValueError for another word.
class TAPEGRAD_API GELU final : public Cloneable<GELU> {
 public:
  explicit GELU(const GELUOptions& options = {});
  Tensor forward(const Tensor& x) const;

 private:
  GELUOptions options_;
};

struct GLUOptions {
  int64_t dim = -1;
};
// y = a sigmoid(b) for the halves a and b of x along dim
class TAPEGRAD_API GLU final : public Cloneable<GLU> {
 public:
  explicit GLU(const GLUOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  GLUOptions options_;
};

struct SoftshrinkOptions {
  double lambda = 0.5;
};
// y = x - lambda where x > lambda, x + lambda where x < -lambda, else 0
class TAPEGRAD_API Softshrink final : public Cloneable<Softshrink> {
 public:
  explicit Softshrink(const SoftshrinkOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  SoftshrinkOptions options_;
};

struct HardshrinkOptions {
  double lambda = 0.5;
};
// y = x where |x| > lambda, else 0
class TAPEGRAD_API Hardshrink final : public Cloneable<Hardshrink> {
 public:
  explicit Hardshrink(const HardshrinkOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  HardshrinkOptions options_;
};

}  // namespace tapegrad::nn
