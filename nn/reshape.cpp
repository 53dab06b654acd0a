// Modules that only give another shape.
#include "tapegrad/nn/reshape.h"

#include "tapegrad/ops/shape.h"

namespace tapegrad::nn {

Tensor Flatten::forward(const Tensor& x) const { return flatten(x, options_.start_dim, options_.end_dim); }
std::string Flatten::extra_repr() const {
  return "start_dim=" + std::to_string(options_.start_dim) + ", end_dim=" + std::to_string(options_.end_dim);
}

Tensor Unflatten::forward(const Tensor& x) const {
  if (!x.defined()) throw ValueError("Unflatten: x must be defined, got an undefined tensor (Tensor())");
  const int64_t dim = x.dim_index(dim_, "Unflatten");
  int64_t known = 1, open = 0;
  for (const int64_t size : sizes_) size == -1 ? ++open : known *= size;
  const bool fits = open == 0 ? known == x.size(dim) : open == 1 && known > 0 && x.size(dim) % known == 0;
  if (!fits)
    throw ShapeError("Unflatten: the product of the sizes must be that of dim " + std::to_string(dim_) +
                     ", got sizes " + to_string(sizes_) + " for shape " + to_string(x.sizes()));
  Shape sizes;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d != dim) sizes.push_back(x.size(d));
    else
      for (const int64_t size : sizes_) sizes.push_back(size == -1 ? x.size(dim) / known : size);
  }
  return reshape(x, sizes);
}
std::string Unflatten::extra_repr() const {
  return "dim=" + std::to_string(dim_) + ", unflattened_size=" + to_string(sizes_);
}

}  // namespace tapegrad::nn
