// interpolate, one dim after the other: a linear map with its transpose; shuffles as views put in another order.
#include "tapegrad/ops/interpolate.h"

#include <algorithm>
#include <cmath>

#include "tapegrad/ops/kernels/resize.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/pool.h"
#include "tapegrad/ops/spatial_parts.h"

namespace tapegrad {
namespace {

using kernels::Resampling;
using kernels::Resize;

struct Problem : Resize {
  Shape from_sizes{}, to_sizes{};
};

Tensor shared_out(const Problem& s, const Tensor& dy);

// y = x with one dim at another size, every element a weighted sum;  dx = dy shared out by the weights
struct Interpolate {
  static constexpr const char* name = "interpolate";
  static constexpr bool linear = true;
  Problem s;
  Tensor forward(const Tensor& x) { return kernels::resize(name, s, x, s.to_sizes); }
  Grads backward(const Tensor& dy) const { return {shared_out(s, dy)}; }
};

// dx from dy as above;  its own gradient is the resized one
struct InterpolateTranspose {
  static constexpr const char* name = "interpolate_transpose";
  static constexpr bool linear = true;
  Problem s;
  Tensor forward(const Tensor& dy) { return kernels::resize_transpose(name, s, dy, s.from_sizes); }
  Grads backward(const Tensor& dx) const { return {apply(Interpolate{s}, dx)}; }
};

Tensor shared_out(const Problem& s, const Tensor& dy) { return apply(InterpolateTranspose{s}, dy); }

[[noreturn]] void refuse(const std::string& rule) { throw ValueError("interpolate: " + rule); }

std::string quoted(std::string_view word) { return '"' + std::string(word) + '"'; }

std::string listed(const std::vector<double>& v) {
  std::string text;
  for (double d : v) text += (text.empty() ? "" : ", ") + std::to_string(d);
  return "[" + text + "]";
}

struct Mode {
  std::string_view word;
  int64_t rank;  // 0: any
  Resampling by;
  bool has_corners;
};
constexpr Mode kModes[] = {
    {"nearest", 0, Resampling::nearest, false}, {"nearest-exact", 0, Resampling::nearest_exact, false},
    {"linear", 1, Resampling::linear, true},    {"bilinear", 2, Resampling::linear, true},
    {"trilinear", 3, Resampling::linear, true}, {"bicubic", 2, Resampling::cubic, true},
    {"area", 0, Resampling::nearest, false}};

const Mode& mode_of(const InterpolateOptions& o, int64_t rank, const Shape& sizes) {
  const Mode* const mode =
      std::find_if(std::begin(kModes), std::end(kModes), [&](const Mode& m) { return m.word == o.mode; });
  if (mode == std::end(kModes))
    refuse(
        "mode must be \"nearest\", \"nearest-exact\", \"linear\", \"bilinear\", \"bicubic\", \"trilinear\" or \"area\", got " +
        quoted(o.mode));
  if (mode->rank != 0 && mode->rank != rank)
    refuse("mode " + quoted(o.mode) + " takes " + std::to_string(mode->rank + 2) + " dims, x is " + to_string(sizes));
  if (o.align_corners && !mode->has_corners)
    refuse("mode " + quoted(o.mode) + " has no align_corners, got " + (*o.align_corners ? "true" : "false"));
  return *mode;
}

// What y is to be along each spatial dim.
struct Target {
  int64_t size[3];
  double factor[3];  // 0 where positions go by the size
};

Target target_of(const InterpolateOptions& o, const Tensor& x, int64_t rank) {
  if (o.size.empty() == o.scale_factor.empty())
    refuse(std::string("one of size and scale_factor must be given, got ") + (o.size.empty() ? "none" : "both"));
  const auto given = o.size.empty() ? static_cast<int64_t>(o.scale_factor.size()) : o.size.size();
  if (given != 1 && given != rank)
    refuse((o.size.empty() ? std::string("scale_factor") : "size") + " must be one number or " + std::to_string(rank) +
           ", got " + (o.size.empty() ? listed(o.scale_factor) : to_string(o.size)));
  Target t{};
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t k = given == 1 ? 0 : i, from = x.sizes()[2 + i];
    if (o.size.empty()) {
      const double factor = o.scale_factor[static_cast<size_t>(k)],
                   size = std::floor(static_cast<double>(from) * factor);
      if (!(factor > 0 && size >= 1 && size <= INT32_MAX))
        refuse("scale_factor must give sizes in [1, 2^31), got " + listed(o.scale_factor) + " for x " +
               to_string(x.sizes()));
      t.size[i] = static_cast<int64_t>(size);
      t.factor[i] = o.recompute_scale_factor ? 0 : factor;
    } else {
      t.size[i] = o.size[k];
      if (t.size[i] < 1 || t.size[i] > INT32_MAX) refuse("size must lie in [1, 2^31), got " + to_string(o.size));
    }
  }
  return t;
}

// How far apart results lie in x.
double scale_of(const Mode& mode, bool align_corners, double from, double to, double factor) {
  if (mode.has_corners && align_corners) return to > 1 ? (from - 1) / (to - 1) : 0;
  return factor > 0 ? 1 / factor : from / to;
}

}  // namespace

Tensor interpolate(const Tensor& x, const InterpolateOptions& options) {
  check_defined("interpolate", x, "x");
  if (!x.is_floating_point())
    throw DTypeError(std::string("interpolate: x must be float32 or float64, got ") + name_of(x.dtype()));
  const int64_t rank = x.dim() - 2;
  if (rank < 1 || rank > 3)
    throw ShapeError("interpolate: x must have a batch, channels and 1 to 3 spatial dims, x is " +
                     to_string(x.sizes()));
  const Mode& mode = mode_of(options, rank, x.sizes());
  const Target target = target_of(options, x, rank);
  for (int64_t i = 0; i < rank; ++i) {
    if (x.sizes()[2 + i] == 0)
      throw ShapeError("interpolate: there must be an element to begin with, x is " + to_string(x.sizes()));
    if (x.sizes()[2 + i] > INT32_MAX)
      throw ShapeError("interpolate: a spatial dim must be below 2^31, x is " + to_string(x.sizes()));
  }
  if (mode.word == "area") {
    const IntArrayRef size(target.size, rank);
    return rank == 1   ? adaptive_avg_pool1d(x, size)
           : rank == 2 ? adaptive_avg_pool2d(x, size)
                       : adaptive_avg_pool3d(x, size);
  }
  Tensor y = x;
  for (int64_t d = rank + 1; d >= 2; --d) {
    Problem s{};
    s.by = mode.by;
    s.align_corners = options.align_corners.value_or(false);
    s.from = y.sizes()[d], s.to = target.size[d - 2];
    s.scale =
        scale_of(mode, s.align_corners, static_cast<double>(s.from), static_cast<double>(s.to), target.factor[d - 2]);
    const bool by_size = mode.by == Resampling::nearest || mode.by == Resampling::linear;
    if (s.from == s.to && (by_size || s.scale == 1)) continue;
    s.outer = s.inner = 1;
    for (int64_t i = 0; i < d; ++i) s.outer *= y.sizes()[i];
    for (int64_t i = d + 1; i < y.dim(); ++i) s.inner *= y.sizes()[i];
    s.from_sizes = s.to_sizes = y.sizes();
    s.to_sizes[d] = s.to;
    y = apply(Interpolate{s}, y);
  }
  return y.is_same(x) ? clone(x) : y;
}

namespace {

// A size of what a shuffle makes. Where another is 0 any size is possible.
int64_t times(const char* op, const Tensor& x, const char* argument, int64_t factor, int64_t size) {
  int64_t y = 0;
  if (__builtin_mul_overflow(size, factor, &y))
    throw ShapeError(std::string(op) + ": a size overflows 63 bits, " + argument + " is " + std::to_string(factor) +
                     " and x is " + to_string(x.sizes()));
  return y;
}

// What the shuffles ask for; the number of elements in front of the last three dims.
int64_t check_shuffle(const char* op, const Tensor& x, const char* argument, int64_t factor) {
  check_defined(op, x, "x");
  if (factor < 1)
    throw ValueError(std::string(op) + ": " + argument + " must be positive, got " + std::to_string(factor));
  if (x.dim() < 3) throw ShapeError(std::string(op) + ": x must have at least 3 dims, x is " + to_string(x.sizes()));
  int64_t lead = 1;
  for (int64_t d = 0; d < x.dim() - 3; ++d) lead = times(op, x, argument, lead, x.sizes()[d]);
  return lead;
}

[[noreturn]] void undivided(const char* op, const char* what, int64_t by, const Tensor& x) {
  throw ShapeError(std::string(op) + ": " + std::to_string(by) + " must divide the " + what + ", x is " +
                   to_string(x.sizes()));
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor) {
  const int64_t lead = check_shuffle("pixel_shuffle", x, "upscale_factor", upscale_factor), r = upscale_factor,
                n = x.dim();
  const int64_t channels = x.sizes()[n - 3], h = x.sizes()[n - 2], w = x.sizes()[n - 1];
  if (r > INT32_MAX || channels % (r * r) != 0) undivided("pixel_shuffle", "channels", r > INT32_MAX ? r : r * r, x);
  Shape sizes = x.sizes();
  const auto enlarged = [&](int64_t size) { return times("pixel_shuffle", x, "upscale_factor", r, size); };
  sizes[n - 3] = channels / (r * r), sizes[n - 2] = enlarged(h), sizes[n - 1] = enlarged(w);
  return reshape(permute(reshape(x, {lead, channels / (r * r), r, r, h, w}), {0, 1, 4, 2, 5, 3}), sizes);
}

Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor) {
  const int64_t lead = check_shuffle("pixel_unshuffle", x, "downscale_factor", downscale_factor), r = downscale_factor,
                n = x.dim();
  const int64_t channels = x.sizes()[n - 3], h = x.sizes()[n - 2], w = x.sizes()[n - 1];
  if (h % r != 0 || w % r != 0) undivided("pixel_unshuffle", "height and the width", r, x);
  Shape sizes = x.sizes();
  const auto enlarged = [&](int64_t size) { return times("pixel_unshuffle", x, "downscale_factor", r, size); };
  sizes[n - 3] = enlarged(enlarged(channels)), sizes[n - 2] = h / r, sizes[n - 1] = w / r;
  return reshape(permute(reshape(x, {lead, channels, h / r, r, w / r, r}), {0, 1, 3, 5, 2, 4}), sizes);
}

Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  check_shuffle("channel_shuffle", x, "groups", groups);
  const int64_t batch = x.sizes()[0], channels = x.sizes()[1];
  if (channels % groups != 0) undivided("channel_shuffle", "channels", groups, x);
  int64_t rest = 1;
  for (int64_t d = 2; d < x.dim(); ++d) rest *= x.sizes()[d];
  return reshape(transpose(reshape(x, {batch, groups, channels / groups, rest}), 1, 2), x.sizes());
}

}  // namespace tapegrad
