// Rows of sorting and choosing.
#include <algorithm>
#include <numeric>

#include "op_cases_over.h"

namespace op_cases {
namespace {

using Pair = std::tuple<Tensor, Tensor>;

// The indices of a line in order, of equals the first one first.
std::vector<size_t> order_of(const Line& v, bool descending) {
  std::vector<size_t> index(v.size());
  std::iota(index.begin(), index.end(), size_t{0});
  std::stable_sort(index.begin(), index.end(),
                   [&](size_t a, size_t b) { return descending ? v[a] > v[b] : v[a] < v[b]; });
  return index;
}

// The first k in order, or all for k < 0: values, or indices.
std::function<Line(const Line&)> first_of(int64_t k, bool descending, bool indices) {
  return [=](const Line& v) {
    Line y;
    for (size_t i : order_of(v, descending)) y.push_back(indices ? static_cast<double>(i) : v[i]);
    if (k >= 0) y.resize(static_cast<size_t>(k));
    return y;
  };
}

// A reference whose size-1 dim goes away.
Reference dropped(const Reference& reference, int64_t dim) {
  return [=](const std::vector<Array>& in) {
    Array y = reference(in);
    if (y.sizes.size() > 0) y.sizes.erase(dim < 0 ? dim + y.sizes.size() : dim);
    return y;
  };
}

Reference kth_of(int64_t k, int64_t dim, bool keepdim, bool indices) {
  const Reference kept = per_line(dim, [=](const Line& v) {
    return Line{
        first_of(-1, false, indices)(v)[static_cast<size_t>(k < 0 ? (static_cast<int64_t>(v.size()) - 1) / 2 : k)]};
  });
  return keepdim ? kept : dropped(kept, dim);
}

struct Along {
  Shape sizes;
  int64_t dim;
};
const Along kAlong[] = {{{}, -1},       {{1}, 0},      {{7}, 0},     {{3, 5}, 0},    {{3, 5}, 1},
                        {{2, 3, 5}, 1}, {{3, 65}, -1}, {{65, 3}, 0}, {{2, 9, 20}, 1}};

std::string label_of(const Along& a) { return to_string(a.sizes) + " dim " + std::to_string(a.dim); }

int64_t extent(const Along& a) { return a.sizes.empty() ? 1 : a.sizes[a.dim < 0 ? a.dim + a.sizes.size() : a.dim]; }

void add_bench(Row& row, const std::function<Tensor(const Tensor&, int64_t)>& call) {
  for (const auto& [sizes, dim] : {Along{{1000000}, 0}, Along{{1000, 1000}, 1}, Along{{1000, 1000}, 0}}) {
    row.bench.push_back({label_of({sizes, dim}),
                         {{.sizes = sizes}},
                         [call, dim = dim](const Tensors& in) { return call(in[0], dim); },
                         {}});
  }
}

BadInput bad_dim(const std::string& name, const std::function<void(const Tensor&, int64_t)>& call) {
  return bad<IndexError>(
      [call] {
        call(zeros({2, 3}), -3);
      },
      name + ": dim must lie in [-2, 1] for a 2-dim tensor, got -3");
}

Row sort_row() {
  Row row{.name = "sort", .cases = {}};
  for (const bool descending : {false, true}) {
    for (const Along& a : kAlong) {
      const std::string label = label_of(a) + (descending ? " descending" : "");
      row.cases.push_back({label,
                           {{.sizes = a.sizes}},
                           [=](const Tensors& in) { return std::get<0>(sort(in[0], a.dim, descending)); },
                           per_line(a.dim, first_of(-1, descending, false))});
      row.cases.push_back({label + " indices",
                           {{.sizes = a.sizes}},
                           [=](const Tensors& in) { return std::get<1>(sort(in[0], a.dim, descending)); },
                           per_line(a.dim, first_of(-1, descending, true)),
                           1,
                           0});
    }
  }
  for (const int64_t dim : {0, 1}) {
    row.cases.push_back({"[3, 0] dim " + std::to_string(dim),
                         {{.sizes = {3, 0}}},
                         [=](const Tensors& in) { return std::get<0>(sort(in[0], true, dim)); },
                         per_line(dim, first_of(-1, false, false))});
  }
  row.integers = {kInt64, kInt32, kUInt8, kBool};
  row.bad_inputs = {bad_dim("sort", [](const Tensor& x, int64_t d) { sort(x, d); })};
  add_bench(row, [](const Tensor& x, int64_t d) { return std::get<0>(sort(x, d)); });
  return row;
}

Row argsort_row() {
  Row row{.name = "argsort", .cases = {}};
  for (const bool descending : {false, true}) {
    for (const Along& a : kAlong) {
      row.cases.push_back({label_of(a) + (descending ? " descending" : ""),
                           {{.sizes = a.sizes}},
                           [=](const Tensors& in) { return argsort(in[0], a.dim, descending); },
                           per_line(a.dim, first_of(-1, descending, true)),
                           1,
                           0});
    }
  }
  row.integers = {kInt64, kInt32, kUInt8, kBool};
  row.bad_inputs = {bad_dim("argsort", [](const Tensor& x, int64_t d) { argsort(x, true, d); })};
  return row;
}

Row topk_row() {
  Row row{.name = "topk", .cases = {}};
  for (const bool largest : {true, false}) {
    for (const Along& a : kAlong) {
      for (const int64_t k : {int64_t{1}, int64_t{3}, extent(a)}) {
        if (k > extent(a)) continue;
        const std::string label = label_of(a) + " k " + std::to_string(k) + (largest ? "" : " smallest");
        row.cases.push_back({label,
                             {{.sizes = a.sizes}},
                             [=](const Tensors& in) { return std::get<0>(topk(in[0], k, a.dim, largest)); },
                             per_line(a.dim, first_of(k, largest, false))});
        row.cases.push_back({label + " indices",
                             {{.sizes = a.sizes}},
                             [=](const Tensors& in) { return std::get<1>(topk(in[0], k, a.dim, largest)); },
                             per_line(a.dim, first_of(k, largest, true)),
                             1,
                             0});
      }
    }
  }
  row.cases.push_back({"[2, 3] k 0",
                       {{.sizes = {2, 3}}},
                       [](const Tensors& in) { return std::get<0>(topk(in[0], 0)); },
                       per_line(1, first_of(0, true, false))});
  row.cases.push_back({"[4, 9] k 5 unsorted, summed",
                       {{.sizes = {4, 9}}},
                       [](const Tensors& in) { return sum(std::get<0>(topk(in[0], 5, 1, true, false)), 1); },
                       dropped(per_line(1,
                                        [](const Line& v) {
                                          const Line top = first_of(5, true, false)(v);
                                          return Line{std::accumulate(top.begin(), top.end(), 0.0)};
                                        }),
                               1),
                       5});
  row.integers = {kInt64, kInt32, kUInt8, kBool};
  row.bad_inputs = {bad<IndexError>(
                        [] {
                          topk(zeros({2, 3}), 4);
                        },
                        "topk: k must lie in [0, 3] at dim 1 of shape [2, 3], got 4"),
                    bad<IndexError>(
                        [] {
                          topk(zeros({2, 3}), -1, 0);
                        },
                        "topk: k must lie in [0, 2] at dim 0 of shape [2, 3], got -1")};
  add_bench(row, [](const Tensor& x, int64_t d) { return std::get<0>(topk(x, 10, d)); });
  return row;
}

Row kthvalue_row() {
  Row row{.name = "kthvalue", .cases = {}};
  for (const Along& a : kAlong) {
    for (const int64_t k : {int64_t{1}, (extent(a) + 1) / 2, extent(a)}) {
      for (const bool keepdim : {false, true}) {
        const std::string label = label_of(a) + " k " + std::to_string(k) + (keepdim ? " kept" : "");
        row.cases.push_back({label,
                             {{.sizes = a.sizes}},
                             [=](const Tensors& in) { return std::get<0>(kthvalue(in[0], k, a.dim, keepdim)); },
                             kth_of(k - 1, a.dim, keepdim, false)});
        row.cases.push_back({label + " index",
                             {{.sizes = a.sizes}},
                             [=](const Tensors& in) { return std::get<1>(kthvalue(in[0], k, a.dim, keepdim)); },
                             kth_of(k - 1, a.dim, keepdim, true),
                             1,
                             0});
      }
    }
  }
  row.integers = {kInt64, kInt32, kUInt8, kBool};
  row.bad_inputs = {bad<IndexError>(
                        [] {
                          kthvalue(zeros({2, 3}), 0);
                        },
                        "kthvalue: k must lie in [1, 3] at dim 1 of shape [2, 3], got 0"),
                    bad<IndexError>(
                        [] {
                          kthvalue(zeros({2, 0}), 1);
                        },
                        "kthvalue: k must lie in [1, 0] at dim 1 of shape [2, 0], got 1")};
  add_bench(row, [](const Tensor& x, int64_t d) { return std::get<0>(kthvalue(x, 100, d)); });
  return row;
}

Row median_row() {
  Row row{.name = "median", .cases = {}};
  for (const Along& a : kAlong) {
    for (const bool keepdim : {false, true}) {
      const std::string label = label_of(a) + (keepdim ? " kept" : "");
      row.cases.push_back({label,
                           {{.sizes = a.sizes}},
                           [=](const Tensors& in) { return std::get<0>(median(in[0], a.dim, keepdim)); },
                           kth_of(-1, a.dim, keepdim, false)});
      row.cases.push_back({label + " index",
                           {{.sizes = a.sizes}},
                           [=](const Tensors& in) { return std::get<1>(median(in[0], a.dim, keepdim)); },
                           kth_of(-1, a.dim, keepdim, true),
                           1,
                           0});
    }
    row.cases.push_back({to_string(a.sizes) + " over all",
                         {{.sizes = a.sizes}},
                         [](const Tensors& in) { return median(in[0]); },
                         folded(
                             [](const Line& v, double) {
                               Line y = v;
                               std::sort(y.begin(), y.end());
                               return y[(y.size() - 1) / 2];
                             },
                             {}, false)});
  }
  row.integers = {kInt64, kInt32, kUInt8, kBool};
  row.bad_inputs = {
      bad<ShapeError>(
          [] {
            median(zeros({2, 0}), 1);
          },
          "median: there must be an element to choose, got shape [2, 0]"),
      bad<ShapeError>([] { median(zeros({0}, kInt64)); }, "median: there must be an element to choose, got shape [0]")};
  add_bench(row, [](const Tensor& x, int64_t d) { return std::get<0>(median(x, d)); });
  return row;
}

}  // namespace

std::vector<Row> order_rows() { return {sort_row(), argsort_row(), topk_row(), kthvalue_row(), median_row()}; }

}  // namespace op_cases
