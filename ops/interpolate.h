// Images at another size, and elements moved between channels and places.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

struct InterpolateOptions {
  Shape size = {};                        // of y: one number for all spatial dims, or one for each
  std::vector<double> scale_factor = {};  // or how many times as large, rounded down; likewise
  std::string_view mode = "nearest";
  std::optional<bool> align_corners = {};  // false where it is not said
  bool recompute_scale_factor = false;     // go on with the size as if it had been given
};
// x [N, C, L], [N, C, H, W] or [N, C, D, H, W] at another size;  dx = dy times the weights of what y was made of. Result i lies at
// i x / y ("nearest"), at (i + 1/2) x / y ("nearest-exact") or, in units of elements, at (i + 1/2) x / y - 1/2 between the two or, in
// "bicubic", four next elements of each dim ("linear", "bilinear", "trilinear" by the number of dims); with align_corners at
// i (x - 1) / (y - 1). x / y is 1 / scale_factor where that is given. "area": adaptive_avg_pool. float32 and float64; float32 for
// bfloat16. Keys, "Cubic convolution interpolation", 1981, with a = -3/4. ValueError: another mode, or one for another number of dims;
// not exactly one of size and scale_factor, or another count of them; a size below 1; align_corners beside a mode that has none.
TAPEGRAD_API Tensor interpolate(const Tensor& x, const InterpolateOptions& options);

// y[..., c, h r + i, w r + j] = x[..., c r^2 + i r + j, h, w] for r = upscale_factor;  dx = pixel_unshuffle(dy). ValueError: r < 1.
// ShapeError: fewer than 3 dims, channels that r^2 does not divide. Shi et al., 2016.
TAPEGRAD_API Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor);
// The way back: y[..., c r^2 + i r + j, h, w] = x[..., c, h r + i, w r + j] for r = downscale_factor;  dx = pixel_shuffle(dy).
TAPEGRAD_API Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor);
// Channels (dim 1) dealt out to groups: y[:, c groups + g] = x[:, g (C / groups) + c];  dx = dy dealt back. ValueError: groups < 1.
// ShapeError: fewer than 3 dims, channels that groups do not divide. Zhang et al., "ShuffleNet", 2018.
TAPEGRAD_API Tensor channel_shuffle(const Tensor& x, int64_t groups);

}  // namespace tapegrad
