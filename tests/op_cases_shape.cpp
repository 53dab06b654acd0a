// Rows of the operations on layout: views, joining, copying, converting; and of indexing.
#include "op_cases.h"

namespace op_cases {
namespace {

using Source = std::function<int64_t(const std::vector<int64_t>& at)>;

// The reference of an op that only moves elements: from(index of the result) is the row-major place in operand 0.
Reference moved(Shape result, Source from) {
  return [=](const std::vector<Array>& in) {
    Array y(result);
    std::vector<int64_t> at(static_cast<size_t>(result.size()));
    for (int64_t i = 0; i < y.numel(); ++i) {
      for (int64_t d = result.size() - 1, rest = i; d >= 0; --d) {
        at[static_cast<size_t>(d)] = rest % result[d];
        rest /= result[d];
      }
      y[i] = in[0][from(at)];
    }
    return y;
  };
}
// The same elements in the same order.
Reference kept(Shape result) {
  return [=](const std::vector<Array>& in) { return Array(result, in[0].v); };
}
Reference same() {
  return [](const std::vector<Array>& in) { return Array(in[0].sizes, in[0].v); };
}

Case one(const std::string& label, const Shape& sizes, std::function<Tensor(const Tensor&)> f, Reference reference) {
  return {label, {{.sizes = sizes}}, [f](const Tensors& in) { return f(in[0]); }, reference};
}

Row layout(const std::string& name, std::vector<Case> cases, std::vector<BadInput> bad_inputs, bool view = true) {
  Row row{.name = name, .cases = std::move(cases), .bad_inputs = std::move(bad_inputs)};
  row.view = view;
  row.integers = {kInt64, kInt32, kUInt8, kBool};
  return row;
}

std::vector<Row> relabelling() {
  std::vector<Row> rows;
  rows.push_back(layout(
      "view",
      {one(
           "[2,3,5] as [6,-1]", {2, 3, 5},
           [](const Tensor& x) {
             return view(x, {6, -1});
           },
           kept({6, 5})),
       one(
           "[7] as [1,7,1]", {7},
           [](const Tensor& x) {
             return view(x, {1, 7, 1});
           },
           kept({1, 7, 1})),
       one(
           "[0,3] as [3,0]", {0, 3},
           [](const Tensor& x) {
             return view(x, {3, 0});
           },
           kept({3, 0}))},
      {bad<ShapeError>(
          [] {
            view(ones({2, 3}).t(), {6});
          },
          "view: the strides do not allow sizes [6] without a copy, got shape [3, 2] with strides [1, 3] (use reshape())")}));
  rows.back().needs_contiguous = true;
  rows.push_back(layout("view_as",
                        {one(
                            "[2,3] as [3,2]", {2, 3},
                            [](const Tensor& x) {
                              return view_as(x, zeros({3, 2}));
                            },
                            kept({3, 2}))},
                        {bad<ValueError>([] { view_as(ones({2}), Tensor()); },
                                         "view_as: other must be defined, got an undefined tensor (Tensor())")}));
  rows.back().needs_contiguous = true;
  rows.push_back(layout(
      "reshape",
      {one(
           "[2,3,5] as [5,6]", {2, 3, 5},
           [](const Tensor& x) {
             return reshape(x, {5, 6});
           },
           kept({5, 6})),
       one(
           "a transpose", {2, 3}, [](const Tensor& x) { return reshape(t(x), {6}); },
           moved({6}, [](const auto& i) { return i[0] % 2 * 3 + i[0] / 2; })),
       one(
           "[1] as []", {1}, [](const Tensor& x) { return reshape(x, IntArrayRef()); }, kept(Shape{}))},
      {bad<ShapeError>(
          [] {
            reshape(ones({2, 3}), {4, 2});
          },
          "reshape: the number of elements must stay the same, got sizes [4, 2] for 6 elements of shape [2, 3]")},
      false));
  rows.push_back(
      layout("flatten",
             {one(
                  "all", {2, 3, 5}, [](const Tensor& x) { return flatten(x); }, kept({30})),
              one(
                  "1 to 2", {2, 3, 5, 2}, [](const Tensor& x) { return flatten(x, 1, 2); }, kept({2, 15, 2})),
              one(
                  "0-dim", {}, [](const Tensor& x) { return flatten(x); }, kept({1}))},
             {bad<IndexError>(
                 [] {
                   flatten(ones({2, 3}), 1, 0);
                 },
                 "flatten: start_dim must not come after end_dim, got 1 and 0")},
             false));
  rows.push_back(
      layout("squeeze",
             {one(
                  "all", {1, 3, 1, 2}, [](const Tensor& x) { return squeeze(x); }, kept({3, 2})),
              one(
                  "dim 0", {1, 3, 1}, [](const Tensor& x) { return squeeze(x, 0); }, kept({3, 1})),
              one(
                  "dim of size 3", {1, 3}, [](const Tensor& x) { return squeeze(x, 1); }, kept({1, 3})),
              one(
                  "dims 0, -1, 1", {1, 3, 1, 1},
                  [](const Tensor& x) {
                    return squeeze(x, {0, -1, 1});
                  },
                  kept({3, 1})),
              one(
                  "no dims", {1, 3}, [](const Tensor& x) { return squeeze(x, IntArrayRef()); }, kept({1, 3}))},
             {bad<IndexError>(
                 [] {
                   squeeze(ones({2, 1}), 2);
                 },
                 "squeeze: dim must lie in [-2, 1] for a 2-dim tensor, got 2")}));
  rows.push_back(layout("unsqueeze",
                        {one(
                             "0", {3, 2}, [](const Tensor& x) { return unsqueeze(x, 0); }, kept({1, 3, 2})),
                         one(
                             "-1", {3, 2}, [](const Tensor& x) { return unsqueeze(x, -1); }, kept({3, 2, 1})),
                         one(
                             "0-dim", {}, [](const Tensor& x) { return unsqueeze(x, 0); }, kept({1}))},
                        {bad<IndexError>([] { unsqueeze(ones({2}), 2); },
                                         "unsqueeze: the new dim of a 1-dim tensor must lie in [-2, 1], got 2")}));
  return rows;
}

std::vector<Row> strided() {
  std::vector<Row> rows;
  rows.push_back(layout("transpose",
                        {one(
                             "0, 2", {2, 3, 5}, [](const Tensor& x) { return transpose(x, 0, 2); },
                             moved({5, 3, 2}, [](const auto& i) { return i[2] * 15 + i[1] * 5 + i[0]; })),
                         one(
                             "zero-size", {0, 3}, [](const Tensor& x) { return transpose(x, 0, 1); }, kept({3, 0}))},
                        {bad<IndexError>(
                            [] {
                              transpose(ones({2, 3}), 0, 2);
                            },
                            "transpose: dim must lie in [-2, 1] for a 2-dim tensor, got 2")}));
  rows.push_back(layout("permute",
                        {one(
                            "2, 0, 1", {2, 3, 5},
                            [](const Tensor& x) {
                              return permute(x, {2, 0, 1});
                            },
                            moved({5, 2, 3}, [](const auto& i) { return i[1] * 15 + i[2] * 5 + i[0]; }))},
                        {bad<ShapeError>(
                            [] {
                              permute(ones({2, 3}), {0});
                            },
                            "permute: every dim must be named once, got [0] for shape [2, 3]")}));
  rows.push_back(
      layout("t",
             {one(
                  "matrix", {2, 3}, [](const Tensor& x) { return t(x); },
                  moved({3, 2}, [](const auto& i) { return i[1] * 3 + i[0]; })),
              one(
                  "vector", {3}, [](const Tensor& x) { return t(x); }, kept({3}))},
             {bad<ShapeError>(
                 [] {
                   t(ones({2, 3, 4}));
                 },
                 "t: at most 2 dims can be transposed, got shape [2, 3, 4] (use transpose() or permute())")}));
  rows.push_back(layout(
      "expand",
      {one(
           "[3,1] to [2,3,5]", {3, 1},
           [](const Tensor& x) {
             return expand(x, {2, -1, 5});
           },
           moved({2, 3, 5}, [](const auto& i) { return i[1]; })),
       one(
           "[] to [4]", {}, [](const Tensor& x) { return expand(x, {4}); }, moved({4}, [](const auto&) { return 0; }))},
      {bad<ShapeError>(
          [] {
            expand(ones({2, 3}), {3});
          },
          "expand: there must be at least as many sizes as dims, got sizes [3] for shape [2, 3]")}));
  rows.back().cases[0].terms = 10;
  rows.push_back(layout("expand_as",
                        {one(
                            "[3,1] as [3,4]", {3, 1},
                            [](const Tensor& x) {
                              return expand_as(x, zeros({3, 4}));
                            },
                            moved({3, 4}, [](const auto& i) { return i[0]; }))},
                        {}));
  rows.push_back(layout("select",
                        {one(
                            "dim 1", {2, 3, 5}, [](const Tensor& x) { return select(x, 1, -2); },
                            moved({2, 5}, [](const auto& i) { return i[0] * 15 + 5 + i[1]; }))},
                        {bad<IndexError>(
                            [] {
                              select(ones({2, 3}), 1, 3);
                            },
                            "select: index must lie in [-3, 2] at dim 1 of shape [2, 3], got 3")}));
  rows.push_back(
      layout("slice",
             {one(
                  "1:6:2", {7, 2}, [](const Tensor& x) { return slice(x, 0, 1, 6, 2); },
                  moved({3, 2}, [](const auto& i) { return (1 + 2 * i[0]) * 2 + i[1]; })),
              one(
                  "-3:", {3, 5}, [](const Tensor& x) { return slice(x, 1, -3); },
                  moved({3, 3}, [](const auto& i) { return i[0] * 5 + 2 + i[1]; })),
              one(
                  "nothing", {5}, [](const Tensor& x) { return slice(x, 0, 4, 2); },
                  [](const std::vector<Array>&) { return Array(Shape{0}); })},
             {bad<ValueError>([] { slice(ones({3}), 0, 0, 3, 0); }, "slice: step must be at least 1, got 0")}));
  rows.push_back(
      layout("narrow",
             {one(
                  "the front", {5, 2}, [](const Tensor& x) { return narrow(x, 0, 1, 2); },
                  moved({2, 2}, [](const auto& i) { return 2 + i[0] * 2 + i[1]; })),
              one(
                  "dim 1", {2, 5}, [](const Tensor& x) { return narrow(x, 1, 2, 3); },
                  moved({2, 3}, [](const auto& i) { return i[0] * 5 + 2 + i[1]; }))},
             {bad<IndexError>([] { narrow(ones({5}), 0, 3, 3); },
                              "narrow: start and length must stay within size 5 of dim 0, got start 3 and length 3")}));
  return rows;
}

std::vector<Row> copies() {
  std::vector<Row> rows;
  rows.push_back(layout("contiguous",
                        {one(
                            "a transpose", {2, 3}, [](const Tensor& x) { return contiguous(t(x)); },
                            moved({3, 2}, [](const auto& i) { return i[1] * 3 + i[0]; }))},
                        {}, false));
  rows.push_back(layout("clone",
                        {one(
                             "matrix", {3, 5}, [](const Tensor& x) { return clone(x); }, same()),
                         one(
                             "0-dim", {}, [](const Tensor& x) { return clone(x); }, same()),
                         one(
                             "zero-size", {0, 2}, [](const Tensor& x) { return clone(x); }, same())},
                        {}, false));
  rows.push_back(layout("to",
                        {one(
                             "float64", {3, 5}, [](const Tensor& x) { return to(x, kFloat64); }, same()),
                         one(
                             "another's", {3, 5}, [](const Tensor& x) { return to(x, zeros({1}, kFloat64)); }, same())},
                        {bad<ValueError>([] { to(ones({2}), Tensor()); },
                                         "to: other must be defined, got an undefined tensor (Tensor())")},
                        false));
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
      layout("cat", {},
             {bad<ValueError>([] { cat({}); }, "cat: at least one tensor is needed, got none"),
              bad<ShapeError>(
                  [] {
                    cat({ones({2, 3}), ones({2, 4})});
                  },
                  "cat: all sizes but that of dim 0 must agree, tensor 0 is [2, 3] and tensor 1 is [2, 4]"),
              bad<ShapeError>([] { cat({ones({})}); }, "cat: 0-dim tensors have no dim to join along (use stack())")},
             false);
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
  Row stack_row = layout("stack", {},
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
                              "stack: the new dim of a 2-dim tensor must lie in [-3, 2], got 3")},
                         false);
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

std::vector<Row> indexing_rows() {
  using namespace indexing;
  Row row = layout(
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
       bad<ValueError>([] { ones({3}).index({"*"}); }, "index: the only text an index may hold is \"...\", got \"*\"")},
      false);
  row.cases = {
      one(
          "{1, 1:, None}", {2, 3},
          [](const Tensor& x) {
            return x.index({1, Slice(1, None), None});
          },
          moved({2, 1}, [](const auto& i) { return 4 + i[0]; })),
      one(
          "{..., 0}", {2, 3, 5},
          [](const Tensor& x) {
            return x.index({"...", 0});
          },
          moved({2, 3}, [](const auto& i) { return (i[0] * 3 + i[1]) * 5; })),
      one(
          "rows with repeats", {3, 2},
          [](const Tensor& x) {
            return x.index({tensor({2, 0, -1, 0})});
          },
          moved({4, 2},
                [](const auto& i) {
                  return std::vector<int64_t>{2, 0, 2, 0}[static_cast<size_t>(i[0])] * 2 + i[1];
                })),
      one(
          "two index tensors", {3, 4},
          [](const Tensor& x) {
            return x.index({tensor({0, 2, 2}), tensor({1, 3, 3})});
          },
          moved({3},
                [](const auto& i) {
                  return std::vector<int64_t>{1, 11, 11}[static_cast<size_t>(i[0])];
                })),
      one(
          "mask", {2, 3},
          [](const Tensor& x) {
            return x.index({tensor({{true, false, true}, {false, false, true}})});
          },
          moved({3},
                [](const auto& i) {
                  return std::vector<int64_t>{0, 2, 5}[static_cast<size_t>(i[0])];
                })),
      one(
          "slice and index tensor", {3, 4},
          [](const Tensor& x) {
            return x.index({Slice(1, 3), tensor({3, 0})});
          },
          moved({2, 2}, [](const auto& i) { return (1 + i[0]) * 4 + (i[1] == 0 ? 3 : 0); })),
      one(
          "a 0-dim mask", {3, 2},
          [](const Tensor& x) { return x.index({x.numel() > 1 ? tensor(true) : tensor(false)}); }, kept({1, 3, 2})),
      one(
          "a list", {2, 3},
          [](const Tensor& x) {
            return x.index(std::vector<TensorIndex>{Slice(), 1});
          },
          moved({2}, [](const auto& i) { return i[0] * 3 + 1; })),
      one(
          "nothing", {3, 2}, [](const Tensor& x) { return x.index({empty({0}, kInt64)}); },
          [](const std::vector<Array>&) {
            return Array(Shape{0, 2});
          })};
  return {row, index_put_row()};
}

}  // namespace op_cases
