// Convolutions, pooling, normalisation and resizing as nodes of ONNX.
#include <algorithm>

#include "tapegrad/nn/onnx_call.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/kernels/conv.h"
#include "tapegrad/ops/kernels/normalization.h"
#include "tapegrad/ops/kernels/pool.h"
#include "tapegrad/ops/kernels/resize.h"

namespace tapegrad::nn::onnx {
namespace {

using kernels::ConvShape;
using kernels::Dims3;
using kernels::PoolShape;
using kernels::Windows;

// The last `rank` of three.
Shape last_of(const Dims3& dims, int64_t rank) {
  Shape s;
  for (int64_t i = 3 - rank; i < 3; ++i) s.push_back(dims[static_cast<size_t>(i)]);
  return s;
}

// Those in front, then those behind.
Attribute padding(const Dims3& before, const Dims3& behind, int64_t rank) {
  Shape pads = last_of(before, rank);
  for (const int64_t p : last_of(behind, rank)) pads.push_back(p);
  return {"pads", pads};
}

std::vector<Attribute> attributes_of(const ConvShape& s, const Dims3& behind, int64_t rank) {
  return {Attribute("kernel_shape", last_of(s.kernel, rank)), Attribute("strides", last_of(s.stride, rank)),
          Attribute("dilations", last_of(s.dilation, rank)), Attribute("group", s.groups),
          padding(s.padding, behind, rank)};
}

int64_t reach(const ConvShape& s, size_t i) { return s.dilation[i] * (s.kernel[i] - 1) + 1; }

}  // namespace

Value conv(Call& c) {
  const auto& s = c.structure<ConvShape>();
  Dims3 behind;  // more than in front where "same" is odd
  for (size_t i = 0; i < 3; ++i)
    behind[i] = std::max(s.padding[i], (s.y[i] - 1) * s.stride[i] + reach(s, i) - s.x[i] - s.padding[i]);
  return c.g.node("Conv", c.in, attributes_of(s, behind, c.rank() - 2));
}

Value conv_transpose(Call& c) {
  const auto& s = c.structure<ConvShape>();
  const int64_t rank = c.rank() - 2;
  Dims3 extra;
  for (size_t i = 0; i < 3; ++i) extra[i] = s.x[i] - ((s.y[i] - 1) * s.stride[i] - 2 * s.padding[i] + reach(s, i));
  std::vector<Attribute> attributes = attributes_of(s, s.padding, rank);
  attributes.push_back({"output_padding", last_of(extra, rank)});
  return c.g.node("ConvTranspose", c.in, attributes);
}

namespace {

// Windows that are no windows: of a dim that the tensor does not have.
bool absent(const Windows& w) { return w.x == 1 && w.y == 1 && w.kernel == 1 && w.padding == 0; }

Value pool(Call& c, const char* type, bool mean) {
  const auto& s = c.structure<PoolShape>();
  int64_t rank = std::min<int64_t>(c.rank() - 2, 3);
  bool batched = rank >= 1;
  for (int64_t i = 0; batched && i < 3 - rank; ++i) batched = absent(s.dim[static_cast<size_t>(i)]);
  if (!batched) ++rank;  // one sample: [C, ...]
  Dims3 kernel, stride, before, behind, dilation;
  bool padded = false, counted = false;
  for (size_t i = 0; i < 3; ++i) {
    const Windows& w = s.dim[i];
    if (w.stride == 0) c.refuse("adaptive pooling must have output sizes that divide those of its input");
    kernel[i] = w.kernel, stride[i] = w.stride, before[i] = w.padding, dilation[i] = w.dilation;
    // As far as the last window goes, where ceil_mode lets it; a mean counts no elements beyond x and its padding.
    behind[i] = std::max<int64_t>(w.padding, w.reach() - w.x);
    padded |= w.padding > 0 || behind[i] > 0;
    counted |= w.counts_padding;
    if (mean && w.counts_padding && behind[i] > w.padding) c.refuse("windows of means must lie in the padded input");
  }
  if (s.divisor != 0) c.refuse("means must be over the elements of the windows, without divisor_override");
  std::vector<Attribute> attributes{Attribute("kernel_shape", last_of(kernel, rank)),
                                    Attribute("strides", last_of(stride, rank)), padding(before, behind, rank)};
  if (mean) attributes.push_back({"count_include_pad", int64_t{padded && counted}});
  else attributes.push_back({"dilations", last_of(dilation, rank)});
  if (batched) return c.g.node(type, c.in, attributes);
  const Value front = c.g.integers(int64_t{0});
  const Value sample = c.node("Unsqueeze", {c.in[0], front});
  return c.node("Squeeze", {c.g.node(type, {&sample, 1}, attributes), front});
}

}  // namespace

Value max_pool(Call& c) { return pool(c, "MaxPool", false); }
Value avg_pool(Call& c) { return pool(c, "AveragePool", true); }

namespace {

// ---- normalisation ----

// A weight or bias, or where there is none this number for each channel.
Value per_channel(Call& c, size_t input, const Shape& sizes, double otherwise) {
  if (input < c.in.size() && c.in[input] != Value::none) return c.in[input];
  return c.g.constant("constant", full(sizes, otherwise, TensorOptions(c.dtype())));
}
Attribute eps_of(const kernels::Norm& norm) { return {"epsilon", norm.eps}; }

}  // namespace

Value given_statistics(Call& c) {
  const auto& norm = c.structure<kernels::Norm>();
  const Shape channels{norm.groups};
  if (!norm.given) c.refuse("running statistics must be used, not those of the batch");
  return c.node(
      "BatchNormalization",
      {c.in[0], per_channel(c, 1, channels, 1), per_channel(c, 2, channels, 0), c.kept("mean"), c.kept("var")},
      {eps_of(norm)});
}
Value instance_norm(Call& c) {
  const auto& norm = c.structure<kernels::Norm>();
  if (norm.given) return given_statistics(c);
  const Shape channels{norm.groups};
  return c.node("InstanceNormalization", {c.in[0], per_channel(c, 1, channels, 1), per_channel(c, 2, channels, 0)},
                {eps_of(norm)});
}
Value layer_norm(Call& c) {
  const Shape last = c.shape(2).a;
  return c.node("LayerNormalization", {c.in[0], per_channel(c, 1, last, 1), c.in[2]},
                {{"axis", c.rank() - last.size()}, eps_of(c.structure<kernels::Norm>())});
}
Value rms_norm(Call& c) {
  Shape dims;
  for (int64_t d = c.rank() - c.shape(2).size(); d < c.rank(); ++d) dims.push_back(d);
  const Value squares = c.node("ReduceMean", {c.node("Mul", {c.in[0], c.in[0]})}, {{"axes", dims}});
  const Value eps = c.number_like_x(c.structure<kernels::Norm>().eps);
  const Value h = c.node("Div", {c.in[0], c.node("Sqrt", {c.node("Add", {squares, eps})})});
  return c.in[1] == Value::none ? h : c.node("Mul", {h, c.in[1]});
}
// Groups as channels, then weights by channel.
Value group_norm(Call& c) {
  const auto& norm = c.structure<kernels::Norm>();
  const Sizes sizes = c.sizes();
  const int64_t groups = norm.groups, rest = sizes.a[1] / groups;
  Sizes grouped{{sizes.a[0], groups, rest}, {sizes.b[0], groups, rest}};
  Shape column{sizes.a[1]};
  for (int64_t d = 2; d < sizes.size(); ++d) {
    grouped.a[2] *= sizes.a[d], grouped.b[2] *= sizes.b[d];
    column.push_back(1);
  }
  const Value x = c.reshaped(c.in[0], sizes, grouped);
  const Value one = c.g.constant("constant", full({groups}, 1, TensorOptions(c.dtype())));
  const Value zero = c.g.constant("constant", full({groups}, 0, TensorOptions(c.dtype())));
  Value y = c.reshaped(c.node("InstanceNormalization", {x, one, zero}, {eps_of(norm)}), grouped, sizes);
  const auto wide = [&](Value t) { return c.node("Reshape", {t, c.g.integers(column)}); };
  if (c.in[1] != Value::none) y = c.node("Mul", {y, wide(c.in[1])});
  return c.in[2] == Value::none ? y : c.node("Add", {y, wide(c.in[2])});
}

// ---- resizing, one dim at a time ----

Value interpolate(Call& c) {
  const auto& r = c.structure<kernels::Resize>();
  if (r.by == kernels::Resampling::cubic) c.refuse("modes must be nearest, nearest-exact or linear");
  const double plain = static_cast<double>(r.from) / static_cast<double>(r.to);
  if (!r.align_corners && r.scale != plain) c.refuse("positions must go by the sizes (recompute_scale_factor)");
  Value sizes = Value::none;
  if (!c.g.sizes(c.result(), sizes)) c.refuse("with dynamic_batch sizes must be multiples of the first one");
  const bool nearest = r.by != kernels::Resampling::linear, exact = r.by == kernels::Resampling::nearest_exact;
  const char* positions = r.align_corners ? "align_corners" : nearest && !exact ? "asymmetric" : "half_pixel";
  const Attribute attributes[] = {{"mode", nearest ? "nearest" : "linear"},
                                  {"coordinate_transformation_mode", positions},
                                  {"nearest_mode", exact ? "round_prefer_ceil" : "floor"}};  // of nearest alone
  const Value inputs[] = {c.in[0], Value::none, Value::none, sizes};
  return c.g.node("Resize", inputs, attributes);
}

}  // namespace tapegrad::nn::onnx
