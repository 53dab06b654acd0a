// ReLU and its kin, bounds and thresholds as modules.
#include "tapegrad/nn/rectifiers.h"

#include "tapegrad/nn/init.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/rectifier.h"

namespace tapegrad::nn {
namespace {

// The facts of a module, without the comma where there are none before.
std::string with_inplace(const std::string& facts, bool inplace) {
  if (!inplace) return facts;
  return facts + (facts.empty() ? "" : ", ") + "inplace=true";
}

}  // namespace

Tensor ReLU::forward(const Tensor& x) const { return options_.inplace ? relu_(x) : relu(x); }
std::string ReLU::extra_repr() const { return with_inplace("", options_.inplace); }

Tensor LeakyReLU::forward(const Tensor& x) const {
  return options_.inplace ? leaky_relu_(x, options_.negative_slope) : leaky_relu(x, options_.negative_slope);
}
std::string LeakyReLU::extra_repr() const {
  return with_inplace("negative_slope=" + shown(options_.negative_slope), options_.inplace);
}

Tensor ELU::forward(const Tensor& x) const {
  return options_.inplace ? elu_(x, options_.alpha) : elu(x, options_.alpha);
}
std::string ELU::extra_repr() const { return with_inplace("alpha=" + shown(options_.alpha), options_.inplace); }

Tensor SELU::forward(const Tensor& x) const { return options_.inplace ? selu_(x) : selu(x); }
std::string SELU::extra_repr() const { return with_inplace("", options_.inplace); }

Tensor CELU::forward(const Tensor& x) const {
  return options_.inplace ? celu_(x, options_.alpha) : celu(x, options_.alpha);
}
std::string CELU::extra_repr() const { return with_inplace("alpha=" + shown(options_.alpha), options_.inplace); }

Hardtanh::Hardtanh(const HardtanhOptions& options) : options_(options) {
  if (!(options.min_val < options.max_val))
    throw ValueError("Hardtanh: min_val must be below max_val, got " + shown(options.min_val) + " and " +
                     shown(options.max_val));
}
Tensor Hardtanh::forward(const Tensor& x) const {
  return options_.inplace ? hardtanh_(x, options_.min_val, options_.max_val)
                          : hardtanh(x, options_.min_val, options_.max_val);
}
std::string Hardtanh::extra_repr() const {
  return with_inplace("min_val=" + shown(options_.min_val) + ", max_val=" + shown(options_.max_val), options_.inplace);
}

Tensor ReLU6::forward(const Tensor& x) const { return options_.inplace ? relu6_(x) : relu6(x); }
std::string ReLU6::extra_repr() const { return with_inplace("", options_.inplace); }

Tensor Threshold::forward(const Tensor& x) const {
  return options_.inplace ? tapegrad::threshold_(x, threshold_, value_) : threshold(x, threshold_, value_);
}
std::string Threshold::extra_repr() const {
  return with_inplace("threshold=" + shown(threshold_) + ", value=" + shown(value_), options_.inplace);
}

PReLU::PReLU(const PReLUOptions& options) : init_(options.init) {
  if (options.num_parameters < 1)
    throw ValueError("PReLU: num_parameters must be at least 1, got " + std::to_string(options.num_parameters));
  weight = register_parameter("weight", new_tensor(options.num_parameters, kFloat32));
  reset_parameters();
}
void PReLU::reset_parameters() { init::constant_(weight, init_); }
Tensor PReLU::forward(const Tensor& x) const { return prelu(x, weight); }
std::string PReLU::extra_repr() const { return "num_parameters=" + std::to_string(weight.numel()); }

}  // namespace tapegrad::nn
