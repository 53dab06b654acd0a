// Rows of the operations that take, put or add elements by an index along a dim.
#include <algorithm>

#include "op_cases.h"

namespace op_cases {
namespace {

// Row-major place of index i (of `sizes`) in a tensor of sizes `in`, with `along` instead of its index at dim.
int64_t place_in(const Shape& in, const Shape& sizes, int64_t i, int64_t dim, int64_t along) {
  At at(static_cast<size_t>(sizes.size()));
  for (int64_t d = sizes.size() - 1; d >= 0; --d) {
    at[static_cast<size_t>(d)] = i % sizes[d];
    i /= sizes[d];
  }
  int64_t place = 0;
  for (int64_t d = 0; d < sizes.size(); ++d) place = place * in[d] + (d == dim ? along : at[static_cast<size_t>(d)]);
  return place;
}
int64_t own_place(const Shape& in, const Shape& sizes, int64_t i) { return place_in(in, sizes, i, -1, 0); }

// y = x[index] along dim, for operands x and index.
Reference gathered(int64_t dim) {
  return [dim](const std::vector<Array>& in) {
    Array y(in[1].sizes);
    for (int64_t i = 0; i < y.numel(); ++i)
      y[i] = in[0][place_in(in[0].sizes, y.sizes, i, dim, static_cast<int64_t>(in[1][i]))];
    return y;
  };
}

enum class How { Put, Add };

// Operand 0 with elements of operand 1 (or a number) put or added where the index says.
Reference scattered(int64_t dim, const Array& index, How how, double scale = 1, bool number = false) {
  return [=](const std::vector<Array>& in) {
    Array y = in[0];
    y.magnitude = y.v;
    for (double& m : y.magnitude) m = std::abs(m);
    for (int64_t i = 0; i < index.numel(); ++i) {
      const int64_t to = place_in(y.sizes, index.sizes, i, dim, static_cast<int64_t>(index[i]));
      const double v = scale * (number ? 1 : in[1][own_place(in[1].sizes, index.sizes, i)]);
      y[to] = how == How::Add ? y[to] + v : v;
      double& m = y.magnitude[static_cast<size_t>(to)];
      m = how == How::Add ? m + std::abs(v) : std::abs(v);
    }
    return y;
  };
}

// A vector of indices as an index of `sizes` along dim.
Array spread(const At& index, Shape sizes, int64_t dim) {
  sizes[dim] = static_cast<int64_t>(index.size());
  Array wide(sizes);
  int64_t inner = 1;
  for (int64_t d = dim + 1; d < sizes.size(); ++d) inner *= sizes[d];
  for (int64_t i = 0; i < wide.numel(); ++i)
    wide[i] = static_cast<double>(index[static_cast<size_t>(i / inner % sizes[dim])]);
  return wide;
}

Arg indices(const Shape& sizes, double end) { return {.sizes = sizes, .domain = {0, end}, .dtype = kInt64}; }

const Array kIndex({3, 2}, {1, 3, 0, 0, 2, 1});  // row 1 names a place twice
Tensor index_tensor(DType dtype = kInt64) { return tensor_of(kIndex, dtype); }

Case attributes(Case c) {
  c.own_attributes = true;
  return c;
}

std::vector<Row> gathers() {
  std::vector<Row> rows;
  const auto along = [](int64_t dim) { return [dim](const Tensors& in) { return gather(in[0], dim, in[1]); }; };
  Row row = row_of(
      "gather",
      {{"dim 0", {{.sizes = {3, 4}}, indices({5, 4}, 3)}, along(0), gathered(0), 5},
       {"dim 1 of 3", {{.sizes = {3, 4, 2}}, indices({3, 5, 2}, 4)}, along(1), gathered(1), 5},
       {"dim -1, a smaller index", {{.sizes = {3, 4, 5}}, indices({2, 1, 3}, 5)}, along(-1), gathered(2), 3},
       {"a vector", {{.sizes = {4}}, indices({7}, 4)}, along(0), gathered(0), 7},
       {"0-dim", {{}, indices({}, 1)}, along(0), [](const std::vector<Array>& in) { return in[0]; }},
       {"0-dim by a vector",
        {{}, indices({3}, 1)},
        along(-1),
        [](const std::vector<Array>& in) {
          return Array({3}, {in[0][0], in[0][0], in[0][0]});
        },
        3},
       {"no indices", {{.sizes = {3, 4}}, indices({3, 0}, 1)}, along(1), gathered(1)}},
      {bad<IndexError>(
           [] {
             gather(ones({2, 3}), 1, tensor({{0}, {3}}));
           },
           "gather: an index must lie in [0, 2] at dim 1 of size 3, got 3"),
       bad<IndexError>([] { gather(ones({2}), 0, tensor({-1})); },
                       "gather: an index must lie in [0, 1] at dim 0 of size 2, got -1"),
       bad<IndexError>([] { gather(ones({2}), 1, tensor({0})); },
                       "gather: dim must lie in [-1, 0] for a 1-dim tensor, got 1"),
       bad<DTypeError>([] { gather(ones({2}), 0, ones({2})); }, "gather: index must be int64 or int32, got float32"),
       bad<ShapeError>(
           [] {
             gather(ones({2, 3}), 0, tensor({0}));
           },
           "gather: index must have as many dims as x, got index [1] and x [2, 3]"),
       bad<ShapeError>(
           [] {
             gather(ones({2, 3}), 0, tensor({{0, 0, 0, 0}}));
           },
           "gather: index must not be larger than x apart from dim 0, got index [1, 4] and x [2, 3]"),
       bad<ValueError>([] { gather(ones({2}), 0, Tensor()); },
                       "gather: index must be defined, got an undefined tensor (Tensor())")});
  row.bench = {{"[1024, 256]", {{.sizes = {1024, 256}}, indices({1024, 64}, 256)}, along(1), {}}};
  rows.push_back(row);
  Row take_row = row_of("take",
                        {{"a matrix",
                          {{.sizes = {2, 3}}, indices({2, 2, 2}, 6)},
                          [](const Tensors& in) { return take(in[0], in[1] - 6); },
                          [](const std::vector<Array>& in) {
                            Array y(in[1].sizes);
                            for (int64_t i = 0; i < y.numel(); ++i) y[i] = in[0][static_cast<int64_t>(in[1][i])];
                            return y;
                          },
                          8}},
                        {bad<IndexError>(
                            [] {
                              take(ones({2, 3}), tensor({-7}));
                            },
                            "take: an index must lie in [-6, 5] at dim 0 of size 6, got -7")});
  rows.push_back(take_row);
  rows.push_back(row_of("take_along_dim",
                        {{"broadcast",
                          {{.sizes = {1, 4, 2}}, indices({3, 5, 1}, 4)},
                          [](const Tensors& in) { return take_along_dim(in[0], in[1], 1); },
                          [](const std::vector<Array>& in) {
                            Array y(Shape{3, 5, 2});
                            for (int64_t i = 0; i < 30; ++i)
                              y[i] = in[0][static_cast<int64_t>(in[1][i / 2]) * 2 + i % 2];
                            return y;
                          },
                          15},
                         {"flattened",
                          {{.sizes = {2, 3}}, indices({2, 2}, 6)},
                          [](const Tensors& in) { return take_along_dim(in[0], in[1]); },
                          [](const std::vector<Array>& in) {
                            Array y(Shape{4});
                            for (int64_t i = 0; i < 4; ++i) y[i] = in[0][static_cast<int64_t>(in[1][i])];
                            return y;
                          },
                          4}},
                        {bad<ShapeError>(
                            [] {
                              take_along_dim(ones({2, 3}), tensor({0}), 0);
                            },
                            "take_along_dim: indices must have as many dims as x, got indices [1] and x [2, 3]")}));
  return rows;
}

std::vector<Row> scatters() {
  std::vector<Row> rows;
  for (bool add : {false, true}) {
    const std::string name = add ? "scatter_add" : "scatter";
    const auto f = [add](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
      return add ? scatter_add(x, dim, index, src) : scatter(x, dim, index, src);
    };
    const How how = add ? How::Add : How::Put;
    const auto plain = [=](const Tensors& in) { return f(in[0], 1, index_tensor(), in[1]); };
    Row row = row_of(name,
                     {{"dim 1", {{.sizes = {3, 4}}, {.sizes = {3, 2}}}, plain, scattered(1, kIndex, how), 4},
                      {"a larger src", {{.sizes = {3, 4}}, {.sizes = {3, 4}}}, plain, scattered(1, kIndex, how), 4},
                      attributes({"dim 0, int32",
                                  {{.sizes = {4, 2}}, {.sizes = {3, 2}}},
                                  [=](const Tensors& in) { return f(in[0], -2, index_tensor(kInt32), in[1]); },
                                  scattered(0, kIndex, how),
                                  4}),
                      attributes({"0-dim",
                                  {{}, {}},
                                  [=](const Tensors& in) { return f(in[0], 0, tensor(0), in[1]); },
                                  [=](const std::vector<Array>& in) {
                                    Array y(Shape{}, {(add ? in[0][0] : 0) + in[1][0]});
                                    y.magnitude = {std::abs(in[0][0]) + std::abs(in[1][0])};
                                    return y;
                                  }}),
                      attributes({"no indices",
                                  {{.sizes = {3}}, {.sizes = {2}}},
                                  [=](const Tensors& in) { return f(in[0], 0, zeros({0}, kInt64), in[1]); },
                                  [](const std::vector<Array>& in) { return in[0]; }})},
                     {});
    if (add) row.integers.pop_back();  // the sum of bools is or
    row.in_place = [add](const Tensors& in) {
      return add ? scatter_add_(in[0], 1, index_tensor(), in[1]) : scatter_(in[0], 1, index_tensor(), in[1]);
    };
    row.bench = {{"[1024, 256]",
                  {{.sizes = {1024, 256}}, {.sizes = {1024, 64}}, indices({1024, 64}, 256)},
                  [=](const Tensors& in) { return f(in[0], 1, in[2], in[1]); },
                  {}},
                 {"[1000] from 100000",
                  {{.sizes = {1000}}, {.sizes = {100000}}, indices({100000}, 1000)},
                  [=](const Tensors& in) { return f(in[0], 0, in[2], in[1]); },
                  {}}};
    rows.push_back(row);
  }
  rows[0].cases.push_back(attributes({"a number",
                                      {{.sizes = {3, 4}}},
                                      [](const Tensors& in) { return scatter(in[0], 1, index_tensor(), 1); },
                                      scattered(1, kIndex, How::Put, 1, true)}));
  rows[0].bad_inputs = {
      bad<IndexError>(
          [] {
            scatter_(ones({2, 3}), 0, tensor({{0, 1, 2}}), 7);
          },
          "scatter_: an index must lie in [0, 1] at dim 0 of size 2, got 2"),
      bad<DTypeError>([] { scatter(ones({2}), 0, tensor({0}), arange(2)); },
                      "scatter: src must have x's dtype, which is float32, got int64"),
      bad<ShapeError>(
          [] {
            scatter(ones({2, 3}), 0, tensor({{0, 1}, {1, 0}}), ones({1, 2}));
          },
          "scatter: src must have index's number of dims and be no smaller, got index [2, 2] and src [1, 2]")};
  rows[1].bad_inputs = {
      bad<IndexError>(
          [] {
            scatter_add(ones({2}), 0, tensor({0, -1}), ones({2}));
          },
          "scatter_add: an index must lie in [0, 1] at dim 0 of size 2, got -1"),
      bad<ShapeError>(
          [] {
            scatter_add_(ones({2, 3}), 1, tensor({{0}, {0}, {1}}), ones({3, 1}));
          },
          "scatter_add_: index must not be larger than x apart from dim 1, got index [3, 1] and x [2, 3]")};
  return rows;
}

const At kRows{0, 3, 3, 1, 0};
Tensor row_tensor() { return tensor(kRows); }

std::vector<Row> selections() {
  std::vector<Row> rows;
  const auto along = [](int64_t dim) { return [dim](const Tensors& in) { return index_select(in[0], dim, in[1]); }; };
  const auto selected = [](int64_t dim) {
    return [dim](const std::vector<Array>& in) {
      At index;
      for (double v : in[1].v) index.push_back(static_cast<int64_t>(v));
      return gathered(dim)({in[0], spread(index, in[0].sizes, dim)});
    };
  };
  Row row = row_of("index_select",
                   {{"rows", {{.sizes = {4, 6}}, indices({7}, 4)}, along(0), selected(0), 7},
                    {"columns", {{.sizes = {3, 4}}, indices({5}, 4)}, along(-1), selected(1), 5},
                    {"the middle", {{.sizes = {2, 3, 5}}, indices({4}, 3)}, along(1), selected(1), 4},
                    {"0-dim index", {{.sizes = {3, 2}}, indices({}, 3)}, along(0), selected(0)},
                    {"0-dim", {{}, indices({1}, 1)}, along(0), [](const std::vector<Array>& in) { return in[0]; }},
                    {"none", {{.sizes = {3, 2}}, indices({0}, 3)}, along(0), selected(0)},
                    {"of nothing", {{.sizes = {3, 0}}, indices({2}, 3)}, along(0), selected(0)}},
                   {bad<IndexError>(
                        [] {
                          index_select(ones({2, 3}), 1, tensor({0, 3}));
                        },
                        "index_select: an index must lie in [0, 2] at dim 1 of size 3, got 3"),
                    bad<ShapeError>(
                        [] {
                          index_select(ones({2, 3}), 1, tensor({{0}}));
                        },
                        "index_select: index must have at most 1 dim, got shape [1, 1]"),
                    bad<ShapeError>(
                        [] {
                          index_select(ones({}), 0, tensor({0, 0}));
                        },
                        "index_select: a 0-dim tensor takes one index, got 2")});
  row.bench = {{"[4096, 64] of [10000, 64]", {{.sizes = {10000, 64}}, indices({4096}, 10000)}, along(0), {}}};
  rows.push_back(row);
  Row add = row_of("index_add",
                   {{"rows, alpha 2",
                     {{.sizes = {4, 3}}, {.sizes = {5, 3}}},
                     [](const Tensors& in) { return index_add(in[0], 0, row_tensor(), in[1], 2); },
                     scattered(0, spread(kRows, {4, 3}, 0), How::Add, 2),
                     4},
                    attributes({"the last dim",
                                {{.sizes = {2, 4}}, {.sizes = {2, 5}}},
                                [](const Tensors& in) { return index_add(in[0], -1, row_tensor(), in[1]); },
                                scattered(1, spread(kRows, {2, 4}, 1), How::Add),
                                4}),
                    attributes({"the middle",
                                {{.sizes = {2, 4, 3}}, {.sizes = {2, 5, 3}}},
                                [](const Tensors& in) { return index_add(in[0], 1, row_tensor(), in[1]); },
                                scattered(1, spread(kRows, {2, 4, 3}, 1), How::Add),
                                4})},
                   {bad<ShapeError>(
                        [] {
                          index_add(ones({4, 3}), 0, row_tensor(), ones({4, 3}));
                        },
                        "index_add: source must have shape [5, 3] for x [4, 3], dim 0 and 5 indices, got [4, 3]"),
                    bad<IndexError>(
                        [] {
                          index_add_(ones({3, 3}), 0, row_tensor(), ones({5, 3}));
                        },
                        "index_add_: an index must lie in [0, 2] at dim 0 of size 3, got 3"),
                    bad<DTypeError>([] { index_add(ones({4}), 0, row_tensor(), arange(5)); },
                                    "index_add: source must have x's dtype, which is float32, got int64"),
                    bad<DTypeError>([] { index_add(arange(4), 0, row_tensor(), arange(5), 0.5); },
                                    "index_add: alpha must be an integer for int64, got 0.500000")});
  add.integers = {kInt64, kInt32};
  add.in_place = [](const Tensors& in) { return index_add_(in[0], 0, row_tensor(), in[1], 2); };
  add.bench = {{"[1000, 64] from 20000",
                {{.sizes = {1000, 64}}, {.sizes = {20000, 64}}, indices({20000}, 1000)},
                [](const Tensors& in) { return index_add(in[0], 0, in[2], in[1]); },
                {}}};
  rows.push_back(add);
  Row copy = row_of("index_copy",
                    {{"rows",
                      {{.sizes = {4, 3}}, {.sizes = {5, 3}}},
                      [](const Tensors& in) { return index_copy(in[0], 0, row_tensor(), in[1]); },
                      scattered(0, spread(kRows, {4, 3}, 0), How::Put),
                      2},
                     attributes({"the last dim",
                                 {{.sizes = {2, 4}}, {.sizes = {2, 5}}},
                                 [](const Tensors& in) { return index_copy(in[0], 1, row_tensor(), in[1]); },
                                 scattered(1, spread(kRows, {2, 4}, 1), How::Put),
                                 2})},
                    {bad<IndexError>(
                        [] {
                          index_copy_(ones({3, 3}), 0, row_tensor(), ones({5, 3}));
                        },
                        "index_copy_: an index must lie in [0, 2] at dim 0 of size 3, got 3")});
  copy.in_place = [](const Tensors& in) { return index_copy_(in[0], 0, row_tensor(), in[1]); };
  rows.push_back(copy);
  const auto filled = [](const std::vector<Array>& in) {
    Array value(Shape{4, 5});
    for (double& v : value.v) v = in[1][0];
    return scattered(1, spread(kRows, {4, 4}, 1), How::Put)({in[0], value});
  };
  Row fill = row_of("index_fill",
                    {{"a 0-dim tensor",
                      {{.sizes = {4, 4}}, {}},
                      [](const Tensors& in) { return index_fill(in[0], 1, row_tensor(), in[1]); },
                      filled,
                      12},
                     attributes({"a number",
                                 {{.sizes = {3, 4}}},
                                 [](const Tensors& in) { return index_fill(in[0], 1, row_tensor(), 1); },
                                 scattered(1, spread(kRows, {3, 4}, 1), How::Put, 1, true)})},
                    {bad<IndexError>([] { index_fill(ones({4}), 0, tensor({-5}), 1); },
                                     "index_fill: an index must lie in [-4, 3] at dim 0 of size 4, got -5"),
                     bad<ShapeError>([] { index_fill(ones({4}), 0, row_tensor(), ones({1})); },
                                     "index_fill: value must be a number or a 0-dim tensor, got shape [1]")});
  fill.in_place = [](const Tensors& in) { return index_fill_(in[0], 1, row_tensor(), in[1]); };
  rows.push_back(fill);
  return rows;
}

}  // namespace

std::vector<Row> gather_rows() {
  std::vector<Row> rows;
  for (auto* part : {gathers, scatters, selections}) {
    for (Row& row : part()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace op_cases
