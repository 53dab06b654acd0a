// Rows of the operations that choose by a mask, and of those that say where or what elements are.
#include <algorithm>
#include <map>

#include "op_cases.h"

namespace op_cases {
namespace {

Arg mask_of(const Shape& sizes) { return {.sizes = sizes, .domain = {0, 2}, .dtype = kBool}; }

// Operands x, value, mask.
Array filled(const std::vector<Array>& in) {
  Array y(broadcast_shapes(in[0].sizes, in[2].sizes, "reference"));
  for (int64_t i = 0; i < y.numel(); ++i) y[i] = in[2].at(i, y.sizes) != 0 ? in[1][0] : in[0].at(i, y.sizes);
  return y;
}

// Operands x, source, mask.
Array replaced(const std::vector<Array>& in) {
  Array y(broadcast_shapes(in[0].sizes, in[2].sizes, "reference"));
  int64_t next = 0;
  for (int64_t i = 0; i < y.numel(); ++i) y[i] = in[2].at(i, y.sizes) != 0 ? in[1][next++] : in[0].at(i, y.sizes);
  return y;
}

// Operands x, mask.
Array chosen(const std::vector<Array>& in) {
  const Shape both = broadcast_shapes(in[0].sizes, in[1].sizes, "reference");
  std::vector<double> y;
  for (int64_t i = 0; i < numel_of(both, "reference"); ++i) {
    if (in[1].at(i, both) != 0) y.push_back(in[0].at(i, both));
  }
  return Array({static_cast<int64_t>(y.size())}, y);
}

std::vector<Row> masks() {
  std::vector<Row> rows;
  const auto fill = [](const Tensors& in) { return masked_fill(in[0], in[2], in[1]); };
  Case number{"a number",
              {{.sizes = {3, 5}}, mask_of({3, 5})},
              [](const Tensors& in) { return masked_fill(in[0], in[1], 1); },
              [](const std::vector<Array>& in) {
                return filled({in[0], Array(Shape{}, {1}), in[1]});
              }};
  number.own_attributes = true;
  Row fill_row = row_of("masked_fill",
                        {{"[3, 5]", {{.sizes = {3, 5}}, {}, mask_of({3, 5})}, fill, filled, 15},
                         {"a row of the mask", {{.sizes = {3, 5}}, {}, mask_of({5})}, fill, filled, 15},
                         {"a larger mask", {{.sizes = {5}}, {}, mask_of({3, 1})}, fill, filled, 15},
                         {"0-dim", {{}, {}, mask_of({})}, fill, filled},
                         {"zero-size", {{.sizes = {0, 2}}, {}, mask_of({2})}, fill, filled},
                         number},
                        {bad<DTypeError>([] { masked_fill(ones({2}), ones({2}), 0); },
                                         "masked_fill: mask must be bool, got float32 (did you mean mask != 0?)"),
                         bad<ShapeError>([] { masked_fill(ones({2}), ones({2}, kBool), ones({2})); },
                                         "masked_fill: value must be a number or a 0-dim tensor, got shape [2]"),
                         bad<ShapeError>(
                             [] {
                               masked_fill_(ones({2}), ones({3, 2}, kBool), 0);
                             },
                             "masked_fill_: mask must broadcast to x, got mask [3, 2] and x [2]")});
  for (Case& c : fill_row.cases) c.own_attributes |= c.label == "0-dim";  // x could not stand for the value too
  fill_row.in_place = [](const Tensors& in) { return masked_fill_(in[0], in[2], in[1]); };
  fill_row.bench = {{"[1024, 1024]", {{.sizes = {1024, 1024}}, {}, mask_of({1024, 1024})}, fill, {}}};
  rows.push_back(fill_row);
  const auto scatter = [](const Tensors& in) { return masked_scatter(in[0], in[2], in[1]); };
  Row scatter_row =
      row_of("masked_scatter",
             {{"[3, 5]", {{.sizes = {3, 5}}, {.sizes = {4, 4}}, mask_of({3, 5})}, scatter, replaced},
              {"a row of the mask", {{.sizes = {3, 5}}, {.sizes = {15}}, mask_of({5})}, scatter, replaced},
              {"0-dim", {{}, {.sizes = {1}}, mask_of({})}, scatter, replaced}},
             {bad<ValueError>([] { masked_scatter(ones({3}), ones({3}, kBool), ones({2})); },
                              "masked_scatter: source must have an element for every true of the mask, got 2 for 3"),
              bad<DTypeError>([] { masked_scatter_(ones({3}), ones({3}, kBool), arange(3)); },
                              "masked_scatter_: source must have x's dtype, which is float32, got int64")});
  scatter_row.reads_values = true;
  scatter_row.in_place = [](const Tensors& in) { return masked_scatter_(in[0], in[2], in[1]); };
  rows.push_back(scatter_row);
  const auto select = [](const Tensors& in) { return masked_select(in[0], in[1]); };
  Row select_row = row_of(
      "masked_select",
      {{"[3, 5]", {{.sizes = {3, 5}}, mask_of({3, 5})}, select, chosen},
       {"broadcast", {{.sizes = {3, 1}}, mask_of({1, 4})}, select, chosen, 4},
       {"0-dim", {{}, mask_of({})}, select, chosen},
       {"zero-size", {{.sizes = {0}}, mask_of({0})}, select, chosen}},
      {bad<ShapeError>([] { masked_select(ones({2}), ones({3}, kBool)); },
                       "masked_select: shapes [2] and [3] do not broadcast: sizes 2 and 3 at dim -1 differ and neither "
                       "is 1")});
  select_row.bench = {{"[1024, 1024]", {{.sizes = {1024, 1024}}, mask_of({1024, 1024})}, select, {}}};
  select_row.reads_values = true;
  rows.push_back(select_row);
  return rows;
}

// The rows of indices of what is not 0.
Array places(const std::vector<Array>& in) {
  std::vector<double> y;
  for (int64_t i = 0; i < in[0].numel(); ++i) {
    if (in[0][i] == 0) continue;
    int64_t below = in[0].numel(), rest = i;
    for (int64_t size : in[0].sizes) {
      below /= size;
      y.push_back(static_cast<double>(rest / below));
      rest %= below;
    }
  }
  const int64_t rank = in[0].sizes.size();
  int64_t count = 0;
  for (double v : in[0].v) count += v != 0;
  return Array({count, rank}, y);
}

Case integer(const std::string& label, const Shape& sizes, Function f, Reference reference) {
  Case c{label, {{.sizes = sizes, .domain = {0, 3}, .dtype = kInt64}}, std::move(f), std::move(reference)};
  c.order = 0;
  return c;
}

std::vector<Row> finders() {
  std::vector<Row> rows;
  for (bool other : {false, true}) {
    const auto f = [other](const Tensors& in) { return other ? argwhere(in[0]) : nonzero(in[0]); };
    Row row = row_of(other ? "argwhere" : "nonzero",
                     {integer("[2, 3, 4]", {2, 3, 4}, f, places), integer("0-dim", {}, f, places),
                      integer("zero-size", {0, 2}, f, places)},
                     {});
    Case real{"floats", {{.sizes = {5}, .values = {0, -0., 1e-38, NAN, 2}}}, f, places};
    real.order = 0;
    row.cases.push_back(real);
    row.reads_values = true;
    rows.push_back(row);
  }
  rows.push_back(
      row_of("nonzero_numpy",
             {integer(
                 "[3, 4]", {3, 4}, [](const Tensors& in) { return stack(nonzero_numpy(in[0]), 1); }, places)},
             {}));
  rows.back().reads_values = true;
  const auto counts = [](const Array& x) {
    std::map<double, int64_t> found;
    for (double v : x.v) ++found[v];
    return found;
  };
  const auto values = [counts](const std::vector<Array>& in) {
    std::vector<double> y;
    for (const auto& [value, count] : counts(in[0])) y.push_back(value);
    return Array({static_cast<int64_t>(y.size())}, y);
  };
  const auto numbers = [counts](const std::vector<Array>& in) {
    const auto found = counts(in[0]);
    Array y(in[0].sizes);
    for (int64_t i = 0; i < y.numel(); ++i)
      y[i] = static_cast<double>(std::distance(found.begin(), found.find(in[0][i])));
    return y;
  };
  const auto how_often = [counts](const std::vector<Array>& in) {
    std::vector<double> y;
    for (const auto& [value, count] : counts(in[0])) y.push_back(static_cast<double>(count));
    return Array({static_cast<int64_t>(y.size())}, y);
  };
  Row unique_row = row_of(
      "unique",
      {integer(
           "values", {4, 5}, [](const Tensors& in) { return std::get<0>(unique(in[0])); }, values),
       integer(
           "inverse", {4, 5}, [](const Tensors& in) { return std::get<1>(unique(in[0], true, true)); }, numbers),
       integer(
           "counts", {4, 5}, [](const Tensors& in) { return std::get<2>(unique(in[0], true, false, true)); },
           how_often),
       integer(
           "zero-size", {0}, [](const Tensors& in) { return std::get<0>(unique(in[0])); }, values)},
      {bad<ValueError>([] { unique(Tensor()); }, "unique: x must be defined, got an undefined tensor (Tensor())")});
  Case real{"floats", {{.sizes = {6}}}, [](const Tensors& in) { return std::get<0>(unique(in[0])); }, values};
  real.order = 0;
  unique_row.cases.push_back(real);
  unique_row.reads_values = true;
  rows.push_back(unique_row);
  return rows;
}

Row index_put_apart_row() {
  using namespace indexing;
  const auto matrix = [](const std::vector<double>& v) { return Array({2, 2}, v); };
  Row row = row_of(
      "index_put",
      {{"a row named twice",
        {{.sizes = {2, 2}}, {.sizes = {3, 2}}},
        [](const Tensors& in) {
          return index_put(in[0], {tensor({1, 0, 1})}, in[1]);
        },
        [=](const std::vector<Array>& in) {
          return matrix({in[1][2], in[1][3], in[1][4], in[1][5]});
        }},
       {"accumulated in a column",
        {{.sizes = {2, 2}}, {.sizes = {}}},
        [](const Tensors& in) {
          return in[0].index_put({Slice(), tensor({1, 1})}, in[1], true);
        },
        [=](const std::vector<Array>& in) {
          Array y = matrix({in[0][0], in[0][1] + 2 * in[1][0], in[0][2], in[0][3] + 2 * in[1][0]});
          for (int64_t i = 0; i < 4; ++i) y.magnitude.push_back(std::abs(in[0][i]) + 2 * std::abs(in[1][0]));
          return y;
        },
        4},
       {"a mask and a number",
        {{.sizes = {2, 2}}},
        [](const Tensors& in) {
          return index_put(in[0], {tensor({{true, false}, {false, true}})}, 1);
        },
        [=](const std::vector<Array>& in) {
          return matrix({1, in[0][1], in[0][2], 1});
        }}},
      {bad<ShapeError>(
           [] {
             index_put(ones({3, 2}), {tensor({0, 1})}, ones({3, 2}));
           },
           "index_put: shapes [2, 2] and [3, 2] do not broadcast: sizes 2 and 3 at dim -2 differ and neither is 1"),
       bad<IndexError>([] { index_put(ones({3}), {tensor({-4})}, 1); },
                       "index_put: an index must lie in [-3, 2] at dim 0 of size 3, got -4")});
  row.integers = {kInt64, kInt32};
  return row;
}

}  // namespace

std::vector<Row> select_rows() {
  std::vector<Row> rows;
  for (auto* part : {masks, finders}) {
    for (Row& row : part()) rows.push_back(std::move(row));
  }
  rows.push_back(index_put_apart_row());
  return rows;
}

}  // namespace op_cases
