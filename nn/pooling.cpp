// Pooling as modules.
#include "tapegrad/nn/pooling.h"

#include "tapegrad/nn/adaptive_pooling.h"
#include "tapegrad/nn/functional.h"
#include "tapegrad/ops/pool_parts.h"

namespace tapegrad::nn {
namespace {

template <class Options> auto stride_of(const Options& o) { return o.stride.value_or(o.kernel_size); }

// As PyTorch prints them: 2, and (2, 3).
template <size_t N> std::string text_of(const ExpandingArray<N>& a) {
  return N == 1 ? std::to_string(a[0]) : nn::shown(a);
}
const char* text_of(bool value) { return value ? "true" : "false"; }

template <class Options> std::string kernel_text(const Options& o) {
  return "kernel_size=" + text_of(o.kernel_size) + ", stride=" + text_of(stride_of(o)) +
         ", padding=" + text_of(o.padding);
}
template <size_t N> std::string text_of(const MaxPoolOptions<N>& o) {
  return kernel_text(o) + ", dilation=" + text_of(o.dilation) + ", ceil_mode=" + text_of(o.ceil_mode);
}
template <class Options> std::string mean_text(const Options& o) {
  return kernel_text(o) + std::string(", ceil_mode=") + text_of(o.ceil_mode) +
         ", count_include_pad=" + text_of(o.count_include_pad);
}
template <size_t N> std::string text_of(const AvgPoolOptions<N>& o) {
  return mean_text(o) + (o.divisor_override ? ", divisor_override=" + std::to_string(*o.divisor_override) : "");
}

}  // namespace

namespace functional {
Tensor adaptive_max_pool1d(const Tensor& x, IntArrayRef output_size) {
  return adaptive_max_pool("adaptive_max_pool1d", x, output_size, 1);
}
Tensor adaptive_max_pool2d(const Tensor& x, IntArrayRef output_size) {
  return adaptive_max_pool("adaptive_max_pool2d", x, output_size, 2);
}
Tensor adaptive_max_pool3d(const Tensor& x, IntArrayRef output_size) {
  return adaptive_max_pool("adaptive_max_pool3d", x, output_size, 3);
}
}  // namespace functional

Tensor MaxPool1d::forward(const Tensor& x) const {
  const MaxPool1dOptions& o = options_;
  return max_pool1d(x, o.kernel_size, stride_of(o), o.padding, o.dilation, o.ceil_mode);
}
std::tuple<Tensor, Tensor> MaxPool1d::forward_with_indices(const Tensor& x) const {
  const MaxPool1dOptions& o = options_;
  return max_pool1d_with_indices(x, o.kernel_size, stride_of(o), o.padding, o.dilation, o.ceil_mode);
}
std::string MaxPool1d::extra_repr() const { return text_of(options_); }

Tensor MaxPool2d::forward(const Tensor& x) const {
  const MaxPool2dOptions& o = options_;
  return max_pool2d(x, o.kernel_size, stride_of(o), o.padding, o.dilation, o.ceil_mode);
}
std::tuple<Tensor, Tensor> MaxPool2d::forward_with_indices(const Tensor& x) const {
  const MaxPool2dOptions& o = options_;
  return max_pool2d_with_indices(x, o.kernel_size, stride_of(o), o.padding, o.dilation, o.ceil_mode);
}
std::string MaxPool2d::extra_repr() const { return text_of(options_); }

Tensor MaxPool3d::forward(const Tensor& x) const {
  const MaxPool3dOptions& o = options_;
  return max_pool3d(x, o.kernel_size, stride_of(o), o.padding, o.dilation, o.ceil_mode);
}
std::tuple<Tensor, Tensor> MaxPool3d::forward_with_indices(const Tensor& x) const {
  const MaxPool3dOptions& o = options_;
  return max_pool3d_with_indices(x, o.kernel_size, stride_of(o), o.padding, o.dilation, o.ceil_mode);
}
std::string MaxPool3d::extra_repr() const { return text_of(options_); }

Tensor MaxUnpool2d::forward(const Tensor& x, const Tensor& indices, IntArrayRef output_size) const {
  return max_unpool2d(x, indices, options_.kernel_size, stride_of(options_), options_.padding, output_size);
}
std::string MaxUnpool2d::extra_repr() const { return kernel_text(options_); }

Tensor AvgPool1d::forward(const Tensor& x) const {
  const AvgPool1dOptions& o = options_;
  return avg_pool1d(x, o.kernel_size, stride_of(o), o.padding, o.ceil_mode, o.count_include_pad);
}
std::string AvgPool1d::extra_repr() const { return mean_text(options_); }

Tensor AvgPool2d::forward(const Tensor& x) const {
  const AvgPool2dOptions& o = options_;
  return avg_pool2d(x, o.kernel_size, stride_of(o), o.padding, o.ceil_mode, o.count_include_pad, o.divisor_override);
}
std::string AvgPool2d::extra_repr() const { return text_of(options_); }

Tensor AvgPool3d::forward(const Tensor& x) const {
  const AvgPool3dOptions& o = options_;
  return avg_pool3d(x, o.kernel_size, stride_of(o), o.padding, o.ceil_mode, o.count_include_pad, o.divisor_override);
}
std::string AvgPool3d::extra_repr() const { return text_of(options_); }

Tensor AdaptiveAvgPool1d::forward(const Tensor& x) const { return tapegrad::adaptive_avg_pool1d(x, output_size_); }
std::string AdaptiveAvgPool1d::extra_repr() const { return "output_size=" + text_of(output_size_); }
Tensor AdaptiveAvgPool2d::forward(const Tensor& x) const { return tapegrad::adaptive_avg_pool2d(x, output_size_); }
std::string AdaptiveAvgPool2d::extra_repr() const { return "output_size=" + text_of(output_size_); }
Tensor AdaptiveAvgPool3d::forward(const Tensor& x) const { return tapegrad::adaptive_avg_pool3d(x, output_size_); }
std::string AdaptiveAvgPool3d::extra_repr() const { return "output_size=" + text_of(output_size_); }
Tensor AdaptiveMaxPool1d::forward(const Tensor& x) const { return functional::adaptive_max_pool1d(x, output_size_); }
std::string AdaptiveMaxPool1d::extra_repr() const { return "output_size=" + text_of(output_size_); }
Tensor AdaptiveMaxPool2d::forward(const Tensor& x) const { return functional::adaptive_max_pool2d(x, output_size_); }
std::string AdaptiveMaxPool2d::extra_repr() const { return "output_size=" + text_of(output_size_); }
Tensor AdaptiveMaxPool3d::forward(const Tensor& x) const { return functional::adaptive_max_pool3d(x, output_size_); }
std::string AdaptiveMaxPool3d::extra_repr() const { return "output_size=" + text_of(output_size_); }

}  // namespace tapegrad::nn
