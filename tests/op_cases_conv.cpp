// Rows of convolutions.
#include <array>

#include "op_cases.h"

namespace op_cases {
namespace {

using Dims = std::array<int64_t, 3>;

struct Setting {
  int64_t rank, groups = 1;
  Dims stride = {1, 1, 1}, padding = {0, 0, 0}, dilation = {1, 1, 1}, extra = {0, 0, 0};
};

IntArrayRef last(const Dims& d, int64_t rank) { return {d.data() + 3 - rank, rank}; }

Dims spatial(const Shape& sizes, int64_t rank) {
  Dims d = {1, 1, 1};
  for (int64_t i = 0; i < rank; ++i) d[static_cast<size_t>(3 - rank + i)] = sizes[sizes.size() - rank + i];
  return d;
}

// f(index into the flattened dims, position) for every position.
template <class F> void for_each(const Dims& d, const F& f) {
  int64_t flat = 0;
  for (int64_t a = 0; a < d[0]; ++a)
    for (int64_t b = 0; b < d[1]; ++b)
      for (int64_t c = 0; c < d[2]; ++c) f(flat++, Dims{a, b, c});
}

// Every triple of an element of the strided side, a tap, and the element of the other side that they meet; -1 outside.
template <class F> void for_meetings(const Dims& y, const Dims& kernel, const Dims& x, const Setting& s, const F& f) {
  for_each(y, [&](int64_t at_y, const Dims& p) {
    for_each(kernel, [&](int64_t tap, const Dims& t) {
      int64_t at_x = 0;
      for (size_t i = 0; i < 3; ++i) {
        const int64_t place = p[i] * s.stride[i] + t[i] * s.dilation[i] - s.padding[i];
        if (place < 0 || place >= x[i]) return;
        at_x = at_x * x[i] + place;
      }
      f(at_y, tap, at_x);
    });
  });
}

int64_t volume(const Dims& d) { return d[0] * d[1] * d[2]; }

// The sizes of the result, over `rank` dims.
Shape with(const Shape& x, int64_t channels, const Dims& d, int64_t rank) {
  Shape sizes = x;
  sizes[x.size() - rank - 1] = channels;
  for (int64_t i = 0; i < rank; ++i) sizes[x.size() - rank + i] = d[static_cast<size_t>(3 - rank + i)];
  return sizes;
}

void add_bias(Array& y, const std::vector<Array>& in, int64_t channels, int64_t volume) {
  if (in.size() < 3) return;
  for (int64_t i = 0; i < y.numel(); ++i) {
    y[i] += in[2][i / volume % channels];
    y.magnitude[static_cast<size_t>(i)] += std::abs(in[2][i / volume % channels]);
  }
}

std::string label_of(const Shape& x, const Shape& w, const Setting& s, bool bias) {
  std::string text = to_string(x) + " by " + to_string(w);
  const auto add = [&](const char* name, const Dims& d, int64_t plain) {
    if (d != Dims{plain, plain, plain}) text += std::string(", ") + name + " " + to_string(last(d, s.rank));
  };
  add("stride", s.stride, 1), add("padding", s.padding, 0), add("dilation", s.dilation, 1),
      add("output_padding", s.extra, 0);
  if (s.groups != 1) text += ", groups " + std::to_string(s.groups);
  return bias ? text + ", bias" : text;
}

Case conv_case(const Shape& x, const Shape& w, const Setting& s, bool bias) {
  std::vector<Arg> args{{.sizes = x}, {.sizes = w}};
  if (bias) args.push_back({.sizes = {w[0]}});
  const auto f = s.rank == 1 ? &conv1d : s.rank == 2 ? &conv2d : &conv3d;
  const int64_t in = w[1];
  return {label_of(x, w, s, bias), args,
          [=](const Tensors& t) {
            return f(t[0], t[1], t.size() > 2 ? t[2] : Tensor(), last(s.stride, s.rank), last(s.padding, s.rank),
                     last(s.dilation, s.rank), s.groups);
          },
          [=](const std::vector<Array>& a) {
            const Dims dx = spatial(x, s.rank), kernel = spatial(w, s.rank);
            Dims dy;
            for (size_t i = 0; i < 3; ++i)
              dy[i] = (dx[i] + 2 * s.padding[i] - s.dilation[i] * (kernel[i] - 1) - 1) / s.stride[i] + 1;
            const int64_t batch = x.size() == s.rank + 2 ? x[0] : 1, out = w[0] / s.groups;
            Array y(with(x, w[0], dy, s.rank));
            y.magnitude.resize(y.v.size());
            for (int64_t n = 0; n < batch; ++n)
              for (int64_t o = 0; o < w[0]; ++o)
                for (int64_t i = 0; i < in; ++i)
                  for_meetings(dy, kernel, dx, s, [&](int64_t at_y, int64_t tap, int64_t at_x) {
                    const double term = a[1][(o * in + i) * volume(kernel) + tap] *
                                        a[0][(n * s.groups * in + o / out * in + i) * volume(dx) + at_x];
                    const int64_t at = (n * w[0] + o) * volume(dy) + at_y;
                    y[at] += term;
                    y.magnitude[static_cast<size_t>(at)] += std::abs(term);
                  });
            add_bias(y, a, w[0], volume(dy));
            return y;
          },
          in * volume(spatial(w, s.rank)) + 1};
}

Case transposed_case(const Shape& x, const Shape& w, const Setting& s, bool bias) {
  std::vector<Arg> args{{.sizes = x}, {.sizes = w}};
  const int64_t channels = w[1] * s.groups, in = w[0] / s.groups;
  if (bias) args.push_back({.sizes = {channels}});
  const auto f = s.rank == 1 ? &conv_transpose1d : s.rank == 2 ? &conv_transpose2d : &conv_transpose3d;
  return {label_of(x, w, s, bias), args,
          [=](const Tensors& t) {
            return f(t[0], t[1], t.size() > 2 ? t[2] : Tensor(), last(s.stride, s.rank), last(s.padding, s.rank),
                     last(s.extra, s.rank), s.groups, last(s.dilation, s.rank));
          },
          [=](const std::vector<Array>& a) {
            const Dims dx = spatial(x, s.rank), kernel = spatial(w, s.rank);
            Dims dy;
            for (size_t i = 0; i < 3; ++i)
              dy[i] = (dx[i] - 1) * s.stride[i] - 2 * s.padding[i] + s.dilation[i] * (kernel[i] - 1) + s.extra[i] + 1;
            const int64_t batch = x.size() == s.rank + 2 ? x[0] : 1;
            Array y(with(x, channels, dy, s.rank));
            y.magnitude.resize(y.v.size());
            for (int64_t n = 0; n < batch; ++n)
              for (int64_t c = 0; c < w[0]; ++c)
                for (int64_t o = 0; o < w[1]; ++o)
                  for_meetings(dx, kernel, dy, s, [&](int64_t at_x, int64_t tap, int64_t at_y) {
                    const double term =
                        a[1][(c * w[1] + o) * volume(kernel) + tap] * a[0][(n * w[0] + c) * volume(dx) + at_x];
                    const int64_t at = (n * channels + c / in * w[1] + o) * volume(dy) + at_y;
                    y[at] += term;
                    y.magnitude[static_cast<size_t>(at)] += std::abs(term);
                  });
            add_bias(y, a, channels, volume(dy));
            return y;
          },
          in * volume(spatial(w, s.rank)) + 1};
}

double conv_flops(const Tensors& in, const Tensor& y) {
  return 2.0 * static_cast<double>(y.numel()) * static_cast<double>(in[1].numel() / in[1].size(0));
}

std::vector<BadInput> conv_errors() {
  const auto x = [] { return ones({2, 4, 5, 5}); };
  const auto w = [] { return ones({6, 4, 3, 3}); };
  return {
      bad<ValueError>([=] { conv2d(Tensor(), w()); }, "conv2d: x must be defined, got an undefined tensor (Tensor())"),
      bad<ValueError>([=] { conv2d(x(), Tensor()); },
                      "conv2d: weight must be defined, got an undefined tensor (Tensor())"),
      bad<DTypeError>(
          [=] {
            conv2d(ones({2, 4, 5, 5}, kInt64), w());
          },
          "conv2d: x must be float32 or float64, got int64"),
      bad<DTypeError>(
          [=] {
            conv2d(x(), ones({6, 4, 3, 3}, kFloat64));
          },
          "conv2d: x and weight must have one dtype, got float32 and float64 (did you mean to()?)"),
      bad<DTypeError>(
          [=] { conv2d(x(), w(), ones({6}, kFloat64)); },
          "conv2d: bias must have the dtype of x and weight, got bias float64 and x float32 (did you mean to()?)"),
      bad<ShapeError>(
          [=] {
            conv2d(ones({5, 5}), w());
          },
          "conv2d: x must have 4 dims, or 3 without a batch, x is [5, 5]"),
      bad<ShapeError>(
          [=] {
            conv2d(x(), ones({6, 4, 3}));
          },
          "conv2d: weight must have 4 dims, weight is [6, 4, 3]"),
      bad<ShapeError>(
          [=] {
            conv2d(x(), ones({6, 4, 0, 3}));
          },
          "conv2d: the kernel must not be empty, weight is [6, 4, 0, 3]"),
      bad<ShapeError>(
          [=] {
            conv2d(x(), ones({6, 3, 3, 3}));
          },
          "conv2d: weight must be [out, 4, ...] for these channels and groups, x is [2, 4, 5, 5], weight is [6, 3, 3, 3] and "
          "groups is 1"),
      bad<ShapeError>(
          [=] { conv2d(x(), w(), ones({5})); },
          "conv2d: bias must be [6], one for each channel of the result, bias is [5] and weight is [6, 4, 3, 3]"),
      bad<ShapeError>(
          [=] {
            conv2d(x(), ones({6, 4, 3, 6}));
          },
          "conv2d: the kernel, 6 with dilation, is larger than the padded x, 5, x is [2, 4, 5, 5] and weight is [6, 4, 3, 6]"),
      bad<ShapeError>(
          [=] { conv2d(x(), w(), {}, 1, 1, 4); },
          "conv2d: the kernel, 9 with dilation, is larger than the padded x, 7, x is [2, 4, 5, 5] and weight is [6, 4, 3, 3]"),
      bad<ValueError>([=] { conv2d(x(), w(), {}, 0); }, "conv2d: stride must be positive, got [0]"),
      bad<ValueError>(
          [=] {
            conv2d(x(), w(), {}, 1, {0, -1});
          },
          "conv2d: padding must not be negative, got [0, -1]"),
      bad<ValueError>(
          [=] {
            conv2d(x(), w(), {}, {1, 1, 1});
          },
          "conv2d: stride must be one number or 2, got [1, 1, 1]"),
      bad<ValueError>([=] { conv2d(x(), w(), {}, 1, "full"); },
                      "conv2d: padding must be numbers, \"same\" or \"valid\", got \"full\""),
      bad<ValueError>([=] { conv2d(x(), w(), {}, 1, 0, int64_t{1} << 62); },
                      "conv2d: dilation must be below 2^31, got [4611686018427387904]"),
      bad<ValueError>([=] { conv2d(x(), w(), {}, 2, "same"); }, "conv2d: padding \"same\" needs stride 1, got [2]"),
      bad<ValueError>(
          [=] {
            conv2d(x(), ones({6, 1, 3, 3}), {}, 1, 0, 1, 3);
          },
          "conv2d: groups must divide the channels of x and of the result, got 3 for 4 and 6"),
      bad<ValueError>([=] { conv2d(x(), w(), {}, 1, 0, 1, 0); }, "conv2d: groups must be positive, got 0"),
  };
}

std::vector<BadInput> transposed_errors() {
  const auto x = [] { return ones({2, 4, 5, 5}); };
  const auto w = [] { return ones({4, 6, 3, 3}); };
  return {
      bad<ShapeError>(
          [=] {
            conv_transpose2d(x(), ones({3, 6, 3, 3}));
          },
          "conv_transpose2d: weight must be [4, out / groups, ...], x is [2, 4, 5, 5] and weight is [3, 6, 3, 3]"),
      bad<ShapeError>(
          [=] { conv_transpose2d(x(), w(), ones({4})); },
          "conv_transpose2d: bias must be [6], one for each channel of the result, bias is [4] and weight is [4, 6, 3, 3]"),
      bad<ValueError>([=] { conv_transpose2d(x(), w(), {}, 1, 0, 0, 3); },
                      "conv_transpose2d: groups must divide the channels of x, got 3 for 4"),
      bad<ValueError>([=] { conv_transpose2d(x(), w(), {}, 2, 0, 2); },
                      "conv_transpose2d: output_padding must be below stride or dilation, got [2] for [2] and [1]"),
      bad<ValueError>(
          [=] {
            conv_transpose2d(x(), w(), {}, {1, int64_t{1} << 62});
          },
          "conv_transpose2d: stride must be below 2^31, got [1, 4611686018427387904]"),
      bad<ShapeError>(
          [=] {
            conv_transpose2d(zeros({0, 4, int64_t{1} << 31, 5}), w());
          },
          "conv_transpose2d: spatial sizes must be below 2^31, x is [0, 4, 2147483648, 5]"),
      bad<ShapeError>(
          [=] { conv_transpose2d(x(), w(), {}, 1, 4); },
          "conv_transpose2d: the result would be empty, x is [2, 4, 5, 5], weight is [4, 6, 3, 3] and padding is [4]"),
  };
}

}  // namespace

std::vector<Row> conv_rows() {
  Row one{.name = "conv1d", .cases = {}, .flops = conv_flops}, two{.name = "conv2d", .cases = {}, .flops = conv_flops},
      three{.name = "conv3d", .cases = {}, .flops = conv_flops};
  one.cases = {
      conv_case({2, 3, 9}, {4, 3, 3}, {.rank = 1}, true),
      conv_case({3, 9}, {4, 3, 3}, {.rank = 1, .padding = {0, 0, 2}}, false),
      conv_case({2, 4, 11}, {6, 2, 3}, {.rank = 1, .groups = 2, .stride = {1, 1, 3}, .dilation = {1, 1, 2}}, true),
      conv_case({0, 3, 9}, {4, 3, 3}, {.rank = 1}, true),
      conv_case({1, 2, 70}, {13, 2, 5}, {.rank = 1, .padding = {0, 0, 2}}, true)};
  two.cases = {
      conv_case({2, 3, 5, 6}, {4, 3, 3, 2}, {.rank = 2}, true),
      conv_case({3, 5, 6}, {4, 3, 3, 2}, {.rank = 2}, false),
      conv_case({2, 2, 5, 6}, {3, 2, 3, 3}, {.rank = 2, .padding = {0, 1, 1}}, true),
      conv_case({1, 4, 7, 8}, {6, 2, 3, 2}, {.rank = 2, .groups = 2, .stride = {1, 2, 3}, .padding = {0, 1, 2}}, true),
      conv_case({2, 3, 7, 7}, {3, 1, 3, 3}, {.rank = 2, .groups = 3, .padding = {0, 1, 1}}, false),
      conv_case({1, 2, 9, 8}, {3, 2, 2, 3},
                {.rank = 2, .stride = {1, 2, 1}, .padding = {0, 3, 1}, .dilation = {1, 3, 2}}, true),
      conv_case({2, 3, 5, 5}, {4, 3, 1, 1}, {.rank = 2, .stride = {1, 2, 2}}, false),
      conv_case({2, 3, 4, 5}, {4, 3, 1, 1}, {.rank = 2}, true),
      conv_case({2, 6, 4, 5}, {5, 6, 1, 1}, {.rank = 2}, true),
      conv_case({1, 8, 13, 21}, {10, 4, 1, 1}, {.rank = 2, .groups = 2}, false),
      conv_case({1, 0, 4, 5}, {2, 0, 3, 3}, {.rank = 2}, true),
      conv_case({1, 2, 3, 3}, {0, 2, 3, 3}, {.rank = 2}, false),
      conv_case({1, 34, 6, 37}, {14, 34, 3, 3}, {.rank = 2, .padding = {0, 1, 1}}, true),
  };
  for (const std::string word : {"same", "valid"}) {
    Case c = conv_case({1, 2, 5, 6}, {3, 2, 3, 3},
                       {.rank = 2, .padding = word == "same" ? Dims{0, 1, 1} : Dims{0, 0, 0}}, false);
    c.label += ", " + word;
    c.f = [word](const Tensors& t) { return conv2d(t[0], t[1], {}, 1, word); };
    two.cases.push_back(c);
  }
  three.cases = {
      conv_case({1, 2, 3, 4, 5}, {3, 2, 2, 3, 2}, {.rank = 3}, true),
      conv_case({2, 2, 4, 3, 5}, {4, 1, 3, 2, 3},
                {.rank = 3, .groups = 2, .stride = {2, 1, 2}, .padding = {1, 1, 1}, .dilation = {1, 2, 1}}, false),
      conv_case({2, 3, 2, 3, 4}, {2, 3, 1, 1, 1}, {.rank = 3}, true)};
  one.bench = {conv_case({16, 64, 256}, {64, 64, 3}, {.rank = 1, .padding = {0, 0, 1}}, true)};
  two.bench = {conv_case({64, 1, 28, 28}, {10, 1, 5, 5}, {.rank = 2}, true),
               conv_case({16, 64, 56, 56}, {64, 64, 3, 3}, {.rank = 2, .padding = {0, 1, 1}}, false),
               conv_case({16, 256, 14, 14}, {256, 256, 3, 3}, {.rank = 2, .padding = {0, 1, 1}}, false)};
  three.bench = {conv_case({2, 16, 16, 32, 32}, {16, 16, 3, 3, 3}, {.rank = 3, .padding = {1, 1, 1}}, true)};
  two.bad_inputs = conv_errors();
  one.bad_inputs = {bad<ShapeError>(
      [] {
        conv1d(ones({1, 1, 2}), ones({1, 1, 3}));
      },
      "conv1d: the kernel, 3 with dilation, is larger than the padded x, 2, x is [1, 1, 2] and weight is "
      "[1, 1, 3]")};
  three.bad_inputs = {bad<ShapeError>(
      [] {
        conv3d(ones({1, 2, 2}), ones({1, 1, 1, 1, 1}));
      },
      "conv3d: x must have 5 dims, or 4 without a batch, x is [1, 2, 2]")};

  Row back1{.name = "conv_transpose1d", .cases = {}}, back2{.name = "conv_transpose2d", .cases = {}},
      back3{.name = "conv_transpose3d", .cases = {}};
  back1.cases = {
      transposed_case({2, 3, 5}, {3, 2, 3}, {.rank = 1}, true),
      transposed_case({4, 5}, {4, 2, 3},
                      {.rank = 1, .groups = 2, .stride = {1, 1, 3}, .padding = {0, 0, 1}, .extra = {0, 0, 2}}, true),
      transposed_case({2, 5, 6}, {5, 4, 1}, {.rank = 1, .dilation = {1, 1, 3}, .extra = {0, 0, 2}},
                      true)};  // one tap, but not a product of matrices
  back2.cases = {
      transposed_case({2, 3, 4, 5}, {3, 4, 3, 2}, {.rank = 2}, true),
      transposed_case({1, 4, 3, 4}, {4, 3, 3, 3},
                      {.rank = 2, .groups = 2, .stride = {1, 2, 2}, .padding = {0, 1, 1}, .extra = {0, 1, 0}}, true),
      transposed_case({1, 2, 3, 4}, {2, 3, 2, 3}, {.rank = 2, .stride = {1, 3, 4}, .padding = {0, 0, 2}},
                      true),  // gaps that no term reaches
      transposed_case({1, 2, 3, 3}, {2, 2, 3, 2},
                      {.rank = 2, .stride = {1, 2, 3}, .dilation = {1, 3, 2}, .extra = {0, 2, 1}}, false),
      transposed_case({1, 6, 4, 5}, {6, 5, 1, 1}, {.rank = 2}, true),
      transposed_case({0, 2, 3, 3}, {2, 2, 3, 2}, {.rank = 2}, true),
      transposed_case({1, 0, 3, 3}, {0, 2, 3, 2}, {.rank = 2}, true),
  };
  back3.cases = {
      transposed_case({1, 2, 2, 3, 2}, {2, 2, 2, 1, 3}, {.rank = 3, .stride = {2, 1, 2}, .padding = {0, 0, 1}}, true)};
  back2.bench = {
      transposed_case({64, 64, 7, 7}, {64, 32, 4, 4}, {.rank = 2, .stride = {1, 2, 2}, .padding = {0, 1, 1}}, true)};
  back2.bad_inputs = transposed_errors();
  return {one, two, three, back1, back2, back3};
}

}  // namespace op_cases
