// Rows of the operations that repeat, turn, shift or cut tensors.
#include <algorithm>

#include "op_cases.h"

namespace op_cases {
namespace {

std::vector<Row> repeats() {
  std::vector<Row> rows;
  rows.push_back(row_of(
      "repeat",
      {moving(
           "both dims", {2, 3},
           [](const Tensor& x) {
             return repeat(x, {2, 3});
           },
           picked({4, 9}, [](const At& i) { return i[0] % 2 * 3 + i[1] % 3; }), 6),
       moving(
           "a new dim", {3},
           [](const Tensor& x) {
             return repeat(x, {2, 1, 2});
           },
           picked({2, 1, 6}, [](const At& i) { return i[2] % 3; }), 4),
       moving(
           "once", {2, 3},
           [](const Tensor& x) {
             return repeat(x, {1, 1});
           },
           picked({2, 3}, [](const At& i) { return i[0] * 3 + i[1]; })),
       moving(
           "not at all", {2, 3},
           [](const Tensor& x) {
             return repeat(x, {3, 0});
           },
           picked({6, 0}, [](const At&) { return 0; })),
       moving(
           "0-dim", {}, [](const Tensor& x) { return repeat(x, 3); }, picked({3}, [](const At&) { return 0; }), 3),
       moving(
           "seven dims", {1, 2, 1, 2, 1, 2, 1},
           [](const Tensor& x) {
             return repeat(x, {1, 2, 1, 1, 1, 1, 3});
           },
           picked({1, 4, 1, 2, 1, 2, 3}, [](const At& i) { return i[1] % 2 * 4 + i[3] * 2 + i[5]; }), 6)},
      {bad<ShapeError>(
           [] {
             repeat(ones({2, 3}), 2);
           },
           "repeat: at least one count per dim is needed, got [2] for shape [2, 3] (use tile())"),
       bad<ValueError>([] { repeat(ones({2}), -1); }, "repeat: repeats must not be negative, got -1")}));
  rows.back().bench = {timed({256, 256}, [](const Tensor& x) { return repeat(x, {4, 4}); })};
  rows.push_back(row_of("tile",
                        {moving(
                             "the last dim", {2, 3}, [](const Tensor& x) { return tile(x, 2); },
                             picked({2, 6}, [](const At& i) { return i[0] * 3 + i[1] % 3; }), 2),
                         moving(
                             "new dims", {2},
                             [](const Tensor& x) {
                               return tile(x, {3, 2});
                             },
                             picked({3, 4}, [](const At& i) { return i[1] % 2; }), 6)},
                        {bad<ValueError>(
                            [] {
                              tile(ones({2}), {2, -2});
                            },
                            "tile: repeats must not be negative, got -2")}));
  Case counts{"the indices",
              {{.sizes = {5}, .domain = {0, 4}, .dtype = kInt64}},
              [](const Tensors& in) { return repeat_interleave(in[0]); },
              [](const std::vector<Array>& in) {
                std::vector<double> y;
                for (int64_t i = 0; i < in[0].numel(); ++i)
                  y.insert(y.end(), static_cast<size_t>(in[0][i]), static_cast<double>(i));
                return Array({static_cast<int64_t>(y.size())}, y);
              }};
  counts.order = 0;
  rows.push_back(
      row_of("repeat_interleave",
             {moving(
                  "rows twice", {3, 2}, [](const Tensor& x) { return repeat_interleave(x, 2, 0); },
                  picked({6, 2}, [](const At& i) { return i[0] / 2 * 2 + i[1]; }), 2),
              moving(
                  "flattened", {2, 2}, [](const Tensor& x) { return repeat_interleave(x, 3); },
                  picked({12}, [](const At& i) { return i[0] / 3; }), 3),
              moving(
                  "once", {2, 2}, [](const Tensor& x) { return repeat_interleave(x, 1, 1, 2); },
                  picked({2, 2}, [](const At& i) { return i[0] * 2 + i[1]; })),
              moving(
                  "by counts", {2, 3},
                  [](const Tensor& x) {
                    return repeat_interleave(x, tensor({2, 0, 3}), -1);
                  },
                  columns_in({0, 0, 2, 2, 2}, 2, 3), 3),
              moving(
                  "one count", {3}, [](const Tensor& x) { return repeat_interleave(x, tensor({2}, kInt32)); },
                  picked({6}, [](const At& i) { return i[0] / 2; }), 2),
              moving(
                  "0-dim", {}, [](const Tensor& x) { return repeat_interleave(x, 2); },
                  picked({2}, [](const At&) { return 0; }), 2),
              counts},
             {bad<ValueError>([] { repeat_interleave(ones({2}), -1); },
                              "repeat_interleave: repeats must not be negative, got -1"),
              bad<ValueError>(
                  [] {
                    repeat_interleave(ones({2}), tensor({1, -3}));
                  },
                  "repeat_interleave: repeats must not be negative, got -3"),
              bad<ShapeError>(
                  [] {
                    repeat_interleave(ones({2, 3}), tensor({1, 2}), 1);
                  },
                  "repeat_interleave: one count per element of dim 1 is needed, got 2 for size 3"),
              bad<DTypeError>([] { repeat_interleave(ones({2}), ones({2})); },
                              "repeat_interleave: repeats must be int64 or int32, got float32"),
              bad<ValueError>([] { repeat_interleave(ones({2}), 2, 0, 5); },
                              "repeat_interleave: output_size must be the sum of the repeats, which is 4, got 5")}));
  rows.back().reads_values = true;
  return rows;
}

std::vector<Row> turns() {
  std::vector<Row> rows;
  rows.push_back(
      row_of("flip",
             {moving(
                  "dim 0", {3, 2}, [](const Tensor& x) { return flip(x, 0); }, rows_in({2, 1, 0}, 2)),
              moving(
                  "dims 0 and -1", {2, 3, 5},
                  [](const Tensor& x) {
                    return flip(x, {0, -1});
                  },
                  picked({2, 3, 5}, [](const At& i) { return (1 - i[0]) * 15 + i[1] * 5 + 4 - i[2]; })),
              moving(
                  "no dims", {2, 2}, [](const Tensor& x) { return flip(x, {}); }, rows_in({0, 1}, 2)),
              moving(
                  "0-dim", {}, [](const Tensor& x) { return flip(x, 0); }, picked({}, [](const At&) { return 0; })),
              moving(
                  "zero-size", {0, 2},
                  [](const Tensor& x) {
                    return flip(x, {0, 1});
                  },
                  rows_in({}, 2))},
             {bad<IndexError>(
                 [] {
                   flip(ones({2, 2}), {1, -1});
                 },
                 "flip: each dim may be named once, got -1 twice in [1, -1]")}));
  rows.back().bench = {timed({1024, 1024}, [](const Tensor& x) { return flip(x, 1); })};
  rows.push_back(row_of(
      "roll",
      {moving(
           "flattened", {2, 3}, [](const Tensor& x) { return roll(x, 2); },
           picked({2, 3}, [](const At& i) { return (i[0] * 3 + i[1] + 4) % 6; })),
       moving(
           "two dims", {3, 4},
           [](const Tensor& x) {
             return roll(x, {-1, 5}, {0, 1});
           },
           picked({3, 4}, [](const At& i) { return (i[0] + 1) % 3 * 4 + (i[1] + 3) % 4; })),
       moving(
           "a whole turn", {3}, [](const Tensor& x) { return roll(x, 6, 0); },
           picked({3}, [](const At& i) { return i[0]; })),
       moving(
           "0-dim", {}, [](const Tensor& x) { return roll(x, 1); }, picked({}, [](const At&) { return 0; })),
       moving(
           "zero-size", {0, 2},
           [](const Tensor& x) {
             return roll(x, {1, 1}, {0, 1});
           },
           rows_in({}, 2))},
      {bad<ShapeError>(
           [] {
             roll(ones({2, 2}), {1, 1}, 0);
           },
           "roll: one shift per dim is needed, got shifts [1, 1] and dims [0]"),
       bad<IndexError>([] { roll(ones({2}), 1, 1); }, "roll: dim must lie in [-1, 0] for a 1-dim tensor, got 1")}));
  rows.back().bench = {timed({1024, 1024}, [](const Tensor& x) { return roll(x, 7, 1); })};
  rows.push_back(row_of(
      "rot90",
      {moving(
           "a quarter", {2, 3}, [](const Tensor& x) { return rot90(x); },
           picked({3, 2}, [](const At& i) { return i[1] * 3 + 2 - i[0]; })),
       moving(
           "a half", {2, 3}, [](const Tensor& x) { return rot90(x, 2); },
           picked({2, 3}, [](const At& i) { return (1 - i[0]) * 3 + 2 - i[1]; })),
       moving(
           "back", {2, 3}, [](const Tensor& x) { return rot90(x, -1); },
           picked({3, 2}, [](const At& i) { return (1 - i[1]) * 3 + i[0]; })),
       moving(
           "dims 2 and 1, whole", {2, 2, 2},
           [](const Tensor& x) {
             return rot90(x, 4, {2, 1});
           },
           picked({2, 2, 2}, [](const At& i) { return i[0] * 4 + i[1] * 2 + i[2]; }))},
      {bad<ShapeError>([] { rot90(ones({3})); },
                       "rot90: two dims of a tensor with at least 2 are needed, got dims [0, 1] and shape [3]")}));
  return rows;
}

int64_t place_of(const At& at, const Shape& sizes) {
  int64_t place = 0;
  for (int64_t d = 0; d < sizes.size(); ++d) place = place * sizes[d] + at[static_cast<size_t>(d)];
  return place;
}

Reference triangle(Shape sizes, bool upper, int64_t diagonal) {
  return picked(sizes, [=](const At& at) {
    const int64_t off = at[at.size() - 1] - at[at.size() - 2];
    return (upper ? off >= diagonal : off <= diagonal) ? place_of(at, sizes) : -1;
  });
}

std::vector<Row> matrices() {
  std::vector<Row> rows;
  for (bool upper : {false, true}) {
    const std::string name = upper ? "triu" : "tril";
    const auto f = [upper](const Tensor& x, int64_t k) { return upper ? triu(x, k) : tril(x, k); };
    Row row =
        row_of(name, {},
               {upper ? bad<ShapeError>([] { triu(ones({3})); }, "triu: at least 2 dims are needed, got shape [3]")
                      : bad<ShapeError>([] { tril_(ones({3})); }, "tril_: at least 2 dims are needed, got shape [3]")});
    for (const Shape& sizes : {Shape{3, 5}, Shape{5, 3}, Shape{2, 2, 4, 4}, Shape{0, 3}, Shape{2, 3, 0}})
      row.cases.push_back(moving(
          to_string(sizes), sizes, [=](const Tensor& x) { return f(x, 0); }, triangle(sizes, upper, 0)));
    for (int64_t k : {-9, -2, 1, 9}) {
      row.cases.push_back(moving(
          "diagonal " + std::to_string(k), {2, 4, 5}, [=](const Tensor& x) { return f(x, k); },
          triangle({2, 4, 5}, upper, k)));
      row.cases.back().own_attributes = true;
    }
    row.in_place = [upper](const Tensors& in) { return upper ? triu_(in[0]) : tril_(in[0]); };
    row.bench = {timed({1024, 1024}, [=](const Tensor& x) { return f(x, 0); })};
    rows.push_back(row);
  }
  rows.push_back(
      row_of("diag",
             {moving(
                  "a vector", {3}, [](const Tensor& x) { return diag(x); },
                  picked({3, 3}, [](const At& i) { return i[0] == i[1] ? i[0] : -1; })),
              moving(
                  "a vector below", {2}, [](const Tensor& x) { return diag(x, -1); },
                  picked({3, 3}, [](const At& i) { return i[0] == i[1] + 1 ? i[1] : -1; })),
              moving(
                  "a matrix", {3, 4}, [](const Tensor& x) { return diag(x, 1); },
                  picked({3}, [](const At& i) { return i[0] * 5 + 1; }))},
             {bad<ShapeError>(
                 [] {
                   diag(ones({2, 2, 2}));
                 },
                 "diag: a vector or a matrix is needed, got shape [2, 2, 2] (use diagonal() or diag_embed())")}));
  const auto sum_of_diagonal = [](const std::vector<Array>& in) {
    Array y{Shape{}};
    y.magnitude = {0};
    for (int64_t i = 0; i < std::min(in[0].size(0), in[0].size(1)); ++i) {
      y[0] += in[0][i * in[0].size(1) + i];
      y.magnitude[0] += std::abs(in[0][i * in[0].size(1) + i]);
    }
    return y;
  };
  rows.push_back(row_of("trace",
                        {moving(
                             "[3, 5]", {3, 5}, [](const Tensor& x) { return trace(x); }, sum_of_diagonal, 3),
                         moving(
                             "[0, 2]", {0, 2}, [](const Tensor& x) { return trace(x); }, sum_of_diagonal)},
                        {bad<ShapeError>([] { trace(ones({3})); }, "trace: a matrix is needed, got shape [3]")}));
  return rows;
}

std::vector<Row> grids() {
  std::vector<Row> rows;
  const std::vector<Arg> args{{.sizes = {3}}, {.sizes = {2}}, {.sizes = {}}};
  Row grid = row_of(
      "meshgrid", {},
      {bad<ValueError>([] { meshgrid({}); }, "meshgrid: at least one tensor is needed, got none"),
       bad<ValueError>([] { meshgrid({ones({2})}, "yx"); }, "meshgrid: indexing must be \"ij\" or \"xy\", got \"yx\""),
       bad<ShapeError>(
           [] {
             meshgrid({ones({2, 2})});
           },
           "meshgrid: every tensor must be a vector or a number, got shape [2, 2]"),
       bad<DTypeError>(
           [] {
             meshgrid({ones({2}), arange(2)});
           },
           "meshgrid: all tensors must have one dtype, got float32 and int64")});
  for (bool xy : {false, true}) {
    grid.cases.push_back({xy ? "xy" : "ij", args,
                          [xy](const Tensors& in) { return stack(meshgrid(in, xy ? "xy" : "ij")); },
                          [xy](const std::vector<Array>& in) {
                            Array y(xy ? Shape{3, 2, 3, 1} : Shape{3, 3, 2, 1});
                            for (int64_t i = 0; i < 6; ++i) {
                              y[i] = in[0][xy ? i % 3 : i / 2];
                              y[6 + i] = in[1][xy ? i / 3 : i % 2];
                              y[12 + i] = in[2][0];
                            }
                            return y;
                          },
                          6});
  }
  rows.push_back(grid);
  Row product = row_of("cartesian_prod",
                       {{"two vectors",
                         {{.sizes = {2}}, {.sizes = {3}}},
                         [](const Tensors& in) { return cartesian_prod(in); },
                         [](const std::vector<Array>& in) {
                           Array y(Shape{6, 2});
                           for (int64_t i = 0; i < 6; ++i) y[2 * i] = in[0][i / 3], y[2 * i + 1] = in[1][i % 3];
                           return y;
                         },
                         3},
                        {"one vector",
                         {{.sizes = {2}}},
                         [](const Tensors& in) { return cartesian_prod(in); },
                         picked({2}, [](const At& i) { return i[0]; })}},
                       {bad<ShapeError>(
                           [] {
                             cartesian_prod({ones({2}), ones({})});
                           },
                           "cartesian_prod: every tensor must be a vector, got shape []")});
  rows.push_back(product);
  return rows;
}

}  // namespace

std::vector<Row> rearrange_rows() {
  std::vector<Row> rows;
  for (auto* part : {repeats, turns, matrices, grids}) {
    for (Row& row : part()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace op_cases
