// Normalisation as modules; what they compute is said in ops/normalization.h.
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  // without: running statistics are averages over all batches
  bool affine = true;
  bool track_running_stats = true;  // without: the batch's own statistics in evaluation too
};
// BatchNorm1d of [N, C] or [N, C, L], BatchNorm2d of [N, C, H, W], BatchNorm3d of [N, C, D, H, W]: every channel by the mean and variance of
// the batch while training, by running statistics in evaluation. ShapeError for others, and for other than num_features channels.
template <int64_t kDims> class TAPEGRAD_API BatchNorm final : public Cloneable<BatchNorm<kDims>> {
 public:
  explicit BatchNorm(int64_t num_features, const BatchNormOptions& options = {});
  Tensor forward(const Tensor& x) const;
  // Weight 1, bias 0, and the running statistics as at the start: mean 0, variance 1, no batches.
  void reset_parameters();
  void reset_running_stats();
  std::string name() const override;
  std::string extra_repr() const override;

  Parameter weight, bias;                                 // undefined unless affine
  Buffer running_mean, running_var, num_batches_tracked;  // undefined unless track_running_stats

 private:
  int64_t features_;
  BatchNormOptions options_;
};
extern template class BatchNorm<1>;
extern template class BatchNorm<2>;
extern template class BatchNorm<3>;
using BatchNorm1d = BatchNorm<1>;
using BatchNorm2d = BatchNorm<2>;
using BatchNorm3d = BatchNorm<3>;

struct InstanceNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;
  bool affine = false;
  bool track_running_stats = false;
};
// InstanceNorm1d of [N, C, L], InstanceNorm2d of [N, C, H, W], InstanceNorm3d of [N, C, D, H, W], or one sample of these without N: every channel
// of every sample by its own mean and variance, in evaluation too unless track_running_stats. Errors as BatchNorm's.
template <int64_t kDims> class TAPEGRAD_API InstanceNorm final : public Cloneable<InstanceNorm<kDims>> {
 public:
  explicit InstanceNorm(int64_t num_features, const InstanceNormOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void reset_parameters();
  void reset_running_stats();
  std::string name() const override;
  std::string extra_repr() const override;

  Parameter weight, bias;
  Buffer running_mean, running_var, num_batches_tracked;

 private:
  int64_t features_;
  InstanceNormOptions options_;
};
extern template class InstanceNorm<1>;
extern template class InstanceNorm<2>;
extern template class InstanceNorm<3>;
using InstanceNorm1d = InstanceNorm<1>;
using InstanceNorm2d = InstanceNorm<2>;
using InstanceNorm3d = InstanceNorm<3>;

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;
  bool bias = true;
};
// Over the last dims, whose sizes are normalized_shape.
class TAPEGRAD_API LayerNorm final : public Cloneable<LayerNorm> {
 public:
  explicit LayerNorm(IntArrayRef normalized_shape, const LayerNormOptions& options = {});
  explicit LayerNorm(std::initializer_list<int64_t> normalized_shape, const LayerNormOptions& options = {})
      : LayerNorm(IntArrayRef(normalized_shape), options) {}  // {8} could also be a LayerNorm to copy
  Tensor forward(const Tensor& x) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight, bias;  // undefined unless elementwise_affine

 private:
  Shape shape_;
  LayerNormOptions options_;
};

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;
};
// Each of num_groups groups of channels of each sample of [N, C, ...]. ValueError where num_groups does not divide num_channels.
class TAPEGRAD_API GroupNorm final : public Cloneable<GroupNorm> {
 public:
  GroupNorm(int64_t num_groups, int64_t num_channels, const GroupNormOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight, bias;  // undefined unless affine

 private:
  int64_t groups_, channels_;
  GroupNormOptions options_;
};

struct RMSNormOptions {
  std::optional<double> eps = {};  // without: the epsilon of the dtype
  bool elementwise_affine = true;
};
// By the root of the mean square over the last dims, whose sizes are normalized_shape.
class TAPEGRAD_API RMSNorm final : public Cloneable<RMSNorm> {
 public:
  explicit RMSNorm(IntArrayRef normalized_shape, const RMSNormOptions& options = {});
  explicit RMSNorm(std::initializer_list<int64_t> normalized_shape, const RMSNormOptions& options = {})
      : RMSNorm(IntArrayRef(normalized_shape), options) {}  // {8} could also be a RMSNorm to copy
  Tensor forward(const Tensor& x) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight;  // undefined unless elementwise_affine

 private:
  Shape shape_;
  RMSNormOptions options_;
};

}  // namespace tapegrad::nn
