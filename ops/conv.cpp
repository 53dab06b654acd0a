// Convolutions: three maps, each linear in two operands, whose rules are each other.
#include "tapegrad/ops/conv.h"

#include <algorithm>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/conv.h"
#include "tapegrad/ops/lowered_parts.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/spatial_parts.h"

namespace tapegrad {
namespace {

using autograd::accumulator;
using autograd::needs;
using kernels::ConvShape;
using kernels::Dims3;

// A convolution of tensors with `rank` spatial dims.
struct Problem : ConvShape {
  int64_t rank;

  Shape sizes(int64_t first, int64_t channels, const Dims3& dims) const {
    Shape all = {first, channels};
    for (int64_t i = 3 - rank; i < 3; ++i) all.push_back(dims[static_cast<size_t>(i)]);
    return all;
  }
  Shape of_x() const { return sizes(batch, groups * in, x); }
  Shape of_y() const { return sizes(batch, groups * out, y); }
  Shape of_weight() const { return sizes(groups * out, in, kernel); }
};

Tensor sum_of(const Tensor& a, const Tensor& b) { return a.defined() && b.defined() ? a + b : a.defined() ? a : b; }

// y or dx plus a number for each of its channels.
Tensor with_bias(const Tensor& y, const Tensor& bias, const Shape& sizes, int64_t rank) {
  if (!bias.defined()) return y;
  Shape column = {bias.sizes()[0]};
  for (int64_t i = 0; i < rank; ++i) column.push_back(1);
  const Tensor b = reshape(bias, column);
  return y.defined() ? y + b : expand(b, sizes);
}

// The sum over everything but the channels.
Tensor by_channel(const Tensor& dy) {
  Shape dims = {0};
  for (int64_t d = 2; d < dy.dim(); ++d) dims.push_back(d);
  return sum(dy, dims);
}

Tensor conv_of(const Problem& s, const Tensor& x, const Tensor& w, const Tensor& bias = {});
Tensor transposed_of(const Problem& s, const Tensor& y, const Tensor& w, const Tensor& bias = {});
Tensor weight_of(const Problem& s, const Tensor& x, const Tensor& dy);

// y = conv(x, w) + bias;  dx = transposed(dy, w), dw = weight(x, dy), dbias = sum dy
struct Conv {
  static constexpr const char* name = "conv";
  static constexpr bool optional_inputs = true;
  Problem s;
  SavedInput x{"x"}, w{"weight"};
  Tensor forward(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    return kernels::conv(name, s, x.save(input, needs(1)), w.save(weight, needs(0)), bias, s.of_y());
  }
  Grads backward(const Tensor& dy) const {
    return {needs(0) ? transposed_of(s, dy, *w) : Tensor(), needs(1) ? weight_of(s, *x, dy) : Tensor(),
            needs(2) ? by_channel(dy) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    return {needs(0) ? kernels::conv_transpose(name, s, dy, *w, {}, s.of_x()) : Tensor(),
            needs(1) ? kernels::conv_weight(name, s, *x, dy, accumulator(1), s.of_weight()) : Tensor(),
            needs(2) ? by_channel(dy) : Tensor()};
  }
  Tensor tangent(const Grads& d) const {
    const Tensor y =
        sum_of(d[0].defined() ? conv_of(s, d[0], *w) : Tensor(), d[1].defined() ? conv_of(s, *x, d[1]) : Tensor());
    return with_bias(y, d[2], s.of_y(), s.rank);
  }
};

// x = transposed(y, w) + bias;  dy = conv(dx, w), dw = weight(dx, y), dbias = sum dx
struct ConvTranspose {
  static constexpr const char* name = "conv_transpose";
  static constexpr bool optional_inputs = true;
  Problem s;
  SavedInput y{"x"}, w{"weight"};
  Tensor forward(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    return kernels::conv_transpose(name, s, y.save(input, needs(1)), w.save(weight, needs(0)), bias, s.of_x());
  }
  Grads backward(const Tensor& dx) const {
    return {needs(0) ? conv_of(s, dx, *w) : Tensor(), needs(1) ? weight_of(s, dx, *y) : Tensor(),
            needs(2) ? by_channel(dx) : Tensor()};
  }
  Grads backward_fused(const Tensor& dx) const {
    return {needs(0) ? kernels::conv(name, s, dx, *w, {}, s.of_y()) : Tensor(),
            needs(1) ? kernels::conv_weight(name, s, dx, *y, accumulator(1), s.of_weight()) : Tensor(),
            needs(2) ? by_channel(dx) : Tensor()};
  }
  Tensor tangent(const Grads& d) const {
    const Tensor x = sum_of(d[0].defined() ? transposed_of(s, d[0], *w) : Tensor(),
                            d[1].defined() ? transposed_of(s, *y, d[1]) : Tensor());
    return with_bias(x, d[2], s.of_x(), s.rank);
  }
};

// w[o, i, t] = sum of dy and x as they meet in conv;  dx = transposed(dy, dw), ddy = conv(x, dw)
struct ConvWeight {
  static constexpr const char* name = "conv_weight";
  Problem s;
  SavedInput x{"x"}, dy{"dy"};
  Tensor forward(const Tensor& input, const Tensor& cotangent) {
    return kernels::conv_weight(name, s, x.save(input, needs(1)), dy.save(cotangent, needs(0)), {}, s.of_weight());
  }
  Grads backward(const Tensor& dw) const {
    return {needs(0) ? transposed_of(s, *dy, dw) : Tensor(), needs(1) ? conv_of(s, *x, dw) : Tensor()};
  }
  Tensor tangent(const Grads& d) const {
    return sum_of(d[0].defined() ? weight_of(s, d[0], *dy) : Tensor(),
                  d[1].defined() ? weight_of(s, *x, d[1]) : Tensor());
  }
};

Tensor conv_of(const Problem& s, const Tensor& x, const Tensor& w, const Tensor& bias) {
  return apply(Conv{s}, x, w, bias);
}
Tensor transposed_of(const Problem& s, const Tensor& y, const Tensor& w, const Tensor& bias) {
  return apply(ConvTranspose{s}, y, w, bias);
}
Tensor weight_of(const Problem& s, const Tensor& x, const Tensor& dy) { return apply(ConvWeight{s}, x, dy); }

// ---- arguments ----

[[noreturn]] void bad_value(const char* op, const std::string& rule, const std::string& got) {
  throw ValueError(std::string(op) + ": " + rule + ", got " + got);
}

// Below 2^31, as what goes with them, so that no size runs over.
Dims3 sizes_of(const char* op, const char* argument, const Tensor& t, int64_t rank) {
  const Dims3 sizes = spatial_sizes(t, rank);
  if (std::max({sizes[0], sizes[1], sizes[2]}) > INT32_MAX)
    throw ShapeError(std::string(op) + ": spatial sizes must be below 2^31, " + argument + " is " +
                     to_string(t.sizes()));
  return sizes;
}

// With one place along a dim no step is ever taken, and a short one leaves fewer places of x that no tap reaches.
void shorten_stride(Problem& s, size_t dim) {
  if (s.y[dim] == 1) s.stride[dim] = std::min(s.stride[dim], s.dilation[dim] * (s.kernel[dim] - 1) + 1);
}

// What both kinds of convolution ask of their operands.
void check(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t groups, int64_t rank) {
  check_spatial(op, x, rank);
  check_defined(op, weight, "weight");
  const auto start = [op] { return std::string(op) + ": "; };
  if (weight.dtype() != x.dtype() && !lowers(x, weight))
    throw DTypeError(start() + "x and weight must have one dtype, got " + name_of(x.dtype()) + " and " +
                     name_of(weight.dtype()) + " (did you mean to()?)");
  if (bias.defined() && bias.dtype() != x.dtype() && !lowers(x, bias))
    throw DTypeError(start() + "bias must have the dtype of x and weight, got bias " + name_of(bias.dtype()) +
                     " and x " + name_of(x.dtype()) + " (did you mean to()?)");
  if (weight.dim() != rank + 2)
    throw ShapeError(start() + "weight must have " + std::to_string(rank + 2) + " dims, weight is " +
                     to_string(weight.sizes()));
  if (groups < 1) bad_value(op, "groups must be positive", std::to_string(groups));
  for (int64_t d = 2; d < weight.dim(); ++d)
    if (weight.sizes()[d] < 1)
      throw ShapeError(start() + "the kernel must not be empty, weight is " + to_string(weight.sizes()));
}

void check_bias(const char* op, const Tensor& bias, int64_t channels, const Tensor& weight) {
  if (bias.defined() && (bias.dim() != 1 || bias.sizes()[0] != channels))
    throw ShapeError(std::string(op) + ": bias must be [" + std::to_string(channels) +
                     "], one for each channel of the result, bias is " + to_string(bias.sizes()) + " and weight is " +
                     to_string(weight.sizes()));
}

// f(x as a batch), as x is.
template <class F> Tensor as_batch(const Tensor& x, int64_t rank, const F& f) {
  return x.dim() == rank + 2 ? f(x) : squeeze(f(unsqueeze(x, 0)), 0);
}

Tensor conv(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
            const ConvPadding& padding, IntArrayRef dilation, int64_t groups, int64_t rank) {
  check(op, x, weight, bias, groups, rank);
  const int64_t channels = x.sizes()[x.dim() - rank - 1], outputs = weight.sizes()[0];
  if (channels % groups != 0 || outputs % groups != 0)
    bad_value(op, "groups must divide the channels of x and of the result",
              std::to_string(groups) + " for " + std::to_string(channels) + " and " + std::to_string(outputs));
  if (weight.sizes()[1] != channels / groups)
    throw ShapeError(std::string(op) + ": weight must be [out, " + std::to_string(channels / groups) +
                     ", ...] for these channels and groups, x is " + to_string(x.sizes()) + ", weight is " +
                     to_string(weight.sizes()) + " and groups is " + std::to_string(groups));
  check_bias(op, bias, outputs, weight);
  Problem s{};
  s.rank = rank;
  s.groups = groups, s.in = channels / groups, s.out = outputs / groups;
  s.x = sizes_of(op, "x", x, rank), s.kernel = sizes_of(op, "weight", weight, rank);
  s.stride = spatial(op, "stride", stride, rank, 1, 1);
  s.dilation = spatial(op, "dilation", dilation, rank, 1, 1);
  const bool same = padding.word() == "same";
  if (!padding.word().empty() && !same && padding.word() != "valid")
    bad_value(op, "padding must be numbers, \"same\" or \"valid\"", '"' + std::string(padding.word()) + '"');
  if (same && s.stride != Dims3{1, 1, 1}) bad_value(op, "padding \"same\" needs stride 1", to_string(stride));
  s.padding = padding.word().empty() ? spatial(op, "padding", padding.sizes(), rank, 0, 0) : Dims3{0, 0, 0};
  for (size_t i = 0; i < 3; ++i) {
    const int64_t reach = s.dilation[i] * (s.kernel[i] - 1) + 1, padded = s.x[i] + 2 * s.padding[i];
    if (same) s.padding[i] = (reach - 1) / 2;
    s.y[i] = same ? s.x[i] : (padded - reach) / s.stride[i] + 1;
    if (!same && padded < reach)
      throw ShapeError(std::string(op) + ": the kernel, " + std::to_string(reach) +
                       " with dilation, is larger than the padded x, " + std::to_string(padded) + ", x is " +
                       to_string(x.sizes()) + " and weight is " + to_string(weight.sizes()));
    shorten_stride(s, i);
  }
  return as_batch(x, rank, [&](const Tensor& all) {
    s.batch = all.sizes()[0];
    return conv_of(s, all, weight, bias);
  });
}

Tensor conv_transpose(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                      IntArrayRef padding, IntArrayRef output_padding, int64_t groups, IntArrayRef dilation,
                      int64_t rank) {
  check(op, x, weight, bias, groups, rank);
  const int64_t channels = x.sizes()[x.dim() - rank - 1];
  if (weight.sizes()[0] != channels)
    throw ShapeError(std::string(op) + ": weight must be [" + std::to_string(channels) + ", out / groups, ...], x is " +
                     to_string(x.sizes()) + " and weight is " + to_string(weight.sizes()));
  if (channels % groups != 0)
    bad_value(op, "groups must divide the channels of x", std::to_string(groups) + " for " + std::to_string(channels));
  check_bias(op, bias, groups * weight.sizes()[1], weight);
  Problem s{};
  s.rank = rank;
  s.groups = groups, s.in = weight.sizes()[1], s.out = channels / groups;
  s.y = sizes_of(op, "x", x, rank), s.kernel = sizes_of(op, "weight", weight, rank);
  s.stride = spatial(op, "stride", stride, rank, 1, 1);
  s.dilation = spatial(op, "dilation", dilation, rank, 1, 1);
  s.padding = spatial(op, "padding", padding, rank, 0, 0);
  const Dims3 extra = spatial(op, "output_padding", output_padding, rank, 0, 0);
  for (size_t i = 0; i < 3; ++i) {
    if (extra[i] >= std::max(s.stride[i], s.dilation[i]))
      bad_value(op, "output_padding must be below stride or dilation",
                to_string(output_padding) + " for " + to_string(stride) + " and " + to_string(dilation));
    s.x[i] = (s.y[i] - 1) * s.stride[i] - 2 * s.padding[i] + s.dilation[i] * (s.kernel[i] - 1) + extra[i] + 1;
    if (s.x[i] < 1)
      throw ShapeError(std::string(op) + ": the result would be empty, x is " + to_string(x.sizes()) + ", weight is " +
                       to_string(weight.sizes()) + " and padding is " + to_string(padding));
    shorten_stride(s, i);
  }
  return as_batch(x, rank, [&](const Tensor& all) {
    s.batch = all.sizes()[0];
    return transposed_of(s, all, weight, bias);
  });
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride, const ConvPadding& padding,
              IntArrayRef dilation, int64_t groups) {
  return conv("conv1d", x, weight, bias, stride, padding, dilation, groups, 1);
}
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride, const ConvPadding& padding,
              IntArrayRef dilation, int64_t groups) {
  return conv("conv2d", x, weight, bias, stride, padding, dilation, groups, 2);
}
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride, const ConvPadding& padding,
              IntArrayRef dilation, int64_t groups) {
  return conv("conv3d", x, weight, bias, stride, padding, dilation, groups, 3);
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                        IntArrayRef padding, IntArrayRef output_padding, int64_t groups, IntArrayRef dilation) {
  return conv_transpose("conv_transpose1d", x, weight, bias, stride, padding, output_padding, groups, dilation, 1);
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                        IntArrayRef padding, IntArrayRef output_padding, int64_t groups, IntArrayRef dilation) {
  return conv_transpose("conv_transpose2d", x, weight, bias, stride, padding, output_padding, groups, dilation, 2);
}
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                        IntArrayRef padding, IntArrayRef output_padding, int64_t groups, IntArrayRef dilation) {
  return conv_transpose("conv_transpose3d", x, weight, bias, stride, padding, output_padding, groups, dilation, 3);
}

}  // namespace tapegrad
