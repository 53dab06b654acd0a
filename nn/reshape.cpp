// Modules that only give another shape.
#include "tapegrad/nn/reshape.h"

#include "tapegrad/ops/shape.h"
#include "tapegrad/ops/views.h"

namespace tapegrad::nn {

Tensor Flatten::forward(const Tensor& x) const { return flatten(x, options_.start_dim, options_.end_dim); }
std::string Flatten::extra_repr() const {
  return "start_dim=" + std::to_string(options_.start_dim) + ", end_dim=" + std::to_string(options_.end_dim);
}

Tensor Unflatten::forward(const Tensor& x) const { return unflatten(x, dim_, sizes_); }
std::string Unflatten::extra_repr() const {
  return "dim=" + std::to_string(dim_) + ", unflattened_size=" + to_string(sizes_);
}

}  // namespace tapegrad::nn
