// Rows of unfolding, resizing and shuffling.
#include <algorithm>

#include "op_cases.h"

namespace op_cases {
namespace {

// The element of an image that place (i, j) of the patch at position (p, q) takes; -1 outside.
struct Patching {
  int64_t kernel[2], dilation[2], padding[2], stride[2];
  int64_t count(int64_t x, int d) const {
    int64_t n = 0;
    while (n * stride[d] + dilation[d] * (kernel[d] - 1) < x + 2 * padding[d]) ++n;
    return n;
  }
  int64_t element(const At& at, int64_t h, int64_t w) const {  // at: i, j, p, q
    const int64_t y = at[2] * stride[0] + at[0] * dilation[0] - padding[0];
    const int64_t x = at[3] * stride[1] + at[1] * dilation[1] - padding[1];
    return y < 0 || x < 0 || y >= h || x >= w ? -1 : y * w + x;
  }
};

// each(row-major place in the columns, element of the image or -1) for `channels` channels in all.
template <class Each> void for_columns(const Patching& s, int64_t channels, int64_t h, int64_t w, const Each& each) {
  const int64_t rows = s.count(h, 0), cols = s.count(w, 1);
  int64_t place = 0;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < s.kernel[0]; ++i)
      for (int64_t j = 0; j < s.kernel[1]; ++j)
        for (int64_t p = 0; p < rows; ++p)
          for (int64_t q = 0; q < cols; ++q, ++place) {
            const int64_t e = s.element({i, j, p, q}, h, w);
            each(place, e < 0 ? -1 : c * h * w + e);
          }
}

struct PatchCase {
  const char* label;
  Shape image;
  Patching s;
};
const std::vector<PatchCase> kPatches = {
    {"stride 1, padded", {2, 3, 4, 5}, {{3, 2}, {1, 1}, {1, 0}, {1, 1}}},
    {"strided, dilated", {3, 5, 7}, {{2, 3}, {2, 1}, {0, 2}, {1, 2}}},
    {"beside each other", {1, 2, 4, 6}, {{2, 3}, {1, 1}, {0, 0}, {2, 3}}},
};

Shape columns_of(const PatchCase& c) {
  const int64_t n = c.image.size(), h = c.image[n - 2], w = c.image[n - 1];
  Shape sizes = {c.image[n - 3] * c.s.kernel[0] * c.s.kernel[1], c.s.count(h, 0) * c.s.count(w, 1)};
  if (n == 4) sizes.insert(0, c.image[0]);
  return sizes;
}

IntArrayRef two(const int64_t (&v)[2]) { return {v, 2}; }

Row im2col_row() {
  Row row{.name = "im2col", .cases = {}};
  for (const PatchCase& c : kPatches)
    row.cases.push_back({c.label,
                         {{.sizes = c.image}},
                         [c](const Tensors& in) {
                           return im2col(in[0], two(c.s.kernel), two(c.s.dilation), two(c.s.padding), two(c.s.stride));
                         },
                         [c](const std::vector<Array>& in) {
                           Array y(columns_of(c));
                           const int64_t h = in[0].size(-2), w = in[0].size(-1);
                           for_columns(c.s, in[0].numel() / (h * w), h, w,
                                       [&](int64_t place, int64_t e) { y[place] = e < 0 ? 0 : in[0][e]; });
                           return y;
                         },
                         9});
  const auto call = [](const Tensor& x, IntArrayRef k, IntArrayRef d, IntArrayRef p, IntArrayRef s) {
    return [=, x = x, k = k.vec(), d = d.vec(), p = p.vec(), s = s.vec()] { im2col(x, k, d, p, s); };
  };
  const Tensor x = ones({1, 2, 3, 4});
  row.bad_inputs = {
      bad<ValueError>(call(Tensor(), 2, 1, 0, 1), "im2col: x must be defined, got an undefined tensor (Tensor())"),
      bad<ShapeError>(call(ones({3, 4}), 2, 1, 0, 1), "im2col: x must have 4 dims, or 3 without a batch, x is [3, 4]"),
      bad<DTypeError>(call(ones({1, 3, 4}, kInt64), 2, 1, 0, 1), "im2col: x must be float32 or float64, got int64"),
      bad<ValueError>(call(x, 2, 0, 0, 1), "im2col: dilation must be positive, got [0]"),
      bad<ValueError>(call(x, 2, 1, -1, 1), "im2col: padding must not be negative, got [-1]"),
      bad<ValueError>(call(x, {2, 2, 2}, 1, 0, 1), "im2col: kernel_size must be one number or 2, got [2, 2, 2]"),
      bad<ShapeError>(
          call(x, {2, 3}, 2, 0, 1),
          "im2col: a patch, 5 with dilation, must not be larger than the padded image, 4, the image is [3, 4]"),
      bad<ShapeError>(call(x, 3, 1, INT32_MAX, 1),
                      "im2col: the number of elements overflows 63 bits, got sizes [2, 3, 3, 4294967295, 4294967296]")};
  row.bench = {timed({16, 16, 32, 32}, [](const Tensor& x) { return im2col(x, 3, 1, 1, 1); })};
  return row;
}

Row col2im_row() {
  Row row{.name = "col2im", .cases = {}};
  for (const PatchCase& c : kPatches)
    row.cases.push_back({c.label,
                         {{.sizes = columns_of(c)}},
                         [c](const Tensors& in) {
                           return col2im(in[0], {c.image[c.image.size() - 2], c.image.back()}, two(c.s.kernel),
                                         two(c.s.dilation), two(c.s.padding), two(c.s.stride));
                         },
                         [c](const std::vector<Array>& in) {
                           Array y(c.image);
                           y.magnitude.resize(y.v.size());
                           const int64_t h = y.size(-2), w = y.size(-1);
                           for_columns(c.s, y.numel() / (h * w), h, w, [&](int64_t place, int64_t e) {
                             if (e < 0) return;
                             y[e] += in[0][place];
                             y.magnitude[static_cast<size_t>(e)] += std::abs(in[0][place]);
                           });
                           return y;
                         },
                         9});
  row.bad_inputs = {bad<ValueError>([] { col2im(Tensor(), 3, 2, 1, 0, 1); },
                                    "col2im: x must be defined, got an undefined tensor (Tensor())"),
                    bad<ShapeError>(
                        [] {
                          col2im(ones({6, 4}), 3, 2, 1, 0, 1);
                        },
                        "col2im: the columns must be whole channels of 4, x is [6, 4] and kernel_size is [2]"),
                    bad<ShapeError>(
                        [] {
                          col2im(ones({8, 5}), 3, 2, 1, 0, 1);
                        },
                        "col2im: there must be 4 columns, one for each position in output_size [3], x is [8, 5]"),
                    bad<ValueError>(
                        [] {
                          col2im(ones({8, 4}), 0, 2, 1, 0, 1);
                        },
                        "col2im: output_size must be positive, got [0]"),
                    bad<ShapeError>(
                        [] {
                          col2im(ones({9, 1}), 3, 3, 1, INT32_MAX, 1);
                        },
                        "col2im: the number of elements overflows 63 bits, got sizes "
                        "[1, 3, 3, 4294967295, 4294967295]")};
  row.bench = {timed({16, 144, 1024}, [](const Tensor& x) { return col2im(x, 32, 3, 1, 1, 1); })};
  return row;
}

// Elements of one dim with their weights.
using Terms = std::vector<std::pair<int64_t, double>>;

struct Resized {
  std::string mode;
  std::optional<bool> corners;
  double factor = 0;  // 0: the size was given
};

double keys(double x) {  // the cubic convolution, a = -3/4
  const double a = -0.75;
  x = std::abs(x);
  if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

// What element i of a dim resized from n to m is made of.
Terms terms_of(const Resized& r, int64_t i, int64_t n, int64_t m) {
  const double scale = r.factor > 0 ? 1 / r.factor : static_cast<double>(n) / static_cast<double>(m);
  const auto at = static_cast<double>(i);
  const auto inside = [n](double x) { return std::clamp<int64_t>(static_cast<int64_t>(std::floor(x)), 0, n - 1); };
  if (r.mode == "nearest") return {{inside(at * scale), 1}};
  if (r.mode == "nearest-exact") return {{inside((at + 0.5) * scale), 1}};
  const bool corners = r.corners.value_or(false);
  double x =
      corners ? (m > 1 ? at * static_cast<double>(n - 1) / static_cast<double>(m - 1) : 0) : (at + 0.5) * scale - 0.5;
  if (n == m) x = at;
  Terms terms;
  const double first = std::floor(x);
  if (r.mode == "bicubic") {
    for (double k = first - 1; k <= first + 2; ++k) terms.push_back({inside(k), keys(x - k)});
    return terms;
  }
  x = std::max(x, 0.);
  for (int64_t k = 0; k < n; ++k) {  // hat functions, the last one going on to the right
    const double weight = k == n - 1 && x > static_cast<double>(k) ? 1 : 1 - std::abs(x - static_cast<double>(k));
    if (weight > 0) terms.push_back({k, weight});
  }
  return terms;
}

Reference resized(const Resized& r, const Shape& to) {
  return [=](const std::vector<Array>& in) {
    Array y = in[0];
    y.magnitude.resize(y.v.size());
    for (size_t i = 0; i < y.v.size(); ++i) y.magnitude[i] = std::abs(y.v[i]);
    for (int64_t d = 2; d < to.size(); ++d) {
      Shape sizes = y.sizes;
      const int64_t n = sizes[d], m = to[d];
      sizes[d] = m;
      int64_t inner = 1;
      for (int64_t e = d + 1; e < sizes.size(); ++e) inner *= sizes[e];
      Array z(sizes);
      z.magnitude.resize(z.v.size());
      for (int64_t o = 0; o < z.numel(); ++o) {
        const int64_t i = o / inner % m, line = o / (inner * m) * n * inner + o % inner;
        for (const auto& [k, weight] : terms_of(r, i, n, m)) {
          z[o] += weight * y[line + k * inner];
          z.magnitude[static_cast<size_t>(o)] += std::abs(weight) * y.magnitude[static_cast<size_t>(line + k * inner)];
        }
      }
      y = z;
    }
    return y;
  };
}

InterpolateOptions to_size(const Shape& size, std::string_view mode, std::optional<bool> corners = {}) {
  return {.size = size, .mode = mode, .align_corners = corners};
}

void add_resized(Row& row, const Shape& from, const Shape& to, const std::string& mode,
                 std::optional<bool> corners = {}) {
  Shape size;
  for (int64_t d = 2; d < to.size(); ++d) size.push_back(to[d]);
  row.cases.push_back(
      {mode + (corners ? *corners ? " corners " : " no corners " : " ") + to_string(from) + " to " + to_string(size),
       {{.sizes = from}},
       [=](const Tensors& in) { return interpolate(in[0], to_size(size, mode, corners)); },
       resized({mode, corners}, to),
       64});
}

void add_scaled(Row& row, const Shape& from, const Shape& to, double factor, const std::string& mode) {
  row.cases.push_back({mode + " " + to_string(from) + " times " + std::to_string(factor),
                       {{.sizes = from}},
                       [=](const Tensors& in) { return interpolate(in[0], {.scale_factor = {factor}, .mode = mode}); },
                       resized({mode, {}, factor}, to),
                       64});
}

std::vector<BadInput> bad_resizing() {
  const auto call = [](const Shape& x, const InterpolateOptions& o) { return [=] { interpolate(ones(x), o); }; };
  return {
      bad<ValueError>([] { interpolate(Tensor(), {.size = {2}}); },
                      "interpolate: x must be defined, got an undefined tensor (Tensor())"),
      bad<DTypeError>(
          [] {
            interpolate(ones({1, 1, 2}, kInt64), {.size = {2}});
          },
          "interpolate: x must be float32 or float64, got int64"),
      bad<ShapeError>(call({2, 3}, {.size = {2}}),
                      "interpolate: x must have a batch, channels and 1 to 3 spatial dims, x is [2, 3]"),
      bad<ShapeError>(call({1, 2, 0}, {.size = {2}}),
                      "interpolate: there must be an element to begin with, x is [1, 2, 0]"),
      bad<ShapeError>(
          [] {
            interpolate(expand(ones({1, 1, 1}), {1, 1, int64_t{1} << 31}), {.size = {2}});
          },
          "interpolate: a spatial dim must be below 2^31, x is [1, 1, 2147483648]"),
      bad<ValueError>(call({1, 1, 2}, {}), "interpolate: one of size and scale_factor must be given, got none"),
      bad<ValueError>(call({1, 1, 2}, {.size = {2}, .scale_factor = {2}}),
                      "interpolate: one of size and scale_factor must be given, got both"),
      bad<ValueError>(call({1, 1, 2}, {.size = {2, 3}}), "interpolate: size must be one number or 1, got [2, 3]"),
      bad<ValueError>(call({1, 1, 2}, {.size = {0}}), "interpolate: size must lie in [1, 2^31), got [0]"),
      bad<ValueError>(
          call({1, 1, 2, 3}, {.scale_factor = {2, 0.25}}),
          "interpolate: scale_factor must give sizes in [1, 2^31), got [2.000000, 0.250000] for x [1, 1, 2, 3]"),
      bad<ValueError>(call({1, 1, 2}, {.size = {2}, .mode = "bilinear"}),
                      "interpolate: mode \"bilinear\" takes 4 dims, x is [1, 1, 2]"),
      bad<ValueError>(call({1, 1, 2}, {.size = {2}, .align_corners = true}),
                      "interpolate: mode \"nearest\" has no align_corners, got true"),
      bad<ValueError>(
          call({1, 1, 2}, {.size = {2}, .mode = "cubic"}),
          "interpolate: mode must be \"nearest\", \"nearest-exact\", \"linear\", \"bilinear\", \"bicubic\", \"trilinear\" or \"area\", got \"cubic\"")};
}

Row interpolate_row() {
  Row row{.name = "interpolate", .cases = {}};
  add_resized(row, {2, 3, 5}, {2, 3, 7}, "nearest");
  add_resized(row, {2, 1, 4, 5}, {2, 1, 3, 11}, "nearest");
  add_resized(row, {1, 2, 3, 2, 4}, {1, 2, 2, 3, 5}, "nearest");
  add_resized(row, {2, 3, 5}, {2, 3, 3}, "nearest-exact");
  add_resized(row, {2, 3, 5}, {2, 3, 9}, "linear");
  add_resized(row, {2, 3, 5}, {2, 3, 9}, "linear", true);
  add_resized(row, {1, 2, 4, 7}, {1, 2, 6, 3}, "bilinear", false);
  add_resized(row, {1, 2, 4, 3}, {1, 2, 1, 5}, "bilinear", true);
  add_resized(row, {1, 2, 2, 3, 4}, {1, 2, 3, 3, 2}, "trilinear");
  add_resized(row, {1, 2, 4, 3}, {1, 2, 7, 2}, "bicubic");
  add_resized(row, {1, 2, 4, 3}, {1, 2, 7, 2}, "bicubic", true);
  add_scaled(row, {2, 3, 5}, {2, 3, 12}, 2.5, "nearest");
  add_scaled(row, {1, 2, 3, 4}, {1, 2, 5, 6}, 1.7, "bilinear");
  add_scaled(row, {2, 1, 4}, {2, 1, 4}, 1.2, "linear");
  add_scaled(row, {2, 1, 7}, {2, 1, 4}, 0.6, "nearest-exact");
  row.cases.push_back({"area",
                       {{.sizes = {1, 2, 4, 5}}},
                       [](const Tensors& in) {
                         return interpolate(in[0], {.size = {2, 5}, .mode = "area"});
                       },
                       [](const std::vector<Array>& in) {
                         Array y({1, 2, 2, 5});
                         for (int64_t i = 0; i < 20; ++i)
                           y[i] = (in[0][i / 5 * 10 + i % 5] + in[0][i / 5 * 10 + 5 + i % 5]) / 2;
                         y.magnitude.assign(20, 2);
                         return y;
                       },
                       2});
  row.cases.push_back({"recomputed",
                       {{.sizes = {1, 2, 5}}},
                       [](const Tensors& in) {
                         return interpolate(in[0],
                                            {.scale_factor = {1.5}, .mode = "linear", .recompute_scale_factor = true});
                       },
                       resized({"linear", {}}, {1, 2, 7}),
                       64});
  row.bad_inputs = bad_resizing();
  row.bench = {
      timed({8, 16, 32, 32}, [](const Tensor& x) { return interpolate(x, {.scale_factor = {2}, .mode = "nearest"}); }),
      timed({8, 16, 32, 32},
            [](const Tensor& x) { return interpolate(x, {.scale_factor = {2}, .mode = "bilinear"}); })};
  return row;
}

std::vector<Row> shuffles() {
  Row up = row_of("pixel_shuffle",
                  {moving(
                       "batch", {2, 8, 3, 1}, [](const Tensor& x) { return pixel_shuffle(x, 2); },
                       picked({2, 2, 6, 2},
                              [](const At& i) {
                                return ((i[0] * 8 + i[1] * 4 + i[2] % 2 * 2 + i[3] % 2) * 3 + i[2] / 2) * 1 + i[3] / 2;
                              })),
                   moving(
                       "one image", {9, 2, 1}, [](const Tensor& x) { return pixel_shuffle(x, 3); },
                       picked({1, 6, 3}, [](const At& i) { return (i[1] % 3 * 3 + i[2] % 3) * 2 + i[1] / 3; }))},
                  {bad<ValueError>(
                       [] {
                         pixel_shuffle(ones({4, 1, 1}), 0);
                       },
                       "pixel_shuffle: upscale_factor must be positive, got 0"),
                   bad<ShapeError>(
                       [] {
                         pixel_shuffle(ones({6, 1, 1}), 2);
                       },
                       "pixel_shuffle: 4 must divide the channels, x is [6, 1, 1]"),
                   bad<ShapeError>(
                       [] {
                         pixel_shuffle(ones({4, 1}), 2);
                       },
                       "pixel_shuffle: x must have at least 3 dims, x is [4, 1]"),
                   bad<ShapeError>(
                       [] {
                         pixel_shuffle(ones({0, int64_t{1} << 40, 0}), int64_t{1} << 30);
                       },
                       "pixel_shuffle: a size overflows 63 bits, upscale_factor is 1073741824 and x is [0, "
                       "1099511627776, 0]")});
  Row down =
      row_of("pixel_unshuffle",
             {moving(
                 "batch", {2, 3, 4, 2}, [](const Tensor& x) { return pixel_unshuffle(x, 2); },
                 picked({2, 12, 2, 1},
                        [](const At& i) {
                          return ((i[0] * 3 + i[1] / 4) * 4 + i[2] * 2 + i[1] % 4 / 2) * 2 + i[3] * 2 + i[1] % 2;
                        }))},
             {bad<ValueError>(
                  [] {
                    pixel_unshuffle(ones({4, 2, 2}), -2);
                  },
                  "pixel_unshuffle: downscale_factor must be positive, got -2"),
              bad<ShapeError>(
                  [] {
                    pixel_unshuffle(ones({1, 4, 3}), 2);
                  },
                  "pixel_unshuffle: 2 must divide the height and the width, x is [1, 4, 3]"),
              bad<ShapeError>(
                  [] {
                    pixel_unshuffle(ones({1, 0, 0}), int64_t{1} << 32);
                  },
                  "pixel_unshuffle: a size overflows 63 bits, downscale_factor is 4294967296 and x is [1, 0, 0]")});
  Row channels =
      row_of("channel_shuffle",
             {moving(
                  "two groups", {2, 6, 3}, [](const Tensor& x) { return channel_shuffle(x, 2); },
                  picked({2, 6, 3}, [](const At& i) { return (i[0] * 6 + i[1] % 2 * 3 + i[1] / 2) * 3 + i[2]; })),
              moving(
                  "three groups", {1, 6, 2, 2}, [](const Tensor& x) { return channel_shuffle(x, 3); },
                  picked({1, 6, 2, 2}, [](const At& i) { return (i[1] % 3 * 2 + i[1] / 3) * 4 + i[2] * 2 + i[3]; }))},
             {bad<ValueError>(
                  [] {
                    channel_shuffle(ones({1, 4, 2}), 0);
                  },
                  "channel_shuffle: groups must be positive, got 0"),
              bad<ShapeError>(
                  [] {
                    channel_shuffle(ones({1, 4, 2}), 3);
                  },
                  "channel_shuffle: 3 must divide the channels, x is [1, 4, 2]")});
  return {up, down, channels};
}

}  // namespace

std::vector<Row> interpolate_rows() {
  std::vector<Row> rows = {im2col_row(), col2im_row(), interpolate_row()};
  for (Row& row : shuffles()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace op_cases
