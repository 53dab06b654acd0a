// Convolutions of one to three spatial dims, as PyTorch has them: the kernel is not flipped. float32 and float64; float32 for bfloat16.
#pragma once

#include <concepts>
#include <string_view>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Zeros on both sides of each spatial dim: one number for all of them, or one for each; or "valid" (none), or "same", which gives y the
// sizes of x (an odd one goes behind; for stride 1).
class ConvPadding {
 public:
  constexpr ConvPadding(const int64_t& all) : sizes_(all) {}
  constexpr ConvPadding(std::initializer_list<int64_t> sizes) : sizes_(sizes) {}
  template <class S>
    requires(!std::integral<S> && std::convertible_to<const S&, IntArrayRef>)
  constexpr ConvPadding(const S& sizes) : sizes_(sizes) {}
  template <class S>
    requires(!std::integral<S> && std::convertible_to<const S&, std::string_view>)
  constexpr ConvPadding(const S& word) : word_(word) {}
  IntArrayRef sizes() const { return sizes_; }
  std::string_view word() const { return word_; }  // empty where there are numbers

 private:
  IntArrayRef sizes_;
  std::string_view word_;
};

// y[n, o, p] = bias[o] + sum over i, t of weight[o, i, t] x[n, c + i, stride p + dilation t - padding] with zeros outside x, for x [N, C, L],
// weight [O, C / groups, K] and bias [O] or undefined; c is the first channel of o's group. y is [N, O, (L + 2 padding - dilation (K - 1) - 1) / stride + 1].
// dx = conv_transpose1d(dy, weight), dweight[o, i, t] = sum over n, p of dy x as they met, dbias = sum dy. x may be without N. One
// number stands for each spatial dim. ShapeError: ranks, channels that do not fit groups, a kernel larger than the padded x. ValueError:
// stride, dilation or groups below 1, a negative padding, groups that do not divide the channels.
TAPEGRAD_API Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntArrayRef stride = 1,
                           const ConvPadding& padding = 0, IntArrayRef dilation = 1, int64_t groups = 1);
// The same over two dims: x [N, C, H, W], weight [O, C / groups, KH, KW].
TAPEGRAD_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntArrayRef stride = 1,
                           const ConvPadding& padding = 0, IntArrayRef dilation = 1, int64_t groups = 1);
// The same over three dims: x [N, C, D, H, W], weight [O, C / groups, KD, KH, KW].
TAPEGRAD_API Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntArrayRef stride = 1,
                           const ConvPadding& padding = 0, IntArrayRef dilation = 1, int64_t groups = 1);

// The transposed map: y is what x would be in a convolution that gives x: y[n, c + o, stride p + dilation t - padding] += weight[i, o, t] x[n, i, p],
// plus bias[c + o], for x [N, C, L], weight [C, O / groups, K]. y is [N, O, (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1].
// dx = conv1d(dy, weight), dweight as there with x and dy in each other's place. output_padding, below stride or dilation, picks
// among the sizes that a strided convolution maps to the same. ShapeError as conv1d, and where y would be empty.
TAPEGRAD_API Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                     IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef output_padding = 0,
                                     int64_t groups = 1, IntArrayRef dilation = 1);
// The same over two dims: x [N, C, H, W], weight [C, O / groups, KH, KW].
TAPEGRAD_API Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                     IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef output_padding = 0,
                                     int64_t groups = 1, IntArrayRef dilation = 1);
// The same over three dims: x [N, C, D, H, W], weight [C, O / groups, KD, KH, KW].
TAPEGRAD_API Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                     IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef output_padding = 0,
                                     int64_t groups = 1, IntArrayRef dilation = 1);

}  // namespace tapegrad
