// Rows of the operations on layout: views, joining, copying, converting.
#include "op_cases.h"

namespace op_cases {
namespace {

// The same elements in the same order.
Reference kept(Shape result) {
  return [=](const std::vector<Array>& in) { return Array(result, in[0].v); };
}
Reference same() {
  return [](const std::vector<Array>& in) { return Array(in[0].sizes, in[0].v); };
}

std::vector<Row> relabelling() {
  std::vector<Row> rows;
  rows.push_back(row_of(
      "view",
      {moving(
           "[2,3,5] as [6,-1]", {2, 3, 5},
           [](const Tensor& x) {
             return view(x, {6, -1});
           },
           kept({6, 5})),
       moving(
           "[7] as [1,7,1]", {7},
           [](const Tensor& x) {
             return view(x, {1, 7, 1});
           },
           kept({1, 7, 1})),
       moving(
           "[0,3] as [3,0]", {0, 3},
           [](const Tensor& x) {
             return view(x, {3, 0});
           },
           kept({3, 0}))},
      {bad<ShapeError>(
          [] {
            view(ones({2, 3}).t(), {6});
          },
          "view: the strides do not allow sizes [6] without a copy, got shape [3, 2] with strides [1, 3] (use reshape())")},
      true));
  rows.back().needs_contiguous = true;
  rows.push_back(row_of("view_as",
                        {moving(
                            "[2,3] as [3,2]", {2, 3},
                            [](const Tensor& x) {
                              return view_as(x, zeros({3, 2}));
                            },
                            kept({3, 2}))},
                        {bad<ValueError>([] { view_as(ones({2}), Tensor()); },
                                         "view_as: other must be defined, got an undefined tensor (Tensor())")},
                        true));
  rows.back().needs_contiguous = true;
  rows.push_back(row_of(
      "reshape",
      {moving(
           "[2,3,5] as [5,6]", {2, 3, 5},
           [](const Tensor& x) {
             return reshape(x, {5, 6});
           },
           kept({5, 6})),
       moving(
           "a transpose", {2, 3}, [](const Tensor& x) { return reshape(t(x), {6}); },
           picked({6}, [](const auto& i) { return i[0] % 2 * 3 + i[0] / 2; })),
       moving(
           "[1] as []", {1}, [](const Tensor& x) { return reshape(x, IntArrayRef()); }, kept(Shape{}))},
      {bad<ShapeError>(
          [] {
            reshape(ones({2, 3}), {4, 2});
          },
          "reshape: the number of elements must stay the same, got sizes [4, 2] for 6 elements of shape [2, 3]")}));
  rows.push_back(
      row_of("flatten",
             {moving(
                  "all", {2, 3, 5}, [](const Tensor& x) { return flatten(x); }, kept({30})),
              moving(
                  "1 to 2", {2, 3, 5, 2}, [](const Tensor& x) { return flatten(x, 1, 2); }, kept({2, 15, 2})),
              moving(
                  "0-dim", {}, [](const Tensor& x) { return flatten(x); }, kept({1}))},
             {bad<IndexError>(
                 [] {
                   flatten(ones({2, 3}), 1, 0);
                 },
                 "flatten: start_dim must not come after end_dim, got 1 and 0")}));
  rows.push_back(
      row_of("squeeze",
             {moving(
                  "all", {1, 3, 1, 2}, [](const Tensor& x) { return squeeze(x); }, kept({3, 2})),
              moving(
                  "dim 0", {1, 3, 1}, [](const Tensor& x) { return squeeze(x, 0); }, kept({3, 1})),
              moving(
                  "dim of size 3", {1, 3}, [](const Tensor& x) { return squeeze(x, 1); }, kept({1, 3})),
              moving(
                  "dims 0, -1, 1", {1, 3, 1, 1},
                  [](const Tensor& x) {
                    return squeeze(x, {0, -1, 1});
                  },
                  kept({3, 1})),
              moving(
                  "no dims", {1, 3}, [](const Tensor& x) { return squeeze(x, IntArrayRef()); }, kept({1, 3}))},
             {bad<IndexError>(
                 [] {
                   squeeze(ones({2, 1}), 2);
                 },
                 "squeeze: dim must lie in [-2, 1] for a 2-dim tensor, got 2")},
             true));
  rows.push_back(row_of("unsqueeze",
                        {moving(
                             "0", {3, 2}, [](const Tensor& x) { return unsqueeze(x, 0); }, kept({1, 3, 2})),
                         moving(
                             "-1", {3, 2}, [](const Tensor& x) { return unsqueeze(x, -1); }, kept({3, 2, 1})),
                         moving(
                             "0-dim", {}, [](const Tensor& x) { return unsqueeze(x, 0); }, kept({1}))},
                        {bad<IndexError>([] { unsqueeze(ones({2}), 2); },
                                         "unsqueeze: the new dim of a 1-dim tensor must lie in [-2, 1], got 2")},
                        true));
  return rows;
}

std::vector<Row> strided() {
  std::vector<Row> rows;
  rows.push_back(row_of("transpose",
                        {moving(
                             "0, 2", {2, 3, 5}, [](const Tensor& x) { return transpose(x, 0, 2); },
                             picked({5, 3, 2}, [](const auto& i) { return i[2] * 15 + i[1] * 5 + i[0]; })),
                         moving(
                             "zero-size", {0, 3}, [](const Tensor& x) { return transpose(x, 0, 1); }, kept({3, 0}))},
                        {bad<IndexError>(
                            [] {
                              transpose(ones({2, 3}), 0, 2);
                            },
                            "transpose: dim must lie in [-2, 1] for a 2-dim tensor, got 2")},
                        true));
  rows.push_back(row_of("permute",
                        {moving(
                            "2, 0, 1", {2, 3, 5},
                            [](const Tensor& x) {
                              return permute(x, {2, 0, 1});
                            },
                            picked({5, 2, 3}, [](const auto& i) { return i[1] * 15 + i[2] * 5 + i[0]; }))},
                        {bad<ShapeError>(
                            [] {
                              permute(ones({2, 3}), {0});
                            },
                            "permute: every dim must be named once, got [0] for shape [2, 3]")},
                        true));
  rows.push_back(row_of("t",
                        {moving(
                             "matrix", {2, 3}, [](const Tensor& x) { return t(x); },
                             picked({3, 2}, [](const auto& i) { return i[1] * 3 + i[0]; })),
                         moving(
                             "vector", {3}, [](const Tensor& x) { return t(x); }, kept({3}))},
                        {bad<ShapeError>(
                            [] {
                              t(ones({2, 3, 4}));
                            },
                            "t: at most 2 dims can be transposed, got shape [2, 3, 4] (use transpose() or permute())")},
                        true));
  rows.push_back(row_of("expand",
                        {moving(
                             "[3,1] to [2,3,5]", {3, 1},
                             [](const Tensor& x) {
                               return expand(x, {2, -1, 5});
                             },
                             picked({2, 3, 5}, [](const auto& i) { return i[1]; })),
                         moving(
                             "[] to [4]", {}, [](const Tensor& x) { return expand(x, {4}); },
                             picked({4}, [](const auto&) { return 0; }))},
                        {bad<ShapeError>(
                            [] {
                              expand(ones({2, 3}), {3});
                            },
                            "expand: there must be at least as many sizes as dims, got sizes [3] for shape [2, 3]")},
                        true));
  rows.back().cases[0].terms = 10;
  rows.push_back(row_of("expand_as",
                        {moving(
                            "[3,1] as [3,4]", {3, 1},
                            [](const Tensor& x) {
                              return expand_as(x, zeros({3, 4}));
                            },
                            picked({3, 4}, [](const auto& i) { return i[0]; }))},
                        {}, true));
  rows.push_back(row_of("select",
                        {moving(
                            "dim 1", {2, 3, 5}, [](const Tensor& x) { return select(x, 1, -2); },
                            picked({2, 5}, [](const auto& i) { return i[0] * 15 + 5 + i[1]; }))},
                        {bad<IndexError>(
                            [] {
                              select(ones({2, 3}), 1, 3);
                            },
                            "select: index must lie in [-3, 2] at dim 1 of shape [2, 3], got 3")},
                        true));
  rows.push_back(
      row_of("slice",
             {moving(
                  "1:6:2", {7, 2}, [](const Tensor& x) { return slice(x, 0, 1, 6, 2); },
                  picked({3, 2}, [](const auto& i) { return (1 + 2 * i[0]) * 2 + i[1]; })),
              moving(
                  "-3:", {3, 5}, [](const Tensor& x) { return slice(x, 1, -3); },
                  picked({3, 3}, [](const auto& i) { return i[0] * 5 + 2 + i[1]; })),
              moving(
                  "nothing", {5}, [](const Tensor& x) { return slice(x, 0, 4, 2); },
                  [](const std::vector<Array>&) { return Array(Shape{0}); })},
             {bad<ValueError>([] { slice(ones({3}), 0, 0, 3, 0); }, "slice: step must be at least 1, got 0")}, true));
  rows.push_back(
      row_of("narrow",
             {moving(
                  "the front", {5, 2}, [](const Tensor& x) { return narrow(x, 0, 1, 2); },
                  picked({2, 2}, [](const auto& i) { return 2 + i[0] * 2 + i[1]; })),
              moving(
                  "dim 1", {2, 5}, [](const Tensor& x) { return narrow(x, 1, 2, 3); },
                  picked({2, 3}, [](const auto& i) { return i[0] * 5 + 2 + i[1]; }))},
             {bad<IndexError>([] { narrow(ones({5}), 0, 3, 3); },
                              "narrow: start and length must stay within size 5 of dim 0, got start 3 and length 3")},
             true));
  return rows;
}

std::vector<Row> copies() {
  std::vector<Row> rows;
  rows.push_back(row_of("contiguous",
                        {moving(
                            "a transpose", {2, 3}, [](const Tensor& x) { return contiguous(t(x)); },
                            picked({3, 2}, [](const auto& i) { return i[1] * 3 + i[0]; }))},
                        {}));
  rows.push_back(row_of("clone",
                        {moving(
                             "matrix", {3, 5}, [](const Tensor& x) { return clone(x); }, same()),
                         moving(
                             "0-dim", {}, [](const Tensor& x) { return clone(x); }, same()),
                         moving(
                             "zero-size", {0, 2}, [](const Tensor& x) { return clone(x); }, same())},
                        {}));
  rows.push_back(row_of("to",
                        {moving(
                             "float64", {3, 5}, [](const Tensor& x) { return to(x, kFloat64); }, same()),
                         moving(
                             "another's", {3, 5}, [](const Tensor& x) { return to(x, zeros({1}, kFloat64)); }, same())},
                        {bad<ValueError>([] { to(ones({2}), Tensor()); },
                                         "to: other must be defined, got an undefined tensor (Tensor())")}));
  Case whole{"int64",
             {{.sizes = {3, 5}, .domain = {-9, 9}}},
             [](const Tensors& in) { return to(in[0], kInt64); },
             map([](double x) { return std::trunc(x); })};
  whole.order = 0;
  rows.back().cases.push_back(whole);
  return rows;
}

// Parts laid side by side along `dim`.
Reference joined(int64_t dim) {
  return [dim](const std::vector<Array>& in) {
    Shape sizes = in[0].sizes;
    sizes[dim] = 0;
    for (const Array& part : in) sizes[dim] += part.sizes[dim];
    Array y(sizes);
    int64_t inner = 1;
    for (int64_t d = dim + 1; d < sizes.size(); ++d) inner *= sizes[d];
    int64_t start = 0;
    for (const Array& part : in) {
      const int64_t rows = part.sizes[dim];
      for (int64_t i = 0; i < part.numel(); ++i) {
        const int64_t outer = i / (rows * inner);
        y[(outer * sizes[dim] + start + i / inner % rows) * inner + i % inner] = part[i];
      }
      start += rows;
    }
    return y;
  };
}

std::vector<Row> joins() {
  std::vector<Row> rows;
  Row cat_row =
      row_of("cat", {},
             {bad<ValueError>([] { cat({}); }, "cat: at least one tensor is needed, got none"),
              bad<ShapeError>(
                  [] {
                    cat({ones({2, 3}), ones({2, 4})});
                  },
                  "cat: all sizes but that of dim 0 must agree, tensor 0 is [2, 3] and tensor 1 is [2, 4]"),
              bad<ShapeError>([] { cat({ones({})}); }, "cat: 0-dim tensors have no dim to join along (use stack())")});
  for (int64_t dim : {0, 1, 2}) {
    std::vector<Arg> args(3, Arg{.sizes = {2, 3, 5}});
    args[1].sizes[dim] = 1;
    args[2].sizes[dim] = 0;
    cat_row.cases.push_back(
        {"dim " + std::to_string(dim), args, [dim](const Tensors& in) { return cat(in, dim); }, joined(dim)});
  }
  const std::vector<Arg> large(2, Arg{.sizes = {512, 512}});
  cat_row.bench = {{"2 x [512, 512]", large, [](const Tensors& in) { return cat(in, 1); }, {}}};
  rows.push_back(cat_row);
  Row stack_row = row_of("stack", {},
                         {bad<ValueError>([] { stack({}); }, "stack: at least one tensor is needed, got none"),
                          bad<ShapeError>(
                              [] {
                                stack({ones({2}), ones({3})});
                              },
                              "stack: all tensors must have one shape, tensor 0 is [2] and tensor 1 is [3]"),
                          bad<IndexError>(
                              [] {
                                stack({ones({2, 3}), ones({2, 3})}, 3);
                              },
                              "stack: the new dim of a 2-dim tensor must lie in [-3, 2], got 3")});
  for (int64_t dim : {0, 1, 2}) {
    const auto reference = [dim](std::vector<Array> in) {
      for (Array& part : in) part.sizes.insert(dim, 1);
      return joined(dim)(in);
    };
    stack_row.cases.push_back({"dim " + std::to_string(dim), std::vector<Arg>(3, Arg{.sizes = {2, 3}}),
                               [dim](const Tensors& in) { return stack(in, dim); }, reference});
  }
  stack_row.cases.push_back({"0-dim", std::vector<Arg>(2), [](const Tensors& in) { return stack(in); },
                             [](const std::vector<Array>& in) {
                               return Array({2}, {in[0][0], in[1][0]});
                             }});
  rows.push_back(stack_row);
  return rows;
}

}  // namespace

std::vector<Row> shape_rows() {
  std::vector<Row> rows;
  for (auto* part : {relabelling, strided, copies, joins}) {
    for (Row& row : part()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace op_cases
