// Rows of indexing.
#include "op_cases.h"

namespace op_cases {
namespace {

// x with some elements overwritten or added to, as a function of both.
Row index_put_row() {
  using namespace indexing;
  Row put{.name = "index_put_", .cases = {}};
  put.cases = {{"rows 2 and 0",
                {{.sizes = {3, 2}}, {.sizes = {2, 2}}},
                [](const Tensors& in) {
                  Tensor y = in[0] * 1;
                  return y.index_put_({tensor({2, 0})}, in[1]);
                },
                [](const std::vector<Array>& in) {
                  return Array({3, 2}, {in[1][2], in[1][3], in[0][2], in[0][3], in[1][0], in[1][1]});
                }},
               {"mask and a number",
                {{.sizes = {4}}, {.sizes = {}}},
                [](const Tensors& in) {
                  Tensor y = in[0] * 1;
                  return y.index_put_({tensor({true, false, false, true})}, in[1]);
                },
                [](const std::vector<Array>& in) {
                  return Array({4}, {in[1][0], in[0][1], in[0][2], in[1][0]});
                }}};
  put.cases.push_back(
      {"accumulated, with a repeat",
       {{.sizes = {3, 2}}, {.sizes = {3, 2}}},
       [](const Tensors& in) {
         Tensor y = in[0] * 1;
         return y.index_put_({tensor({2, 0, 2})}, in[1], true);
       },
       [](const std::vector<Array>& in) {
         const Array &x = in[0], &v = in[1];
         return Array({3, 2}, {x[0] + v[2], x[1] + v[3], x[2], x[3], x[4] + v[0] + v[4], x[5] + v[1] + v[5]});
       },
       3});
  put.cases.push_back({"accumulated into a view",
                       {{.sizes = {2, 2}}, {.sizes = {}}},
                       [](const Tensors& in) {
                         Tensor y = in[0] * 1;
                         return index_put_(y, {Slice(), 1}, in[1], true);
                       },
                       [](const std::vector<Array>& in) {
                         const Array& x = in[0];
                         return Array({2, 2}, {x[0], x[1] + in[1][0], x[2], x[3] + in[1][0]});
                       },
                       2});
  put.bad_inputs = {
      bad<ShapeError>(
          [] {
            ones({3, 2}).index_put_({tensor({0, 1})}, ones({3}));
          },
          "index_put_: shapes [2, 2] and [3] do not broadcast: sizes 2 and 3 at dim -1 differ and neither is 1"),
      bad<ShapeError>(
          [] {
            ones({3, 2}).index_put_({0}, ones({4}));
          },
          "index_put_: shapes [2] and [4] do not broadcast: sizes 2 and 4 at dim -1 differ and neither is 1"),
      bad<ShapeError>(
          [] {
            ones({3, 2}).index_put_({0}, ones({3, 2}));
          },
          "index_put_: values must broadcast to the indexed shape [2], got [3, 2]"),
      bad<IndexError>([] { ones({3}).index_put_({tensor({7})}, 1); },
                      "index_put_: an index must lie in [-3, 2] at dim 0 of size 3, got 7"),
      bad<IndexError>([] { ones({3}).index_put_({7}, 1); },
                      "index_put_: an index must lie in [-3, 2] at dim 0 of size 3, got 7")};
  return put;
}

}  // namespace

std::vector<Row> indexing_rows() {
  using namespace indexing;
  Row row = row_of(
      "index", {},
      {bad<IndexError>(
           [] {
             ones({2}).index({0, 0});
           },
           "index: at most 1 dims can be indexed in shape [2], got 2"),
       bad<IndexError>(
           [] {
             ones({3}).index({tensor({0, 3})});
           },
           "index: an index must lie in [-3, 2] at dim 0 of size 3, got 3"),
       bad<DTypeError>([] { ones({3}).index({ones({3})}); },
                       "index: an index tensor must be int64, an integer or a bool mask, got float32"),
       bad<IndexError>([] { ones({3}).index({3}); }, "index: an index must lie in [-3, 2] at dim 0 of size 3, got 3"),
       bad<IndexError>([] { ones({0}).index({0}); },
                       "index: there must be an element at dim 0, which has size 0, got index 0"),
       bad<ValueError>([] { ones({3}).index({Slice(0, 3, 0)}); }, "index: step must be at least 1, got 0"),
       bad<IndexError>([] { ones({3}).index({ones({4}, kBool)}); },
                       "index: a mask must have the shape of the dims it covers, mask is [4] from dim 0 of [3]"),
       bad<ValueError>([] { ones({3}).index({"*"}); },
                       "index: the only text an index may hold is \"...\", got \"*\"")});
  row.reads_values = true;  // a mask
  row.cases = {moving(
                   "{1, 1:, None}", {2, 3},
                   [](const Tensor& x) {
                     return x.index({1, Slice(1, None), None});
                   },
                   picked({2, 1}, [](const auto& i) { return 4 + i[0]; })),
               moving(
                   "{..., 0}", {2, 3, 5},
                   [](const Tensor& x) {
                     return x.index({"...", 0});
                   },
                   picked({2, 3}, [](const auto& i) { return (i[0] * 3 + i[1]) * 5; })),
               moving(
                   "rows with repeats", {3, 2},
                   [](const Tensor& x) {
                     return x.index({tensor({2, 0, -1, 0})});
                   },
                   picked({4, 2},
                          [](const auto& i) {
                            return std::vector<int64_t>{2, 0, 2, 0}[static_cast<size_t>(i[0])] * 2 + i[1];
                          })),
               moving(
                   "two index tensors", {3, 4},
                   [](const Tensor& x) {
                     return x.index({tensor({0, 2, 2}), tensor({1, 3, 3})});
                   },
                   picked({3},
                          [](const auto& i) {
                            return std::vector<int64_t>{1, 11, 11}[static_cast<size_t>(i[0])];
                          })),
               moving(
                   "mask", {2, 3},
                   [](const Tensor& x) {
                     return x.index({tensor({{true, false, true}, {false, false, true}})});
                   },
                   picked({3},
                          [](const auto& i) {
                            return std::vector<int64_t>{0, 2, 5}[static_cast<size_t>(i[0])];
                          })),
               moving(
                   "slice and index tensor", {3, 4},
                   [](const Tensor& x) {
                     return x.index({Slice(1, 3), tensor({3, 0})});
                   },
                   picked({2, 2}, [](const auto& i) { return (1 + i[0]) * 4 + (i[1] == 0 ? 3 : 0); })),
               moving(
                   "a 0-dim mask", {3, 2},
                   [](const Tensor& x) { return x.index({x.numel() > 1 ? tensor(true) : tensor(false)}); },
                   picked({1, 3, 2}, [](const At& i) { return i[1] * 2 + i[2]; })),
               moving(
                   "a list", {2, 3},
                   [](const Tensor& x) {
                     return x.index(std::vector<TensorIndex>{Slice(), 1});
                   },
                   picked({2}, [](const auto& i) { return i[0] * 3 + 1; })),
               moving(
                   "nothing", {3, 2}, [](const Tensor& x) { return x.index({empty({0}, kInt64)}); },
                   [](const std::vector<Array>&) {
                     return Array(Shape{0, 2});
                   })};
  return {row, index_put_row()};
}

}  // namespace op_cases
