// Images at another size, their patches, and shuffles as modules.
#include "tapegrad/nn/resampling.h"

#include "tapegrad/nn/functional.h"
#include "tapegrad/nn/internal.h"

namespace tapegrad::nn {

Tensor Upsample::forward(const Tensor& x) const {
  const UpsampleOptions& o = options_;
  return interpolate(x, {o.size, o.scale_factor, o.mode, o.align_corners, o.recompute_scale_factor});
}
std::string Upsample::extra_repr() const {
  std::string text;
  for (double factor : options_.scale_factor) text += (text.empty() ? "" : ", ") + shown(factor);
  text = options_.size.empty() ? "scale_factor=[" + text + "]" : "size=" + tapegrad::to_string(options_.size);
  return text + ", mode=" + options_.mode;
}

Tensor PixelShuffle::forward(const Tensor& x) const { return pixel_shuffle(x, factor_); }
std::string PixelShuffle::extra_repr() const { return "upscale_factor=" + std::to_string(factor_); }
Tensor PixelUnshuffle::forward(const Tensor& x) const { return pixel_unshuffle(x, factor_); }
std::string PixelUnshuffle::extra_repr() const { return "downscale_factor=" + std::to_string(factor_); }
Tensor ChannelShuffle::forward(const Tensor& x) const { return channel_shuffle(x, groups_); }
std::string ChannelShuffle::extra_repr() const { return "groups=" + std::to_string(groups_); }

Tensor Unfold::forward(const Tensor& x) const {
  return functional::unfold(x, options_.kernel_size, options_.dilation, options_.padding, options_.stride);
}
std::string Unfold::extra_repr() const {
  return "kernel_size=" + nn::shown(options_.kernel_size) + ", dilation=" + nn::shown(options_.dilation) +
         ", padding=" + nn::shown(options_.padding) + ", stride=" + nn::shown(options_.stride);
}

Tensor Fold::forward(const Tensor& x) const {
  const FoldOptions& o = options_;
  return functional::fold(x, o.output_size, o.kernel_size, o.dilation, o.padding, o.stride);
}
std::string Fold::extra_repr() const {
  return "output_size=" + nn::shown(options_.output_size) + ", kernel_size=" + nn::shown(options_.kernel_size) +
         ", dilation=" + nn::shown(options_.dilation) + ", padding=" + nn::shown(options_.padding) +
         ", stride=" + nn::shown(options_.stride);
}

}  // namespace tapegrad::nn
