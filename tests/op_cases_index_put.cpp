// The row of index_put_.
#include "op_cases.h"

namespace op_cases {

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

}  // namespace op_cases
