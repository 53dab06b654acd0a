// Rows of pooling.
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "op_cases.h"

namespace op_cases {
namespace {

// Elements begin, begin + step, ... below end of a dim, and how many a mean counts.
struct Span {
  int64_t begin, end, step, counted;
};
using Spans = std::vector<Span>;

struct Fixed {
  At kernel, stride, padding = {0, 0, 0}, dilation = {1, 1, 1};
  bool ceil_mode = false, counts_padding = true;
};

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

// What a window has: values, places in the plane, and how many a mean counts.
struct Patch {
  std::vector<double> values;
  At places;
  int64_t counted;
};
using Fold = std::function<double(const Patch&)>;

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

double largest(const Patch& p) { return *std::max_element(p.values.begin(), p.values.end()); }
double place_of_largest(const Patch& p) {
  const auto at = std::max_element(p.values.begin(), p.values.end()) - p.values.begin();
  return static_cast<double>(p.places[static_cast<size_t>(at)]);
}
double mean(const Patch& p) {
  return std::accumulate(p.values.begin(), p.values.end(), 0.) / static_cast<double>(p.counted);
}

// An operand whose elements all differ, by more than any step of a difference, and are bfloat16's.
Arg distinct(const Shape& sizes) {
  Arg arg{.sizes = sizes};
  const int64_t n = numel_of(sizes, "case");
  for (int64_t i = 0; i < n; ++i) arg.values.push_back((static_cast<double>(i * 101 % 251) - 125) / 16);
  return arg;
}

struct Windowed {
  const char* label;
  Shape sizes;
  Fixed w;
};

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
// Of the largest element only.
std::vector<Windowed> spread_out(int64_t rank) {
  if (rank == 1) return {{"dilated", {2, 2, 13}, {.kernel = {3}, .stride = {2}, .padding = {2}, .dilation = {3}}}};
  if (rank == 2)
    return {{"dilated",
             {2, 7, 9},
             {.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 2}, .dilation = {3, 2}, .ceil_mode = true}}};
  return {{"dilated", {1, 5, 4, 5}, {.kernel = {2}, .stride = {2, 1, 1}, .padding = {1}, .dilation = {2, 1, 2}}}};
}

int64_t places(const Fixed& w, int64_t rank) {
  int64_t n = 1;
  for (int64_t i = 0; i < rank; ++i) n *= along(w.kernel, static_cast<size_t>(i));
  return n;
}

std::function<std::array<Spans, 3>(const Shape&)> by(int64_t rank, const Fixed& w) {
  return [=](const Shape& sizes) { return spans_of(sizes, rank, w); };
}

using MaxPool = Tensor (*)(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, IntArrayRef, bool);
using MaxPoolWith = std::tuple<Tensor, Tensor> (*)(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, IntArrayRef,
                                                   bool);

// The numbers of w that there are for this rank.
At of_rank(const At& given, int64_t rank) { return given.size() > 1 ? At(given.begin(), given.begin() + rank) : given; }

template <class Pool> auto called(Pool pool, const Tensor& x, const Fixed& w, int64_t rank) {
  return pool(x, w.kernel, w.stride, of_rank(w.padding, rank), of_rank(w.dilation, rank), w.ceil_mode);
}

std::vector<Windowed> all_of(int64_t rank) {
  std::vector<Windowed> cases = windowed(rank);
  for (Windowed& c : spread_out(rank)) cases.push_back(c);
  return cases;
}

// Operands that every function of pooling refuses.
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

Row max_row(int64_t rank, MaxPool pool) {
  const std::string name = "max_pool" + std::to_string(rank) + "d";
  Row row{.name = name, .cases = {}};
  // Operands that are drawn differ from run to run, as a replay's must; their elements come as near to each other as they like.
  for (const Windowed& c : all_of(rank))
    row.cases.push_back({c.label,
                         {row.cases.empty() ? Arg{.sizes = c.sizes} : distinct(c.sizes)},
                         [=](const Tensors& in) { return called(pool, in[0], c.w, rank); },
                         pooled(rank, by(rank, c.w), largest)});
  row.bad_inputs = bad_windows(
      name, rank, [=](const Tensor& x, IntArrayRef k, IntArrayRef s, IntArrayRef p) { pool(x, k, s, p, 1, false); });
  const Tensor x = ones(row.cases[0].args[0].sizes);
  row.bad_inputs.push_back(
      bad<ValueError>([=] { pool(x, 2, {}, 0, 0, false); }, name + ": dilation must be positive, got [0]"));
  return row;
}

Row max_row_with_indices(int64_t rank, MaxPoolWith pool) {
  const std::string name = "max_pool" + std::to_string(rank) + "d_with_indices";
  Row row{.name = name, .cases = {}};
  std::vector<Windowed> cases = all_of(rank);
  cases.erase(cases.begin() + 2, cases.end() - 1);
  for (const Windowed& c : cases) {
    row.cases.push_back({c.label,
                         {distinct(c.sizes)},
                         [=](const Tensors& in) { return std::get<0>(called(pool, in[0], c.w, rank)); },
                         pooled(rank, by(rank, c.w), largest)});
    row.cases.push_back({std::string(c.label) + ", where",
                         {distinct(c.sizes)},
                         [=](const Tensors& in) { return std::get<1>(called(pool, in[0], c.w, rank)); },
                         pooled(rank, by(rank, c.w), place_of_largest),
                         1,
                         0});
  }
  row.bad_inputs = {bad<ValueError>([=] { pool(Tensor(), 2, {}, 0, 1, false); },
                                    name + ": x must be defined, got an undefined tensor (Tensor())")};
  return row;
}

// Where several are the largest, the first is; where nothing is above -inf, the first element.
void add_ties(Row& row, MaxPool pool, MaxPoolWith with) {
  const double inf = std::numeric_limits<double>::infinity();
  Arg ties{.sizes = {1, 1, 2, 36}}, none{.sizes = {1, 1, 3, 6}};
  for (int64_t i = 0; i < 72; ++i) ties.values.push_back(static_cast<double>(i * 5 % 3));
  none.values.assign(18, -inf);
  const Fixed side_by_side{.kernel = {2}, .stride = {}}, padded{.kernel = {3}, .stride = {2}, .padding = {1}};
  row.cases.push_back({"the first of equal ones",
                       {ties},
                       [=](const Tensors& in) { return std::get<1>(called(with, in[0], side_by_side, 2)); },
                       pooled(2, by(2, side_by_side), place_of_largest),
                       1,
                       0});
  row.cases.push_back({"nothing above -inf",
                       {none},
                       [=](const Tensors& in) { return std::get<1>(called(with, in[0], padded, 2)); },
                       pooled(2, by(2, padded), place_of_largest),
                       1,
                       0});
  row.cases.push_back({"-inf",
                       {none},
                       [=](const Tensors& in) { return called(pool, in[0], padded, 2); },
                       pooled(2, by(2, padded), largest),
                       1,
                       0});
}

Row avg_row(int64_t rank, const std::function<Tensor(const Tensor&, const Fixed&, std::optional<int64_t>)>& pool) {
  const std::string name = "avg_pool" + std::to_string(rank) + "d";
  Row row{.name = name, .cases = {}};
  for (const Windowed& c : windowed(rank)) {
    for (bool counts : {true, false}) {
      Fixed w = c.w;
      w.counts_padding = counts;
      if (!counts && w.padding[0] == 0) continue;
      row.cases.push_back({std::string(c.label) + (counts ? "" : ", padding not counted"),
                           {{.sizes = c.sizes}},
                           [=](const Tensors& in) { return pool(in[0], w, {}); },
                           pooled(rank, by(rank, w), mean),
                           places(w, rank)});
    }
  }
  row.bad_inputs = bad_windows(name, rank, [=](const Tensor& x, IntArrayRef k, IntArrayRef s, IntArrayRef p) {
    pool(x, {.kernel = k.vec(), .stride = s.vec(), .padding = p.vec()}, {});
  });
  return row;
}

void add_divisor(Row& row, int64_t rank,
                 const std::function<Tensor(const Tensor&, const Fixed&, std::optional<int64_t>)>& pool) {
  const Windowed c = windowed(rank)[1];
  row.cases.push_back(
      {"divisor",
       {{.sizes = c.sizes}},
       [=](const Tensors& in) { return pool(in[0], c.w, -3); },
       pooled(rank, by(rank, c.w),
              [](const Patch& p) { return std::accumulate(p.values.begin(), p.values.end(), 0.) / -3; }),
       27});
  row.bad_inputs.push_back(
      bad<ValueError>([=] { pool(ones(c.sizes), c.w, 0); }, row.name + ": divisor_override must not be 0, got 0"));
}

using Adaptive = std::function<Tensor(const Tensor&, IntArrayRef)>;

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

using Unpool = Tensor (*)(const Tensor&, const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, IntArrayRef);

// Places in planes of `plane` elements, each of its own plane's.
Arg places_in(const Shape& sizes, int64_t plane, int64_t planes) {
  Arg arg{.sizes = sizes, .dtype = kInt64};
  const int64_t n = numel_of(sizes, "case") / planes;
  for (int64_t p = 0; p < planes; ++p)
    for (int64_t i = 0; i < n; ++i) arg.values.push_back(static_cast<double>((i * 7 + p) % plane));
  return arg;
}

Row unpool_row(int64_t rank, Unpool unpool) {
  const std::string name = "max_unpool" + std::to_string(rank) + "d";
  Row row{.name = name, .cases = {}};
  const auto add = [&](const char* label, const Shape& x, const Shape& y, int64_t kernel, int64_t stride,
                       int64_t padding, const At& output, bool twice) {
    int64_t planes = 1, plane = 1;
    for (int64_t d = 0; d < x.size(); ++d) (d < x.size() - rank ? planes : plane) *= y[d];
    Arg at = places_in(x, plane, planes);
    if (twice) at.values[1] = at.values[0];
    row.cases.push_back({label,
                         {{.sizes = x}, at},
                         [=](const Tensors& in) { return unpool(in[0], in[1], kernel, stride, padding, output); },
                         [=](const std::vector<Array>& in) {
                           Array z(y);
                           const int64_t n = in[0].numel() / planes;
                           for (int64_t i = 0; i < in[0].numel(); ++i)
                             z[i / n * plane + static_cast<int64_t>(in[1][i])] = in[0][i];
                           return z;
                         }});
  };
  if (rank == 1) {
    add("by the kernel", {2, 3, 4}, {2, 3, 8}, 2, 2, 0, {}, false);
    add("one place twice", {3, 4}, {3, 7}, 3, 2, 1, {}, true);
  } else if (rank == 2) {
    add("by the kernel", {2, 2, 3, 2}, {2, 2, 6, 4}, 2, 2, 0, {}, false);
    add("another size", {2, 3, 2}, {2, 7, 5}, 2, 2, 0, {7, 5}, false);
  } else {
    add("by the kernel", {2, 2, 1, 2}, {2, 4, 2, 4}, 2, 2, 0, {}, false);
  }
  const Shape sizes = rank == 1 ? Shape{1, 2} : rank == 2 ? Shape{1, 1, 2} : Shape{1, 1, 1, 2};
  const std::string usual = rank == 1 ? "[4]" : rank == 2 ? "[2, 4]" : "[2, 2, 4]";
  const Tensor x = ones(sizes), at = zeros(sizes, kInt64);
  row.bad_inputs = {
      bad<DTypeError>([=] { unpool(x, x, 2, {}, 0, {}); }, name + ": indices must be int64, got float32"),
      bad<ValueError>([=] { unpool(x, Tensor(), 2, {}, 0, {}); },
                      name + ": indices must be defined, got an undefined tensor (Tensor())"),
      bad<ShapeError>([=] { unpool(x, zeros({2}, kInt64), 2, {}, 0, {}); },
                      name + ": indices must have the sizes of x, x is " + to_string(sizes) + " and indices are [2]"),
      bad<IndexError>([=] { unpool(x, at - 1, 2, {}, 0, {}); },
                      name + ": an index must lie in [0, " + std::to_string((1 << (rank + 1)) - 1) +
                          "] at dim 1 of size " + std::to_string(1 << (rank + 1)) + ", got -1"),
      bad<ValueError>([=] { unpool(x, at, 2, {}, 0, 9); },
                      name + ": output_size must be less than a stride from " + usual + ", got [9]")};
  return row;
}

Row lp_row(int64_t rank, const std::function<Tensor(const Tensor&, double, const Fixed&)>& pool) {
  const std::string name = "lp_pool" + std::to_string(rank) + "d";
  Row row{.name = name, .cases = {}};
  for (const double p : {1., 2., 3.}) {
    const Windowed c{
        "", rank == 1 ? Shape{2, 2, 7} : Shape{2, 5, 6}, {.kernel = {3}, .stride = {2}, .ceil_mode = p == 3}};
    row.cases.push_back({"p " + std::to_string(p),
                         {{.sizes = c.sizes, .domain = {0.5, 2}}},
                         [=](const Tensors& in) { return pool(in[0], p, c.w); },
                         pooled(rank, by(rank, c.w),
                                [=](const Patch& patch) {
                                  double sum = 0;
                                  for (double v : patch.values) sum += std::pow(v, p);
                                  return std::pow(
                                      sum / static_cast<double>(patch.counted) * static_cast<double>(places(c.w, rank)),
                                      1 / p);
                                }),
                         30});
  }
  row.bad_inputs = {bad<ValueError>([=] { pool(Tensor(), 2, {.kernel = {2}, .stride = {}}); },
                                    name + ": x must be defined, got an undefined tensor (Tensor())")};
  return row;
}

template <auto pool> std::vector<std::pair<Adaptive, Fold>> values_and_places() {
  return {{[](const Tensor& x, IntArrayRef size) { return std::get<0>(pool(x, size)); }, largest},
          {[](const Tensor& x, IntArrayRef size) { return std::get<1>(pool(x, size)); }, place_of_largest}};
}

}  // namespace

std::vector<Row> pool_rows() {
  std::vector<Row> rows = {max_row(1, max_pool1d),
                           max_row(2, max_pool2d),
                           max_row(3, max_pool3d),
                           max_row_with_indices(1, max_pool1d_with_indices),
                           max_row_with_indices(2, max_pool2d_with_indices),
                           max_row_with_indices(3, max_pool3d_with_indices)};
  Row& max2 = rows[1];
  add_ties(max2, max_pool2d, max_pool2d_with_indices);
  max2.bad_inputs.push_back(bad<ShapeError>(
      [] {
        max_pool2d(ones({1, 4, 1}), 2, 1, 2, 3);
      },
      "max_pool2d: every window must have an element of x, that at 0 lies in the padding, x is [1, 4, 1]"));
  max2.bench = {timed({64, 10, 24, 24}, [](const Tensor& x) { return max_pool2d(x, 2); }),
                timed({64, 20, 8, 8}, [](const Tensor& x) { return max_pool2d(x, 2); }),
                timed({16, 64, 112, 112}, [](const Tensor& x) { return max_pool2d(x, 3, 2, 1); })};
  const auto avg1 = [](const Tensor& x, const Fixed& w, std::optional<int64_t>) {
    return avg_pool1d(x, w.kernel, w.stride, of_rank(w.padding, 1), w.ceil_mode, w.counts_padding);
  };
  const auto avg2 = [](const Tensor& x, const Fixed& w, std::optional<int64_t> n) {
    return avg_pool2d(x, w.kernel, w.stride, of_rank(w.padding, 2), w.ceil_mode, w.counts_padding, n);
  };
  const auto avg3 = [](const Tensor& x, const Fixed& w, std::optional<int64_t> n) {
    return avg_pool3d(x, w.kernel, w.stride, of_rank(w.padding, 3), w.ceil_mode, w.counts_padding, n);
  };
  rows.push_back(avg_row(1, avg1));
  rows.push_back(avg_row(2, avg2));
  add_divisor(rows.back(), 2, avg2);
  rows.back().bench = {timed({64, 10, 24, 24}, [](const Tensor& x) { return avg_pool2d(x, 2); }),
                       timed({4, 64, 56, 56}, [](const Tensor& x) { return avg_pool2d(x, 3, 2, 1); })};
  rows.push_back(avg_row(3, avg3));
  add_divisor(rows.back(), 3, avg3);
  rows.push_back(adaptive_row(1, "avg", {{adaptive_avg_pool1d, mean}}));
  rows.push_back(adaptive_row(2, "avg", {{adaptive_avg_pool2d, mean}}));
  rows.back().bench = {timed({64, 512, 7, 7}, [](const Tensor& x) { return adaptive_avg_pool2d(x, 1); })};
  rows.push_back(adaptive_row(3, "avg", {{adaptive_avg_pool3d, mean}}));
  rows.push_back(adaptive_row(1, "max", values_and_places<adaptive_max_pool1d>()));
  rows.push_back(adaptive_row(2, "max", values_and_places<adaptive_max_pool2d>()));
  rows.push_back(adaptive_row(3, "max", values_and_places<adaptive_max_pool3d>()));
  rows.push_back(unpool_row(1, max_unpool1d));
  rows.push_back(unpool_row(2, max_unpool2d));
  rows.push_back(unpool_row(3, max_unpool3d));
  rows.push_back(lp_row(
      1, [](const Tensor& x, double p, const Fixed& w) { return lp_pool1d(x, p, w.kernel, w.stride, w.ceil_mode); }));
  rows.push_back(lp_row(
      2, [](const Tensor& x, double p, const Fixed& w) { return lp_pool2d(x, p, w.kernel, w.stride, w.ceil_mode); }));
  return rows;
}

}  // namespace op_cases
