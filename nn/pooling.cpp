// Pooling as modules.
#include "tapegrad/nn/pooling.h"

#include "tapegrad/nn/adaptive_pooling.h"
#include "tapegrad/nn/functional.h"
#include "tapegrad/ops/pool_parts.h"

namespace tapegrad::nn {
namespace {

template <class Options> auto stride_of(const Options& o) { return o.stride.value_or(o.kernel_size); }

const char* shown(bool value) { return value ? "true" : "false"; }

template <class Options> std::string kernel_text(const Options& o) {
  return "kernel_size=" + to_string(o.kernel_size) + ", stride=" + to_string(stride_of(o)) +
         ", padding=" + to_string(o.padding);
}
template <size_t N> std::string text_of(const MaxPoolOptions<N>& o) {
  return kernel_text(o) + ", dilation=" + to_string(o.dilation) + ", ceil_mode=" + shown(o.ceil_mode);
}
template <class Options> std::string mean_text(const Options& o) {
  return kernel_text(o) + std::string(", ceil_mode=") + shown(o.ceil_mode) +
         ", count_include_pad=" + shown(o.count_include_pad);
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

namespace detail {
void wrong_count(size_t wanted, size_t given) {
  throw ValueError("ExpandingArray: there must be one number, or one for each of " + std::to_string(wanted) +
                   " dims, got " + std::to_string(given));
}
std::string shown_array(IntArrayRef values) {
  return values.size() == 1 ? std::to_string(values[0]) : tapegrad::to_string(values);
}
}  // namespace detail

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
std::string AdaptiveAvgPool1d::extra_repr() const { return "output_size=" + to_string(output_size_); }
Tensor AdaptiveAvgPool2d::forward(const Tensor& x) const { return tapegrad::adaptive_avg_pool2d(x, output_size_); }
std::string AdaptiveAvgPool2d::extra_repr() const { return "output_size=" + to_string(output_size_); }
Tensor AdaptiveAvgPool3d::forward(const Tensor& x) const { return tapegrad::adaptive_avg_pool3d(x, output_size_); }
std::string AdaptiveAvgPool3d::extra_repr() const { return "output_size=" + to_string(output_size_); }
Tensor AdaptiveMaxPool1d::forward(const Tensor& x) const { return functional::adaptive_max_pool1d(x, output_size_); }
std::string AdaptiveMaxPool1d::extra_repr() const { return "output_size=" + to_string(output_size_); }
Tensor AdaptiveMaxPool2d::forward(const Tensor& x) const { return functional::adaptive_max_pool2d(x, output_size_); }
std::string AdaptiveMaxPool2d::extra_repr() const { return "output_size=" + to_string(output_size_); }
Tensor AdaptiveMaxPool3d::forward(const Tensor& x) const { return functional::adaptive_max_pool3d(x, output_size_); }
std::string AdaptiveMaxPool3d::extra_repr() const { return "output_size=" + to_string(output_size_); }

}  // namespace tapegrad::nn
