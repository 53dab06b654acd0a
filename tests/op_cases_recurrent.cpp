// Rows of recurrent cells and layers, against PyTorch's formulas in double: every sequence by itself, one step after the other.
#include <algorithm>

#include "op_cases_functions.h"

namespace op_cases {
namespace {

enum class Kind { rnn_tanh, rnn_relu, gru, lstm };

int64_t blocks_of(Kind kind) { return kind == Kind::lstm ? 4 : kind == Kind::gru ? 3 : 1; }

// Numbers, and the sum of the absolute terms behind each: its error in units of the last place.
struct Values {
  std::vector<double> v, size;
  double at(int64_t i) const { return v[static_cast<size_t>(i)]; }
  double size_at(int64_t i) const { return size[static_cast<size_t>(i)]; }
  void add(double value, double terms) { v.push_back(value), size.push_back(terms); }
};

struct Numbers {
  const double* p;
  double operator[](int64_t i) const { return p ? p[i] : 0; }
};
struct Weights {
  Numbers w_ih, w_hh, b_ih, b_hh, w_hr;
};
struct State {
  Values h, c;
};

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

// Row r of w x + b.
std::pair<double, double> affine(const Numbers& w, const Numbers& b, const Values& x, int64_t r) {
  const auto n = static_cast<int64_t>(x.v.size());
  double sum = b[r], size = std::abs(b[r]);
  for (int64_t i = 0; i < n; ++i) sum += w[r * n + i] * x.at(i), size += std::abs(w[r * n + i]) * x.size_at(i);
  return {sum, size};
}

State step(Kind kind, const Values& x, const State& s, const Weights& w, int64_t hidden) {
  State next;
  for (int64_t k = 0; k < hidden; ++k) {
    std::vector<double> a, b, size;
    for (int64_t r = k; r < blocks_of(kind) * hidden; r += hidden) {
      const auto by_x = affine(w.w_ih, w.b_ih, x, r), by_h = affine(w.w_hh, w.b_hh, s.h, r);
      a.push_back(by_x.first), b.push_back(by_h.first), size.push_back(by_x.second + by_h.second);
    }
    if (kind == Kind::rnn_tanh) next.h.add(std::tanh(a[0] + b[0]), size[0] + 1);
    if (kind == Kind::rnn_relu) next.h.add(std::max(a[0] + b[0], 0.), size[0]);
    if (kind == Kind::gru) {
      const double r = sigmoid_of(a[0] + b[0]), z = sigmoid_of(a[1] + b[1]), n = std::tanh(a[2] + r * b[2]);
      const double n_size = size[2] + std::abs(b[2]) * (size[0] / 4 + 1) + 1;
      next.h.add((1 - z) * n + z * s.h.at(k), n_size + s.h.size_at(k) + std::abs(s.h.at(k) - n) * (size[1] / 4 + 1));
    }
    if (kind == Kind::lstm) {
      const double i = sigmoid_of(a[0] + b[0]), f = sigmoid_of(a[1] + b[1]), g = std::tanh(a[2] + b[2]);
      const double c = f * s.c.at(k) + i * g;
      const double c_size = s.c.size_at(k) + std::abs(s.c.at(k)) * (size[1] / 4 + 1) + size[0] / 4 + size[2] + 2;
      next.c.add(c, c_size);
      next.h.add(sigmoid_of(a[3] + b[3]) * std::tanh(c), size[3] / 4 + 1 + c_size);
    }
  }
  if (!w.w_hr.p) return next;
  const Values whole = next.h;
  next.h = {};
  for (int64_t r = 0; r < static_cast<int64_t>(s.h.v.size()); ++r) {
    const auto y = affine(w.w_hr, {nullptr}, whole, r);
    next.h.add(y.first, y.second);
  }
  return next;
}

// `count` numbers of a, from `first` on.
Values some_of(const Array& a, int64_t first, int64_t count) {
  Values x;
  for (int64_t i = first; i < first + count; ++i) x.add(a[i], std::abs(a[i]));
  return x;
}

// ---- cells: operands x, h, (c,) w_ih, w_hh, (b_ih, b_hh) ----

Tensor cell(Kind kind, const Tensors& in) {
  const auto w = in.begin() + (kind == Kind::lstm ? 3 : 2);
  const auto bias = [&](int64_t i) { return w + 2 + i < in.end() ? w[2 + i] : Tensor(); };
  if (kind == Kind::lstm) {
    const auto [h, c] = lstm_cell(in[0], {in[1], in[2]}, w[0], w[1], bias(0), bias(1));
    return cat({h, c}, -1);
  }
  const auto f = kind == Kind::gru ? gru_cell : kind == Kind::rnn_tanh ? rnn_tanh_cell : rnn_relu_cell;
  return f(in[0], in[1], w[0], w[1], bias(0), bias(1));
}

Case cell_case(Kind kind, Shape batch, int64_t in, int64_t hidden, bool biases) {
  const auto with = [batch](int64_t last) {
    Shape sizes = batch;
    sizes.push_back(last);
    return sizes;
  };
  const int64_t rows = blocks_of(kind) * hidden, first = kind == Kind::lstm ? 3 : 2;
  std::vector<Arg> args{{.sizes = with(in)}, {.sizes = with(hidden)}};
  if (kind == Kind::lstm) args.push_back({.sizes = with(hidden)});
  args.push_back({.sizes = {rows, in}, .domain = {-1, 1}}),
      args.push_back({.sizes = {rows, hidden}, .domain = {-1, 1}});
  if (biases) args.push_back({.sizes = {rows}}), args.push_back({.sizes = {rows}});
  const auto reference = [=](const std::vector<Array>& a) {
    const auto numbers = [&](int64_t i) {
      return Numbers{first + i < static_cast<int64_t>(a.size()) ? a[static_cast<size_t>(first + i)].v.data() : nullptr};
    };
    const Weights w{numbers(0), numbers(1), numbers(2), numbers(3), {nullptr}};
    Array y(with(kind == Kind::lstm ? 2 * hidden : hidden));
    const int64_t examples = batch.empty() ? 1 : batch[0];
    y.v.clear();
    for (int64_t n = 0; n < examples; ++n) {
      State s{some_of(a[1], n * hidden, hidden), {}};
      if (kind == Kind::lstm) s.c = some_of(a[2], n * hidden, hidden);
      s = step(kind, some_of(a[0], n * in, in), s, w, hidden);
      for (const Values* part : {&s.h, &s.c}) {
        y.v.insert(y.v.end(), part->v.begin(), part->v.end());
        y.magnitude.insert(y.magnitude.end(), part->size.begin(), part->size.end());
      }
    }
    return y;
  };
  return {to_string(with(in)) + " to " + std::to_string(hidden) + (biases ? ", biases" : ""), args,
          [kind](const Tensors& t) { return cell(kind, t); }, reference, in + hidden};
}

Row cell_row(Kind kind, const std::string& name) {
  Row row{.name = name, .cases = {}};
  row.cases = {cell_case(kind, {2}, 3, 2, true), cell_case(kind, {}, 2, 3, false), cell_case(kind, {0}, 3, 2, true)};
  row.bench = {cell_case(kind, {32}, 128, 256, true)};
  row.bench.back().reference = {};
  row.flops = [](const Tensors& in, const Tensor& y) {
    return 2 * static_cast<double>(y.size(0) * (in[in.size() - 4].numel() + in[in.size() - 3].numel()));
  };
  return row;
}

// ---- layers over time: operands x, h_0, (c_0,) and all weights in one vector ----

struct Setting {
  Kind kind = Kind::lstm;
  int64_t steps = 3, batch = 2, in = 2, hidden = 2, layers = 1;
  bool biases = true, bidirectional = false, batch_first = false;
  std::vector<int64_t> batch_sizes = {};  // packed
  bool alone = false;                     // without a batch dim
  int64_t proj = 0;

  int64_t directions() const { return bidirectional ? 2 : 1; }
  int64_t out() const { return proj > 0 ? proj : hidden; }
  int64_t features(int64_t layer) const { return layer == 0 ? in : directions() * out(); }
  // Of each layer and direction, in order.
  std::vector<Shape> weights() const {
    std::vector<Shape> all;
    const int64_t rows = blocks_of(kind) * hidden;
    for (int64_t k = 0; k < layers * directions(); ++k) {
      all.push_back({rows, features(k / directions())}), all.push_back({rows, out()});
      if (biases) all.push_back({rows}), all.push_back({rows});
      if (proj > 0) all.push_back({proj, hidden});
    }
    return all;
  }
  int64_t length(int64_t n) const {
    if (batch_sizes.empty()) return steps;
    return std::count_if(batch_sizes.begin(), batch_sizes.end(), [&](int64_t size) { return size > n; });
  }
  // The row of x that step t of sequence n is.
  int64_t row(int64_t t, int64_t n) const {
    if (batch_sizes.empty()) return batch_first ? n * steps + t : t * batch + n;
    for (int64_t i = 0; i < t; ++i) n += batch_sizes[static_cast<size_t>(i)];
    return n;
  }
  int64_t rows() const {
    int64_t sum = 0;
    for (int64_t n = 0; n < batch; ++n) sum += length(n);
    return sum;
  }
};

using Dense = std::tuple<Tensor, Tensor> (*)(const Tensor&, const Tensor&, const Tensors&, bool, int64_t, double, bool,
                                             bool, bool);
using Packed = std::tuple<Tensor, Tensor> (*)(const Tensor&, const std::vector<int64_t>&, const Tensor&, const Tensors&,
                                              bool, int64_t, double, bool, bool);

Tensor flat(const Tensor& t) { return reshape(t, {t.numel()}); }

Tensor layers(const Setting& s, const Tensors& in) {
  Tensors params;
  int64_t at = 0;
  for (const Shape& sizes : s.weights()) {
    const int64_t n = numel_of(sizes, "case");
    params.push_back(reshape(narrow(in.back(), 0, at, n), sizes));
    at += n;
  }
  if (s.kind == Kind::lstm) {
    const auto [y, h, c] =
        s.batch_sizes.empty()
            ? lstm(in[0], {in[1], in[2]}, params, s.biases, s.layers, 0, false, s.bidirectional, s.batch_first)
            : lstm(in[0], s.batch_sizes, {in[1], in[2]}, params, s.biases, s.layers, 0, false, s.bidirectional);
    return cat({flat(y), flat(h), flat(c)}, 0);
  }
  const bool is_gru = s.kind == Kind::gru, is_tanh = s.kind == Kind::rnn_tanh;
  const auto dense = is_gru ? Dense(gru) : is_tanh ? Dense(rnn_tanh) : Dense(rnn_relu);
  const auto packed = is_gru ? Packed(gru) : is_tanh ? Packed(rnn_tanh) : Packed(rnn_relu);
  const auto [y, h] = s.batch_sizes.empty()
                          ? dense(in[0], in[1], params, s.biases, s.layers, 0, false, s.bidirectional, s.batch_first)
                          : packed(in[0], s.batch_sizes, in[1], params, s.biases, s.layers, 0, false, s.bidirectional);
  return cat({flat(y), flat(h)}, 0);
}

// Layers of one sequence, whose inputs are x and whose states start as first(k, which): y, and the last states by layer and direction.
struct Outcome {
  std::vector<Values> y;
  std::vector<State> last;
};
template <class First> Outcome run(const Setting& s, std::vector<Values> x, const First& first, const double* flat_w) {
  Outcome result;
  for (int64_t k = 0; k < s.layers * s.directions();) {
    std::vector<Values> y(x.size());
    for (int64_t direction = 0; direction < s.directions(); ++direction, ++k) {
      Weights w{};
      const int64_t rows = blocks_of(s.kind) * s.hidden;
      const auto take = [&](int64_t n) { return Numbers{std::exchange(flat_w, flat_w + n)}; };
      w.w_ih = take(rows * s.features(k / s.directions())), w.w_hh = take(rows * s.out());
      if (s.biases) w.b_ih = take(rows), w.b_hh = take(rows);
      if (s.proj > 0) w.w_hr = take(s.proj * s.hidden);
      State state = first(k);
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t t = direction == 0 ? i : x.size() - 1 - i;
        state = step(s.kind, x[t], state, w, s.hidden);
        for (int64_t j = 0; j < s.out(); ++j) y[t].add(state.h.at(j), state.h.size_at(j));
      }
      result.last.push_back(state);
    }
    x = y;
  }
  result.y = x;
  return result;
}

Array layers_reference(const Setting& s, const std::vector<Array>& a) {
  const int64_t width = s.directions() * s.out(), states = s.layers * s.directions();
  const int64_t in_y = s.rows() * width, in_h = states * s.batch * s.out(), in_c = states * s.batch * s.hidden;
  Array result(Shape{in_y + in_h + (s.kind == Kind::lstm ? in_c : 0)});
  result.magnitude.resize(result.v.size());
  const auto put = [&](int64_t at, const Values& values) {
    std::copy(values.v.begin(), values.v.end(), result.v.begin() + at);
    std::copy(values.size.begin(), values.size.end(), result.magnitude.begin() + at);
  };
  for (int64_t n = 0; n < s.batch; ++n) {
    std::vector<Values> x;
    for (int64_t t = 0; t < s.length(n); ++t) x.push_back(some_of(a[0], s.row(t, n) * s.in, s.in));
    const auto first = [&](int64_t k) {
      State state{some_of(a[1], (k * s.batch + n) * s.out(), s.out()), {}};
      if (s.kind == Kind::lstm) state.c = some_of(a[2], (k * s.batch + n) * s.hidden, s.hidden);
      return state;
    };
    const Outcome out = run(s, x, first, a.back().v.data());
    for (int64_t t = 0; t < s.length(n); ++t) put(s.row(t, n) * width, out.y[static_cast<size_t>(t)]);
    for (int64_t k = 0; k < states; ++k) {
      put(in_y + (k * s.batch + n) * s.out(), out.last[static_cast<size_t>(k)].h);
      if (s.kind == Kind::lstm) put(in_y + in_h + (k * s.batch + n) * s.hidden, out.last[static_cast<size_t>(k)].c);
    }
  }
  return result;
}

Case layers_case(const std::string& label, const Setting& s) {
  const int64_t states = s.layers * s.directions();
  const auto state = [&](int64_t size) { return s.alone ? Shape{states, size} : Shape{states, s.batch, size}; };
  int64_t weights = 0;
  for (const Shape& sizes : s.weights()) weights += numel_of(sizes, "case");
  Arg x{.sizes = {s.steps, s.batch, s.in}};
  if (s.batch_first) x.sizes = {s.batch, s.steps, s.in};
  if (s.alone) x.sizes = {s.steps, s.in};
  if (!s.batch_sizes.empty()) x.sizes = {s.rows(), s.in};
  std::vector<Arg> args{x, {.sizes = state(s.out())}};
  if (s.kind == Kind::lstm) args.push_back({.sizes = state(s.hidden)});
  const double bound = 1 / std::sqrt(static_cast<double>(s.hidden));  // as they start: far above, long runs are chaotic
  args.push_back({.sizes = {weights}, .domain = {-bound, bound}});
  return {label, args, [s](const Tensors& in) { return layers(s, in); },
          [s](const std::vector<Array>& a) { return layers_reference(s, a); }, s.steps * (s.in + s.hidden)};
}

// Every form of input, one or two layers and directions.
std::vector<Case> forms(Kind kind) {
  // Three steps of what has no bound have squares of a weight: of 1e30, infinities whose signs meet in the order of the sums.
  return {layers_case("some steps", {.kind = kind, .steps = kind == Kind::rnn_relu ? 2 : 3}),
          layers_case("two layers, both directions, batch first",
                      {.kind = kind, .steps = 2, .hidden = 1, .layers = 2, .bidirectional = true, .batch_first = true}),
          layers_case(
              "packed, both directions",
              {.kind = kind, .steps = 4, .batch = 3, .hidden = 1, .bidirectional = true, .batch_sizes = {3, 2, 2, 1}})};
}

Case timed_layers(Kind kind) {
  Case c = layers_case("20 steps, 32 x 64 to 128", {.kind = kind, .steps = 20, .batch = 32, .in = 64, .hidden = 128});
  c.reference = {};
  return c;
}

Row layers_row(Kind kind, const std::string& name) {
  Row row{.name = name, .cases = forms(kind)};
  row.bench = {timed_layers(kind)};
  row.flops = [](const Tensors& in, const Tensor&) {
    return 2 * static_cast<double>(in[0].size(0) * in[0].size(1) * in.back().numel());
  };
  return row;
}

std::vector<BadInput> cell_errors() {
  const auto call = [](Tensor x, Tensors hx, Tensor w_ih = ones({8, 3}), Tensor w_hh = ones({8, 2}), Tensor b = {}) {
    return [=] { lstm_cell(x, hx, w_ih, w_hh, b, b); };
  };
  const Tensor x = ones({4, 3}), h = ones({4, 2});
  return {undefined_operand("lstm_cell", "x", call({}, {h, h})),
          undefined_operand("lstm_cell", "w_ih", call(x, {h, h}, {})),
          undefined_operand("lstm_cell", "w_hh", call(x, {h, h}, ones({8, 3}), {})),
          undefined_operand("lstm_cell", "c", call(x, {h, {}})),
          bad<DTypeError>(call(ones({4, 3}, kInt64), {h, h}),
                          "lstm_cell: x must be float32 or float64, got int64 (did you mean to(kFloat32)?)"),
          bad<DTypeError>(call(x, {h, h}, ones({8, 3}), ones({8, 2}, kFloat64)),
                          "lstm_cell: w_hh must have the dtype of x, got float64 beside float32 (did you mean to()?)"),
          bad<ShapeError>(call(ones({1, 4, 3}), {h, h}),
                          "lstm_cell: x must be [batch, features] or [features], got shape [1, 4, 3]"),
          bad<ValueError>(call(x, {h}), "lstm_cell: hx must be {h, c}, got 1 tensors"),
          bad<ShapeError>(call(x, {h, h}, ones({6, 3})), "lstm_cell: w_ih must be [4 hidden, features], got [6, 3]"),
          bad<ShapeError>(call(ones({4, 5}), {h, h}), "lstm_cell: w_ih must be [8, 5] for x [4, 5], got [8, 3]"),
          bad<ShapeError>(call(x, {h, h}, ones({8, 3}), ones({8, 3})),
                          "lstm_cell: w_hh must be [8, 2] for x [4, 3], got [8, 3]"),
          bad<ShapeError>(call(x, {h, h}, ones({8, 3}), ones({8, 2}), ones({4})),
                          "lstm_cell: b_ih must be [8] for x [4, 3], got [4]"),
          bad<ShapeError>(call(x, {ones({4, 3}), h}), "lstm_cell: h must be [4, 2] for x [4, 3], got [4, 3]"),
          bad<ShapeError>(call(x, {h, ones({2})}), "lstm_cell: c must be [4, 2] for x [4, 3], got [2]")};
}

std::vector<BadInput> gru_cell_errors() {
  return {undefined_operand("gru_cell", "h",
                            [] {
                              gru_cell(ones({4, 3}), {}, ones({6, 3}), ones({6, 2}));
                            }),
          bad<ShapeError>(
              [] {
                gru_cell(ones({4, 3}), ones({4, 2}), ones({8, 3}), ones({8, 2}));
              },
              "gru_cell: w_ih must be [3 hidden, features], got [8, 3]")};
}

std::vector<BadInput> lstm_errors() {
  // Two layers of two units.
  const Tensors w{ones({8, 3}), ones({8, 2}), ones({8, 2}), ones({8, 2})};
  const auto call = [=](Tensor x, Tensor h, Tensor c, Tensors params, int64_t num_layers = 2, double dropout = 0) {
    return [=] { lstm(x, {h, c}, params, false, num_layers, dropout, true, false, false); };
  };
  const auto packed = [=](Tensor data, std::vector<int64_t> batch_sizes) {
    return [=] { lstm(data, batch_sizes, {ones({2, 4, 2}), ones({2, 4, 2})}, w, false, 2, 0, true, false); };
  };
  const Tensor x = ones({5, 4, 3}), h = ones({2, 4, 2});
  return {
      undefined_operand("lstm", "x", call({}, h, h, w)),
      undefined_operand("lstm", "h_0", call(x, {}, h, w)),
      undefined_operand("lstm", "weight_hh_l1", call(x, h, h, {w[0], w[1], w[2], {}})),
      bad<ShapeError>(call(ones({0, 4, 3}), h, h, w), "lstm: x must have at least one time step, got shape [0, 4, 3]"),
      bad<ShapeError>(call(ones({3}), h, h, w),
                      "lstm: x must be [time, batch, features], or [time, features] for one sequence, got shape [3]"),
      bad<ShapeError>(call(ones({5, 4, 7}), h, h, w),
                      "lstm: x must have the 3 features that weight_ih_l0 takes, got shape [5, 4, 7]"),
      bad<ValueError>(call(x, h, h, {w[0], w[1], w[2]}),
                      "lstm: params must be 4 tensors, 2 for each layer and direction, got 3"),
      bad<ValueError>(call(x, ones({2, 4, 1}), h, w),
                      "lstm: params must be 6 tensors, 3 for each layer and direction (with w_hr, as h_0 and c_0 "
                      "differ in size), got 4"),
      bad<ShapeError>(call(x, h, h, {w[0], w[1], ones({8, 3}), w[3]}),
                      "lstm: weight_ih_l1 must be [8, 2] for x [5, 4, 3], got [8, 3]"),
      bad<ShapeError>(call(x, ones({1, 4, 2}), h, w), "lstm: h_0 must be [2, 4, 2] for x [5, 4, 3], got [1, 4, 2]"),
      bad<ShapeError>(call(x, h, ones({2, 3, 2}), w), "lstm: c_0 must be [2, 4, 2] for x [5, 4, 3], got [2, 3, 2]"),
      bad<ValueError>(call(x, h, h, w, 0), "lstm: num_layers must be positive, got 0"),
      bad<ValueError>(call(x, h, h, w, 2, 1.5), "lstm: dropout must lie in [0, 1], got 1.500000"),
      bad<ValueError>([=] { lstm(x, {h}, w, false, 2, 0, true, false, false); },
                      "lstm: hx must be {h_0, c_0}, got 1 tensors"),
      bad<ShapeError>(packed(x, {4}), "lstm: data must be [sum of batch_sizes, features], got shape [5, 4, 3]"),
      bad<ValueError>(packed(ones({6, 3}), {}), "lstm: batch_sizes must have at least one time step, got none"),
      bad<ValueError>(packed(ones({6, 3}), {2, 4}), "lstm: batch_sizes must be positive and must not grow, got [2, 4]"),
      bad<ValueError>(packed(ones({6, 3}), {4, 0}), "lstm: batch_sizes must be positive and must not grow, got [4, 0]"),
      bad<ValueError>(packed(ones({6, 3}), {4, 1}),
                      "lstm: batch_sizes must sum to the rows of data, got 5 for data [6, 3]")};
}

std::vector<BadInput> gru_errors() {
  const auto call = [](Tensor bias) {
    return [=] {
      gru(ones({5, 4, 3}), ones({1, 4, 2}), {ones({6, 3}), ones({6, 2}), bias, ones({6})}, true, 1, 0, true, false,
          true);
    };
  };
  return {bad<ValueError>(call({}),
                          "gru: biases must be defined where has_biases is true, got an undefined tensor (Tensor())"),
          bad<ShapeError>(call(ones({2})), "gru: bias_ih_l0 must be [6] for x [5, 4, 3], got [2]"),
          bad<ShapeError>(call(ones({6})), "gru: h_0 must be [1, 5, 2] for x [5, 4, 3], got [1, 4, 2]")};
}

}  // namespace

std::vector<Row> recurrent_rows() {
  std::vector<Row> rows{cell_row(Kind::lstm, "lstm_cell"),
                        cell_row(Kind::gru, "gru_cell"),
                        cell_row(Kind::rnn_tanh, "rnn_tanh_cell"),
                        cell_row(Kind::rnn_relu, "rnn_relu_cell"),
                        layers_row(Kind::lstm, "lstm"),
                        layers_row(Kind::gru, "gru"),
                        layers_row(Kind::rnn_tanh, "rnn_tanh"),
                        layers_row(Kind::rnn_relu, "rnn_relu")};
  rows[0].bad_inputs = cell_errors();
  rows[1].bad_inputs = gru_cell_errors();
  rows[4].bad_inputs = lstm_errors();
  rows[5].bad_inputs = gru_errors();
  rows[4].cases.push_back(layers_case("one sequence, no biases", {.batch = 1, .biases = false, .alone = true}));
  rows[4].cases.push_back(layers_case("projected", {.steps = 2, .bidirectional = true, .proj = 1}));
  return rows;
}

}  // namespace op_cases
