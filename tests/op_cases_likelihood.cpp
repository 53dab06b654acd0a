// Rows of negative log-likelihoods: of counts, of measurements, and of sequences over all alignments.
#include <algorithm>
#include <limits>
#include <numbers>

#include "op_cases_reduced.h"

namespace op_cases {
namespace {

using std::numbers::pi;

Row poisson_nll_row() {
  Row row{.name = "poisson_nll_loss", .cases = {}};
  const auto add = [&](const Shape& sizes, Reduction r, bool log_input, bool full, Arg target) {
    target.sizes = sizes;
    const double eps = log_input ? 1e-8 : 0.1;
    row.cases.push_back(
        {to_string(sizes) + " " + name_of(r) + (log_input ? "" : ", rates") + (full ? ", full" : ""),
         {{.sizes = sizes, .domain = log_input ? Domain{-2, 2} : Domain{0.2, 4}}, target},
         [=](const Tensors& in) {
           return poisson_nll_loss(in[0], in[1], {.log_input = log_input, .full = full, .eps = eps, .reduction = r});
         },
         [=](const std::vector<Array>& in) {
           Array each(in[0].sizes);
           for (int64_t i = 0; i < each.numel(); ++i) {
             const double x = in[0][i], t = in[1][i], rate = log_input ? std::exp(x) : x;
             const double logarithm = log_input ? x : std::log(x + eps);
             const bool counts = full && t > 1;
             each[i] = rate - t * logarithm;
             if (counts) each[i] += t * std::log(t) - t + std::log(2 * pi * t) / 2;
             each.magnitude.push_back(rate + t * (std::abs(logarithm) + 1) + (counts ? t * std::log(t) + t + 3 : 0));
           }
           return reduced(each, r);
         },
         std::max<int64_t>(1, numel_of(sizes, "case"))});
  };
  for (const Reduction r : kReductions) {
    add({3, 5}, r, true, false, {.sizes = {}, .domain = {0, 5}});
    add({3, 5}, r, false, false, {.sizes = {}, .domain = {0, 5}});
    add({7}, r, true, true, {.sizes = {}, .domain = {1.5, 6}});
    add({6}, r, false, true, {.sizes = {}, .constant = true, .values = {0, 1, 2, 0.5, 7, 30}});
  }
  add({}, kMean, true, false, {.sizes = {}, .domain = {0, 5}});
  add({0, 3}, kSum, true, true, {.sizes = {}, .domain = {1.5, 6}});
  row.bad_inputs = {
      bad<ShapeError>(
          [] {
            poisson_nll_loss(ones({4, 1}), ones({4}));
          },
          "poisson_nll_loss: input and target must have one shape, got input [4, 1] and target [4] (did you mean "
          "input.squeeze()?)"),
      bad<DTypeError>([] { poisson_nll_loss(ones({2}, kInt64), ones({2})); },
                      "poisson_nll_loss: input must be float32 or float64, got int64 (did you mean "
                      "input.to(kFloat32)?)")};
  return row;
}

Row gaussian_nll_row() {
  Row row{.name = "gaussian_nll_loss", .cases = {}};
  const auto add = [&](const Shape& sizes, const Shape& of_var, Reduction r, bool full) {
    row.cases.push_back(
        {to_string(sizes) + " " + to_string(of_var) + " " + name_of(r) + (full ? ", full" : ""),
         {{.sizes = sizes}, {.sizes = sizes}, {.sizes = of_var, .domain = {0.3, 3}}},
         [=](const Tensors& in) { return gaussian_nll_loss(in[0], in[1], in[2], {.full = full, .reduction = r}); },
         [=](const std::vector<Array>& in) {
           Array each(in[0].sizes);
           const int64_t per = each.numel() / std::max<int64_t>(1, in[2].numel());
           for (int64_t i = 0; i < each.numel(); ++i) {
             const double v = std::max(in[2][i / per], 1e-6), d = in[0][i] - in[1][i];
             const double size = std::abs(in[0][i]) + std::abs(in[1][i]);
             each[i] = (std::log(v) + d * d / v + (full ? std::log(2 * pi) : 0)) / 2;
             each.magnitude.push_back(2 + size * size / v);
           }
           return reduced(each, r);
         },
         std::max<int64_t>(1, numel_of(sizes, "case"))});
  };
  for (const Reduction r : kReductions) {
    add({3, 5}, {3, 5}, r, false);
    add({3, 5}, {3, 1}, r, true);
    add({3, 5}, {3}, r, false);
  }
  add({7}, {}, kMean, false);
  add({}, {}, kMean, false);
  add({0, 3}, {0, 3}, kSum, false);
  row.bad_inputs = {
      bad<ValueError>(
          [] {
            gaussian_nll_loss(ones({2}), ones({2}), tensor({1.f, -0.5f}));
          },
          "gaussian_nll_loss: var must not be negative, got -0.500000 at position 1"),
      bad<ShapeError>(
          [] {
            gaussian_nll_loss(ones({2, 3}), ones({2, 3}), ones({3}));
          },
          "gaussian_nll_loss: var must have input's shape, 1 in the last place, or lack it, got var [3] and input [2, "
          "3]"),
      bad<ShapeError>(
          [] {
            gaussian_nll_loss(ones({2, 3}), ones({3}), ones({2, 3}));
          },
          "gaussian_nll_loss: input and target must have one shape, got input [2, 3] and target [3]"),
      bad<ValueError>([] { gaussian_nll_loss(ones({2}), ones({2}), ones({2}), {.eps = 0}); },
                      "gaussian_nll_loss: eps must be positive, got 0.000000")};
  return row;
}

// A batch of sequences to be aligned: log_probs [times, batch, classes].
struct Alignment {
  std::string label;
  int64_t times, batch, classes, blank;
  std::vector<std::vector<double>> targets;  // of each sequence, without padding
  std::vector<double> input_lengths;
  bool in_one_list = false, zero_infinity = false;
  int order = 2;

  std::vector<double> lengths() const {
    std::vector<double> out;
    for (const auto& target : targets) out.push_back(static_cast<double>(target.size()));
    return out;
  }
  Arg targets_arg() const {
    std::vector<double> values;
    size_t most = 0;
    for (const auto& target : targets) most = std::max(most, target.size());
    for (const auto& target : targets) {
      values.insert(values.end(), target.begin(), target.end());
      if (!in_one_list) values.insert(values.end(), most - target.size(), -7);  // padding may be anything
    }
    const auto count = static_cast<int64_t>(values.size());
    return {.sizes = in_one_list ? Shape{count} : Shape{batch, static_cast<int64_t>(most)},
            .dtype = kInt64,
            .values = values};
  }

  // Every path there is, one after the other: -ln of the sum of those that read as the target.
  double loss(const Array& x, int64_t n) const {
    const auto steps = static_cast<size_t>(input_lengths[static_cast<size_t>(n)]);
    std::vector<int64_t> path(steps, 0);
    double total = 0;
    for (bool more = true; more;) {
      std::vector<double> read;
      double log_prob = 0;
      for (size_t t = 0; t < steps; ++t) {
        log_prob += x[(static_cast<int64_t>(t) * batch + n) * classes + path[t]];
        if (path[t] != blank && (t == 0 || path[t] != path[t - 1])) read.push_back(static_cast<double>(path[t]));
      }
      if (read == targets[static_cast<size_t>(n)]) total += std::exp(log_prob);
      more = false;
      for (size_t t = 0; t < steps && !more; ++t) {
        more = ++path[t] < classes;
        if (!more) path[t] = 0;
      }
    }
    const double loss = -std::log(total);
    return zero_infinity && std::isinf(loss) ? 0 : loss;
  }
};

Case ctc_case(const Alignment& a, Reduction r, bool single = false) {
  std::vector<Arg> args{{.sizes = {a.times, a.batch, a.classes}},
                        a.targets_arg(),
                        {.sizes = {a.batch}, .dtype = kInt64, .values = a.input_lengths},
                        {.sizes = {a.batch}, .dtype = kInt64, .values = a.lengths()}};
  if (single) {
    args[0].sizes = {a.times, a.classes};
    args[1].sizes = {static_cast<int64_t>(a.targets[0].size())};
    args[2].sizes = args[3].sizes = {};
  }
  return {a.label + ", " + name_of(r),
          args,
          [=](const Tensors& in) {
            return ctc_loss(in[0], in[1], in[2], in[3],
                            {.blank = a.blank, .reduction = r, .zero_infinity = a.zero_infinity});
          },
          [=](const std::vector<Array>& in) {
            Array each(single ? Shape{} : Shape{a.batch});
            for (int64_t n = 0; n < a.batch; ++n) {
              const auto length = static_cast<double>(a.targets[static_cast<size_t>(n)].size());
              each[n] = a.loss(in[0], n) / (r == kMean ? std::max(1., length) : 1);
              each.magnitude.push_back(2 * static_cast<double>(a.times) + 2);
            }
            return reduced(each, r);
          },
          4 * a.times,
          a.order};
}

Row ctc_row() {
  Row row{.name = "ctc_loss", .cases = {}};
  const Alignment mixed{"padded", 4, 3, 3, 0, {{1, 2}, {2, 2}, {1}}, {4, 4, 3}};
  // Of one length, as the list would not fit where lengths are expanded.
  const Alignment list{"one list", 4, 3, 3, 0, {{1, 2}, {2, 2}, {1, 1}}, {4, 3, 3}, true};
  const Alignment narrow{"without a path, 0", 3, 3, 3, 0, {{1, 1}, {2}, {1, 2, 1, 2}}, {2, 3, 3}, false, true};
  const Alignment crowded{"more labels than times, 0", 2, 2, 3, 0, {{1, 2, 1}, {2, 1, 2}}, {2, 2}, true, true};
  for (const Reduction r : kReductions) {
    row.cases.push_back(ctc_case(mixed, r));
    row.cases.push_back(ctc_case(narrow, r));
  }
  row.cases.push_back(ctc_case(list, kNone));
  row.cases.push_back(ctc_case(list, kMean));
  row.cases.push_back(ctc_case(crowded, kNone));
  row.cases.push_back(ctc_case({"blank 2, without labels", 3, 2, 4, 2, {{}, {0, 3}}, {3, 2}}, kNone));
  row.cases.push_back(ctc_case({"one sequence", 3, 1, 3, 1, {{2, 0}}, {3}, false, false, 3}, kMean, true));
  Alignment endless = narrow;
  endless.label = "without a path";
  endless.zero_infinity = false;
  endless.order = 0;
  row.cases.push_back(ctc_case(endless, kNone));
  row.cases.push_back(ctc_case({"no times", 0, 2, 3, 0, {{}, {}}, {0, 0}}, kNone));
  const auto call = [](const Tensor& targets, IntArrayRef input_lengths, IntArrayRef target_lengths, int64_t blank) {
    return ctc_loss(zeros({4, 2, 3}), targets, input_lengths, target_lengths, {.blank = blank});
  };
  const Tensor two = tensor({{1, 2}, {2, 1}});
  row.bad_inputs = {bad<ValueError>(
                        [=] {
                          call(two, {5, 4}, {2, 2}, 0);
                        },
                        "ctc_loss: input_lengths must lie in [0, 4], got 5 at position 0"),
                    bad<ValueError>(
                        [=] {
                          call(two, {4, 4}, {2, 3}, 0);
                        },
                        "ctc_loss: target_lengths must lie in [0, 2], got 3 at position 1"),
                    bad<ValueError>(
                        [=] {
                          call(tensor({1, 2, 2}), {4, 4}, {1, 1}, 0);
                        },
                        "ctc_loss: target_lengths must add up to the number of targets, got 2 and 3"),
                    bad<IndexError>(
                        [=] {
                          call(tensor({{1, 3}, {2, 1}}), {4, 4}, {2, 2}, 0);
                        },
                        "ctc_loss: targets must lie in [0, 3), got 3 in sequence 0"),
                    bad<ValueError>(
                        [=] {
                          call(two, {4, 4}, {2, 2}, 2);
                        },
                        "ctc_loss: targets must not be blank, got 2 in sequence 0"),
                    bad<ValueError>(
                        [=] {
                          call(two, {4, 4}, {2, 2}, 3);
                        },
                        "ctc_loss: blank must lie in [0, 3), got 3"),
                    bad<ShapeError>(
                        [=] {
                          call(two, {4}, {2, 2}, 0);
                        },
                        "ctc_loss: input_lengths must have one element for each of 2 sequences, got shape [1]"),
                    bad<ShapeError>(
                        [=] {
                          call(ones({3, 2}, kInt64), {4, 4}, {2, 2}, 0);
                        },
                        "ctc_loss: log_probs must be [T, N, C] and targets [N, S] or one list, or [T, C] and [S], got "
                        "log_probs [4, 2, 3] and targets [3, 2]"),
                    bad<DTypeError>(
                        [=] {
                          ctc_loss(ones({4, 2, 3}, kInt64), two, {4, 4}, {2, 2});
                        },
                        "ctc_loss: log_probs must be float32 or float64, got int64")};
  return row;
}

}  // namespace

std::vector<Row> likelihood_rows() { return {poisson_nll_row(), gaussian_nll_row(), ctc_row()}; }

}  // namespace op_cases
