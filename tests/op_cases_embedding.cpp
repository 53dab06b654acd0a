// Rows of embedding and one_hot.
#include <algorithm>

#include "op_cases.h"

namespace op_cases {
namespace {

Arg indices(const Shape& sizes, double end) { return {.sizes = sizes, .domain = {0, end}, .dtype = kInt64}; }

}  // namespace

std::vector<Row> embedding_rows() {
  std::vector<Row> rows;
  const auto looked_up = [](const std::vector<Array>& in) {
    Shape sizes = in[1].sizes;
    sizes.push_back(in[0].size(1));
    Array y(sizes);
    for (int64_t i = 0; i < y.numel(); ++i)
      y[i] = in[0][static_cast<int64_t>(in[1][i / in[0].size(1)]) * in[0].size(1) + i % in[0].size(1)];
    return y;
  };
  const auto call = [](const Tensors& in) { return embedding(in[0], in[1]); };
  Row row = row_of("embedding",
                   {{"[2, 4] of 5 rows", {{.sizes = {5, 3}}, indices({2, 4}, 5)}, call, looked_up, 8},
                    {"one row", {{.sizes = {5, 3}}, indices({}, 5)}, call, looked_up},
                    {"none", {{.sizes = {5, 3}}, indices({0, 2}, 5)}, call, looked_up},
                    {"an unused padding row",
                     {{.sizes = {5, 3}}, indices({4}, 4)},
                     [](const Tensors& in) { return embedding(in[0], minimum(in[1], tensor(3)), 4); },
                     looked_up,
                     4}},
                   {bad<IndexError>(
                        [] {
                          embedding(ones({3, 2}), tensor({{0, 3}}));
                        },
                        "embedding: an index must lie in [0, 2] at dim 0 of size 3, got 3"),
                    bad<ShapeError>([] { embedding(ones({3}), tensor({0})); },
                                    "embedding: weight must be a matrix of rows, got shape [3]"),
                    bad<ValueError>(
                        [] {
                          embedding(ones({3, 2}), tensor({0}), 3);
                        },
                        "embedding: padding_idx must be below the number of rows, which is 3, got 3")});
  row.bench = {{"[8192] of [10000, 64]", {{.sizes = {10000, 64}}, indices({8192}, 10000)}, call, {}}};
  rows.push_back(row);
  const auto hot = [](int64_t classes) {
    return [classes](const std::vector<Array>& in) {
      Shape sizes = in[0].sizes;
      sizes.push_back(classes);
      Array y(sizes);
      for (int64_t i = 0; i < in[0].numel(); ++i) y[i * classes + static_cast<int64_t>(in[0][i])] = 1;
      return y;
    };
  };
  Case given{"5 classes", {indices({2, 3}, 5)}, [](const Tensors& in) { return one_hot(in[0], 5); }, hot(5)};
  Case counted{"as many as there are",
               {{.sizes = {4}, .dtype = kInt64, .values = {2, 0, 1, 2}}},
               [](const Tensors& in) { return one_hot(in[0]); },
               [=](const std::vector<Array>& in) {
                 return hot(static_cast<int64_t>(*std::max_element(in[0].v.begin(), in[0].v.end())) + 1)(in);
               }};
  given.order = counted.order = 0;
  rows.push_back(row_of(
      "one_hot", {given, counted},
      {bad<ValueError>(
           [] {
             one_hot(tensor({0, -1}));
           },
           "one_hot: classes must not be negative, got -1"),
       bad<ValueError>(
           [] {
             one_hot(tensor({0, 3}), 3);
           },
           "one_hot: classes must be below num_classes, which is 3, got 3"),
       bad<ValueError>([] { one_hot(tensor({std::numeric_limits<int64_t>::max()})); },
                       "one_hot: classes must leave room for their count, got 9223372036854775807"),
       bad<ShapeError>([] { one_hot(zeros(Shape::filled(8, 1), kInt64), 2); }, "one_hot: at most 8 dimensions, got 9"),
       bad<ValueError>([] { one_hot(zeros({0}, kInt64)); },
                       "one_hot: num_classes must be at least 1, or -1 to take it from the "
                       "elements, got -1 for shape [0]"),
       bad<DTypeError>([] { one_hot(ones({2})); }, "one_hot: index must be int64 or int32, got float32")}));
  rows.back().reads_values = true;
  return rows;
}

}  // namespace op_cases
