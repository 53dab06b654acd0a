// Dropout as a module.
#include "tapegrad/nn/dropout.h"

#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/sampling.h"

namespace tapegrad::nn {

Dropout::Dropout(const DropoutOptions& options) : options_(options) {
  if (!(options.p >= 0 && options.p <= 1))
    throw ValueError("Dropout: p must lie in [0, 1], got " + std::to_string(options.p));
}
Tensor Dropout::forward(const Tensor& x) const {
  return options_.inplace ? dropout_(x, options_.p, is_training()) : dropout(x, options_.p, is_training());
}
std::string Dropout::extra_repr() const {
  return "p=" + shown(options_.p) + ", inplace=" + (options_.inplace ? "true" : "false");
}

}  // namespace tapegrad::nn
