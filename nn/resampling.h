// Images at another size, their patches, and elements moved between channels and places, as modules; what they compute is said in
// ops/interpolate.h and ops/unfold.h.
#pragma once

#include <optional>
#include <vector>

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/nn/expanding_array.h"

namespace tapegrad::nn {

struct UpsampleOptions {
  Shape size = {};
  std::vector<double> scale_factor = {};
  std::string mode = "nearest";
  std::optional<bool> align_corners = {};
  bool recompute_scale_factor = false;
};
// y = x at another size: interpolate.
class TAPEGRAD_API Upsample final : public Cloneable<Upsample> {
 public:
  explicit Upsample(const UpsampleOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  UpsampleOptions options_;
};

// Channels as places: [N, C r^2, H, W] to [N, C, H r, W r].
class TAPEGRAD_API PixelShuffle final : public Cloneable<PixelShuffle> {
 public:
  explicit PixelShuffle(int64_t upscale_factor) : factor_(upscale_factor) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  int64_t factor_;
};
// Places as channels: [N, C, H r, W r] to [N, C r^2, H, W].
class TAPEGRAD_API PixelUnshuffle final : public Cloneable<PixelUnshuffle> {
 public:
  explicit PixelUnshuffle(int64_t downscale_factor) : factor_(downscale_factor) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  int64_t factor_;
};
// Channels dealt out to groups.
class TAPEGRAD_API ChannelShuffle final : public Cloneable<ChannelShuffle> {
 public:
  explicit ChannelShuffle(int64_t groups) : groups_(groups) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  int64_t groups_;
};

struct UnfoldOptions {
  ExpandingArray<2> kernel_size;
  ExpandingArray<2> dilation = 1;
  ExpandingArray<2> padding = 0;
  ExpandingArray<2> stride = 1;
};
// The patches of images as columns: im2col.
class TAPEGRAD_API Unfold final : public Cloneable<Unfold> {
 public:
  explicit Unfold(const UnfoldOptions& options) : options_(options) {}
  explicit Unfold(int64_t kernel_size) : options_{.kernel_size = kernel_size} {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  UnfoldOptions options_;
};

struct FoldOptions {
  ExpandingArray<2> output_size;
  ExpandingArray<2> kernel_size;
  ExpandingArray<2> dilation = 1;
  ExpandingArray<2> padding = 0;
  ExpandingArray<2> stride = 1;
};
// Columns added up to images: col2im.
class TAPEGRAD_API Fold final : public Cloneable<Fold> {
 public:
  explicit Fold(const FoldOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  FoldOptions options_;
};

}  // namespace tapegrad::nn
