// Dropout and its kin as modules. They drop while the module is training, from the default generator; `inplace` writes the result over
// the input. ValueError for p outside [0, 1].
#pragma once

#include "tapegrad/nn/cloneable.h"

namespace tapegrad::nn {

struct DropoutOptions {
  double p = 0.5;
  bool inplace = false;
};
// Drops elements.
class TAPEGRAD_API Dropout final : public Cloneable<Dropout> {
 public:
  explicit Dropout(const DropoutOptions& options = {});
  explicit Dropout(double p) : Dropout(DropoutOptions{.p = p}) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  DropoutOptions options_;
};

// Drops whole channels: Dropout1d of [N, C, L] or [C, L], Dropout2d of [N, C, H, W] or [N, C, L], Dropout3d of [N, C, D, H, W] or
// [C, D, H, W]. ShapeError for others.
template <int64_t kDims> class TAPEGRAD_API ChannelDropout final : public Cloneable<ChannelDropout<kDims>> {
 public:
  explicit ChannelDropout(const DropoutOptions& options = {});
  explicit ChannelDropout(double p) : ChannelDropout(DropoutOptions{.p = p}) {}
  Tensor forward(const Tensor& x) const;
  std::string name() const override;
  std::string extra_repr() const override;

 private:
  DropoutOptions options_;
};
extern template class ChannelDropout<1>;
extern template class ChannelDropout<2>;
extern template class ChannelDropout<3>;
using Dropout1d = ChannelDropout<1>;
using Dropout2d = ChannelDropout<2>;
using Dropout3d = ChannelDropout<3>;

// Puts elements to what selu tends to and keeps mean 0 and variance 1, for networks of SELU.
class TAPEGRAD_API AlphaDropout final : public Cloneable<AlphaDropout> {
 public:
  explicit AlphaDropout(const DropoutOptions& options = {});
  explicit AlphaDropout(double p) : AlphaDropout(DropoutOptions{.p = p}) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  DropoutOptions options_;
};

// The same for whole channels of [N, C, ...].
class TAPEGRAD_API FeatureAlphaDropout final : public Cloneable<FeatureAlphaDropout> {
 public:
  explicit FeatureAlphaDropout(const DropoutOptions& options = {});
  explicit FeatureAlphaDropout(double p) : FeatureAlphaDropout(DropoutOptions{.p = p}) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  DropoutOptions options_;
};

namespace functional {

// What the modules of these names do, without a module.
TAPEGRAD_API Tensor dropout1d(const Tensor& x, double p = 0.5, bool training = true, bool inplace = false);
TAPEGRAD_API Tensor dropout2d(const Tensor& x, double p = 0.5, bool training = true, bool inplace = false);
TAPEGRAD_API Tensor dropout3d(const Tensor& x, double p = 0.5, bool training = true, bool inplace = false);

}  // namespace functional
}  // namespace tapegrad::nn
