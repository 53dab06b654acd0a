// Rows of the random operations. Every call draws from a generator of its own, so that what must come out is known.
#include <algorithm>

#include "op_cases.h"
#include "tapegrad/core/philox.h"

namespace op_cases {
namespace {

constexpr uint64_t kSeed = kDrawSeed;

// The default generator at its first draw; so that a replay, which draws from it too, can be set there as well.
Generator& seeded() {
  manual_seed(kSeed);
  return default_generator();
}

uint32_t word(int64_t i) { return philox(kSeed, 0, static_cast<uint64_t>(i) / 4).word[i % 4]; }

// The 53-bit uniform number of element i.
double uniform(int64_t i) {
  const PhiloxBlock block = philox(kSeed, 0, static_cast<uint64_t>(i) / 2);
  const uint32_t* pair = block.word + i % 2 * 2;
  return (static_cast<double>(pair[0] >> 5) * 67108864 + static_cast<double>(pair[1] >> 6)) / 9007199254740992.0;
}

const Shape kShapes[] = {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{2, 3, 5}, Shape{0}, Shape{3, 0}};

Reference dropped(double p) {
  return [p](const std::vector<Array>& in) {
    Array y(in[0].sizes);
    for (int64_t i = 0; i < y.numel(); ++i) y[i] = in[0][i] * (word(i) * 0x1p-32 < p ? 0 : 1 / (1 - p));
    return y;
  };
}

Reference unchanged() {
  return [](const std::vector<Array>& in) { return in[0]; };
}

Row dropout_row() {
  Row row{.name = "dropout", .cases = {}, .elementwise = true};
  const auto call = [](const Tensors& in) {
    Generator& generator = seeded();
    return dropout(in[0], 0.4, true, generator);
  };
  for (const Shape& sizes : kShapes) row.cases.push_back({to_string(sizes), {{.sizes = sizes}}, call, dropped(0.4)});
  const auto special = [&](const std::string& label, double p, bool training, Reference reference) {
    row.cases.push_back({label,
                         {{.sizes = {3, 5}}},
                         [=](const Tensors& in) { return dropout(in[0], p, training); },
                         std::move(reference),
                         1,
                         2,
                         true});
  };
  special("p 0", 0, true, unchanged());
  special("not training", 0.7, false, unchanged());
  special("p 1", 1, true, [](const std::vector<Array>& in) { return Array(in[0].sizes); });
  row.in_place = [](const Tensors& in) {
    Generator& generator = seeded();
    return dropout_(in[0], 0.4, true, generator);
  };
  row.bench.push_back({"[1000000]", {{.sizes = {1000000}}}, call, {}});
  row.bad_inputs = {
      bad<ValueError>([] { dropout(ones({2}), 1.5); }, "dropout: p must lie in [0, 1], got 1.500000"),
      bad<ValueError>([] { dropout(ones({2}), -0.5, false); }, "dropout: p must lie in [0, 1], got -0.500000"),
      bad<ValueError>([] { dropout_(ones({2}), std::nan("")); }, "dropout_: p must lie in [0, 1], got nan"),
      bad<DTypeError>([] { dropout(ones({2}, kInt64)); },
                      "dropout: x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)"),
      bad<ValueError>([] { dropout(Tensor()); }, "dropout: x must be defined, got an undefined tensor (Tensor())")};
  return row;
}

// Of whole channels of [N, C, ...]: element i goes by the word of its channel.
int64_t channel_of(const Shape& sizes, int64_t i) {
  for (int64_t d = 2; d < sizes.size(); ++d) i /= sizes[d];
  return i;
}

// (x - k) m + a k (1 - p), m = a or 0: what is dropped becomes a k + b, the rest a x + b, with b = -a k p.
Reference alpha_dropped(double p, bool channels) {
  return [=](const std::vector<Array>& in) {
    const double k = -1.7580993408473766, a = 1 / std::sqrt((1 - p) * (1 + p * k * k));
    Array y(in[0].sizes);
    y.magnitude.resize(y.v.size());
    for (int64_t i = 0; i < y.numel(); ++i) {
      const double m = word(channels ? channel_of(y.sizes, i) : i) * 0x1p-32 < p ? 0 : a;
      y[i] = (in[0][i] - k) * m + a * k * (1 - p);
      y.magnitude[static_cast<size_t>(i)] = std::abs(in[0][i]) + 3;
    }
    return y;
  };
}

using DropCall = Tensor (*)(const Tensor&, double, bool, Generator&);
using DropInPlace = Tensor& (*)(const Tensor&, double, bool, Generator&);

Row kin_of_dropout(const std::string& name, DropCall f, DropInPlace in_place, const std::vector<Shape>& shapes,
                   const Reference& reference, const Shape& timed) {
  Row row{.name = name, .cases = {}};
  const auto call = [f](const Tensors& in) { return f(in[0], 0.4, true, seeded()); };
  for (const Shape& sizes : shapes) row.cases.push_back({to_string(sizes), {{.sizes = sizes}}, call, reference});
  const auto special = [&](const std::string& label, double p, bool training, Reference expected) {
    const auto once = [=](const Tensors& in) { return f(in[0], p, training, default_generator()); };
    row.cases.push_back({label, {{.sizes = {3, 5}}}, once, std::move(expected), 1, 2, true});
  };
  special("not training", 0.7, false, unchanged());
  special("p 1", 1, true, [](const std::vector<Array>& in) { return Array(in[0].sizes); });
  row.in_place = [in_place](const Tensors& in) { return in_place(in[0], 0.4, true, seeded()); };
  row.bench.push_back({to_string(timed), {{.sizes = timed}}, call, {}});
  row.bad_inputs = {bad<ValueError>(
                        [f] {
                          f(ones({2, 2}), 1.5, true, seeded());
                        },
                        name + ": p must lie in [0, 1], got 1.500000"),
                    bad<ValueError>(
                        [in_place] {
                          in_place(ones({2, 2}), -1, true, seeded());
                        },
                        name + "_: p must lie in [0, 1], got -1.000000"),
                    bad<DTypeError>(
                        [f] {
                          f(ones({2, 2}, kInt64), 0.5, true, seeded());
                        },
                        name + ": x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)"),
                    bad<ValueError>([f] { f(Tensor(), 0.5, true, seeded()); },
                                    name + ": x must be defined, got an undefined tensor (Tensor())")};
  if (name.rfind("feature", 0) == 0)
    row.bad_inputs.push_back(
        bad<ShapeError>([f] { f(ones({2}), 0.5, false, seeded()); }, name + ": x must be [N, C, ...], got shape [2]"));
  return row;
}

void add_kin_of_dropout(std::vector<Row>& rows) {
  const std::vector<Shape> channels{{2, 5}, {3, 4, 2}, {2, 4, 2, 3}, {2, 0, 3}};
  const Reference dropped_channels = [](const std::vector<Array>& in) {
    Array y(in[0].sizes);
    for (int64_t i = 0; i < y.numel(); ++i)
      y[i] = in[0][i] * (word(channel_of(y.sizes, i)) * 0x1p-32 < 0.4 ? 0 : 1 / 0.6);
    return y;
  };
  rows.push_back(kin_of_dropout("feature_dropout", feature_dropout, feature_dropout_, channels, dropped_channels,
                                {64, 64, 14, 14}));
  rows.push_back(kin_of_dropout("alpha_dropout", alpha_dropout, alpha_dropout_, {Shape{}, Shape{7}, Shape{3, 5}},
                                alpha_dropped(0.4, false), {1000000}));
  rows.push_back(kin_of_dropout("feature_alpha_dropout", feature_alpha_dropout, feature_alpha_dropout_, channels,
                                alpha_dropped(0.4, true), {64, 64, 14, 14}));
}

Row bernoulli_row() {
  Row row{.name = "bernoulli", .cases = {}};
  const auto call = [](const Tensors& in) {
    Generator& generator = seeded();
    return bernoulli(in[0], generator);
  };
  for (const Shape& sizes : kShapes) {
    row.cases.push_back({to_string(sizes),
                         {{.sizes = sizes, .domain = {0, 1}}},
                         call,
                         [](const std::vector<Array>& in) {
                           Array y(in[0].sizes);
                           for (int64_t i = 0; i < y.numel(); ++i) y[i] = uniform(i) < in[0][i];
                           return y;
                         },
                         1,
                         0});
  }
  row.cases.push_back({"p 0.3",
                       {{.sizes = {3, 5}}},
                       [](const Tensors& in) {
                         Generator& generator = seeded();
                         return bernoulli(in[0], 0.3, generator);
                       },
                       [](const std::vector<Array>& in) {
                         Array y(in[0].sizes);
                         for (int64_t i = 0; i < y.numel(); ++i) y[i] = uniform(i) < 0.3;
                         return y;
                       },
                       1,
                       0,
                       true});
  row.in_place = [](const Tensors& in) {
    Generator& generator = seeded();
    return bernoulli_(in[0], in[0], generator);
  };
  row.bench.push_back({"[1000000]", {{.sizes = {1000000}, .domain = {0, 1}}}, call, {}, 1, 0});
  row.bad_inputs = {
      bad<ValueError>(
          [] {
            bernoulli(tensor({0.5, 1.5}));
          },
          "bernoulli: p must lie in [0, 1], got 1.500000 at position 1"),
      bad<ValueError>([] { bernoulli(ones({2}), -1); }, "bernoulli: p must lie in [0, 1], got -1.000000"),
      bad<DTypeError>([] { bernoulli(ones({2}, kInt64)); },
                      "bernoulli: p must be float32 or float64, got int64 (did you mean p.to(kFloat32)?)"),
      bad<ShapeError>(
          [] {
            bernoulli_(ones({3}), ones({2, 3}));
          },
          "bernoulli_: p must broadcast to x, got p [2, 3] and x [3]")};
  return row;
}

// The first category whose running sum passes u of the total; without replacement its weight is 0 from then on.
Array drawn(const Array& weights, int64_t n, bool replacement) {
  const int64_t classes = weights.size(-1), rows = weights.sizes.size() == 2 ? weights.size(0) : 1;
  Array y(weights.sizes.size() == 2 ? Shape{rows, n} : Shape{n});
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<double> w(weights.v.begin() + r * classes, weights.v.begin() + (r + 1) * classes);
    for (int64_t j = 0; j < n; ++j) {
      double total = 0, passed = 0;
      for (const double x : w) total += x;
      size_t c = 0;
      for (; (passed += w[c]) <= uniform(r * n + j) * total; ++c) {}
      y[r * n + j] = static_cast<double>(c);
      if (!replacement) w[c] = 0;
    }
  }
  return y;
}

Row multinomial_row() {
  Row row{.name = "multinomial", .cases = {}};
  const auto add = [&](const Shape& sizes, int64_t n, bool replacement) {
    row.cases.push_back({to_string(sizes) + " " + std::to_string(n) + (replacement ? " with replacement" : ""),
                         {{.sizes = sizes, .domain = {0.1, 2}}},
                         [=](const Tensors& in) {
                           Generator& generator = seeded();
                           return multinomial(in[0], n, replacement, generator);
                         },
                         [=](const std::vector<Array>& in) { return drawn(in[0], n, replacement); },
                         1,
                         0});
  };
  add({1}, 3, true);
  add({5}, 20, true);
  add({5}, 5, false);
  add({3, 7}, 4, false);
  add({3, 7}, 12, true);
  add({0, 4}, 2, false);
  const auto wrong = [](const TensorData& weights, int64_t n, const std::string& text) {
    return bad<ValueError>([x = tensor(weights, kFloat32), n] { multinomial(x, n); }, "multinomial: " + text);
  };
  row.bad_inputs = {
      wrong({0.5, -1.0}, 1, "weights must be finite and not negative, got -1.000000 in row 0 at position 1"),
      wrong({{1.0, 1.0}, {0.0, 0.0}}, 1, "the weights of a row must not all be 0, as in row 1"),
      wrong({1.0, 0.0, 0.0}, 2,
            "without replacement num_samples must not exceed the number of positive weights, got 2 and 1 in row 0"),
      wrong({1.0, 1.0}, 3,
            "without replacement num_samples must not exceed the number of categories, got 3 and 2 (did you mean "
            "replacement = true?)"),
      wrong({1.0, 1.0}, 0, "num_samples must be at least 1, got 0"),
      bad<ShapeError>([] { multinomial(ones({}), 1); }, "multinomial: weights must be [C] or [N, C], got shape []"),
      bad<DTypeError>([] { multinomial(ones({2}, kInt64), 1); },
                      "multinomial: weights must be float32 or float64, got int64 (did you mean "
                      "weights.to(kFloat32)?)")};
  return row;
}

// With a deviation of 0, the mean: the rest is statistics, in sampling_test.cpp.
Row normal_row() {
  Row row{.name = "normal", .cases = {}};
  const auto add = [&](const Shape& mean, const Shape& std) {
    row.cases.push_back({to_string(mean) + " " + to_string(std),
                         {{.sizes = mean}, {.sizes = std, .domain = {0, 0}}},
                         [](const Tensors& in) { return normal(in[0], in[1]); },
                         [](const std::vector<Array>& in) {
                           Array y(broadcast_shapes(in[0].sizes, in[1].sizes, "case"));
                           for (int64_t i = 0; i < y.numel(); ++i) y[i] = in[0].at(i, y.sizes);
                           return y;
                         },
                         1,
                         0});
  };
  add({}, {});
  add({7}, {7});
  add({3, 1}, {5});
  add({}, {2, 3});
  add({0}, {1});
  row.cases.push_back({"[3, 5] and a number",
                       {{.sizes = {3, 5}}},
                       [](const Tensors& in) { return normal(in[0], 0); },
                       unchanged(),
                       1,
                       0});
  row.bad_inputs = {
      bad<ValueError>(
          [] {
            normal(ones({2}), tensor({1.0, -1.0}));
          },
          "normal: std must not be negative, got -1.000000 at position 1"),
      bad<ValueError>([] { normal(ones({2}), -1); }, "normal: std must not be negative, got -1.000000"),
      bad<DTypeError>([] { normal(ones({2}, kInt64), ones({2})); },
                      "normal: mean must be float32 or float64, got int64 (did you mean mean.to(kFloat32)?)"),
      bad<ShapeError>([] { normal(ones({2}), ones({3})); },
                      "normal: shapes [2] and [3] do not broadcast: sizes 2 and 3 at dim -1 differ and neither is 1")};
  return row;
}

}  // namespace

std::vector<Row> sampling_rows() {
  std::vector<Row> rows{dropout_row(), bernoulli_row(), multinomial_row(), normal_row()};
  add_kin_of_dropout(rows);
  return rows;
}

}  // namespace op_cases
