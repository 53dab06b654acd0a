// Convolution layers of one to three dims.
#include "tapegrad/nn/conv.h"

#include <cmath>

#include "tapegrad/nn/init.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/conv.h"
#include "tapegrad/ops/pad.h"

namespace tapegrad::nn {
namespace {

[[noreturn]] void bad(const char* name, const std::string& rule, const std::string& got) {
  throw ValueError(std::string(name) + ": " + rule + ", got " + got);
}

void check(const char* name, int64_t in_channels, int64_t out_channels, int64_t groups) {
  if (in_channels < 0 || out_channels < 0)
    bad(name, "in_channels and out_channels must not be negative",
        std::to_string(in_channels) + " and " + std::to_string(out_channels));
  if (groups < 1) bad(name, "groups must be positive", std::to_string(groups));
  if (in_channels % groups != 0 || out_channels % groups != 0)
    bad(name, "groups must divide in_channels and out_channels",
        std::to_string(groups) + " for " + std::to_string(in_channels) + " and " + std::to_string(out_channels));
}

template <size_t N> void check(const char* name, const char* what, const ExpandingArray<N>& values, int64_t least) {
  for (size_t i = 0; i < N; ++i) {
    if (values[i] > INT32_MAX) bad(name, std::string(what) + " must be below 2^31", to_string(IntArrayRef(values)));
    if (values[i] < least)
      bad(name, std::string(what) + (least > 0 ? " must be positive" : " must not be negative"),
          to_string(IntArrayRef(values)));
  }
}

template <size_t N> Shape weight_sizes(int64_t first, int64_t second, const ExpandingArray<N>& kernel) {
  Shape sizes = {first, second};
  for (size_t i = 0; i < N; ++i) sizes.push_back(kernel[i]);
  return sizes;
}

// PyTorch counts what meets in an element of a matrix: the second size times the kernel.
void draw(const Parameter& weight, const Parameter& bias) {
  const int64_t fan_in = weight.size(0) == 0 ? 0 : weight.numel() / weight.size(0);
  const double bound = fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0;
  if (weight.numel() > 0) init::uniform_(weight, -bound, bound);
  if (bias.defined()) init::uniform_(bias, -bound, bound);
}

template <size_t N> auto functions() {
  if constexpr (N == 1) return std::pair(&conv1d, &conv_transpose1d);
  else if constexpr (N == 2) return std::pair(&conv2d, &conv_transpose2d);
  else return std::pair(&conv3d, &conv_transpose3d);
}

// What stands around x along each dim in a mode that is not zeros, in pad()'s order; "same" puts an odd one behind.
template <size_t N> std::vector<int64_t> frame_of(const ConvOptions<N>& options) {
  std::vector<int64_t> frame;
  for (size_t i = N; i-- > 0;) {
    const int64_t reach = options.dilation[i] * (options.kernel_size[i] - 1), before = options.padding.sizes()[i];
    const bool same = options.padding.word() == "same";
    frame.push_back(same ? reach / 2 : before);
    frame.push_back(same ? reach - reach / 2 : before);
  }
  return frame;
}

}  // namespace

template <class Derived, size_t N>
ConvLayer<Derived, N>::ConvLayer(const char* name, int64_t in_channels, int64_t out_channels,
                                 const ConvOptions<N>& options)
    : options_(options) {
  check(name, in_channels, out_channels, options.groups);
  check(name, "kernel_size", options.kernel_size, 1);
  check(name, "stride", options.stride, 1);
  check(name, "dilation", options.dilation, 1);
  check(name, "padding", options.padding.sizes(), 0);
  const std::string& mode = options.padding_mode;
  if (mode != "zeros" && mode != "reflect" && mode != "replicate" && mode != "circular")
    bad(name, "padding_mode must be \"zeros\", \"reflect\", \"replicate\" or \"circular\"", '"' + mode + '"');
  const std::string& word = options.padding.word();
  if (!word.empty() && word != "same" && word != "valid")
    bad(name, "padding must be numbers, \"same\" or \"valid\"", '"' + word + '"');
  if (word == "same" && !(options.stride == ExpandingArray<N>(1)))
    bad(name, "padding \"same\" needs stride 1", to_string(IntArrayRef(options.stride)));
  weight = this->register_parameter(
      "weight",
      new_tensor(weight_sizes(out_channels, in_channels / options.groups, options.kernel_size), kFloat32, name));
  if (options.bias) bias = this->register_parameter("bias", new_tensor({out_channels}, kFloat32, name));
  reset_parameters();
}

template <class Derived, size_t N> void ConvLayer<Derived, N>::reset_parameters() { draw(weight, bias); }

template <class Derived, size_t N> Tensor ConvLayer<Derived, N>::forward(const Tensor& x) const {
  const auto conv = functions<N>().first;
  if (options_.padding_mode != "zeros")
    return conv(pad(x, frame_of(options_), options_.padding_mode), weight, bias, options_.stride, 0, options_.dilation,
                options_.groups);
  const ConvPadding padding = options_.padding.word().empty() ? ConvPadding(IntArrayRef(options_.padding.sizes()))
                                                              : ConvPadding(options_.padding.word());
  return conv(x, weight, bias, options_.stride, padding, options_.dilation, options_.groups);
}

template <class Derived, size_t N> std::string ConvLayer<Derived, N>::extra_repr() const {
  const auto& o = options_;
  std::string text = std::to_string(weight.size(1) * o.groups) + ", " + std::to_string(weight.size(0)) +
                     ", kernel_size=" + nn::shown(o.kernel_size) + ", stride=" + nn::shown(o.stride);
  if (!o.padding.word().empty()) text += ", padding='" + o.padding.word() + "'";
  else if (!(o.padding.sizes() == ExpandingArray<N>(0))) text += ", padding=" + nn::shown(o.padding.sizes());
  if (!(o.dilation == ExpandingArray<N>(1))) text += ", dilation=" + nn::shown(o.dilation);
  if (o.groups != 1) text += ", groups=" + std::to_string(o.groups);
  if (!bias.defined()) text += ", bias=False";
  if (o.padding_mode != "zeros") text += ", padding_mode='" + o.padding_mode + "'";
  return text;
}

// ---- transposed ----

template <class Derived, size_t N>
ConvTransposeLayer<Derived, N>::ConvTransposeLayer(const char* name, int64_t in_channels, int64_t out_channels,
                                                   const ConvTransposeOptions<N>& options)
    : name_(name), options_(options) {
  check(name, in_channels, out_channels, options.groups);
  check(name, "kernel_size", options.kernel_size, 1);
  check(name, "stride", options.stride, 1);
  check(name, "dilation", options.dilation, 1);
  check(name, "padding", options.padding, 0);
  check(name, "output_padding", options.output_padding, 0);
  weight = this->register_parameter(
      "weight",
      new_tensor(weight_sizes(in_channels, out_channels / options.groups, options.kernel_size), kFloat32, name));
  if (options.bias) bias = this->register_parameter("bias", new_tensor({out_channels}, kFloat32, name));
  reset_parameters();
}

template <class Derived, size_t N> void ConvTransposeLayer<Derived, N>::reset_parameters() { draw(weight, bias); }

template <class Derived, size_t N>
Tensor ConvTransposeLayer<Derived, N>::forward(const Tensor& x, IntArrayRef output_size) const {
  const auto& o = options_;
  std::array<int64_t, N> extra;
  for (size_t i = 0; i < N; ++i) extra[i] = o.output_padding[i];
  if (!output_size.empty() && x.dim() > static_cast<int64_t>(N)) {
    const int64_t skipped = output_size.size() - static_cast<int64_t>(N);
    if (skipped != 0 && output_size.size() != x.dim())
      bad(name_,
          "output_size must have " + std::to_string(N) + " or " + std::to_string(x.dim()) + " numbers for x " +
              to_string(x.sizes()),
          to_string(output_size));
    for (size_t i = 0; i < N; ++i) {
      const int64_t least = (x.size(static_cast<int64_t>(i) - static_cast<int64_t>(N)) - 1) * o.stride[i] -
                            2 * o.padding[i] + o.dilation[i] * (o.kernel_size[i] - 1) + 1;
      const int64_t wanted = output_size[skipped + static_cast<int64_t>(i)];
      if (wanted < least || wanted >= least + o.stride[i])
        bad(name_,
            "output_size must be from " + std::to_string(least) + " to " + std::to_string(least + o.stride[i] - 1) +
                " at dim " + std::to_string(i) + " of the spatial ones",
            to_string(output_size));
      extra[i] = wanted - least;
    }
  }
  return functions<N>().second(x, weight, bias, o.stride, o.padding, extra, o.groups, o.dilation);
}

template <class Derived, size_t N> std::string ConvTransposeLayer<Derived, N>::extra_repr() const {
  const auto& o = options_;
  std::string text = std::to_string(weight.size(0)) + ", " + std::to_string(weight.size(1) * o.groups) +
                     ", kernel_size=" + nn::shown(o.kernel_size) + ", stride=" + nn::shown(o.stride);
  if (!(o.padding == ExpandingArray<N>(0))) text += ", padding=" + nn::shown(o.padding);
  if (!(o.dilation == ExpandingArray<N>(1))) text += ", dilation=" + nn::shown(o.dilation);
  if (!(o.output_padding == ExpandingArray<N>(0))) text += ", output_padding=" + nn::shown(o.output_padding);
  if (o.groups != 1) text += ", groups=" + std::to_string(o.groups);
  if (!bias.defined()) text += ", bias=False";
  return text;
}

template class ConvLayer<Conv1d, 1>;
template class ConvLayer<Conv2d, 2>;
template class ConvLayer<Conv3d, 3>;
template class ConvTransposeLayer<ConvTranspose1d, 1>;
template class ConvTransposeLayer<ConvTranspose2d, 2>;
template class ConvTransposeLayer<ConvTranspose3d, 3>;

}  // namespace tapegrad::nn
