// Rows of normalisation, against means and variances summed element by element in double.
#include "op_cases.h"

namespace op_cases {
namespace {

// Which statistic, and which weight, element i of x belongs to.
struct Places {
  std::function<int64_t(int64_t i)> statistic, weight;
};

struct Options {
  bool weight = true, bias = true;  // operands 1 and 2, as far as there are any
  bool running = false;             // the last two operands
  bool given = false;               // and used
  double eps = 1e-5;
  bool centred = true;
};

// y = (x - m) / sqrt(v + eps) w + b
Reference normalized(std::function<Places(const Shape&)> places_of, Options o) {
  return [=](const std::vector<Array>& in) {
    const Array& x = in[0];
    const Places at = places_of(x.sizes);
    const auto n = static_cast<size_t>(x.numel());
    std::vector<double> mean(n), square(n), count(n);
    const auto statistic = [&](int64_t i) { return static_cast<size_t>(at.statistic(i)); };
    for (int64_t i = 0; i < x.numel(); ++i) ++count[statistic(i)], mean[statistic(i)] += o.centred ? x[i] : 0;
    for (size_t k = 0; k < n; ++k) mean[k] /= count[k];
    for (int64_t i = 0; i < x.numel(); ++i)
      square[statistic(i)] += (x[i] - mean[statistic(i)]) * (x[i] - mean[statistic(i)]);
    for (size_t k = 0; k < n; ++k) square[k] /= count[k];
    Array y(x.sizes);
    y.magnitude.resize(n);
    for (int64_t i = 0; i < x.numel(); ++i) {
      const size_t k = statistic(i);
      const double m = o.given ? in[in.size() - 2][at.weight(i)] : mean[k];
      const double v = o.given ? in[in.size() - 1][at.weight(i)] : square[k];
      const double w = o.weight ? in[1][at.weight(i)] : 1, b = o.bias ? in[o.weight ? 2 : 1][at.weight(i)] : 0;
      const double r = 1 / std::sqrt(v + o.eps);
      y[i] = (x[i] - m) * r * w + b;
      y.magnitude[static_cast<size_t>(i)] = (std::abs(x[i]) + std::abs(m)) * r * std::abs(w) + std::abs(b);
    }
    return y;
  };
}

int64_t after(const Shape& sizes, int64_t dim) {
  int64_t n = 1;
  for (int64_t d = dim; d < sizes.size(); ++d) n *= sizes[d];
  return n;
}

// Per channel; per channel of a sample.
Places of_channels(const Shape& s) {
  const int64_t inner = after(s, 2), channels = s[1];
  const auto channel = [=](int64_t i) { return i / inner % channels; };
  return {channel, channel};
}
Places of_instances(const Shape& s) {
  const int64_t inner = after(s, 2);
  return {[=](int64_t i) { return i / inner; }, of_channels(s).weight};
}
std::function<Places(const Shape&)> of_groups(int64_t groups) {
  return [=](const Shape& s) {
    const int64_t length = s[1] / groups * after(s, 2);
    return Places{[=](int64_t i) { return i / length; }, of_channels(s).weight};
  };
}
std::function<Places(const Shape&)> of_last(int64_t dims) {
  return [=](const Shape& s) {
    const int64_t length = after(s, s.size() - dims);
    return Places{[=](int64_t i) { return i / length; }, [=](int64_t i) { return i % length; }};
  };
}
Shape last_of(const Shape& s, int64_t dims) { return Shape(IntArrayRef(s.data() + s.size() - dims, dims)); }

// Operands: x, what there is of weight and bias, what there is of running statistics.
std::vector<Arg> operands(const Shape& x, const Shape& affine, const Options& o) {
  std::vector<Arg> args{{.sizes = x}};
  if (o.weight) args.push_back({.sizes = affine});
  if (o.bias) args.push_back({.sizes = affine});
  if (o.running) args.push_back({.sizes = affine, .constant = true});
  if (o.running) args.push_back({.sizes = affine, .domain = {0.5, 2}, .constant = true});
  return args;
}
Tensor weight_of(const Tensors& in, const Options& o) { return o.weight ? in[1] : Tensor(); }
Tensor bias_of(const Tensors& in, const Options& o) { return o.bias ? in[o.weight ? 2 : 1] : Tensor(); }

std::string label(const Shape& sizes, const Options& o, const std::string& more = "") {
  return to_string(sizes) + more + (o.weight ? ", weight" : "") + (o.bias ? ", bias" : "") +
         (o.given     ? ", given statistics"
          : o.running ? ", running statistics"
                      : "");
}

using RunningCall = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, bool, double,
                               double);

// Training writes running statistics: to copies of the operands, which differences are taken of.
Case running_case(RunningCall f, std::function<Places(const Shape&)> places, const Shape& sizes, Options o) {
  const auto call = [f, o](const Tensors& in) {
    Tensor mean, var;
    if (o.running) mean = in[in.size() - 2], var = in[in.size() - 1];
    if (o.running && !o.given) mean = mean.clone(), var = var.clone();
    return f(in[0], mean, var, weight_of(in, o), bias_of(in, o), !o.given, 0.1, o.eps);
  };
  return {label(sizes, o), operands(sizes, {sizes[1]}, o), call, normalized(places, o), 8};
}

std::vector<BadInput> running_errors(const std::string& op, RunningCall f, const Shape& x) {
  const auto call = [=](const Tensor& mean, const Tensor& var, const Tensor& weight, bool own) {
    return [=] { f(zeros(x), mean, var, weight, {}, own, 0.1, 1e-5); };
  };
  const std::string shape = to_string(x);
  return {
      bad<ValueError>(call({}, {}, {}, false),
                      op + ": running_mean and running_var must be defined where the input's own statistics are not "
                           "used, got undefined tensors (Tensor())"),
      bad<ValueError>(call(zeros({3}), {}, {}, true),
                      op + ": running_mean and running_var must both be defined or neither, got only running_mean"),
      bad<ShapeError>(call(zeros({3}), ones({4}), {}, true),
                      op + ": running_var must have one element per channel, got running_var [4] and x " + shape),
      bad<DTypeError>(call(zeros({3}, kFloat64), ones({3}), {}, false),
                      op + ": running_mean must have x's dtype, got running_mean float64 and x float32"),
      bad<ShapeError>(call({}, {}, ones({3, 1}), true),
                      op + ": weight must have one element per channel, got weight [3, 1] and x " + shape),
      bad<DTypeError>(call({}, {}, ones({3}, kFloat64), true),
                      op + ": weight must have x's dtype, got weight float64 and x float32"),
      bad<AutogradError>(
          call(zeros({1}).expand({3}), ones({3}), {}, true),
          op + ": several elements of the tensor share memory (an expanded dim), shape [3], strides [0]; write to a "
               "clone()"),
      bad<ValueError>([=] { f(zeros(x), {}, {}, {}, {}, true, 0.1, -1); },
                      op + ": eps must not be negative, got -1.000000"),
      bad<DTypeError>([=] { f(zeros(x, kInt64), {}, {}, {}, {}, true, 0.1, 1e-5); },
                      op + ": x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)"),
      bad<ValueError>([=] { f(Tensor(), {}, {}, {}, {}, true, 0.1, 1e-5); },
                      op + ": x must be defined, got an undefined tensor (Tensor())")};
}

void add_bench(Row& row, const Case& c) {
  row.bench.push_back(c);
  row.bench.back().reference = {};
  row.flops = [](const Tensors&, const Tensor& y) { return 10 * static_cast<double>(y.numel()); };
}

constexpr Options kPlain{.weight = false, .bias = false};

Row batch_norm_row() {
  Row row{.name = "batch_norm", .cases = {}};
  const auto add = [&](const Shape& sizes, const Options& o) {
    row.cases.push_back(running_case(batch_norm, of_channels, sizes, o));
  };
  add({5, 3}, {});
  add({4, 2, 3}, {.bias = false});
  add({3, 2, 2, 2}, {.weight = false, .bias = false, .running = true});
  add({2, 3, 1, 2, 3}, {.running = true});
  add({3, 2, 65}, {.eps = 0.1});
  add({5, 3}, {.running = true, .given = true});
  add({3, 2, 4}, {.weight = false, .bias = false, .running = true, .given = true});
  add({2, 3, 13, 5}, {.running = true, .given = true});
  for (const Shape& sizes : {Shape{256, 512}, Shape{32, 64, 7, 7}, Shape{2, 3, 250, 200}, Shape{64, 64, 28, 28}})
    add_bench(row, running_case(batch_norm, of_channels, sizes, {}));
  add_bench(row, running_case(batch_norm, of_channels, {32, 64, 14, 14}, {.running = true, .given = true}));
  row.bad_inputs = running_errors("batch_norm", batch_norm, {4, 3});
  row.bad_inputs.push_back(bad<ValueError>(
      [] {
        batch_norm(zeros({1, 3, 1}), {}, {}, {}, {}, true);
      },
      "batch_norm: its own statistics need more than 1 value per channel, got x of shape [1, 3, 1]"));
  row.bad_inputs.push_back(bad<ShapeError>([] { batch_norm(zeros({3}), {}, {}, {}, {}, true); },
                                           "batch_norm: x must be [N, C] or [N, C, ...], got shape [3]"));
  return row;
}

Row instance_norm_row() {
  Row row{.name = "instance_norm", .cases = {}};
  const auto add = [&](const Shape& sizes, const Options& o) {
    row.cases.push_back(running_case(instance_norm, of_instances, sizes, o));
  };
  add({2, 3, 4}, kPlain);
  add({2, 3, 2, 2}, {});
  add({3, 2, 4}, {.bias = false, .running = true});
  add({2, 2, 1, 2, 3}, {.weight = false});
  add({2, 2, 65}, {});
  add({2, 3, 4}, {.running = true, .given = true});
  add_bench(row, running_case(instance_norm, of_instances, {8, 32, 28, 28}, {}));
  row.bad_inputs = running_errors("instance_norm", instance_norm, {2, 3, 4});
  row.bad_inputs.push_back(bad<ValueError>(
      [] {
        instance_norm(zeros({2, 3, 1}));
      },
      "instance_norm: its own statistics need more than 1 value per channel, got x of shape [2, 3, 1]"));
  row.bad_inputs.push_back(bad<ShapeError>(
      [] {
        instance_norm(zeros({2, 3}));
      },
      "instance_norm: x must be [N, C, ...], got shape [2, 3]"));
  return row;
}

Case group_case(const Shape& sizes, int64_t groups, const Options& o) {
  const auto call = [=](const Tensors& in) {
    return group_norm(in[0], groups, weight_of(in, o), bias_of(in, o), o.eps);
  };
  return {label(sizes, o, ", " + std::to_string(groups) + " groups"), operands(sizes, {sizes[1]}, o), call,
          normalized(of_groups(groups), o), 8};
}

Row group_norm_row() {
  Row row{.name = "group_norm", .cases = {}};
  row.cases = {group_case({5, 6}, 2, {}),
               group_case({2, 4, 3}, 2, {}),
               group_case({3, 2, 2, 2}, 1, {.bias = false}),
               group_case({2, 4, 3}, 2, kPlain),
               group_case({2, 4, 65}, 2, {}),
               group_case({2, 3, 1, 2, 3}, 3, {.weight = false, .eps = 0.1})};
  add_bench(row, group_case({8, 32, 28, 28}, 8, {}));
  add_bench(row, group_case({2, 4, 250, 100}, 1, {}));
  row.bad_inputs = {
      bad<ShapeError>(
          [] {
            group_norm(zeros({2, 6, 4}), 4);
          },
          "group_norm: num_groups must be positive and divide the channels, got 4 and 6 channels of x "
          "[2, 6, 4]"),
      bad<ShapeError>(
          [] {
            group_norm(zeros({2, 6}), 0);
          },
          "group_norm: num_groups must be positive and divide the channels, got 0 and 6 channels of x "
          "[2, 6]"),
      bad<ShapeError>(
          [] {
            group_norm(zeros({2, 6}), 2, ones({2}));
          },
          "group_norm: weight must have one element per channel, got weight [2] and x [2, 6]"),
      bad<DTypeError>(
          [] {
            group_norm(zeros({2, 6}), 2, ones({6}), ones({6}, kInt64));
          },
          "group_norm: bias must have x's dtype, got bias int64 and x float32"),
      bad<ShapeError>([] { group_norm(zeros({6}), 2); }, "group_norm: x must be [N, C] or [N, C, ...], got shape [6]"),
      bad<ValueError>([] { group_norm(Tensor(), 2); },
                      "group_norm: x must be defined, got an undefined tensor (Tensor())")};
  return row;
}

Case layer_case(const Shape& sizes, int64_t dims, const Options& o) {
  const auto call = [=](const Tensors& in) {
    return layer_norm(in[0], last_of(in[0].sizes(), dims), weight_of(in, o), bias_of(in, o), o.eps);
  };
  return {label(sizes, o, " over " + std::to_string(dims)), operands(sizes, last_of(sizes, dims), o), call,
          normalized(of_last(dims), o), 8};
}

Row layer_norm_row() {
  Row row{.name = "layer_norm", .cases = {}};
  row.cases = {layer_case({4, 5}, 1, {}),
               layer_case({3, 2, 4}, 2, {}),
               layer_case({7}, 1, kPlain),
               layer_case({2, 3, 17}, 1, {.bias = false}),
               layer_case({3, 5}, 1, {.weight = false}),
               layer_case({66, 3}, 1, {.eps = 0.1}),
               layer_case({3, 1}, 1, {})};
  for (const Shape& sizes : {Shape{300, 1000}, Shape{4096, 64}, Shape{4096, 1024}})
    add_bench(row, layer_case(sizes, 1, {}));
  add_bench(row, layer_case({2, 3, 50000}, 2, kPlain));
  row.bad_inputs = {
      bad<ShapeError>(
          [] {
            layer_norm(zeros({3, 4}), {5});
          },
          "layer_norm: normalized_shape must be the last sizes of x, at least one, got [5] and x [3, 4]"),
      bad<ShapeError>(
          [] {
            layer_norm(zeros({4}), {3, 4});
          },
          "layer_norm: normalized_shape must be the last sizes of x, at least one, got [3, 4] and x [4]"),
      bad<ShapeError>([] { layer_norm(zeros({4}), IntArrayRef()); },
                      "layer_norm: normalized_shape must be the last sizes of x, at least one, got [] and x [4]"),
      bad<ShapeError>(
          [] {
            layer_norm(zeros({3, 4}), {4}, ones({3}));
          },
          "layer_norm: weight must have the shape normalized_shape, got weight [3] and [4]"),
      bad<DTypeError>(
          [] {
            layer_norm(zeros({3, 4}), {4}, ones({4}), zeros({4}, kFloat64));
          },
          "layer_norm: bias must have x's dtype, got bias float64 and x float32"),
      bad<ValueError>(
          [] {
            layer_norm(zeros({3, 4}), {4}, {}, {}, std::nan(""));
          },
          "layer_norm: eps must not be negative, got nan"),
      bad<DTypeError>([] { layer_norm(zeros({4}, kInt64), {4}); },
                      "layer_norm: x must be float32 or float64, got int64 (did you mean x.to(kFloat32)?)")};
  return row;
}

Case rms_case(const Shape& sizes, int64_t dims, Options o, bool own_eps = false) {
  o.bias = o.centred = false;
  const auto call = [=](const Tensors& in) {
    const Shape shape = last_of(in[0].sizes(), dims);
    return own_eps ? rms_norm(in[0], shape, weight_of(in, o)) : rms_norm(in[0], shape, weight_of(in, o), o.eps);
  };
  if (own_eps) o.eps = 0;  // what remains is within the tolerance
  return {label(sizes, o, " over " + std::to_string(dims)), operands(sizes, last_of(sizes, dims), o), call,
          normalized(of_last(dims), o), 8};
}

Row rms_norm_row() {
  Row row{.name = "rms_norm", .cases = {}};
  row.cases = {rms_case({4, 5}, 1, {}), rms_case({3, 2, 4}, 2, {.eps = 0.1}), rms_case({7}, 1, kPlain),
               rms_case({2, 3, 17}, 1, {}, true)};
  add_bench(row, rms_case({300, 1000}, 1, {}));
  add_bench(row, rms_case({4096, 1024}, 1, {}));
  row.bad_inputs = {bad<ShapeError>(
                        [] {
                          rms_norm(zeros({3, 4}), {3});
                        },
                        "rms_norm: normalized_shape must be the last sizes of x, at least one, got [3] and x [3, 4]"),
                    bad<ShapeError>(
                        [] {
                          rms_norm(zeros({3, 4}), {4}, ones({4, 1}));
                        },
                        "rms_norm: weight must have the shape normalized_shape, got weight [4, 1] and [4]"),
                    bad<ValueError>([] { rms_norm(Tensor(), {4}); },
                                    "rms_norm: x must be defined, got an undefined tensor (Tensor())")};
  return row;
}

}  // namespace

std::vector<Row> normalization_rows() {
  return {batch_norm_row(), instance_norm_row(), layer_norm_row(), group_norm_row(), rms_norm_row()};
}

}  // namespace op_cases
