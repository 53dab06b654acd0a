// Rows of the losses.
#include <algorithm>

#include "op_cases.h"

namespace op_cases {
namespace {

const Reduction kReductions[] = {kNone, kMean, kSum};
const char* name_of(Reduction r) { return r == kNone ? "none" : r == kMean ? "mean" : "sum"; }

// `each` with the magnitudes of its elements, reduced.
Array reduced(const Array& each, const std::vector<double>& magnitude, Reduction reduction, double count) {
  Array y = each;
  y.magnitude = magnitude;
  if (reduction == kNone) return y;
  double total = 0, terms = 0;
  for (size_t i = 0; i < each.v.size(); ++i) {
    total += each.v[i];
    terms += magnitude[i];
  }
  const double by = reduction == kMean ? count : 1;
  Array one(Shape{}, {total / by});
  one.magnitude = {terms / by};
  return one;
}

using Pair = std::function<double(double x, double t)>;
using PairCall = std::function<Tensor(const Tensor&, const Tensor&, Reduction)>;

Row pair_row(const std::string& name, const PairCall& call, const Pair& loss, Domain x, Domain t) {
  Row row{.name = name, .cases = {}};
  for (const Shape& sizes : {Shape{}, Shape{1}, Shape{17}, Shape{3, 5}, Shape{3, 0}}) {
    for (const Reduction r : kReductions) {
      if (r == kMean && numel_of(sizes, "case") == 0) continue;
      row.cases.push_back({to_string(sizes) + " " + name_of(r),
                           {{.sizes = sizes, .domain = x}, {.sizes = sizes, .domain = t}},
                           [call, r](const Tensors& in) { return call(in[0], in[1], r); },
                           [loss, r](const std::vector<Array>& in) {
                             Array each(in[0].sizes);
                             std::vector<double> magnitude;
                             for (int64_t i = 0; i < each.numel(); ++i) {
                               each[i] = loss(in[0][i], in[1][i]);
                               magnitude.push_back(std::abs(each[i]) + std::abs(in[0][i]) + std::abs(in[1][i]));
                             }
                             return reduced(each, magnitude, r, static_cast<double>(each.numel()));
                           },
                           std::max<int64_t>(1, numel_of(sizes, "case"))});
    }
  }
  row.bad_inputs = {bad<ShapeError>(
      [call] {
        call(zeros({4, 1}), zeros({4}), kMean);
      },
      name +
          ": input and target must have one shape, got input [4, 1] and target [4] (did you mean input.squeeze()?)")};
  row.bench.push_back({"[1000000]",
                       {{.sizes = {1000000}, .domain = x}, {.sizes = {1000000}, .domain = t}},
                       [call](const Tensors& in) { return call(in[0], in[1], kMean); },
                       {}});
  return row;
}

// log softmax(x)[n, c, r] for x [N, C, rest], or x itself when it holds logarithms already.
double log_probability(const Array& x, int64_t n, int64_t c, int64_t r, int64_t rest, bool logs) {
  const int64_t classes = x.size(1);
  const auto score = [&](int64_t k) { return x[(n * classes + k) * rest + r]; };
  if (logs) return score(c);
  double s = 0;
  for (int64_t k = 0; k < classes; ++k) s += std::exp(score(k));
  return score(c) - std::log(s);
}

struct Classes {
  Reduction reduction = kMean;
  bool weighted = false;
  int64_t ignored = -100;
  double smoothing = 0;
  bool logs = false;  // the input holds log-probabilities
};

Reference class_reference(const Classes& o) {
  return [o](const std::vector<Array>& in) {
    const Array& x = in[0];
    const int64_t classes = x.size(1);
    const int64_t rest = x.numel() / std::max<int64_t>(1, x.size(0) * classes);
    Array each(in[1].sizes);
    std::vector<double> magnitude(each.v.size(), 0.0);
    double count = 0;
    for (int64_t i = 0; i < each.numel(); ++i) {
      const auto target = static_cast<int64_t>(in[1][i]);
      if (target == o.ignored) continue;
      const auto weight = [&](int64_t c) { return o.weighted ? in[2][c] : 1; };
      count += weight(target);
      const auto add = [&](int64_t c, double share) {
        const double l = -share * weight(c) * log_probability(x, i / rest, c, i % rest, rest, o.logs);
        each[i] += l;
        magnitude[static_cast<size_t>(i)] += std::abs(l) + 4 * share;
      };
      add(target, 1 - o.smoothing);
      for (int64_t c = 0; c < classes; ++c) add(c, o.smoothing / static_cast<double>(classes));
    }
    return reduced(each, magnitude, o.reduction, count);
  };
}

struct Batch {
  Shape input, target;
  std::vector<double> classes;
};
const Batch kBatches[] = {{{4, 5}, {4}, {2, 0, 4, 1}}, {{2, 5, 3}, {2, 3}, {0, 1, 2, 3, 4, 1}}};

void add_class_cases(Row& row, const std::function<Tensor(const Tensors&, const Classes&)>& call, bool logs) {
  for (const Batch& b : kBatches) {
    for (const Reduction r : kReductions) {
      for (const bool weighted : {false, true}) {
        for (const double smoothing : {0., 0.2}) {
          if (logs && smoothing > 0) continue;
          for (const int64_t ignored : {-100, 1}) {
            const Classes o{r, weighted, ignored, smoothing, logs};
            std::vector<Arg> args{{.sizes = b.input}, {.sizes = b.target, .dtype = kInt64, .values = b.classes}};
            if (weighted) args.push_back({.sizes = {5}, .domain = {0.5, 2}, .constant = true});
            row.cases.push_back({to_string(b.input) + " " + name_of(r) + (weighted ? ", weights" : "") + ", ignore " +
                                     std::to_string(ignored) + (smoothing > 0 ? ", smoothing" : ""),
                                 args, [call, o](const Tensors& in) { return call(in, o); }, class_reference(o), 30});
          }
        }
      }
    }
  }
}

Row nll_row() {
  Row row{.name = "nll_loss", .cases = {}};
  add_class_cases(
      row,
      [](const Tensors& in, const Classes& o) {
        return nll_loss(in[0], in[1],
                        {.weight = o.weighted ? in[2] : Tensor(), .ignore_index = o.ignored, .reduction = o.reduction});
      },
      true);
  row.bad_inputs = {bad<IndexError>(
      [] {
        nll_loss(zeros({2, 3}), tensor({0, 7}));
      },
      "nll_loss: class indices must lie in [0, 3), got 7 at position 1")};
  return row;
}

Row cross_entropy_row() {
  Row row{.name = "cross_entropy", .cases = {}};
  add_class_cases(
      row,
      [](const Tensors& in, const Classes& o) {
        return cross_entropy(in[0], in[1],
                             {.weight = o.weighted ? in[2] : Tensor(),
                              .ignore_index = o.ignored,
                              .reduction = o.reduction,
                              .label_smoothing = o.smoothing});
      },
      false);
  for (const Reduction r : kReductions) {
    row.cases.push_back({std::string("probabilities ") + name_of(r),
                         {{.sizes = {3, 4}}, {.sizes = {3, 4}, .domain = {0, 1}}},
                         [r](const Tensors& in) { return cross_entropy(in[0], in[1], {.reduction = r}); },
                         [r](const std::vector<Array>& in) {
                           Array each(Shape{3});
                           std::vector<double> magnitude(3, 0.0);
                           for (int64_t i = 0; i < 12; ++i) {
                             const double l = log_probability(in[0], i / 4, i % 4, 0, 1, false);
                             each[i / 4] -= in[1][i] * l;
                             magnitude[static_cast<size_t>(i / 4)] += in[1][i] * (4 + std::abs(l));
                           }
                           return reduced(each, magnitude, r, 3);
                         },
                         12});
  }
  row.bad_inputs = {
      bad<IndexError>(
          [] {
            cross_entropy(zeros({2, 3}), tensor({0, 3}));
          },
          "cross_entropy: class indices must lie in [0, 3), got 3 at position 1"),
      bad<DTypeError>(
          [] {
            cross_entropy(zeros({2, 3}), tensor({0, 1}, kInt32));
          },
          "cross_entropy: class indices must be int64, got target int32 (did you mean target.to(kInt64)?)")};
  row.bench.push_back({"[1024, 1000]",
                       {{.sizes = {1024, 1000}}, {.sizes = {1024}, .domain = {0, 1000}, .dtype = kInt64}},
                       [](const Tensors& in) { return cross_entropy(in[0], in[1]); },
                       {}});
  return row;
}

double smooth(double d, double width) { return std::abs(d) < width ? d * d / (2 * width) : std::abs(d) - width / 2; }

void distance_rows(std::vector<Row>& rows) {
  rows.push_back(pair_row(
      "l1_loss", [](const Tensor& x, const Tensor& t, Reduction r) { return l1_loss(x, t, r); },
      [](double x, double t) { return std::abs(x - t); }, {}, {}));
  rows.push_back(pair_row(
      "smooth_l1_loss",
      [](const Tensor& x, const Tensor& t, Reduction r) { return smooth_l1_loss(x, t, {.reduction = r, .beta = 0.7}); },
      [](double x, double t) { return smooth(x - t, 0.7); }, {}, {}));
  rows.back().bad_inputs.push_back(bad<ValueError>([] { smooth_l1_loss(ones({2}), ones({2}), {.beta = -1}); },
                                                   "smooth_l1_loss: beta must not be negative, got -1.000000"));
  rows.push_back(pair_row(
      "huber_loss",
      [](const Tensor& x, const Tensor& t, Reduction r) { return huber_loss(x, t, {.reduction = r, .delta = 1.3}); },
      [](double x, double t) { return 1.3 * smooth(x - t, 1.3); }, {}, {}));
  rows.back().bad_inputs.push_back(bad<ValueError>([] { huber_loss(ones({2}), ones({2}), {.delta = 0}); },
                                                   "huber_loss: delta must be positive, got 0.000000"));
  rows.push_back(pair_row(
      "kl_div", [](const Tensor& x, const Tensor& t, Reduction r) { return kl_div(x, t, {.reduction = r}); },
      [](double x, double t) { return t * (std::log(t) - x); }, {-3, 0}, {0.05, 1}));
  Row logs = pair_row(
      "kl_div",
      [](const Tensor& x, const Tensor& t, Reduction r) { return kl_div(x, t, {.reduction = r, .log_target = true}); },
      [](double x, double t) { return std::exp(t) * (t - x); }, {-3, 0}, {-3, 0});
  Row& row = rows.back();
  for (Case& c : logs.cases) {
    c.label += ", log_target";
    row.cases.push_back(std::move(c));
  }
  Case batch = row.cases[10];  // [3, 5] mean
  batch.label = "[3, 5] batchmean";
  batch.f = [](const Tensors& in) { return kl_div(in[0], in[1], {.reduction = kBatchMean}); };
  batch.reference = [mean = batch.reference](const std::vector<Array>& in) {
    Array y = mean(in);
    y[0] *= 5;
    y.magnitude[0] *= 5;
    return y;
  };
  row.cases.push_back(std::move(batch));
}

}  // namespace

std::vector<Row> loss_rows() {
  std::vector<Row> rows;
  rows.push_back(pair_row(
      "mse_loss", [](const Tensor& x, const Tensor& t, Reduction r) { return mse_loss(x, t, r); },
      [](double x, double t) { return (x - t) * (x - t); }, {}, {}));
  rows.push_back(pair_row(
      "binary_cross_entropy",
      [](const Tensor& x, const Tensor& t, Reduction r) { return binary_cross_entropy(x, t, {.reduction = r}); },
      [](double x, double t) { return -t * std::log(x) - (1 - t) * std::log1p(-x); }, {0.1, 0.9}, {0, 1}));
  rows.back().bad_inputs.push_back(bad<ShapeError>(
      [] {
        binary_cross_entropy(full({2, 3}, 0.5), zeros({2, 3}), {.weight = ones({2})});
      },
      "binary_cross_entropy: weight must broadcast to input, got weight [2] and input [2, 3]"));
  rows.push_back(pair_row(
      "binary_cross_entropy_with_logits",
      [](const Tensor& x, const Tensor& t, Reduction r) {
        return binary_cross_entropy_with_logits(x, t, {.reduction = r});
      },
      [](double x, double t) { return std::max(x, 0.) - x * t + std::log1p(std::exp(-std::abs(x))); }, {}, {0, 1}));
  distance_rows(rows);
  rows.push_back(nll_row());
  rows.push_back(cross_entropy_row());
  return rows;
}

}  // namespace op_cases
