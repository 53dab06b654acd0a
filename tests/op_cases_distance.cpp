// Rows of distances, of the losses made of them, and of the losses of several labels.
#include <algorithm>
#include <limits>

#include "op_cases_reduced.h"

namespace op_cases {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double norm_of(const std::vector<double>& v, double p) {
  double y = 0;
  for (const double x : v) y = p == kInf ? std::max(y, std::abs(x)) : y + std::pow(std::abs(x), p);
  return p == kInf ? y : std::pow(y, 1 / p);
}

// Row i of operands that broadcast to `sizes`.
std::vector<double> row_of(const Array& x, int64_t i, const Shape& sizes) {
  std::vector<double> out;
  for (int64_t k = 0; k < sizes.back(); ++k) out.push_back(x.at(i * sizes.back() + k, sizes));
  return out;
}

struct Distance {
  double value, size;  // size: of the rounding that it is exposed to
};
Distance distance_of(const std::vector<double>& a, const std::vector<double>& b, double p, double eps) {
  std::vector<double> d, sizes;
  for (size_t k = 0; k < a.size(); ++k) {
    d.push_back(a[k] - b[k] + eps);
    sizes.push_back(std::abs(a[k]) + std::abs(b[k]) + eps);
  }
  return {norm_of(d, p), norm_of(sizes, p)};
}

double cosine_of(const std::vector<double>& a, const std::vector<double>& b, double eps) {
  double y = 0;
  for (size_t k = 0; k < a.size(); ++k) y += a[k] * b[k];
  return y / (std::max(norm_of(a, 2), eps) * std::max(norm_of(b, 2), eps));
}

Row cosine_similarity_row() {
  Row row{.name = "cosine_similarity", .cases = {}};
  const auto add = [&](const Shape& a, const Shape& b, double eps) {
    row.cases.push_back({to_string(a) + " " + to_string(b) + (eps > 1 ? ", below eps" : ""),
                         {{.sizes = a}, {.sizes = b}},
                         [=](const Tensors& in) { return cosine_similarity(in[0], in[1], -1, eps); },
                         [=](const std::vector<Array>& in) {
                           const Shape sizes = broadcast_shapes(a, b, "case");
                           Shape rows;
                           for (int64_t d = 0; d + 1 < sizes.size(); ++d) rows.push_back(sizes[d]);
                           Array y(rows);
                           for (int64_t i = 0; i < y.numel(); ++i) {
                             y[i] = cosine_of(row_of(in[0], i, sizes), row_of(in[1], i, sizes), eps);
                             y.magnitude.push_back(2);
                           }
                           return y;
                         },
                         3 * std::max<int64_t>(a.back(), b.back())});
  };
  add({3, 5}, {3, 5}, 1e-8);
  add({7}, {7}, 1e-8);
  add({3, 1, 4}, {5, 4}, 1e-8);
  add({3, 5}, {3, 5}, 10);
  add({0, 5}, {0, 5}, 1e-8);
  row.cases.push_back({"[3, 5] dim 0",
                       {{.sizes = {3, 5}}, {.sizes = {3, 5}}},
                       [](const Tensors& in) { return cosine_similarity(in[0], in[1], 0); },
                       [](const std::vector<Array>& in) {
                         Array y(Shape{5});
                         for (int64_t k = 0; k < 5; ++k) {
                           const auto column = [&](const Array& x) { return std::vector{x[k], x[5 + k], x[10 + k]}; };
                           y[k] = cosine_of(column(in[0]), column(in[1]), 1e-8);
                           y.magnitude.push_back(2);
                         }
                         return y;
                       },
                       9});
  row.bad_inputs = {
      bad<IndexError>([] { cosine_similarity(ones({3}), ones({3})); },
                      "cosine_similarity: dim must name a dim of the operands, which broadcast to [3], got 1"),
      bad<DTypeError>(
          [] {
            cosine_similarity(ones({2, 3}, kInt64), ones({2, 3}));
          },
          "cosine_similarity: x1 and x2 must be float32 or float64, got x1 int64 and x2 "
          "float32"),
      bad<ValueError>(
          [] {
            cosine_similarity(Tensor(), ones({2, 3}));
          },
          "cosine_similarity: x1 must be defined, got an undefined tensor (Tensor())")};
  return row;
}

Row pairwise_distance_row() {
  Row row{.name = "pairwise_distance", .cases = {}};
  const auto add = [&](const Shape& a, const Shape& b, double p, double eps, bool keepdim) {
    row.cases.push_back({to_string(a) + " " + to_string(b) + ", p " + std::to_string(p) + (keepdim ? ", kept" : ""),
                         {{.sizes = a}, {.sizes = b}},
                         [=](const Tensors& in) { return pairwise_distance(in[0], in[1], p, eps, keepdim); },
                         [=](const std::vector<Array>& in) {
                           const Shape sizes = broadcast_shapes(a, b, "case");
                           Shape rows;
                           for (int64_t d = 0; d + 1 < sizes.size(); ++d) rows.push_back(sizes[d]);
                           if (keepdim) rows.push_back(1);
                           Array y(rows);
                           for (int64_t i = 0; i < y.numel(); ++i) {
                             const Distance d = distance_of(row_of(in[0], i, sizes), row_of(in[1], i, sizes), p, eps);
                             y[i] = d.value;
                             y.magnitude.push_back(d.size);
                           }
                           return y;
                         },
                         4 * std::max<int64_t>(a.back(), b.back())});
  };
  for (const double p : {2., 1., 3., kInf}) add({3, 5}, {3, 5}, p, 1e-6, false);
  add({7}, {7}, 2, 1e-6, false);
  add({3, 5}, {5}, 2, 0.5, true);
  add({3, 1, 4}, {5, 4}, 2, 1e-6, false);
  add({0, 5}, {0, 5}, 2, 1e-6, false);
  row.bad_inputs = {bad<ShapeError>([] { pairwise_distance(ones({}), ones({})); },
                                    "pairwise_distance: x1 or x2 must have a dim, got [] and []"),
                    bad<DTypeError>(
                        [] {
                          pairwise_distance(ones({2, 3}), ones({2, 3}, kInt64));
                        },
                        "pairwise_distance: x1 and x2 must be float32 or float64, got x1 float32 and x2 int64")};
  return row;
}

using Metric = std::function<Distance(const std::vector<double>&, const std::vector<double>&)>;

Reference triplet_reference(const Metric& metric, double margin, bool swap, Reduction r) {
  return [=](const std::vector<Array>& in) {
    const Shape& sizes = in[0].sizes;
    Array each(sizes.size() == 1 ? Shape{} : Shape{sizes[0]});
    for (int64_t i = 0; i < each.numel(); ++i) {
      const auto a = row_of(in[0], i, sizes), p = row_of(in[1], i, sizes), n = row_of(in[2], i, sizes);
      const Distance close = metric(a, p), far = metric(a, n), other = metric(p, n);
      each[i] = std::max(0., margin + close.value - (swap ? std::min(far.value, other.value) : far.value));
      each.magnitude.push_back(margin + close.size + far.size + other.size);
    }
    return reduced(each, r);
  };
}

std::vector<Arg> three(const Shape& sizes) { return {{.sizes = sizes}, {.sizes = sizes}, {.sizes = sizes}}; }

const char* const kThreeDims =
    ": anchor, positive and negative must have the same number of dims, got [2, 3], [2, 3] and [3]";

Row triplet_margin_row() {
  Row row{.name = "triplet_margin_loss", .cases = {}};
  const auto add = [&](const Shape& sizes, Reduction r, double margin, double p, bool swap) {
    const double eps = swap ? 1e-3 : 1e-6;
    row.cases.push_back(
        {to_string(sizes) + " " + name_of(r) + (swap ? ", swap" : "") + ", p " + std::to_string(p), three(sizes),
         [=](const Tensors& in) {
           return triplet_margin_loss(in[0], in[1], in[2],
                                      {.margin = margin, .p = p, .eps = eps, .swap = swap, .reduction = r});
         },
         triplet_reference([=](const auto& a, const auto& b) { return distance_of(a, b, p, eps); }, margin, swap, r),
         40});
  };
  for (const Reduction r : kReductions) {
    add({4, 5}, r, 1, 2, false);
    add({4, 5}, r, 2.5, 1, true);
  }
  add({5}, kMean, 1, 2, false);
  add({4, 5}, kNone, 0.5, 3, true);
  add({0, 5}, kSum, 1, 2, false);
  row.bad_inputs = {bad<ShapeError>(
                        [] {
                          triplet_margin_loss(ones({2, 3}), ones({2, 3}), ones({3}));
                        },
                        std::string("triplet_margin_loss") + kThreeDims),
                    bad<ValueError>(
                        [] {
                          triplet_margin_loss(ones({2, 3}), ones({2, 3}), ones({2, 3}), {.margin = 0});
                        },
                        "triplet_margin_loss: margin must be positive, got 0.000000"),
                    bad<DTypeError>(
                        [] {
                          triplet_margin_loss(ones({2, 3}), ones({2, 3}, kInt64), ones({2, 3}));
                        },
                        "triplet_margin_loss: positive must be float32 or float64, got int64 (did you mean "
                        "positive.to(kFloat32)?)")};
  return row;
}

Row triplet_margin_with_distance_row() {
  Row row{.name = "triplet_margin_with_distance_loss", .cases = {}};
  const Metric apart = [](const auto& a, const auto& b) { return Distance{1 - cosine_of(a, b, 1e-8), 3}; };
  for (const Reduction r : kReductions) {
    row.cases.push_back(
        {std::string("cosine, ") + name_of(r), three({4, 5}),
         [=](const Tensors& in) {
           return triplet_margin_with_distance_loss(
               in[0], in[1], in[2],
               {.distance_function = [](const Tensor& a, const Tensor& b) { return 1 - cosine_similarity(a, b, -1); },
                .margin = 0.8,
                .swap = r == kSum,
                .reduction = r});
         },
         triplet_reference(apart, 0.8, r == kSum, r), 40});
  }
  row.cases.push_back(
      {"default", three({4, 5}),
       [](const Tensors& in) { return triplet_margin_with_distance_loss(in[0], in[1], in[2], {.reduction = kNone}); },
       triplet_reference([](const auto& a, const auto& b) { return distance_of(a, b, 2, 1e-6); }, 1, false, kNone),
       40});
  row.bad_inputs = {bad<ShapeError>(
      [] {
        triplet_margin_with_distance_loss(ones({2, 3}), ones({2, 3}), ones({3}));
      },
      std::string("triplet_margin_with_distance_loss") + kThreeDims)};
  return row;
}

Row cosine_embedding_row() {
  Row row{.name = "cosine_embedding_loss", .cases = {}};
  for (const bool batch : {true, false}) {
    for (const Reduction r : kReductions) {
      const double margin = r == kSum ? -0.3 : 0.1;
      const Shape sizes = batch ? Shape{5, 4} : Shape{4};
      row.cases.push_back({to_string(sizes) + " " + name_of(r),
                           {{.sizes = sizes},
                            {.sizes = sizes},
                            {.sizes = batch ? Shape{5} : Shape{},
                             .constant = true,
                             .values = batch ? std::vector<double>{1, -1, -1, 1, 0} : std::vector<double>{-1}}},
                           [=](const Tensors& in) {
                             return cosine_embedding_loss(in[0], in[1], in[2], {.margin = margin, .reduction = r});
                           },
                           [=](const std::vector<Array>& in) {
                             Array each(in[2].sizes);
                             for (int64_t i = 0; i < each.numel(); ++i) {
                               const auto a = row_of(in[0], i, sizes), b = row_of(in[1], i, sizes);
                               double ab = 0, aa = 1e-12, bb = 1e-12;
                               for (size_t k = 0; k < 4; ++k) {
                                 ab += a[k] * b[k];
                                 aa += a[k] * a[k];
                                 bb += b[k] * b[k];
                               }
                               const double cosine = ab / std::sqrt(aa * bb);
                               if (in[2][i] == 1) each[i] = 1 - cosine;
                               if (in[2][i] == -1) each[i] = std::max(0., cosine - margin);
                               each.magnitude.push_back(3);
                             }
                             return reduced(each, r);
                           },
                           20});
    }
  }
  row.bad_inputs = {bad<ShapeError>(
      [] {
        cosine_embedding_loss(ones({2, 3}), ones({2, 3}), ones({3}));
      },
      "cosine_embedding_loss: input1 and input2 must be [D] with a target [], or [N, D] with [N], got [2, 3], [2, 3] "
      "and [3]")};
  return row;
}

Array multilabel_margin_reference(const std::vector<Array>& in, Reduction r) {
  const int64_t classes = in[0].size(-1);
  Array each(in[0].sizes.size() == 1 ? Shape{} : Shape{in[0].sizes[0]});
  for (int64_t i = 0; i < each.numel(); ++i) {
    const auto x = [&](int64_t c) { return in[0][i * classes + c]; };
    std::vector<int64_t> named;
    for (int64_t k = 0; k < classes && in[1][i * classes + k] >= 0; ++k)
      named.push_back(static_cast<int64_t>(in[1][i * classes + k]));
    double size = 0;
    for (const int64_t t : named) {
      for (int64_t c = 0; c < classes; ++c) {
        if (std::find(named.begin(), named.end(), c) != named.end()) continue;
        each[i] += std::max(0., 1 - x(t) + x(c)) / static_cast<double>(classes);
        size += 1 + std::abs(x(t)) + std::abs(x(c));
      }
    }
    each.magnitude.push_back(size);
  }
  return reduced(each, r);
}

Row multilabel_margin_row() {
  Row row{.name = "multilabel_margin_loss", .cases = {}};
  for (const bool batch : {true, false}) {
    for (const Reduction r : kReductions) {
      const Shape sizes = batch ? Shape{3, 4} : Shape{4};
      // What stands behind -1 does not count.
      const std::vector<double> named = batch ? std::vector<double>{3, 0, -1, 1, /**/ -1, 2, 0, 0, /**/ 1, 2, 0, 3}
                                              : std::vector<double>{2, 1, -1, -1};
      row.cases.push_back({to_string(sizes) + " " + name_of(r),
                           {{.sizes = sizes}, {.sizes = sizes, .dtype = kInt64, .values = named}},
                           [r](const Tensors& in) { return multilabel_margin_loss(in[0], in[1], r); },
                           [r](const std::vector<Array>& in) { return multilabel_margin_reference(in, r); },
                           16});
    }
  }
  row.bad_inputs = {
      bad<IndexError>(
          [] {
            multilabel_margin_loss(ones({2, 3}), tensor({{0, 1, -1}, {0, 3, -1}}));
          },
          "multilabel_margin_loss: class indices must lie in [0, 3), with -1 behind the last, got 3 at [1, 1]"),
      bad<DTypeError>(
          [] {
            multilabel_margin_loss(ones({2, 3}), ones({2, 3}));
          },
          "multilabel_margin_loss: class indices must be int64, got target float32 (did you mean target.to(kInt64)?)"),
      bad<ShapeError>(
          [] {
            multilabel_margin_loss(ones({1, 2, 3}), zeros({1, 2, 3}, kInt64));
          },
          "multilabel_margin_loss: input must be [C] or [N, C], got shape [1, 2, 3]")};
  return row;
}

Row multilabel_soft_margin_row() {
  Row row{.name = "multilabel_soft_margin_loss", .cases = {}};
  for (const Shape& sizes : {Shape{5}, Shape{3, 5}, Shape{2, 3, 5}}) {
    for (const Reduction r : kReductions) {
      for (const bool weighted : {false, true}) {
        if (weighted && sizes.size() != 2) continue;
        std::vector<Arg> args{{.sizes = sizes, .domain = {-20, 20}}, {.sizes = sizes, .domain = {0, 1}}};
        if (weighted) args.push_back({.sizes = {5}, .domain = {0.5, 2}});
        row.cases.push_back({to_string(sizes) + " " + name_of(r) + (weighted ? ", weights" : ""), args,
                             [=](const Tensors& in) {
                               return multilabel_soft_margin_loss(
                                   in[0], in[1], {.weight = weighted ? in[2] : Tensor(), .reduction = r});
                             },
                             [=](const std::vector<Array>& in) {
                               Shape rows;
                               for (int64_t d = 0; d + 1 < sizes.size(); ++d) rows.push_back(sizes[d]);
                               Array each(rows);
                               for (int64_t i = 0; i < each.numel(); ++i) {
                                 double size = 0;
                                 for (int64_t c = 0; c < 5; ++c) {
                                   const double x = in[0][i * 5 + c], t = in[1][i * 5 + c];
                                   const double up = std::log1p(std::exp(-std::abs(x))) + std::max(-x, 0.);
                                   const double w = weighted ? in[2][c] : 1;
                                   each[i] += w * (up + (1 - t) * x) / 5;
                                   size += w * (up + std::abs(x));
                                 }
                                 each.magnitude.push_back(size);
                               }
                               return reduced(each, r);
                             },
                             10});
      }
    }
  }
  row.bad_inputs = {
      bad<ShapeError>([] { multilabel_soft_margin_loss(ones({}), ones({})); },
                      "multilabel_soft_margin_loss: input must have a class dim, got shape []"),
      bad<ShapeError>(
          [] {
            multilabel_soft_margin_loss(ones({2, 3}), ones({2, 3}), {.weight = ones({2})});
          },
          "multilabel_soft_margin_loss: weight must broadcast to input, got weight [2] and input [2, 3]"),
      bad<ShapeError>(
          [] {
            multilabel_soft_margin_loss(ones({3, 1}), ones({3}));
          },
          "multilabel_soft_margin_loss: input and target must have one shape, got input [3, 1] and target [3] (did you "
          "mean input.squeeze()?)")};
  return row;
}

}  // namespace

std::vector<Row> distance_rows() {
  return {
      cosine_similarity_row(), pairwise_distance_row(), triplet_margin_row(),        triplet_margin_with_distance_row(),
      cosine_embedding_row(),  multilabel_margin_row(), multilabel_soft_margin_row()};
}

}  // namespace op_cases
