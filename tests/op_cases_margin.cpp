// Rows of the margin losses.
#include <algorithm>

#include "op_cases_reduced.h"

namespace op_cases {
namespace {

// -1 or 1, never the same at neighbours for long.
std::vector<double> signs(int64_t n) {
  std::vector<double> t;
  for (int64_t i = 0; i < n; ++i) t.push_back(i % 3 == 1 ? -1 : 1);
  return t;
}

Row hinge_embedding_row() {
  Row row{.name = "hinge_embedding_loss", .cases = {}};
  for (const Shape& sizes : {Shape{}, Shape{17}, Shape{3, 5}, Shape{3, 0}}) {
    for (const Reduction r : kReductions) {
      if (r == kMean && numel_of(sizes, "case") == 0) continue;
      const double margin = r == kSum ? 0.7 : 1;
      row.cases.push_back(
          {to_string(sizes) + " " + name_of(r),
           {{.sizes = sizes}, {.sizes = sizes, .constant = true, .values = signs(numel_of(sizes, "case"))}},
           [=](const Tensors& in) { return hinge_embedding_loss(in[0], in[1], {.margin = margin, .reduction = r}); },
           [=](const std::vector<Array>& in) {
             Array each(in[0].sizes);
             for (int64_t i = 0; i < each.numel(); ++i) {
               each[i] = in[1][i] == 1 ? in[0][i] : std::max(0., margin - in[0][i]);
               each.magnitude.push_back(1 + std::abs(in[0][i]));
             }
             return reduced(each, r);
           },
           std::max<int64_t>(1, numel_of(sizes, "case"))});
    }
  }
  row.bad_inputs = {bad<ShapeError>(
                        [] {
                          hinge_embedding_loss(ones({4, 1}), ones({4}));
                        },
                        "hinge_embedding_loss: input and target must have one shape, got input [4, 1] and target [4] "
                        "(did you mean input.squeeze()?)"),
                    bad<DTypeError>([] { hinge_embedding_loss(ones({2}, kInt64), ones({2}, kInt64)); },
                                    "hinge_embedding_loss: input must be float32 or float64, got int64 (did you mean "
                                    "input.to(kFloat32)?)")};
  return row;
}

Row margin_ranking_row() {
  Row row{.name = "margin_ranking_loss", .cases = {}};
  const auto add = [&](const Shape& a, const Shape& b, const Shape& t, Reduction r, double margin) {
    row.cases.push_back(
        {to_string(a) + " " + to_string(b) + " " + to_string(t) + " " + name_of(r),
         {{.sizes = a}, {.sizes = b}, {.sizes = t}},
         [=](const Tensors& in) {
           return margin_ranking_loss(in[0], in[1], in[2], {.margin = margin, .reduction = r});
         },
         [=](const std::vector<Array>& in) {
           Array each(broadcast_shapes(broadcast_shapes(in[0].sizes, in[1].sizes, "case"), in[2].sizes, "case"));
           for (int64_t i = 0; i < each.numel(); ++i) {
             const double x1 = in[0].at(i, each.sizes), x2 = in[1].at(i, each.sizes), y = in[2].at(i, each.sizes);
             each[i] = std::max(0., margin - y * (x1 - x2));
             each.magnitude.push_back(margin + std::abs(y) * (std::abs(x1) + std::abs(x2)));
           }
           return reduced(each, r);
         },
         std::max<int64_t>({1, numel_of(a, "case"), numel_of(b, "case")})});
  };
  for (const Reduction r : kReductions) {
    add({}, {}, {}, r, 0);
    add({7}, {7}, {7}, r, 0.4);
    add({3, 5}, {3, 5}, {3, 1}, r, 0.4);
    add({3, 1}, {1, 5}, {3, 5}, r, 0);
  }
  add({0}, {0}, {0}, kSum, 0);
  row.bad_inputs = {bad<ShapeError>(
      [] {
        margin_ranking_loss(ones({2, 3}), ones({2, 3}), ones({3}));
      },
      "margin_ranking_loss: input1, input2 and target must have the same number of dims, got [2, 3], [2, 3] and [3]")};
  return row;
}

Array multi_margin_reference(const std::vector<Array>& in, int64_t p, double margin, Reduction r) {
  const Array& x = in[0];
  const int64_t classes = x.size(-1);
  Array each(in[1].sizes);
  for (int64_t i = 0; i < each.numel(); ++i) {
    const auto t = static_cast<int64_t>(in[1][i]);
    const double weight = in.size() > 2 ? in[2][t] : 1;
    double terms = 0;
    for (int64_t c = 0; c < classes; ++c) {
      const double z = margin - x[i * classes + t] + x[i * classes + c];
      const double size = margin + std::abs(x[i * classes + t]) + std::abs(x[i * classes + c]);
      if (c != t && z > 0) each[i] += weight * std::pow(z, static_cast<double>(p));
      terms += weight * std::pow(size, static_cast<double>(p));
    }
    each[i] /= static_cast<double>(classes);
    each.magnitude.push_back(terms / static_cast<double>(classes));
  }
  return reduced(each, r);
}

Row multi_margin_row() {
  Row row{.name = "multi_margin_loss", .cases = {}};
  for (const bool batch : {true, false}) {
    for (const Reduction r : kReductions) {
      for (const int64_t p : {1, 2}) {
        for (const bool weighted : {false, true}) {
          const double margin = p == 1 ? 1 : 0.6;
          std::vector<Arg> args{{.sizes = batch ? Shape{4, 5} : Shape{5}},
                                {.sizes = batch ? Shape{4} : Shape{},
                                 .dtype = kInt64,
                                 .values = batch ? std::vector<double>{2, 0, 4, 1} : std::vector<double>{3}}};
          if (weighted) args.push_back({.sizes = {5}, .domain = {0.5, 2}, .constant = true});
          row.cases.push_back(
              {std::string(batch ? "[4, 5] " : "[5] ") + name_of(r) + ", p " + std::to_string(p) +
                   (weighted ? ", weights" : ""),
               args,
               [=](const Tensors& in) {
                 return multi_margin_loss(
                     in[0], in[1], {.p = p, .margin = margin, .weight = weighted ? in[2] : Tensor(), .reduction = r});
               },
               [=](const std::vector<Array>& in) { return multi_margin_reference(in, p, margin, r); }, 20});
        }
      }
    }
  }
  row.bad_inputs = {
      bad<ValueError>(
          [] {
            multi_margin_loss(ones({2, 3}), tensor({0, 1}), {.p = 3});
          },
          "multi_margin_loss: p must be 1 or 2, got 3"),
      bad<IndexError>(
          [] {
            multi_margin_loss(ones({2, 3}), tensor({0, 3}));
          },
          "multi_margin_loss: class indices must lie in [0, 3), got 3 at position 1"),
      bad<DTypeError>(
          [] {
            multi_margin_loss(ones({2, 3}), ones({2}));
          },
          "multi_margin_loss: class indices must be int64, got target float32 (did you mean target.to(kInt64)?)"),
      bad<ShapeError>(
          [] {
            multi_margin_loss(ones({2, 3}), tensor({0, 1, 2}));
          },
          "multi_margin_loss: input must be [C] or [N, C] and class indices the same without C, got input [2, 3] and "
          "target [3]"),
      bad<ShapeError>(
          [] {
            multi_margin_loss(ones({2, 3}), tensor({0, 1}), {.weight = ones({2})});
          },
          "multi_margin_loss: weight must have one element per class, got weight [2] and input [2, 3]")};
  return row;
}

Row soft_margin_row() {
  Row row{.name = "soft_margin_loss", .cases = {}};
  for (const Shape& sizes : {Shape{}, Shape{17}, Shape{3, 5}, Shape{3, 0}}) {
    for (const Reduction r : kReductions) {
      if (r == kMean && numel_of(sizes, "case") == 0) continue;
      row.cases.push_back({to_string(sizes) + " " + name_of(r),
                           {{.sizes = sizes, .domain = {-30, 30}}, {.sizes = sizes, .domain = {-1, 1}}},
                           [r](const Tensors& in) { return soft_margin_loss(in[0], in[1], r); },
                           [r](const std::vector<Array>& in) {
                             Array each(in[0].sizes);
                             for (int64_t i = 0; i < each.numel(); ++i) {
                               const double z = -in[0][i] * in[1][i];
                               each[i] = std::max(z, 0.) + std::log1p(std::exp(-std::abs(z)));
                               each.magnitude.push_back(each[i] * (1 + std::abs(z)));
                             }
                             return reduced(each, r);
                           },
                           std::max<int64_t>(1, numel_of(sizes, "case"))});
    }
  }
  row.bad_inputs = {bad<ShapeError>(
      [] {
        soft_margin_loss(ones({4, 1}), ones({4}));
      },
      "soft_margin_loss: input and target must have one shape, got input [4, 1] and target [4] (did you mean "
      "input.squeeze()?)")};
  return row;
}

}  // namespace

std::vector<Row> margin_rows() {
  return {hinge_embedding_row(), margin_ranking_row(), multi_margin_row(), soft_margin_row()};
}

}  // namespace op_cases
