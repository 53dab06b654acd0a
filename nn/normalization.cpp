// Normalisation as modules.
#include "tapegrad/nn/normalization.h"

#include "tapegrad/autograd/state.h"
#include "tapegrad/nn/init.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/normalization.h"
#include "tapegrad/ops/normalization_parts.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::nn {
namespace {

constexpr const char* kBatchNames[] = {"BatchNorm1d", "BatchNorm2d", "BatchNorm3d"};
constexpr const char* kInstanceNames[] = {"InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"};
constexpr const char* kBatchLayouts[] = {"[N, C] or [N, C, L]", "[N, C, H, W]", "[N, C, D, H, W]"};
constexpr const char* kInstanceLayouts[] = {"[N, C, L] or [C, L]", "[N, C, H, W] or [C, H, W]",
                                            "[N, C, D, H, W] or [C, D, H, W]"};

void start(const Tensor& weight, const Tensor& bias) {
  if (weight.defined()) init::ones_(weight);
  if (bias.defined()) init::zeros_(bias);
}

template <class Layer> void reset_running(Layer& layer) {
  if (!layer.running_mean.defined()) return;
  const NoGradGuard no_grad;
  zero_(layer.running_mean);
  fill_(layer.running_var, 1);
  zero_(layer.num_batches_tracked);
}

// What batch and instance norm register, under PyTorch's names.
template <class Layer, class Options>
void register_all(const char* name, Layer& layer, int64_t features, const Options& options) {
  if (features < 0)
    throw ValueError(std::string(name) + ": num_features must not be negative, got " + std::to_string(features));
  if (options.affine) {
    layer.weight = layer.register_parameter("weight", new_tensor(features, kFloat32));
    layer.bias = layer.register_parameter("bias", new_tensor(features, kFloat32));
  }
  if (options.track_running_stats) {
    layer.running_mean = layer.register_buffer("running_mean", new_tensor(features, kFloat32));
    layer.running_var = layer.register_buffer("running_var", new_tensor(features, kFloat32));
    layer.num_batches_tracked = layer.register_buffer("num_batches_tracked", new_tensor(IntArrayRef(), kInt64));
  }
  layer.reset_parameters();
}

void check_dims(const char* name, const Tensor& x, int64_t least, int64_t most, const char* layouts) {
  if (!x.defined()) throw ValueError(std::string(name) + ": x must be defined, got an undefined tensor (Tensor())");
  if (x.dim() < least || x.dim() > most)
    throw ShapeError(std::string(name) + ": x must be " + layouts + ", got shape " + to_string(x.sizes()));
}

void check_features(const char* name, const Tensor& x, int64_t dim, int64_t features) {
  if (x.sizes()[dim] != features)
    throw ShapeError(std::string(name) + ": x must have " + std::to_string(features) + " channels, got " +
                     std::to_string(x.sizes()[dim]) + " in shape " + to_string(x.sizes()));
}

template <class Options> std::string facts(int64_t features, const Options& options) {
  const auto flag = [](bool on) { return on ? "true" : "false"; };
  return std::to_string(features) + ", eps=" + shown(options.eps) +
         ", momentum=" + (options.momentum ? shown(*options.momentum) : "None") + ", affine=" + flag(options.affine) +
         ", track_running_stats=" + flag(options.track_running_stats);
}

template <class Layer> RunningStatistics running_of(const Layer& layer, std::optional<double> momentum) {
  return {layer.running_mean, layer.running_var, layer.num_batches_tracked, momentum};
}

}  // namespace

template <int64_t kDims>
BatchNorm<kDims>::BatchNorm(int64_t num_features, const BatchNormOptions& options)
    : features_(num_features), options_(options) {
  register_all(kBatchNames[kDims - 1], *this, num_features, options);
}
template <int64_t kDims> void BatchNorm<kDims>::reset_parameters() {
  reset_running_stats();
  start(weight, bias);
}
template <int64_t kDims> void BatchNorm<kDims>::reset_running_stats() { reset_running(*this); }
template <int64_t kDims> Tensor BatchNorm<kDims>::forward(const Tensor& x) const {
  check_dims(kBatchNames[kDims - 1], x, kDims == 1 ? 2 : kDims + 2, kDims + 2, kBatchLayouts[kDims - 1]);
  check_features(kBatchNames[kDims - 1], x, 1, features_);
  const bool training = this->is_training() || !running_mean.defined();
  return normalized_channels(x, running_of(*this, options_.momentum), weight, bias, training, options_.eps);
}
template <int64_t kDims> std::string BatchNorm<kDims>::name() const { return kBatchNames[kDims - 1]; }
template <int64_t kDims> std::string BatchNorm<kDims>::extra_repr() const { return facts(features_, options_); }
template class BatchNorm<1>;
template class BatchNorm<2>;
template class BatchNorm<3>;

template <int64_t kDims>
InstanceNorm<kDims>::InstanceNorm(int64_t num_features, const InstanceNormOptions& options)
    : features_(num_features), options_(options) {
  register_all(kInstanceNames[kDims - 1], *this, num_features, options);
}
template <int64_t kDims> void InstanceNorm<kDims>::reset_parameters() {
  reset_running_stats();
  start(weight, bias);
}
template <int64_t kDims> void InstanceNorm<kDims>::reset_running_stats() { reset_running(*this); }
template <int64_t kDims> Tensor InstanceNorm<kDims>::forward(const Tensor& x) const {
  constexpr const char* name = kInstanceNames[kDims - 1];
  check_dims(name, x, kDims + 1, kDims + 2, kInstanceLayouts[kDims - 1]);
  const bool sample = x.dim() == kDims + 1;
  check_features(name, x, sample ? 0 : 1, features_);
  const bool own = this->is_training() || !running_mean.defined();
  const Tensor y = normalized_instances(sample ? unsqueeze(x, 0) : x, running_of(*this, options_.momentum), weight,
                                        bias, own, options_.eps);
  return sample ? squeeze(y, 0) : y;
}
template <int64_t kDims> std::string InstanceNorm<kDims>::name() const { return kInstanceNames[kDims - 1]; }
template <int64_t kDims> std::string InstanceNorm<kDims>::extra_repr() const { return facts(features_, options_); }
template class InstanceNorm<1>;
template class InstanceNorm<2>;
template class InstanceNorm<3>;

LayerNorm::LayerNorm(IntArrayRef normalized_shape, const LayerNormOptions& options)
    : shape_(normalized_shape), options_(options) {
  if (shape_.empty()) throw ValueError("LayerNorm: normalized_shape must name at least one size, got []");
  if (!options.elementwise_affine) return;
  weight = register_parameter("weight", new_tensor(shape_, kFloat32, "LayerNorm"));
  if (options.bias) bias = register_parameter("bias", new_tensor(shape_, kFloat32, "LayerNorm"));
  reset_parameters();
}
void LayerNorm::reset_parameters() { start(weight, bias); }
Tensor LayerNorm::forward(const Tensor& x) const { return layer_norm(x, shape_, weight, bias, options_.eps); }
std::string LayerNorm::extra_repr() const {
  return to_string(shape_) + ", eps=" + shown(options_.eps) +
         ", elementwise_affine=" + (options_.elementwise_affine ? "true" : "false");
}

GroupNorm::GroupNorm(int64_t num_groups, int64_t num_channels, const GroupNormOptions& options)
    : groups_(num_groups), channels_(num_channels), options_(options) {
  if (num_groups < 1 || num_channels < 0 || num_channels % num_groups != 0)
    throw ValueError("GroupNorm: num_groups must be positive and divide num_channels, got " +
                     std::to_string(num_groups) + " and " + std::to_string(num_channels));
  if (!options.affine) return;
  weight = register_parameter("weight", new_tensor(num_channels, kFloat32));
  bias = register_parameter("bias", new_tensor(num_channels, kFloat32));
  reset_parameters();
}
void GroupNorm::reset_parameters() { start(weight, bias); }
Tensor GroupNorm::forward(const Tensor& x) const { return group_norm(x, groups_, weight, bias, options_.eps); }
std::string GroupNorm::extra_repr() const {
  return std::to_string(groups_) + ", " + std::to_string(channels_) + ", eps=" + shown(options_.eps) +
         ", affine=" + (options_.affine ? "true" : "false");
}

RMSNorm::RMSNorm(IntArrayRef normalized_shape, const RMSNormOptions& options)
    : shape_(normalized_shape), options_(options) {
  if (shape_.empty()) throw ValueError("RMSNorm: normalized_shape must name at least one size, got []");
  if (!options.elementwise_affine) return;
  weight = register_parameter("weight", new_tensor(shape_, kFloat32, "RMSNorm"));
  reset_parameters();
}
void RMSNorm::reset_parameters() { start(weight, {}); }
Tensor RMSNorm::forward(const Tensor& x) const { return rms_norm(x, shape_, weight, options_.eps); }
std::string RMSNorm::extra_repr() const {
  return to_string(shape_) + ", eps=" + (options_.eps ? shown(*options_.eps) : "None") +
         ", elementwise_affine=" + (options_.elementwise_affine ? "true" : "false");
}

}  // namespace tapegrad::nn
