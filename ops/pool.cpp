// Pooling: the largest of windows, whose gradient goes by position, and their means, a linear map with its transpose.
#include "tapegrad/ops/pool.h"

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/kernels/gather.h"
#include "tapegrad/ops/kernels/pool.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/pool_parts.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/spatial_parts.h"

namespace tapegrad {
namespace {

using kernels::PoolShape;
using kernels::Windows;
using Sizes = std::array<int64_t, 3>;

// Pooling of one tensor: the windows, and the shapes of x and y.
struct Problem : PoolShape {
  Shape from{}, to{};
  Shape flat(int64_t plane) const { return {planes, plane}; }
};

Tensor pick(const Problem& s, const Tensor& x, const Tensor& position) {
  return reshape(gather(reshape(x, s.flat(s.x_plane())), 1, reshape(position, s.flat(s.y_plane()))), s.to);
}

// y = x at the position of the largest element of each window;  dx = dy added up there
struct MaxPool {
  static constexpr const char* name = "max_pool";
  Problem s;
  SavedInput position{"position"};
  Tensor forward(const Tensor& x) {
    Tensor at;
    const Tensor y = kernels::max_pool(name, s, x, s.to, autograd::recording() ? &at : nullptr);
    position.save(at);
    return y;
  }
  Tensor index() const { return reshape(to(*position, kInt64), s.flat(s.y_plane())); }
  Grads backward(const Tensor& dy) const {
    const Tensor zeros = filled_tensor(s.flat(s.x_plane()), dy.dtype(), 0);
    return {reshape(scatter_add(zeros, 1, index(), reshape(dy, s.flat(s.y_plane()))), s.from)};
  }
  Grads backward_fused(const Tensor& dy) const { return {kernels::max_pool_backward(name, s, dy, *position, s.from)}; }
  Tensor tangent(const Tensor& dx) const { return pick(s, dx, index()); }
};

Tensor spread(const Problem& s, const Tensor& dy);

// y = the mean of each window;  dx = dy shared out among its elements
struct AvgPool {
  static constexpr const char* name = "avg_pool";
  static constexpr bool linear = true;
  Problem s;
  Tensor forward(const Tensor& x) { return kernels::avg_pool(name, s, x, s.to); }
  Grads backward(const Tensor& dy) const { return {spread(s, dy)}; }
};

// dx from dy as above;  its own gradient is the pooled one
struct AvgPoolTranspose {
  static constexpr const char* name = "avg_pool_transpose";
  static constexpr bool linear = true;
  Problem s;
  Tensor forward(const Tensor& dy) { return kernels::avg_pool_transpose(name, s, dy, s.from); }
  Grads backward(const Tensor& dx) const { return {apply(AvgPool{s}, dx)}; }
};

Tensor spread(const Problem& s, const Tensor& dy) { return apply(AvgPoolTranspose{s}, dy); }

// ---- arguments ----

struct Kernel {
  Sizes size, stride, padding, dilation;
};

Kernel kernel_of(const char* op, int64_t rank, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                 IntArrayRef dilation) {
  Kernel k{};
  k.size = spatial(op, "kernel_size", kernel_size, rank, 1, 1);
  k.stride = stride.empty() ? k.size : spatial(op, "stride", stride, rank, 1, 1);
  k.padding = spatial(op, "padding", padding, rank, 0, 0);
  k.dilation = spatial(op, "dilation", dilation, rank, 1, 1);
  for (size_t i = 0; i < 3; ++i) {
    if (k.padding[i] > (k.dilation[i] * (k.size[i] - 1) + 1) / 2)
      throw ValueError(std::string(op) + ": padding must be at most half of the window, got padding " +
                       to_string(padding) + ", kernel_size " + to_string(kernel_size) + " and dilation " +
                       to_string(dilation));
  }
  return k;
}

// How many windows there are along a dim.
int64_t windows_along(int64_t x, const Kernel& k, size_t i, bool ceil_mode) {
  const int64_t room = x + 2 * k.padding[i] - k.dilation[i] * (k.size[i] - 1) - 1 + (ceil_mode ? k.stride[i] - 1 : 0);
  if (room < 0) return 0;
  const int64_t count = room / k.stride[i] + 1;
  return ceil_mode && (count - 1) * k.stride[i] >= x + k.padding[i] ? count - 1 : count;
}

void finish(Problem& s, const Tensor& x, int64_t rank) {
  Sizes sizes;
  for (size_t i = 0; i < 3; ++i) sizes[i] = s.dim[i].y;
  for (int64_t d = 0; d < x.dim() - rank; ++d) s.planes *= x.sizes()[d];
  s.from = x.sizes();
  s.to = with_spatial(x, sizes, rank);
}

Problem fixed_windows(const char* op, const Tensor& x, const Kernel& k, bool ceil_mode, bool counts_padding,
                      int64_t rank) {
  Problem s{};
  const Sizes sizes = spatial_sizes(x, rank);
  for (size_t i = 0; i < 3; ++i) {
    Windows& w = s.dim[i];
    w = {.x = sizes[i],
         .y = windows_along(sizes[i], k, i, ceil_mode),
         .kernel = k.size[i],
         .stride = k.stride[i],
         .padding = k.padding[i],
         .dilation = k.dilation[i],
         .counts_padding = counts_padding};
    if (w.x == 0 || w.y < 1)
      throw ShapeError(std::string(op) + ": a window, " + std::to_string(w.dilation * (w.kernel - 1) + 1) +
                       " with dilation, must not be larger than the padded x, " + std::to_string(w.x + 2 * w.padding) +
                       ", x is " + to_string(x.sizes()));
    for (int64_t o = 0; w.padding > 0 && w.dilation > 1 && o < w.y; ++o) {
      if (w[o].begin >= w[o].end)
        throw ShapeError(std::string(op) + ": every window must have an element of x, that at " + std::to_string(o) +
                         " lies in the padding, x is " + to_string(x.sizes()));
    }
  }
  finish(s, x, rank);
  return s;
}

// The position must fit the dtype it is kept in.
void check_plane(const char* op, const Problem& s, DType dtype) {
  if (kernels::position_type(dtype) == kInt32 && s.x_plane() > INT32_MAX)
    throw ShapeError(std::string(op) + ": a plane of float32 has at most 2^31 - 1 elements, x is " + to_string(s.from));
}

Problem shared_windows(const char* op, const Tensor& x, IntArrayRef output_size, int64_t rank) {
  check_spatial(op, x, rank);
  const Sizes y = spatial(op, "output_size", output_size, rank, 0, 1), sizes = spatial_sizes(x, rank);
  Problem s{};
  for (size_t i = 0; i < 3; ++i) {
    if (sizes[i] == 0)
      throw ShapeError(std::string(op) + ": there must be an element to pool, x is " + to_string(x.sizes()));
    const bool even = y[i] > 0 && sizes[i] % y[i] == 0;  // then they are windows like others
    const int64_t size = even ? sizes[i] / y[i] : 0;
    s.dim[i] = {.x = sizes[i], .y = y[i], .kernel = size, .stride = size};
  }
  finish(s, x, rank);
  return s;
}

Problem max_windows(const char* op, const Tensor& x, const Kernel& k, bool ceil_mode, int64_t rank) {
  const Problem s = fixed_windows(op, x, k, ceil_mode, false, rank);
  check_plane(op, s, x.dtype());
  return s;
}

// Windows without a gradient first, then their elements by an operation that has one.
std::tuple<Tensor, Tensor> with_indices(const Problem& s, const Tensor& x) {
  Tensor position;
  const Tensor values = x.dtype() == kBFloat16 ? to(x.detach(), kFloat32) : x.detach();
  kernels::max_pool(MaxPool::name, s, values, s.to, &position);
  const Tensor index = converted(position, kInt64);
  return {pick(s, x, index), index};
}

Tensor max_pool(const char* op, int64_t rank, const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride,
                IntArrayRef padding, IntArrayRef dilation, bool ceil_mode) {
  check_spatial(op, x, rank);
  const Kernel k = kernel_of(op, rank, kernel_size, stride, padding, dilation);
  return apply(MaxPool{max_windows(op, x, k, ceil_mode, rank)}, x);
}

std::tuple<Tensor, Tensor> max_pool_with_indices(const char* op, int64_t rank, const Tensor& x, IntArrayRef kernel_size,
                                                 IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                                                 bool ceil_mode) {
  check_spatial(op, x, rank);
  const Kernel k = kernel_of(op, rank, kernel_size, stride, padding, dilation);
  return with_indices(max_windows(op, x, k, ceil_mode, rank), x);
}

Tensor avg_pool(const char* op, int64_t rank, const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride,
                IntArrayRef padding, bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor_override) {
  check_spatial(op, x, rank);
  if (divisor_override == 0) throw ValueError(std::string(op) + ": divisor_override must not be 0, got 0");
  const Kernel k = kernel_of(op, rank, kernel_size, stride, padding, 1);
  Problem s = fixed_windows(op, x, k, ceil_mode, count_include_pad, rank);
  s.divisor = divisor_override.value_or(0);
  return apply(AvgPool{s}, x);
}

Tensor adaptive_avg_pool(const char* op, const Tensor& x, IntArrayRef output_size, int64_t rank) {
  return apply(AvgPool{shared_windows(op, x, output_size, rank)}, x);
}

Problem shared_max_windows(const char* op, const Tensor& x, IntArrayRef output_size, int64_t rank) {
  const Problem s = shared_windows(op, x, output_size, rank);
  check_plane(op, s, x.dtype());
  return s;
}

// The spatial sizes of what is unpooled.
Sizes unpooled_sizes(const char* op, int64_t rank, const Tensor& x, const Kernel& k, IntArrayRef output_size) {
  const Sizes sizes = spatial_sizes(x, rank);
  Sizes usual, wanted;
  for (size_t i = 0; i < 3; ++i) usual[i] = (sizes[i] - 1) * k.stride[i] - 2 * k.padding[i] + k.size[i];
  wanted = output_size.empty() ? usual : spatial(op, "output_size", output_size, rank, 0, 1);
  for (auto i = static_cast<size_t>(3 - rank); i < 3; ++i) {
    if (wanted[i] <= usual[i] - k.stride[i] || wanted[i] >= usual[i] + k.stride[i])
      throw ValueError(std::string(op) + ": output_size must be less than a stride from " +
                       to_string(IntArrayRef(usual.data() + 3 - rank, rank)) + ", got " + to_string(output_size));
    if (wanted[i] < 0)
      throw ShapeError(std::string(op) + ": the result would have a negative size, x is " + to_string(x.sizes()));
  }
  return wanted;
}

Tensor max_unpool(const char* op, int64_t rank, const Tensor& x, const Tensor& indices, IntArrayRef kernel_size,
                  IntArrayRef stride, IntArrayRef padding, IntArrayRef output_size) {
  check_spatial(op, x, rank);
  check_defined(op, indices, "indices");
  if (indices.dtype() != kInt64)
    throw DTypeError(std::string(op) + ": indices must be int64, got " + name_of(indices.dtype()));
  if (!same_sizes(indices, x))
    throw ShapeError(std::string(op) + ": indices must have the sizes of x, x is " + to_string(x.sizes()) +
                     " and indices are " + to_string(indices.sizes()));
  const Kernel k = kernel_of(op, rank, kernel_size, stride, padding, 1);
  const Sizes sizes = unpooled_sizes(op, rank, x, k, output_size);
  const int64_t plane = sizes[0] * sizes[1] * sizes[2];
  int64_t planes = 1;
  for (int64_t d = 0; d < x.dim() - rank; ++d) planes *= x.sizes()[d];
  const Shape flat = {planes, planes == 0 ? 0 : x.numel() / planes};
  const Tensor index = reshape(indices, flat);
  kernels::check_index(op, index, plane, 1);
  const Tensor zeros = filled_tensor({planes, plane}, x.dtype(), 0, op);
  return reshape(scatter(zeros, 1, index, reshape(x, flat)), with_spatial(x, sizes, rank));
}

Tensor lp_pool(const char* op, int64_t rank, const Tensor& x, double p, IntArrayRef kernel_size, IntArrayRef stride,
               bool ceil_mode) {
  check_spatial(op, x, rank);
  const Tensor mean = avg_pool(op, rank, pow(x, p), kernel_size, stride, 0, ceil_mode, true, {});
  double elements = 1;
  for (int64_t n : spatial(op, "kernel_size", kernel_size, rank, 1, 1)) elements *= static_cast<double>(n);
  return pow(mean * elements, 1 / p);
}

}  // namespace

Tensor adaptive_max_pool(const char* op, const Tensor& x, IntArrayRef output_size, int64_t rank) {
  return apply(MaxPool{shared_max_windows(op, x, output_size, rank)}, x);
}

Tensor max_pool1d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                  IntArrayRef dilation, bool ceil_mode) {
  return max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode);
}
Tensor max_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                  IntArrayRef dilation, bool ceil_mode) {
  return max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode);
}
Tensor max_pool3d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                  IntArrayRef dilation, bool ceil_mode) {
  return max_pool("max_pool3d", 3, x, kernel_size, stride, padding, dilation, ceil_mode);
}

std::tuple<Tensor, Tensor> max_pool1d_with_indices(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride,
                                                   IntArrayRef padding, IntArrayRef dilation, bool ceil_mode) {
  return max_pool_with_indices("max_pool1d_with_indices", 1, x, kernel_size, stride, padding, dilation, ceil_mode);
}
std::tuple<Tensor, Tensor> max_pool2d_with_indices(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride,
                                                   IntArrayRef padding, IntArrayRef dilation, bool ceil_mode) {
  return max_pool_with_indices("max_pool2d_with_indices", 2, x, kernel_size, stride, padding, dilation, ceil_mode);
}
std::tuple<Tensor, Tensor> max_pool3d_with_indices(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride,
                                                   IntArrayRef padding, IntArrayRef dilation, bool ceil_mode) {
  return max_pool_with_indices("max_pool3d_with_indices", 3, x, kernel_size, stride, padding, dilation, ceil_mode);
}

Tensor avg_pool1d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding, bool ceil_mode,
                  bool count_include_pad) {
  return avg_pool("avg_pool1d", 1, x, kernel_size, stride, padding, ceil_mode, count_include_pad, {});
}
Tensor avg_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding, bool ceil_mode,
                  bool count_include_pad, std::optional<int64_t> divisor_override) {
  return avg_pool("avg_pool2d", 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
}
Tensor avg_pool3d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding, bool ceil_mode,
                  bool count_include_pad, std::optional<int64_t> divisor_override) {
  return avg_pool("avg_pool3d", 3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
}

Tensor adaptive_avg_pool1d(const Tensor& x, IntArrayRef output_size) {
  return adaptive_avg_pool("adaptive_avg_pool1d", x, output_size, 1);
}
Tensor adaptive_avg_pool2d(const Tensor& x, IntArrayRef output_size) {
  return adaptive_avg_pool("adaptive_avg_pool2d", x, output_size, 2);
}
Tensor adaptive_avg_pool3d(const Tensor& x, IntArrayRef output_size) {
  return adaptive_avg_pool("adaptive_avg_pool3d", x, output_size, 3);
}

std::tuple<Tensor, Tensor> adaptive_max_pool1d(const Tensor& x, IntArrayRef output_size) {
  return with_indices(shared_max_windows("adaptive_max_pool1d", x, output_size, 1), x);
}
std::tuple<Tensor, Tensor> adaptive_max_pool2d(const Tensor& x, IntArrayRef output_size) {
  return with_indices(shared_max_windows("adaptive_max_pool2d", x, output_size, 2), x);
}
std::tuple<Tensor, Tensor> adaptive_max_pool3d(const Tensor& x, IntArrayRef output_size) {
  return with_indices(shared_max_windows("adaptive_max_pool3d", x, output_size, 3), x);
}

Tensor max_unpool1d(const Tensor& x, const Tensor& indices, IntArrayRef kernel_size, IntArrayRef stride,
                    IntArrayRef padding, IntArrayRef output_size) {
  return max_unpool("max_unpool1d", 1, x, indices, kernel_size, stride, padding, output_size);
}
Tensor max_unpool2d(const Tensor& x, const Tensor& indices, IntArrayRef kernel_size, IntArrayRef stride,
                    IntArrayRef padding, IntArrayRef output_size) {
  return max_unpool("max_unpool2d", 2, x, indices, kernel_size, stride, padding, output_size);
}
Tensor max_unpool3d(const Tensor& x, const Tensor& indices, IntArrayRef kernel_size, IntArrayRef stride,
                    IntArrayRef padding, IntArrayRef output_size) {
  return max_unpool("max_unpool3d", 3, x, indices, kernel_size, stride, padding, output_size);
}

Tensor lp_pool1d(const Tensor& x, double norm_type, IntArrayRef kernel_size, IntArrayRef stride, bool ceil_mode) {
  return lp_pool("lp_pool1d", 1, x, norm_type, kernel_size, stride, ceil_mode);
}
Tensor lp_pool2d(const Tensor& x, double norm_type, IntArrayRef kernel_size, IntArrayRef stride, bool ceil_mode) {
  return lp_pool("lp_pool2d", 2, x, norm_type, kernel_size, stride, ceil_mode);
}

}  // namespace tapegrad
