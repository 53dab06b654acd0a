// Modules that only give another shape.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

// y = x
class TAPEGRAD_API Identity final : public Cloneable<Identity> {
 public:
  Tensor forward(const Tensor& x) const { return x; }
};

struct FlattenOptions {
  int64_t start_dim = 1;
  int64_t end_dim = -1;
};
// Dims start_dim to end_dim (inclusive) as one.
class TAPEGRAD_API Flatten final : public Cloneable<Flatten> {
 public:
  explicit Flatten(const FlattenOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  FlattenOptions options_;
};

// Dim `dim` as several of the given sizes, one of which may be -1. ShapeError when their product is not its size.
class TAPEGRAD_API Unflatten final : public Cloneable<Unflatten> {
 public:
  Unflatten(int64_t dim, IntArrayRef sizes) : dim_(dim), sizes_(sizes) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  int64_t dim_;
  Shape sizes_;
};

}  // namespace tapegrad::nn
