// The affine map, and the smooth activations as modules.
#include "tapegrad/nn/layers.h"

#include <cmath>

#include "tapegrad/nn/init.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/linalg.h"

namespace tapegrad::nn {
namespace {

void check_sizes(int64_t in_features, int64_t out_features) {
  if (in_features < 0 || out_features < 0)
    throw ValueError("Linear: in_features and out_features must not be negative, got " + std::to_string(in_features) +
                     " and " + std::to_string(out_features));
}

}  // namespace

Linear::Linear(int64_t in_features, int64_t out_features, const LinearOptions& options) {
  check_sizes(in_features, out_features);
  weight = register_parameter("weight", new_tensor({out_features, in_features}, kFloat32, "Linear"));
  if (options.bias) bias = register_parameter("bias", new_tensor({out_features}, kFloat32, "Linear"));
  reset_parameters();
}

void Linear::reset_parameters() {
  const int64_t in_features = weight.size(1);
  const double bound = in_features > 0 ? 1 / std::sqrt(static_cast<double>(in_features)) : 0;
  if (weight.numel() > 0) init::uniform_(weight, -bound, bound);
  if (bias.defined()) init::uniform_(bias, -bound, bound);
}

Tensor Linear::forward(const Tensor& x) const { return linear(x, weight, bias); }

std::string Linear::extra_repr() const {
  return "in_features=" + std::to_string(weight.size(1)) + ", out_features=" + std::to_string(weight.size(0)) +
         ", bias=" + (bias.defined() ? "true" : "false");
}

Tensor Sigmoid::forward(const Tensor& x) const { return sigmoid(x); }
Tensor Tanh::forward(const Tensor& x) const { return tanh(x); }

Tensor Softplus::forward(const Tensor& x) const { return softplus(x, options_.beta, options_.threshold); }
std::string Softplus::extra_repr() const {
  return "beta=" + shown(options_.beta) + ", threshold=" + shown(options_.threshold);
}

Tensor Softmax::forward(const Tensor& x) const { return softmax(x, dim_); }
std::string Softmax::extra_repr() const { return "dim=" + std::to_string(dim_); }

Tensor LogSoftmax::forward(const Tensor& x) const { return log_softmax(x, dim_); }
std::string LogSoftmax::extra_repr() const { return "dim=" + std::to_string(dim_); }

}  // namespace tapegrad::nn
