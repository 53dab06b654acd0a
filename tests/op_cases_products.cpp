// Rows of further products of vectors and matrices, and of distances.
#include <limits>

#include "op_cases_equation.h"

namespace op_cases {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// y = beta input + alpha (a b), on the reference of the product.
Reference plus(const std::string& equation, double beta, double alpha) {
  return [=](const std::vector<Array>& in) {
    Array y = Plain(equation)({in[1], in[2]});
    for (int64_t i = 0; i < y.numel(); ++i) {
      const double c = beta == 0 ? 0 : beta * in[0].at(i, y.sizes);
      y[i] = alpha * y[i] + c;
      double& m = y.magnitude[static_cast<size_t>(i)];
      m = std::abs(alpha) * m + std::abs(c);
    }
    return y;
  };
}

using AddProduct = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const Scalar&, const Scalar&);

Row add_product_row(const std::string& name, AddProduct f, const std::string& equation,
                    const std::vector<std::vector<Shape>>& problems) {
  Row row{.name = name, .cases = {}};
  for (const auto& shapes : problems) {
    for (const auto& [beta, alpha] : {std::pair{1., 1.}, {0.5, 1.}, {1., -2.}, {0., 3.}, {0., 1.}}) {
      row.cases.push_back(
          {"beta " + std::to_string(beta) + " alpha " + std::to_string(alpha) + label_of(shapes), args_of(shapes),
           [f, beta = beta, alpha = alpha](const Tensors& in) { return f(in[0], in[1], in[2], beta, alpha); },
           plus(equation, beta, alpha), 2 + shapes[1].back()});
      row.cases.back().own_attributes = beta != 1 || alpha != 1;
    }
  }
  row.flops = [](const Tensors& in, const Tensor& y) {
    return 2.0 * static_cast<double>(y.numel()) * static_cast<double>(in[1].size(-1));
  };
  return row;
}

std::vector<Row> add_product_rows() {
  Row addmm_row = add_product_row("addmm", addmm, "ij,jk->ik",
                                  {{{4}, {3, 5}, {5, 4}},
                                   {{3, 4}, {3, 5}, {5, 4}},
                                   {{3, 1}, {3, 5}, {5, 4}},
                                   {{1, 4}, {3, 5}, {5, 4}},
                                   {{}, {3, 5}, {5, 4}},
                                   {{1, 3}, {1, 7}, {7, 3}},
                                   {{2, 4}, {2, 0}, {0, 4}},
                                   {{4}, {0, 3}, {3, 4}},
                                   {{35}, {33, 31}, {31, 35}}});
  addmm_row.in_place = [](const Tensors& in) { return addmm_(in[0], in[1], in[2]); };
  addmm_row.bad_inputs = {
      bad<ShapeError>(
          [] {
            addmm(ones({3}), ones({2, 3}), ones({3, 4}));
          },
          "addmm: input must broadcast to the product, which is [2, 4], got [3]"),
      bad<ShapeError>(
          [] {
            addmm(ones({4}), ones({2, 3}), ones({4, 3}));
          },
          "addmm: inner sizes differ, a is [2, 3] and b is [4, 3] (did you mean b.t()?)"),
      bad<ShapeError>(
          [] {
            addmm_(ones({1, 4}), ones({2, 3}), ones({3, 4}));
          },
          "addmm_: x must have the shape of the product, which is [2, 4], got [1, 4]"),
      bad<DTypeError>(
          [] {
            addmm(ones({4}, kFloat64), ones({2, 3}), ones({3, 4}));
          },
          "addmm: input and a must be float32 or float64, both the same, got float64 and float32 (did you "
          "mean to()?)")};
  addmm_row.bench = {by_equation("", "ij,jk->ik", {{300}, {64, 784}, {784, 300}},
                                 [](const Tensors& in) { return addmm(in[0], in[1], in[2]); })};
  Row baddbmm_row = add_product_row("baddbmm", baddbmm, "bij,bjk->bik",
                                    {{{2, 3, 4}, {2, 3, 5}, {2, 5, 4}},
                                     {{4}, {2, 3, 5}, {2, 5, 4}},
                                     {{2, 1, 1}, {2, 3, 5}, {2, 5, 4}},
                                     {{3, 4}, {0, 3, 5}, {0, 5, 4}},
                                     {{2, 1, 4}, {2, 1, 5}, {2, 5, 4}}});
  baddbmm_row.in_place = [](const Tensors& in) { return baddbmm_(in[0], in[1], in[2]); };
  baddbmm_row.bad_inputs = {
      bad<ShapeError>(
          [] {
            baddbmm(ones({4}), ones({2, 3, 4}), ones({3, 4, 5}));
          },
          "baddbmm: batch sizes differ, a is [2, 3, 4] and b is [3, 4, 5]"),
      bad<ShapeError>(
          [] {
            baddbmm(ones({4}), ones({3, 4}), ones({4, 5}));
          },
          "baddbmm: a and b must have 3 dims, a is [3, 4] and b is [4, 5] (did you mean matmul()?)")};
  baddbmm_row.bench = {by_equation("", "bij,bjk->bik", {{16, 128, 128}, {16, 128, 64}, {16, 64, 128}},
                                   [](const Tensors& in) { return baddbmm(in[0], in[1], in[2]); })};
  for (Row* row : {&addmm_row, &baddbmm_row}) row->bench[0].reference = {};
  return {addmm_row, baddbmm_row};
}

std::vector<Row> vector_rows() {
  Row mv_row{.name = "mv", .cases = {}};
  for (const auto& [m, k] : {std::pair<int64_t, int64_t>{3, 5}, {1, 4}, {4, 1}, {0, 3}, {3, 0}, {65, 33}})
    mv_row.cases.push_back(
        by_equation("", "ij,j->i", {{m, k}, {k}}, [](const Tensors& in) { return mv(in[0], in[1]); }));
  mv_row.bad_inputs = {
      bad<ShapeError>(
          [] {
            mv(ones({2, 3}), ones({2}));
          },
          "mv: inner sizes differ, a is [2, 3] and v is [2] (did you mean a.t()?)"),
      bad<ShapeError>([] { mv(ones({2}), ones({2})); },
                      "mv: a must have 2 dims and v 1, a is [2] and v is [2] (did you mean matmul()?)")};
  mv_row.bench = {
      by_equation("", "ij,j->i", {{1000, 1000}, {1000}}, [](const Tensors& in) { return mv(in[0], in[1]); })};

  Row dot_row{.name = "dot", .cases = {}};
  for (const int64_t n : {0, 1, 5, 33, 300})
    dot_row.cases.push_back(by_equation("", "i,i->", {{n}, {n}}, [](const Tensors& in) { return dot(in[0], in[1]); }));
  dot_row.integers = {kInt64, kInt32};
  dot_row.bad_inputs = {
      bad<ShapeError>([] { dot(ones({2}), ones({3})); }, "dot: sizes differ, a is [2] and b is [3]"),
      bad<ShapeError>(
          [] {
            dot(ones({2, 1}), ones({2}));
          },
          "dot: a and b must have 1 dim, a is [2, 1] and b is [2] (did you mean matmul()?)"),
      bad<DTypeError>([] { dot(ones({2}), ones({2}, kInt64)); },
                      "dot: a and b must have one dtype, got float32 and int64 (did you mean to()?)")};
  dot_row.bench = {
      by_equation("", "i,i->", {{1000000}, {1000000}}, [](const Tensors& in) { return dot(in[0], in[1]); })};

  Row outer_row{.name = "outer", .cases = {}};
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{3, 4}, {1, 5}, {0, 3}, {33, 17}})
    outer_row.cases.push_back(
        by_equation("", "i,j->ij", {{m}, {n}}, [](const Tensors& in) { return outer(in[0], in[1]); }));
  outer_row.integers = {kInt64, kInt32};
  outer_row.bad_inputs = {
      bad<ShapeError>([] { outer(ones({}), ones({3})); },
                      "outer: a and b must have 1 dim, a is [] and b is [3] (did you mean matmul()?)")};
  outer_row.bench = {
      by_equation("", "i,j->ij", {{1000}, {1000}}, [](const Tensors& in) { return outer(in[0], in[1]); })};
  for (Row* row : {&mv_row, &dot_row, &outer_row}) row->bench[0].reference = {};
  return {mv_row, dot_row, outer_row};
}

Row bilinear_row() {
  Row row{.name = "bilinear", .cases = {}};
  const auto call = [](const Tensors& in) { return bilinear(in[0], in[1], in[2], in.size() > 3 ? in[3] : Tensor()); };
  row.cases = {by_equation("", "bi,bj,oij->bo", {{2, 3}, {2, 4}, {5, 3, 4}}, call),
               by_equation("", "i,j,oij->o", {{3}, {4}, {2, 3, 4}}, call),
               by_equation("", "abi,abj,oij->abo", {{2, 2, 3}, {2, 2, 4}, {2, 3, 4}}, call),
               by_equation("", "bi,bj,oij->bo", {{0, 3}, {0, 4}, {2, 3, 4}}, call)};
  row.cases.push_back({"with bias", args_of({{2, 3}, {2, 4}, {5, 3, 4}, {5}}), call,
                       [](const std::vector<Array>& in) {
                         Array y = Plain("bi,bj,oij->bo")({in[0], in[1], in[2]});
                         for (int64_t i = 0; i < y.numel(); ++i) y[i] += in[3].at(i, y.sizes);
                         return y;
                       },
                       13});
  row.bad_inputs = {
      bad<ShapeError>(
          [] {
            bilinear(ones({2, 3}), ones({3, 4}), ones({5, 3, 4}));
          },
          "bilinear: x1 and x2 must have the same sizes but the last, x1 is [2, 3] and x2 is [3, 4]"),
      bad<ShapeError>(
          [] {
            bilinear(ones({2, 3}), ones({2, 4}), ones({5, 4, 3}));
          },
          "bilinear: the last sizes of x1 and x2 must be weight's in1 and in2, x1 is [2, 3] and x2 is [2, 4] "
          "and weight is [5, 4, 3]"),
      bad<ShapeError>(
          [] {
            bilinear(ones({2, 3}), ones({2, 4}), ones({5, 3, 4}), ones({4}));
          },
          "bilinear: bias must be [out], bias is [4] and weight is [5, 3, 4]")};
  row.bench = {by_equation("", "bi,bj,oij->bo", {{64, 64}, {64, 64}, {32, 64, 64}}, call)};
  row.bench[0].reference = {};
  return row;
}

double distance(const Array& a, int64_t at_a, const Array& b, int64_t at_b, int64_t n, double p) {
  double sum = 0, high = 0;
  for (int64_t k = 0; k < n; ++k) {
    const double d = std::abs(a[at_a + k] - b[at_b + k]);
    high = std::max(high, d);
    sum += p == 0 ? d != 0 : std::pow(d, p);
  }
  return p == 0 ? sum : p == kInf ? high : std::pow(sum, 1 / p);
}

Reference distances(int64_t batch, double p) {
  return [=](const std::vector<Array>& in) {
    const int64_t rows = in[0].size(-2), others = in[1].size(-2), n = in[0].size(-1);
    const int64_t shared = in[1].numel() == others * n ? 0 : others * n;  // one matrix for the whole batch, or one each
    Shape sizes = in[0].sizes;
    sizes[sizes.size() - 1] = others;
    Array y(sizes);
    y.magnitude.resize(y.v.size());
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < others; ++j) {
          const int64_t at = (b * rows + i) * others + j;
          y[at] = distance(in[0], (b * rows + i) * n, in[1], b * shared + j * n, n, p);
          y.magnitude[static_cast<size_t>(at)] = y[at] + 4 * static_cast<double>(n);
        }
      }
    }
    return y;
  };
}

Row cdist_row() {
  Row row{.name = "cdist", .cases = {}};
  for (const double p : {2., 1., 0., kInf, 3., 0.5, 1.5}) {
    for (const auto& [a, b] : {std::pair<Shape, Shape>{{3, 4}, {5, 4}},
                               {{2, 3, 4}, {2, 2, 4}},
                               {{2, 3, 4}, {2, 4}},
                               {{3, 1}, {2, 1}},
                               {{0, 4}, {2, 4}},
                               {{5, 7}, {67, 7}},
                               {{2, 0}, {3, 0}}}) {
      if (p == kInf && a.back() == 0) continue;
      const int64_t batch = a.size() == 3 ? a[0] : 1;
      row.cases.push_back({"p " + std::to_string(p) + label_of({a, b}), args_of({a, b}),
                           [p](const Tensors& in) { return cdist(in[0], in[1], p); }, distances(batch, p),
                           4 * (1 + a.back())});
      // Straight where there is one coordinate: third derivatives are what rounding leaves of 1 / y^3.
      if (a.back() == 1) row.cases.back().order = 2;
    }
  }
  row.bad_inputs = {bad<ShapeError>(
                        [] {
                          cdist(ones({2, 3}), ones({2, 4}));
                        },
                        "cdist: the last sizes differ, x1 is [2, 3] and x2 is [2, 4]"),
                    bad<ShapeError>(
                        [] {
                          cdist(ones({3}), ones({2, 3}));
                        },
                        "cdist: x1 and x2 must have at least 2 dims, x1 is [3] and x2 is [2, 3]"),
                    bad<ValueError>(
                        [] {
                          cdist(ones({2, 3}), ones({2, 3}), -1);
                        },
                        "cdist: p must not be negative, got -1.000000")};
  for (const double p : {2., 1.}) {
    row.bench.push_back({"p " + std::to_string(p),
                         args_of({{500, 64}, {500, 64}}),
                         [p](const Tensors& in) { return cdist(in[0], in[1], p); },
                         {}});
  }
  row.flops = [](const Tensors& in, const Tensor& y) {
    return 3.0 * static_cast<double>(y.numel()) * static_cast<double>(in[0].size(-1));
  };
  return row;
}

}  // namespace

std::vector<Row> products_rows() {
  std::vector<Row> rows = add_product_rows();
  for (Row& row : vector_rows()) rows.push_back(std::move(row));
  rows.push_back(bilinear_row());
  rows.push_back(cdist_row());
  return rows;
}

}  // namespace op_cases
