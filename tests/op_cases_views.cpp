// Rows of the views that part a tensor or show it under other strides.
#include <algorithm>

#include "op_cases.h"

namespace op_cases {
namespace {

// The pieces in the opposite order.
Tensor backwards(std::vector<Tensor> pieces, int64_t dim) {
  std::reverse(pieces.begin(), pieces.end());
  return cat(pieces, dim);
}

std::vector<Row> pieces() {
  std::vector<Row> rows;
  rows.push_back(row_of(
      "split",
      {moving(
           "3 of 7", {7, 2}, [](const Tensor& x) { return backwards(split(x, 3), 0); },
           rows_in({6, 3, 4, 5, 0, 1, 2}, 2)),
       moving(
           "sizes 1, 0, 3", {2, 4},
           [](const Tensor& x) {
             return backwards(split(x, {1, 0, 3}, -1), 1);
           },
           columns_in({1, 2, 3, 0}, 2, 4)),
       moving(
           "one piece of three", {2, 5}, [](const Tensor& x) { return split(x, 2, 1).at(x.size(1) > 2); },
           columns_in({2, 3}, 2, 5)),
       moving(
           "zero-size", {0, 3}, [](const Tensor& x) { return split(x, 2)[0]; }, rows_in({}, 3)),
       moving(
           "a size of 0", {0, 3}, [](const Tensor& x) { return split(x, 0)[0]; }, rows_in({}, 3))},
      {bad<IndexError>([] { split(ones({}), 1); }, "split: a 0-dim tensor has no dim to split"),
       bad<ValueError>([] { split(ones({3}), 0); }, "split: split_size must be at least 1 for a dim of size 3, got 0"),
       bad<ValueError>(
           [] {
             split(ones({2, 4}), {1, 2}, 1);
           },
           "split: the sizes must not be negative and must sum to 4, the size of dim 1, got [1, 2]"),
       bad<ValueError>(
           [] {
             split(ones({4}), {5, -1});
           },
           "split: the sizes must not be negative and must sum to 4, the size of dim 0, got [5, -1]")}));
  rows.push_back(row_of("split_with_sizes",
                        {moving(
                            "2, 1, 2", {5, 2},
                            [](const Tensor& x) {
                              return backwards(split_with_sizes(x, {2, 1, 2}), 0);
                            },
                            rows_in({3, 4, 2, 0, 1}, 2))},
                        {}));
  rows.push_back(row_of("chunk",
                        {moving(
                             "3 of 7", {7, 2}, [](const Tensor& x) { return backwards(chunk(x, 3), 0); },
                             rows_in({6, 3, 4, 5, 0, 1, 2}, 2)),
                         moving(
                             "fewer than asked for", {2, 5}, [](const Tensor& x) { return chunk(x, 4, 1).back(); },
                             columns_in({4}, 2, 5)),
                         moving(
                             "zero-size", {0, 3}, [](const Tensor& x) { return chunk(x, 2)[1]; }, rows_in({}, 3))},
                        {bad<ValueError>([] { chunk(ones({3}), 0); }, "chunk: chunks must be at least 1, got 0")}));
  rows.push_back(row_of(
      "tensor_split",
      {moving(
           "3 of 7", {7, 2}, [](const Tensor& x) { return backwards(tensor_split(x, 3), 0); },
           rows_in({5, 6, 3, 4, 0, 1, 2}, 2)),
       moving(
           "more than there are", {2, 2}, [](const Tensor& x) { return backwards(tensor_split(x, 3, 1), 1); },
           columns_in({1, 0}, 2, 2)),
       moving(
           "in front of 1 and 3", {5, 2},
           [](const Tensor& x) {
             return backwards(tensor_split(x, {1, 3}), 0);
           },
           rows_in({3, 4, 1, 2, 0}, 2)),
       moving(
           "in front of -1 and 9", {5, 2},
           [](const Tensor& x) {
             return backwards(tensor_split(x, {-1, 9}), 0);
           },
           rows_in({4, 0, 1, 2, 3}, 2))},
      {bad<ValueError>([] { tensor_split(ones({3}), 0); }, "tensor_split: sections must be at least 1, got 0")}));
  rows.push_back(row_of("unbind",
                        {moving(
                             "columns", {2, 3}, [](const Tensor& x) { return backwards(unbind(x, 1), 0); },
                             picked({6}, [](const At& i) { return i[0] % 2 * 3 + 2 - i[0] / 2; })),
                         moving(
                             "one of three", {3, 2}, [](const Tensor& x) { return unbind(x).at(1); },
                             picked({2}, [](const At& i) { return 2 + i[0]; })),
                         moving(
                             "a vector", {3},
                             [](const Tensor& x) {
                               return stack({unbind(x).at(2), unbind(x).at(0)});
                             },
                             picked({2}, [](const At& i) { return 2 - 2 * i[0]; }))},
                        {bad<IndexError>([] { unbind(ones({})); }, "unbind: a 0-dim tensor has no dim to split")}));
  return rows;
}

std::vector<Row> strided_views() {
  std::vector<Row> rows;
  const auto kept = [](Shape sizes) { return [sizes](const std::vector<Array>& in) { return Array(sizes, in[0].v); }; };
  rows.push_back(row_of(
      "unflatten",
      {moving(
           "dim 1 to 2 3", {2, 6, 2},
           [](const Tensor& x) {
             return unflatten(x, 1, {2, 3});
           },
           kept({2, 2, 3, 2})),
       moving(
           "dim -1 to -1 2 1", {3, 4},
           [](const Tensor& x) {
             return unflatten(x, -1, {-1, 2, 1});
           },
           kept({3, 2, 2, 1})),
       moving(
           "a size of 0", {0, 3},
           [](const Tensor& x) {
             return unflatten(x, 0, {5, 0});
           },
           kept({5, 0, 3}))},
      {bad<IndexError>([] { unflatten(ones({}), 0, {1}); }, "unflatten: a 0-dim tensor has no dim to split"),
       bad<IndexError>([] { unflatten(ones({2}), 1, {2}); },
                       "unflatten: dim must lie in [-1, 0] for a 1-dim tensor, got 1"),
       bad<ShapeError>(
           [] {
             unflatten(ones({2, 6}), -1, {-2, -3});
           },
           "unflatten: the product of the sizes must be 6, the size of dim 1, got sizes [-2, -3] for shape [2, 6]"),
       bad<ShapeError>([] { unflatten(ones({1}), 0, IntArrayRef()); },
                       "unflatten: the product of the sizes must be 1, the size of dim 0, got sizes [] for shape [1]"),
       bad<ShapeError>(
           [] {
             unflatten(ones(Shape::filled(8, 1)), 0, {1, 1});
           },
           "unflatten: at most 8 dimensions, got 9")},
      true));
  rows.push_back(row_of(
      "movedim",
      {moving(
           "0 to 2", {2, 3, 5}, [](const Tensor& x) { return movedim(x, 0, 2); },
           picked({3, 5, 2}, [](const At& i) { return i[2] * 15 + i[0] * 5 + i[1]; })),
       moving(
           "2, 0 to 0, -1", {2, 3, 5},
           [](const Tensor& x) {
             return movedim(x, {2, 0}, {0, -1});
           },
           picked({5, 3, 2}, [](const At& i) { return i[2] * 15 + i[1] * 5 + i[0]; })),
       moving(
           "0-dim", {}, [](const Tensor& x) { return movedim(x, 0, -1); }, picked({}, [](const At&) { return 0; }))},
      {bad<ShapeError>(
           [] {
             movedim(ones({2, 3}), {0, 1}, 0);
           },
           "movedim: source and destination must name as many dims, got [0, 1] and [0]"),
       bad<IndexError>(
           [] {
             movedim(ones({2, 3}), {0, -2}, {0, 1});
           },
           "movedim: each dim may be named once, got -2 twice in [0, -2]")},
      true));
  rows.push_back(row_of("swapaxes",
                        {moving(
                            "0, -1", {2, 3, 5}, [](const Tensor& x) { return swapaxes(x, 0, -1); },
                            picked({5, 3, 2}, [](const At& i) { return i[2] * 15 + i[1] * 5 + i[0]; }))},
                        {bad<IndexError>(
                            [] {
                              swapaxes(ones({2, 3}), 0, 2);
                            },
                            "swapaxes: dim must lie in [-2, 1] for a 2-dim tensor, got 2")},
                        true));
  rows.push_back(row_of(
      "diagonal",
      {moving(
           "a matrix", {3, 5}, [](const Tensor& x) { return diagonal(x); },
           picked({3}, [](const At& i) { return i[0] * 6; })),
       moving(
           "above", {3, 5}, [](const Tensor& x) { return diagonal(x, 3); },
           picked({2}, [](const At& i) { return i[0] * 6 + 3; })),
       moving(
           "below", {3, 5}, [](const Tensor& x) { return diagonal(x, -1); },
           picked({2}, [](const At& i) { return i[0] * 6 + 5; })),
       moving(
           "dims 2 and 0", {2, 3, 5}, [](const Tensor& x) { return diagonal(x, -2, 2, 0); },
           picked({3, 2}, [](const At& i) { return i[1] * 15 + i[0] * 5 + i[1] + 2; })),
       moving(
           "dims -2 and -1", {2, 3, 3}, [](const Tensor& x) { return diagonal(x, 1, -2, -1); },
           picked({2, 2}, [](const At& i) { return i[0] * 9 + i[1] * 4 + 1; })),
       moving(
           "beyond", {3, 5}, [](const Tensor& x) { return diagonal(x, 9); }, picked({0}, [](const At&) { return 0; }))},
      {bad<ShapeError>([] { diagonal(ones({3})); }, "diagonal: at least 2 dims are needed, got shape [3]"),
       bad<IndexError>(
           [] {
             diagonal(ones({3, 3}), 0, 1, -1);
           },
           "diagonal: dim1 and dim2 must be different dims, got 1 and -1")},
      true));
  rows.push_back(
      row_of("diag_embed",
             {moving(
                  "vectors", {2, 3}, [](const Tensor& x) { return diag_embed(x); },
                  picked({2, 3, 3}, [](const At& i) { return i[1] == i[2] ? i[0] * 3 + i[1] : -1; })),
              moving(
                  "above", {2}, [](const Tensor& x) { return diag_embed(x, 1); },
                  picked({3, 3}, [](const At& i) { return i[1] == i[0] + 1 ? i[0] : -1; })),
              moving(
                  "below, dims 0 and 2", {2, 2}, [](const Tensor& x) { return diag_embed(x, -1, 0, 2); },
                  picked({3, 2, 3}, [](const At& i) { return i[0] == i[2] + 1 ? i[1] * 2 + i[2] : -1; }))},
             {bad<ShapeError>([] { diag_embed(ones({})); }, "diag_embed: at least 1 dim is needed, got a 0-dim tensor"),
              bad<IndexError>([] { diag_embed(ones({2}), 0, 0, -2); },
                              "diag_embed: dim1 and dim2 must be different dims, got 0 and -2")}));
  rows.push_back(row_of(
      "unfold",
      {moving(
           "windows that meet", {7, 2}, [](const Tensor& x) { return unfold(x, 0, 3, 2); },
           picked({3, 2, 3}, [](const At& i) { return (i[0] * 2 + i[2]) * 2 + i[1]; }), 3),
       moving(
           "gaps", {2, 7}, [](const Tensor& x) { return unfold(x, -1, 2, 3); },
           picked({2, 2, 2}, [](const At& i) { return i[0] * 7 + i[1] * 3 + i[2]; })),
       moving(
           "one window", {4}, [](const Tensor& x) { return unfold(x, 0, 4, 9); },
           picked({1, 4}, [](const At& i) { return i[1]; })),
       moving(
           "0-dim", {}, [](const Tensor& x) { return unfold(x, 0, 1, 1); }, picked({1}, [](const At&) { return 0; })),
       moving(
           "empty windows", {3}, [](const Tensor& x) { return unfold(x, 0, 0, 2); },
           picked({2, 0}, [](const At&) { return 0; }))},
      {bad<ValueError>(
           [] {
             unfold(ones({2, 3}), 1, 4, 1);
           },
           "unfold: size must lie in [0, 3], the size of dim 1, got 4"),
       bad<ValueError>([] { unfold(ones({3}), 0, 2, 0); }, "unfold: step must be at least 1, got 0")},
      true));
  rows.push_back(
      row_of("as_strided",
             {moving(
                  "a transposed corner", {4, 5},
                  [](const Tensor& x) {
                    return as_strided(x, {2, 3}, {1, 5}, 6);
                  },
                  picked({2, 3}, [](const At& i) { return 6 + i[0] + i[1] * 5; })),
              moving(
                  "windows", {6},
                  [](const Tensor& x) {
                    return as_strided(x, {4, 3}, {1, 1});
                  },
                  picked({4, 3}, [](const At& i) { return i[0] + i[1]; }), 4),
              moving(
                  "one element again and again", {3},
                  [](const Tensor& x) {
                    return as_strided(x, {2, 2}, {0, 0}, 2);
                  },
                  picked({2, 2}, [](const At&) { return 2; }), 4),
              moving(
                  "nothing", {3},
                  [](const Tensor& x) {
                    return as_strided(x, {0, 2}, {7, 7});
                  },
                  picked({0, 2}, [](const At&) { return 0; }))},
             {bad<ShapeError>(
                  [] {
                    as_strided(ones({2, 3}), {2}, {1, 1});
                  },
                  "as_strided: one stride per size is needed, got size [2], stride [1, 1], storage_offset 0"),
              bad<ValueError>([] { as_strided(ones({3}), {2}, {-1}, 2); },
                              "as_strided: strides and storage_offset must not be negative, got size [2], stride [-1], "
                              "storage_offset 2"),
              bad<ShapeError>(
                  [] {
                    as_strided(ones({2, 3}), {2, 2}, {3, 3}, 1);
                  },
                  "as_strided: the elements must lie within the memory, which holds 6, got size [2, 2], stride "
                  "[3, 3], storage_offset 1")},
             true));
  rows.back().needs_contiguous = true;
  return rows;
}

}  // namespace

std::vector<Row> view_rows() {
  std::vector<Row> rows;
  for (auto* part : {pieces, strided_views}) {
    for (Row& row : part()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace op_cases
