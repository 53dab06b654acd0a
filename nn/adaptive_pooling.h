// Pooling to given sizes as modules; what they compute is said in ops/pool.h.
#pragma once

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/nn/expanding_array.h"

namespace tapegrad::nn {

// y = the mean of each of as many windows as output_size says
class TAPEGRAD_API AdaptiveAvgPool1d final : public Cloneable<AdaptiveAvgPool1d> {
 public:
  explicit AdaptiveAvgPool1d(const ExpandingArray<1>& output_size) : output_size_(output_size) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ExpandingArray<1> output_size_;
};
class TAPEGRAD_API AdaptiveAvgPool2d final : public Cloneable<AdaptiveAvgPool2d> {
 public:
  explicit AdaptiveAvgPool2d(const ExpandingArray<2>& output_size) : output_size_(output_size) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ExpandingArray<2> output_size_;
};
class TAPEGRAD_API AdaptiveAvgPool3d final : public Cloneable<AdaptiveAvgPool3d> {
 public:
  explicit AdaptiveAvgPool3d(const ExpandingArray<3>& output_size) : output_size_(output_size) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ExpandingArray<3> output_size_;
};

// y = the largest element of each of as many windows as output_size says
class TAPEGRAD_API AdaptiveMaxPool1d final : public Cloneable<AdaptiveMaxPool1d> {
 public:
  explicit AdaptiveMaxPool1d(const ExpandingArray<1>& output_size) : output_size_(output_size) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ExpandingArray<1> output_size_;
};
class TAPEGRAD_API AdaptiveMaxPool2d final : public Cloneable<AdaptiveMaxPool2d> {
 public:
  explicit AdaptiveMaxPool2d(const ExpandingArray<2>& output_size) : output_size_(output_size) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ExpandingArray<2> output_size_;
};
class TAPEGRAD_API AdaptiveMaxPool3d final : public Cloneable<AdaptiveMaxPool3d> {
 public:
  explicit AdaptiveMaxPool3d(const ExpandingArray<3>& output_size) : output_size_(output_size) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  ExpandingArray<3> output_size_;
};

}  // namespace tapegrad::nn
