// Rows of pooling by the largest element, and of the way back.
#include <algorithm>
#include <limits>

#include "op_cases_windows.h"

namespace op_cases {
namespace {

double largest(const Patch& p) { return *std::max_element(p.values.begin(), p.values.end()); }
double place_of_largest(const Patch& p) {
  const auto at = std::max_element(p.values.begin(), p.values.end()) - p.values.begin();
  return static_cast<double>(p.places[static_cast<size_t>(at)]);
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

using MaxPool = Tensor (*)(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, IntArrayRef, bool);
using MaxPoolWith = std::tuple<Tensor, Tensor> (*)(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, IntArrayRef,
                                                   bool);

template <class Pool> auto called(Pool pool, const Tensor& x, const Fixed& w, int64_t rank) {
  return pool(x, w.kernel, w.stride, of_rank(w.padding, rank), of_rank(w.dilation, rank), w.ceil_mode);
}

std::vector<Windowed> all_of(int64_t rank) {
  std::vector<Windowed> cases = windowed(rank);
  for (Windowed& c : spread_out(rank)) cases.push_back(c);
  return cases;
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

template <auto pool> std::vector<std::pair<Adaptive, Fold>> values_and_places() {
  return {{[](const Tensor& x, IntArrayRef size) { return std::get<0>(pool(x, size)); }, largest},
          {[](const Tensor& x, IntArrayRef size) { return std::get<1>(pool(x, size)); }, place_of_largest}};
}

}  // namespace

std::vector<Row> max_pool_rows() {
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
  rows.push_back(adaptive_row(1, "max", values_and_places<adaptive_max_pool1d>()));
  rows.push_back(adaptive_row(2, "max", values_and_places<adaptive_max_pool2d>()));
  rows.push_back(adaptive_row(3, "max", values_and_places<adaptive_max_pool3d>()));
  rows.push_back(unpool_row(1, max_unpool1d));
  rows.push_back(unpool_row(2, max_unpool2d));
  rows.push_back(unpool_row(3, max_unpool3d));
  return rows;
}

}  // namespace op_cases
