// The windows of pooling, and operands for them.
#include "op_cases_windows.h"

#include <algorithm>
#include <numeric>

namespace op_cases {
namespace {

int64_t along(const At& given, size_t i) { return given.size() == 1 ? given[0] : given[i]; }

// The windows of a dim, written down one after the other until the next has no place: it must end inside the padded x or, rounding up, begin
// before the padding behind it and add something new.
Spans fixed_spans(int64_t x, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, const Fixed& w) {
  const int64_t length = dilation * (kernel - 1) + 1;
  Spans spans;
  for (int64_t at = -padding;; at += stride) {
    const bool fits = at + length <= x + padding;
    const bool begins = at < x && at - stride + length < x + padding;
    if (!(fits || (w.ceil_mode && begins))) return spans;
    int64_t first = at;
    while (first < 0) first += dilation;
    const int64_t last = std::min(at + length, x);
    spans.push_back({first, last, dilation, w.counts_padding ? std::min(at + length, x + padding) - at : last - first});
  }
}

std::array<Spans, 3> spans_of(const Shape& sizes, int64_t rank, const Fixed& w) {
  std::array<Spans, 3> all{Spans{{0, 1, 1, 1}}, Spans{{0, 1, 1, 1}}, Spans{{0, 1, 1, 1}}};
  for (int64_t i = 0; i < rank; ++i) {
    const auto k = static_cast<size_t>(i);
    all[static_cast<size_t>(3 - rank + i)] =
        fixed_spans(sizes[sizes.size() - rank + i], along(w.kernel, k),
                    along(w.stride.empty() ? w.kernel : w.stride, k), along(w.padding, k), along(w.dilation, k), w);
  }
  return all;
}

std::array<Spans, 3> adaptive_spans(const Shape& sizes, int64_t rank, const At& output) {
  std::array<Spans, 3> all{Spans{{0, 1, 1, 1}}, Spans{{0, 1, 1, 1}}, Spans{{0, 1, 1, 1}}};
  for (int64_t i = 0; i < rank; ++i) {
    const auto x = static_cast<double>(sizes[sizes.size() - rank + i]);
    const int64_t y = along(output, static_cast<size_t>(i));
    Spans& spans = all[static_cast<size_t>(3 - rank + i)];
    spans.clear();
    for (int64_t o = 0; o < y; ++o) {
      const auto begin = static_cast<int64_t>(std::floor(static_cast<double>(o) * x / static_cast<double>(y)));
      const auto end = static_cast<int64_t>(std::ceil(static_cast<double>(o + 1) * x / static_cast<double>(y)));
      spans.push_back({begin, end, 1, end - begin});
    }
  }
  return all;
}

}  // namespace

Reference pooled(int64_t rank, std::function<std::array<Spans, 3>(const Shape&)> windows, Fold fold) {
  return [=](const std::vector<Array>& in) {
    const Array& x = in[0];
    const auto spans = windows(x.sizes);
    Shape sizes = x.sizes;
    int64_t planes = 1, d[3] = {1, 1, 1};
    for (int64_t i = 0; i < sizes.size() - rank; ++i) planes *= sizes[i];
    for (int64_t i = 0; i < rank; ++i) {
      d[3 - rank + i] = x.sizes[sizes.size() - rank + i];
      sizes[sizes.size() - rank + i] = static_cast<int64_t>(spans[static_cast<size_t>(3 - rank + i)].size());
    }
    Array y(sizes);
    y.magnitude.resize(y.v.size());
    int64_t o = 0;
    for (int64_t p = 0; p < planes; ++p)
      for (const Span& a : spans[0])
        for (const Span& b : spans[1])
          for (const Span& c : spans[2]) {
            Patch patch{{}, {}, a.counted * b.counted * c.counted};
            for (int64_t i = a.begin; i < a.end; i += a.step)
              for (int64_t j = b.begin; j < b.end; j += b.step)
                for (int64_t k = c.begin; k < c.end; k += c.step) {
                  patch.places.push_back((i * d[1] + j) * d[2] + k);
                  patch.values.push_back(x[p * d[0] * d[1] * d[2] + patch.places.back()]);
                }
            double most = 0;
            for (double v : patch.values) most = std::max(most, std::abs(v));
            y.magnitude[static_cast<size_t>(o)] = most;
            y[o++] = fold(patch);
          }
    return y;
  };
}

double mean(const Patch& p) {
  return std::accumulate(p.values.begin(), p.values.end(), 0.) / static_cast<double>(p.counted);
}

Arg distinct(const Shape& sizes) {
  Arg arg{.sizes = sizes};
  const int64_t n = numel_of(sizes, "case");
  for (int64_t i = 0; i < n; ++i) arg.values.push_back((static_cast<double>(i * 101 % 251) - 125) / 16);
  return arg;
}

std::vector<Windowed> windowed(int64_t rank) {
  if (rank == 1)
    return {{"windows side by side", {2, 3, 9}, {.kernel = {2}, .stride = {}}},
            {"overlapping, padded", {3, 11}, {.kernel = {3}, .stride = {2}, .padding = {1}}},
            {"rounded up", {2, 1, 8}, {.kernel = {3}, .stride = {2}, .padding = {1}, .ceil_mode = true}},
            {"rounded up, the last would begin outside",
             {1, 2, 5},
             {.kernel = {2}, .stride = {4}, .padding = {1}, .ceil_mode = true}},
            {"stride 1 over vectors", {1, 1, 70}, {.kernel = {4}, .stride = {1}, .padding = {2}}}};
  if (rank == 2)
    return {
        {"side by side", {2, 3, 7, 5}, {.kernel = {2}, .stride = {}}},
        {"overlapping, padded", {2, 2, 7, 6}, {.kernel = {3}, .stride = {2}, .padding = {1}}},
        {"another for each dim", {2, 6, 8}, {.kernel = {3, 2}, .stride = {1, 3}, .padding = {1, 0}, .ceil_mode = true}},
        {"one window", {1, 5, 3, 4}, {.kernel = {3, 4}, .stride = {}}},
        {"stride 2 over vectors", {1, 1, 3, 71}, {.kernel = {2}, .stride = {1, 2}}},
        {"stride 2 over vectors, padded",
         {1, 2, 2, 39},
         {.kernel = {2, 3}, .stride = {2}, .padding = {0, 1}, .ceil_mode = true}},
        {"stride 1", {1, 1, 4, 36}, {.kernel = {3}, .stride = {1}, .padding = {1}}}};
  return {{"side by side", {1, 2, 4, 5, 6}, {.kernel = {2}, .stride = {}}},
          {"overlapping, padded",
           {2, 4, 3, 5},
           {.kernel = {3, 2, 3}, .stride = {2, 1, 2}, .padding = {1, 0, 1}, .ceil_mode = true}}};
}
int64_t places(const Fixed& w, int64_t rank) {
  int64_t n = 1;
  for (int64_t i = 0; i < rank; ++i) n *= along(w.kernel, static_cast<size_t>(i));
  return n;
}

std::function<std::array<Spans, 3>(const Shape&)> by(int64_t rank, const Fixed& w) {
  return [=](const Shape& sizes) { return spans_of(sizes, rank, w); };
}

At of_rank(const At& given, int64_t rank) { return given.size() > 1 ? At(given.begin(), given.begin() + rank) : given; }

std::vector<BadInput> bad_windows(const std::string& op, int64_t rank,
                                  const std::function<void(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef)>& f) {
  const std::string dims = std::to_string(rank + 2), alone = std::to_string(rank + 1);
  const Shape sizes = rank == 1 ? Shape{2, 3, 4} : rank == 2 ? Shape{2, 3, 4, 4} : Shape{2, 3, 4, 4, 4};
  const Tensor x = ones(sizes);
  std::vector<BadInput> all = {
      bad<ValueError>([=] { f(Tensor(), 2, {}, 0); }, op + ": x must be defined, got an undefined tensor (Tensor())"),
      bad<DTypeError>([=] { f(ones(sizes, kInt64), 2, {}, 0); }, op + ": x must be float32 or float64, got int64"),
      bad<ShapeError>([=] { f(ones({4}), 2, {}, 0); },
                      op + ": x must have " + dims + " dims, or " + alone + " without a batch, x is [4]"),
      bad<ValueError>([=] { f(x, 0, {}, 0); }, op + ": kernel_size must be positive, got [0]"),
      bad<ValueError>([=] { f(x, 2, -1, 0); }, op + ": stride must be positive, got [-1]"),
      bad<ValueError>([=] { f(x, 2, {}, -1); }, op + ": padding must not be negative, got [-1]"),
      bad<ValueError>([=] { f(x, int64_t{1} << 40, {}, 0); },
                      op + ": kernel_size must be below 2^31, got [1099511627776]"),
      bad<ValueError>(
          [=] {
            f(x, {2, 2, 2, 2}, {}, 0);
          },
          op + ": kernel_size must be one number" + (rank == 1 ? "" : " or " + std::to_string(rank)) +
              ", got [2, 2, 2, 2]"),
      bad<ValueError>(
          [=] { f(x, 2, {}, 2); },
          op + ": padding must be at most half of the window, got padding [2], kernel_size [2] and dilation [1]"),
      bad<ShapeError>(
          [=] { f(x, 7, {}, 1); },
          op + ": a window, 7 with dilation, must not be larger than the padded x, 6, x is " + to_string(sizes))};
  return all;
}

Row adaptive_row(int64_t rank, const std::string& kind, const std::vector<std::pair<Adaptive, Fold>>& results) {
  const std::string name = "adaptive_" + kind + "_pool" + std::to_string(rank) + "d";
  Row row{.name = name, .cases = {}};
  const auto add = [&](const Shape& sizes, const At& output) {
    for (size_t i = 0; i < results.size(); ++i) {
      const auto& [f, fold] = results[i];
      Arg arg = kind == "max" ? distinct(sizes) : Arg{.sizes = sizes};
      row.cases.push_back({to_string(sizes) + " to " + to_string(output) + (i == 0 ? "" : ", where"),
                           {arg},
                           [f = f, output](const Tensors& in) { return f(in[0], output); },
                           pooled(
                               rank, [=](const Shape& s) { return adaptive_spans(s, rank, output); }, fold),
                           12,
                           i == 0 ? 3 : 0});
    }
  };
  if (rank == 1) {
    add({2, 3, 7}, {3});
    add({2, 8}, {4});
    add({1, 2, 3}, {5});
  } else if (rank == 2) {
    add({2, 3, 7, 5}, {3, 2});
    add({2, 8, 6}, {4, 1});
    add({1, 2, 3, 4}, {1});
    add({1, 1, 4, 35}, {2, 35});
  } else {
    add({1, 2, 4, 5, 3}, {2, 3, 3});
  }
  const Adaptive f = results[0].first;
  const Shape sizes = rank == 1 ? Shape{2, 3, 4} : rank == 2 ? Shape{2, 3, 4, 4} : Shape{2, 3, 4, 4, 4};
  Shape empty = sizes;
  empty[empty.size() - 1] = 0;
  row.bad_inputs = {
      bad<ValueError>([=] { f(Tensor(), 2); }, name + ": x must be defined, got an undefined tensor (Tensor())"),
      bad<ValueError>([=] { f(ones(sizes), -1); }, name + ": output_size must not be negative, got [-1]"),
      bad<ShapeError>([=] { f(ones(empty), 2); },
                      name + ": there must be an element to pool, x is " + to_string(empty))};
  return row;
}

}  // namespace op_cases
