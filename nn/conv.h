// Convolution layers.
#pragma once

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/nn/expanding_array.h"

namespace tapegrad::nn {

template <size_t N> struct ConvOptions {
  ExpandingArray<N> kernel_size;
  ExpandingArray<N> stride = 1;
  ConvPaddingOption<N> padding = 0;  // numbers, "same" or "valid"
  ExpandingArray<N> dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  std::string padding_mode = "zeros";  // or "reflect", "replicate", "circular": what is around x
};
using Conv1dOptions = ConvOptions<1>;
using Conv2dOptions = ConvOptions<2>;
using Conv3dOptions = ConvOptions<3>;

template <size_t N> struct ConvTransposeOptions {
  ExpandingArray<N> kernel_size;
  ExpandingArray<N> stride = 1;
  ExpandingArray<N> padding = 0;
  ExpandingArray<N> output_padding = 0;
  int64_t groups = 1;
  bool bias = true;
  ExpandingArray<N> dilation = 1;
};
using ConvTranspose1dOptions = ConvTransposeOptions<1>;
using ConvTranspose2dOptions = ConvTransposeOptions<2>;
using ConvTranspose3dOptions = ConvTransposeOptions<3>;

// What the layers of every rank have. weight is [out, in / groups, kernel...] ([in, out / groups, kernel...] of a transposed one); weight and bias
// start uniform in (-b, b), b = 1 / sqrt(weight's second size times the kernel's elements), as PyTorch's: kaiming_uniform_ with a = sqrt(5).
// ValueError for sizes, strides or dilations below 1, groups that do not divide the channels, unknown words.
template <class Derived, size_t N> class TAPEGRAD_API ConvLayer : public Cloneable<Derived> {
 public:
  const ConvOptions<N>& options() const { return options_; }
  Tensor forward(const Tensor& x) const;
  // Draws the start values again, from the default generator.
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight;
  Parameter bias;  // undefined without

 protected:
  ConvLayer(const char* name, int64_t in_channels, int64_t out_channels, const ConvOptions<N>& options);

 private:
  ConvOptions<N> options_;
};

template <class Derived, size_t N> class TAPEGRAD_API ConvTransposeLayer : public Cloneable<Derived> {
 public:
  const ConvTransposeOptions<N>& options() const { return options_; }
  // With output_size, which must be one of those that the layer's convolution maps to x's, output_padding follows from it: the spatial
  // sizes, or all sizes of y, of which those in front are passed over. ValueError for another number of them, or other sizes.
  Tensor forward(const Tensor& x, IntArrayRef output_size = {}) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight;
  Parameter bias;  // undefined without

 protected:
  ConvTransposeLayer(const char* name, int64_t in_channels, int64_t out_channels,
                     const ConvTransposeOptions<N>& options);

 private:
  const char* name_;
  ConvTransposeOptions<N> options_;
};

// y = conv1d(x, weight, bias) with the layer's stride, padding, dilation and groups, for x [N, C, L] or [C, L].
class TAPEGRAD_API Conv1d final : public ConvLayer<Conv1d, 1> {
 public:
  Conv1d(int64_t in_channels, int64_t out_channels, const Conv1dOptions& options)
      : ConvLayer("Conv1d", in_channels, out_channels, options) {}
};
// The same over two dims: nn::Conv2d(1, 10, {.kernel_size = 5, .padding = 2}).
class TAPEGRAD_API Conv2d final : public ConvLayer<Conv2d, 2> {
 public:
  Conv2d(int64_t in_channels, int64_t out_channels, const Conv2dOptions& options)
      : ConvLayer("Conv2d", in_channels, out_channels, options) {}
};
// The same over three dims.
class TAPEGRAD_API Conv3d final : public ConvLayer<Conv3d, 3> {
 public:
  Conv3d(int64_t in_channels, int64_t out_channels, const Conv3dOptions& options)
      : ConvLayer("Conv3d", in_channels, out_channels, options) {}
};

// y = conv_transpose1d(x, weight, bias), for x [N, C, L] or [C, L].
class TAPEGRAD_API ConvTranspose1d final : public ConvTransposeLayer<ConvTranspose1d, 1> {
 public:
  ConvTranspose1d(int64_t in_channels, int64_t out_channels, const ConvTranspose1dOptions& options)
      : ConvTransposeLayer("ConvTranspose1d", in_channels, out_channels, options) {}
};
// The same over two dims.
class TAPEGRAD_API ConvTranspose2d final : public ConvTransposeLayer<ConvTranspose2d, 2> {
 public:
  ConvTranspose2d(int64_t in_channels, int64_t out_channels, const ConvTranspose2dOptions& options)
      : ConvTransposeLayer("ConvTranspose2d", in_channels, out_channels, options) {}
};
// The same over three dims.
class TAPEGRAD_API ConvTranspose3d final : public ConvTransposeLayer<ConvTranspose3d, 3> {
 public:
  ConvTranspose3d(int64_t in_channels, int64_t out_channels, const ConvTranspose3dOptions& options)
      : ConvTransposeLayer("ConvTranspose3d", in_channels, out_channels, options) {}
};

}  // namespace tapegrad::nn
