// Recurrent layers over time: one above the other, in one direction or both.
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/recurrent.h"
#include "tapegrad/ops/recurrent_parts.h"
#include "tapegrad/ops/sampling.h"
#include "tapegrad/ops/shape.h"
#include "tapegrad/ops/views.h"

namespace tapegrad {

using recurrent::Cell;
using recurrent::Pass;
using recurrent::State;
using recurrent::Weights;

namespace {

// ---- all layers ----

struct Options {
  bool has_biases, train, bidirectional;
  int64_t layers;
  double dropout;
  int64_t directions() const { return bidirectional ? 2 : 1; }
};

struct Stack {
  Cell cell;
  Options options;
  std::vector<Weights> weights;  // of each layer's directions in turn
  int64_t hidden = 0, out = 0;   // sizes of c and h; both H but where w_hr shortens h
};

bool is_projected(Cell cell, const State& start) {
  return cell == Cell::lstm && start.h.defined() && start.c.defined() && start.h.dim() > 0 && start.c.dim() > 0 &&
         start.h.size(-1) != start.c.size(-1);
}

std::vector<Weights> weights_of(Cell cell, const Options& o, const std::vector<Tensor>& params, bool projected) {
  const int64_t count = o.layers * o.directions(), each = 2 + (o.has_biases ? 2 : 0) + (projected ? 1 : 0);
  if (static_cast<int64_t>(params.size()) != count * each)
    throw ValueError(std::string(recurrent::name_of(cell)) + ": params must be " + std::to_string(count * each) +
                     " tensors, " + std::to_string(each) + " for each layer and direction" +
                     (projected ? " (with w_hr, as h_0 and c_0 differ in size)" : "") + ", got " +
                     std::to_string(params.size()));
  std::vector<Weights> weights;
  for (auto p = params.begin(); p != params.end();) {
    Weights w;
    w.w_ih = *p++, w.w_hh = *p++;
    if (o.has_biases) w.b_ih = *p++, w.b_hh = *p++;
    if (o.has_biases && !(w.b_ih.defined() && w.b_hh.defined()))
      throw ValueError(std::string(recurrent::name_of(cell)) +
                       ": biases must be defined where has_biases is true, got an " + "undefined tensor (Tensor())");
    if (projected) w.w_hr = *p++;
    weights.push_back(w);
  }
  return weights;
}

void check_options(const std::string& op, const Options& o) {
  if (o.layers < 1) throw ValueError(op + ": num_layers must be positive, got " + std::to_string(o.layers));
  if (!(o.dropout >= 0 && o.dropout <= 1))
    throw ValueError(op + ": dropout must lie in [0, 1], got " + std::to_string(o.dropout));
}

// Everything but x's own dims, which the caller has seen to: `features` in it, for `batch` sequences.
Stack checked(Cell cell, const Options& o, const std::vector<Tensor>& params, const Tensor& x, int64_t features,
              const State& start, const Shape& batch) {
  const std::string op = recurrent::name_of(cell);
  check_options(op, o);
  const bool projected = is_projected(cell, start);
  Stack s{cell, o, weights_of(cell, o, params, projected)};
  s.hidden = recurrent::hidden_of(op, "weight_ih_l0", cell, s.weights[0].w_ih);
  s.out = projected ? start.h.size(-1) : s.hidden;
  if (features != s.weights[0].w_ih.size(1))
    throw ShapeError(op + ": x must have the " + std::to_string(s.weights[0].w_ih.size(1)) +
                     " features that weight_ih_l0 takes, got shape " + to_string(x.sizes()));
  for (size_t k = 0; k < s.weights.size(); ++k) {
    const auto layer = static_cast<int64_t>(k) / o.directions();
    const bool reverse = static_cast<int64_t>(k) % o.directions() == 1;
    const std::string suffix = "_l" + std::to_string(layer) + (reverse ? "_reverse" : "");
    recurrent::check_weights(op, {"weight", "bias", suffix}, cell, s.weights[k], x,
                             layer == 0 ? features : o.directions() * s.out, s.hidden, s.out);
  }
  Shape sizes{o.layers * o.directions()};
  for (const int64_t n : batch) sizes.push_back(n);
  sizes.push_back(s.out);
  recurrent::check_operand(op, "h_0", start.h, x, sizes);
  sizes[sizes.size() - 1] = s.hidden;
  if (cell == Cell::lstm) recurrent::check_operand(op, "c_0", start.c, x, sizes);
  return s;
}

Pass run(const Stack& s, Tensor x, const std::vector<int64_t>& counts, const State& start) {
  const std::vector<Tensor> h = unbind(start.h, 0), c = start.c.defined() ? unbind(start.c, 0) : std::vector<Tensor>();
  std::vector<Tensor> h_n, c_n;
  for (size_t k = 0; k < s.weights.size();) {
    std::vector<Tensor> y;
    for (int64_t direction = 0; direction < s.options.directions(); ++direction, ++k) {
      const Pass pass = layer(s.cell, x, {h[k], c.empty() ? Tensor() : c[k]}, s.weights[k], {counts, direction == 1});
      y.push_back(pass.y);
      h_n.push_back(pass.last.h), c_n.push_back(pass.last.c);
    }
    x = y.size() == 1 ? y[0] : cat(y, 1);
    if (k < s.weights.size()) x = dropout(x, s.options.dropout, s.options.train);
  }
  return {x, {stack(h_n, 0), c.empty() ? Tensor() : stack(c_n, 0)}};
}

// ---- what x may look like ----

Pass over_batch(Cell cell, const Tensor& x, const State& start, const std::vector<Tensor>& params, const Options& o,
                bool batch_first) {
  const std::string op = recurrent::name_of(cell);
  recurrent::check_input(op, x);
  if (x.dim() != 2 && x.dim() != 3)
    throw ShapeError(op + ": x must be " + (batch_first ? "[batch, time, features]" : "[time, batch, features]") +
                     ", or [time, features] for one sequence, got shape " + to_string(x.sizes()));
  const bool alone = x.dim() == 2, turned = batch_first && !alone;
  const int64_t steps = x.size(turned ? 1 : 0), batch = alone ? 1 : x.size(turned ? 0 : 1), features = x.size(-1);
  if (steps == 0) throw ShapeError(op + ": x must have at least one time step, got shape " + to_string(x.sizes()));
  const Stack s = checked(cell, o, params, x, features, start, alone ? Shape{} : Shape{batch});
  const auto with_batch = [&](const Tensor& t) { return alone && t.defined() ? unsqueeze(t, 1) : t; };
  const auto without = [&](const Tensor& t) { return alone && t.defined() ? squeeze(t, 1) : t; };
  const Tensor rows = reshape(turned ? transpose(x, 0, 1) : x, {steps * batch, features});
  const std::vector<int64_t> counts(static_cast<size_t>(steps), batch);
  const Pass pass = run(s, rows, counts, {with_batch(start.h), with_batch(start.c)});
  Tensor y = without(reshape(pass.y, {steps, batch, o.directions() * s.out}));
  if (turned) y = transpose(y, 0, 1);
  return {y, {without(pass.last.h), without(pass.last.c)}};
}

Pass over_packed(Cell cell, const Tensor& data, const std::vector<int64_t>& counts, const State& start,
                 const std::vector<Tensor>& params, const Options& o) {
  const std::string op = recurrent::name_of(cell);
  recurrent::check_input(op, data);
  if (data.dim() != 2)
    throw ShapeError(op + ": data must be [sum of batch_sizes, features], got shape " + to_string(data.sizes()));
  if (counts.empty()) throw ValueError(op + ": batch_sizes must have at least one time step, got none");
  int64_t total = 0;
  for (size_t t = 0; t < counts.size(); ++t) {
    if (counts[t] < 1 || (t > 0 && counts[t] > counts[t - 1]))
      throw ValueError(op + ": batch_sizes must be positive and must not grow, got " + to_string(IntArrayRef(counts)));
    total += counts[t];
  }
  if (total != data.size(0))
    throw ValueError(op + ": batch_sizes must sum to the rows of data, got " + std::to_string(total) + " for data " +
                     to_string(data.sizes()));
  return run(checked(cell, o, params, data, data.size(1), start, {counts[0]}), data, counts, start);
}

State states_of(const std::vector<Tensor>& hx) {
  if (hx.size() != 2) throw ValueError("lstm: hx must be {h_0, c_0}, got " + std::to_string(hx.size()) + " tensors");
  return {hx[0], hx[1]};
}

std::tuple<Tensor, Tensor> y_and_h(const Pass& pass) { return {pass.y, pass.last.h}; }
std::tuple<Tensor, Tensor, Tensor> y_h_and_c(const Pass& pass) { return {pass.y, pass.last.h, pass.last.c}; }

}  // namespace

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& x, const std::vector<Tensor>& hx,
                                        const std::vector<Tensor>& params, bool has_biases, int64_t num_layers,
                                        double dropout, bool train, bool bidirectional, bool batch_first) {
  return y_h_and_c(over_batch(Cell::lstm, x, states_of(hx), params,
                              {has_biases, train, bidirectional, num_layers, dropout}, batch_first));
}
std::tuple<Tensor, Tensor> gru(const Tensor& x, const Tensor& hx, const std::vector<Tensor>& params, bool has_biases,
                               int64_t num_layers, double dropout, bool train, bool bidirectional, bool batch_first) {
  return y_and_h(
      over_batch(Cell::gru, x, {hx, {}}, params, {has_biases, train, bidirectional, num_layers, dropout}, batch_first));
}
std::tuple<Tensor, Tensor> rnn_tanh(const Tensor& x, const Tensor& hx, const std::vector<Tensor>& params,
                                    bool has_biases, int64_t num_layers, double dropout, bool train, bool bidirectional,
                                    bool batch_first) {
  return y_and_h(over_batch(Cell::rnn_tanh, x, {hx, {}}, params,
                            {has_biases, train, bidirectional, num_layers, dropout}, batch_first));
}
std::tuple<Tensor, Tensor> rnn_relu(const Tensor& x, const Tensor& hx, const std::vector<Tensor>& params,
                                    bool has_biases, int64_t num_layers, double dropout, bool train, bool bidirectional,
                                    bool batch_first) {
  return y_and_h(over_batch(Cell::rnn_relu, x, {hx, {}}, params,
                            {has_biases, train, bidirectional, num_layers, dropout}, batch_first));
}

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& data, const std::vector<int64_t>& batch_sizes,
                                        const std::vector<Tensor>& hx, const std::vector<Tensor>& params,
                                        bool has_biases, int64_t num_layers, double dropout, bool train,
                                        bool bidirectional) {
  return y_h_and_c(over_packed(Cell::lstm, data, batch_sizes, states_of(hx), params,
                               {has_biases, train, bidirectional, num_layers, dropout}));
}
std::tuple<Tensor, Tensor> gru(const Tensor& data, const std::vector<int64_t>& batch_sizes, const Tensor& hx,
                               const std::vector<Tensor>& params, bool has_biases, int64_t num_layers, double dropout,
                               bool train, bool bidirectional) {
  return y_and_h(over_packed(Cell::gru, data, batch_sizes, {hx, {}}, params,
                             {has_biases, train, bidirectional, num_layers, dropout}));
}
std::tuple<Tensor, Tensor> rnn_tanh(const Tensor& data, const std::vector<int64_t>& batch_sizes, const Tensor& hx,
                                    const std::vector<Tensor>& params, bool has_biases, int64_t num_layers,
                                    double dropout, bool train, bool bidirectional) {
  return y_and_h(over_packed(Cell::rnn_tanh, data, batch_sizes, {hx, {}}, params,
                             {has_biases, train, bidirectional, num_layers, dropout}));
}
std::tuple<Tensor, Tensor> rnn_relu(const Tensor& data, const std::vector<int64_t>& batch_sizes, const Tensor& hx,
                                    const std::vector<Tensor>& params, bool has_biases, int64_t num_layers,
                                    double dropout, bool train, bool bidirectional) {
  return y_and_h(over_packed(Cell::rnn_relu, data, batch_sizes, {hx, {}}, params,
                             {has_biases, train, bidirectional, num_layers, dropout}));
}

}  // namespace tapegrad
