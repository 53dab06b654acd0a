// Dropout and its kin as modules.
#include "tapegrad/nn/dropout.h"

#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/sampling.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::nn {
namespace {

DropoutOptions checked(const char* layer, const DropoutOptions& options) {
  if (!(options.p >= 0 && options.p <= 1))
    throw ValueError(std::string(layer) + ": p must lie in [0, 1], got " + std::to_string(options.p));
  return options;
}

std::string facts(const DropoutOptions& options) {
  return "p=" + shown(options.p) + ", inplace=" + (options.inplace ? "true" : "false");
}

// A sample, or in two dims a batch of lines, is what PyTorch takes inputs of one dim less for.
struct Layouts {
  const char *op, *batch, *other;
};
constexpr Layouts kLayouts[] = {{"dropout1d", "[N, C, L]", "[C, L]"},
                                {"dropout2d", "[N, C, H, W]", "[N, C, L]"},
                                {"dropout3d", "[N, C, D, H, W]", "[C, D, H, W]"}};

constexpr const char* kModules[] = {"Dropout1d", "Dropout2d", "Dropout3d"};

Tensor drop_channels(int64_t dims, const Tensor& x, double p, bool training, bool inplace) {
  const Layouts& layouts = kLayouts[dims - 1];
  if (!x.defined())
    throw ValueError(std::string(layouts.op) + ": x must be defined, got an undefined tensor (Tensor())");
  if (x.dim() != dims + 1 && x.dim() != dims + 2)
    throw ShapeError(std::string(layouts.op) + ": x must be " + layouts.batch + " or " + layouts.other +
                     ", got shape " + to_string(x.sizes()));
  const bool sample = x.dim() == dims + 1 && dims != 2;
  const Tensor batch = sample ? unsqueeze(x, 0) : x;
  if (inplace) {
    feature_dropout_(batch, p, training);
    return x;
  }
  const Tensor y = feature_dropout(batch, p, training);
  return sample ? squeeze(y, 0) : y;
}

}  // namespace

Dropout::Dropout(const DropoutOptions& options) : options_(checked("Dropout", options)) {}
Tensor Dropout::forward(const Tensor& x) const {
  return options_.inplace ? dropout_(x, options_.p, is_training()) : dropout(x, options_.p, is_training());
}
std::string Dropout::extra_repr() const { return facts(options_); }

template <int64_t kDims>
ChannelDropout<kDims>::ChannelDropout(const DropoutOptions& options)
    : options_(checked(kModules[kDims - 1], options)) {}
template <int64_t kDims> Tensor ChannelDropout<kDims>::forward(const Tensor& x) const {
  return drop_channels(kDims, x, options_.p, this->is_training(), options_.inplace);
}
template <int64_t kDims> std::string ChannelDropout<kDims>::name() const { return kModules[kDims - 1]; }
template <int64_t kDims> std::string ChannelDropout<kDims>::extra_repr() const { return facts(options_); }
template class ChannelDropout<1>;
template class ChannelDropout<2>;
template class ChannelDropout<3>;

AlphaDropout::AlphaDropout(const DropoutOptions& options) : options_(checked("AlphaDropout", options)) {}
Tensor AlphaDropout::forward(const Tensor& x) const {
  return options_.inplace ? alpha_dropout_(x, options_.p, is_training()) : alpha_dropout(x, options_.p, is_training());
}
std::string AlphaDropout::extra_repr() const { return facts(options_); }

FeatureAlphaDropout::FeatureAlphaDropout(const DropoutOptions& options)
    : options_(checked("FeatureAlphaDropout", options)) {}
Tensor FeatureAlphaDropout::forward(const Tensor& x) const {
  return options_.inplace ? feature_alpha_dropout_(x, options_.p, is_training())
                          : feature_alpha_dropout(x, options_.p, is_training());
}
std::string FeatureAlphaDropout::extra_repr() const { return facts(options_); }

namespace functional {

Tensor dropout1d(const Tensor& x, double p, bool training, bool inplace) {
  return drop_channels(1, x, p, training, inplace);
}
Tensor dropout2d(const Tensor& x, double p, bool training, bool inplace) {
  return drop_channels(2, x, p, training, inplace);
}
Tensor dropout3d(const Tensor& x, double p, bool training, bool inplace) {
  return drop_channels(3, x, p, training, inplace);
}

}  // namespace functional
}  // namespace tapegrad::nn
