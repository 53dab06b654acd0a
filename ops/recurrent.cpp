// Recurrent cells: two products, and everything elementwise of a step in one operation.
#include "tapegrad/ops/recurrent.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/recurrent.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/lowered_parts.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/recurrent_parts.h"
#include "tapegrad/ops/shape.h"
#include "tapegrad/ops/views.h"

namespace tapegrad {
namespace {

Tensor sum_of(const Tensor& a, const Tensor& b) { return a.defined() && b.defined() ? a + b : a.defined() ? a : b; }
Tensor or_zeros(const Tensor& t, const Tensor& like) {
  return t.defined() ? t : filled_tensor(like.sizes(), like.dtype(), 0);
}

// The slopes of activations, by their values.
Tensor sigmoid_slope(const Tensor& y) { return y * (1 - y); }
Tensor tanh_slope(const Tensor& y) { return 1 - square(y); }

// v[N, count H] in its blocks.
std::vector<Tensor> blocks(const Tensor& v, int64_t count) {
  return split(v, std::vector<int64_t>(static_cast<size_t>(count), v.sizes()[1] / count), 1);
}

// gates = sigmoid, sigmoid, tanh, sigmoid of the blocks i, f, g, o of gx + gh; c' = f c + i g; h' = o tanh c'. Outputs h', c', gates.
struct LstmGates {
  static constexpr const char* name = "lstm_gates";
  SavedInput c{"c"};
  SavedOutput c_new{"c'", 1}, gates{"gates", 2};

  std::array<Tensor, 3> forward(const Tensor& gx, const Tensor& gh, const Tensor& cell) {
    auto y = kernels::lstm_gates(name, gx, gh, c.save(cell));
    return {y[0], c_new.save(y[1]), gates.save(y[2])};
  }
  static Tensor slopes(const std::vector<Tensor>& v) {
    return cat({sigmoid_slope(v[0]), sigmoid_slope(v[1]), tanh_slope(v[2]), sigmoid_slope(v[3])}, 1);
  }
  Grads backward(const Grads& dy) const {
    const Tensor all = *gates, t = tanh(*c_new);
    const std::vector<Tensor> v = blocks(all, 4);
    const Tensor dh = or_zeros(dy[0], t);
    const Tensor next = sum_of(dh * v[3] * tanh_slope(t), dy[1]);  // what reaches c'
    const Tensor dv = sum_of(cat({next * v[2], next * *c, next * v[0], dh * t}, 1), dy[2]);
    const Tensor d = dv * slopes(v);
    return {d, d, next * v[1]};
  }
  Grads backward_fused(const Grads& dy) const {
    if (dy[2].defined() || !dy[0].defined()) return backward(dy);
    const auto [d, dc] = kernels::lstm_gates_backward(name, dy[0], dy[1], *gates, *c, *c_new);
    return {d, d, dc};
  }
  std::vector<Tensor> tangent(const Grads& dx) const {
    const Tensor all = *gates, t = tanh(*c_new);
    const std::vector<Tensor> v = blocks(all, 4);
    const Tensor dv = or_zeros(sum_of(dx[0], dx[1]), all) * slopes(v);
    const std::vector<Tensor> d = blocks(dv, 4);
    Tensor next = d[1] * *c + d[0] * v[2] + v[0] * d[2];
    if (dx[2].defined()) next = next + v[1] * dx[2];
    return {d[3] * t + v[3] * tanh_slope(t) * next, next, dv};
  }
};

// r, z = sigmoid of the first blocks of gx + gh, n = tanh(gx_n + r gh_n) of the last; h' = n + z (h - n). Outputs h', gates.
struct GruGates {
  static constexpr const char* name = "gru_gates";
  SavedInput gh{"gh"}, h{"h"};
  SavedOutput gates{"gates", 1};

  std::array<Tensor, 2> forward(const Tensor& by_x, const Tensor& by_h, const Tensor& hidden) {
    auto y = kernels::gru_gates(name, by_x, gh.save(by_h), h.save(hidden));
    return {y[0], gates.save(y[1])};
  }
  Grads backward(const Grads& dy) const {
    const std::vector<Tensor> v = blocks(*gates, 3);
    const Tensor d = or_zeros(dy[0], *h);
    Tensor dr, dz = d * (*h - v[2]), dn = d * (1 - v[1]);
    if (dy[1].defined()) {
      const std::vector<Tensor> more = blocks(dy[1], 3);
      dr = more[0], dz = dz + more[1], dn = dn + more[2];
    }
    const Tensor n = dn * tanh_slope(v[2]), z = dz * sigmoid_slope(v[1]);
    const Tensor r = sum_of(n * blocks(*gh, 3)[2], dr) * sigmoid_slope(v[0]);
    return {cat({r, z, n}, 1), cat({r, z, n * v[0]}, 1), d * v[1]};
  }
  Grads backward_fused(const Grads& dy) const {
    if (dy[1].defined() || !dy[0].defined()) return backward(dy);
    const auto [dgx, dgh, dh] = kernels::gru_gates_backward(name, dy[0], *gates, *gh, *h);
    return {dgx, dgh, dh};
  }
  std::vector<Tensor> tangent(const Grads& dx) const {
    const std::vector<Tensor> v = blocks(*gates, 3);
    const std::vector<Tensor> a = blocks(or_zeros(dx[0], *gh), 3), b = blocks(or_zeros(dx[1], *gh), 3);
    const Tensor r = (a[0] + b[0]) * sigmoid_slope(v[0]), z = (a[1] + b[1]) * sigmoid_slope(v[1]);
    const Tensor n = (a[2] + v[0] * b[2] + r * blocks(*gh, 3)[2]) * tanh_slope(v[2]);
    Tensor next = n * (1 - v[1]) + z * (*h - v[2]);
    if (dx[2].defined()) next = next + v[1] * dx[2];
    return {next, cat({r, z, n}, 1)};
  }
};

}  // namespace

namespace recurrent {

// The bias beside h may be added to x's part, all steps at once, but for the gru, which multiplies it by r.
Tensor input_part(Cell cell, const Tensor& x, const Weights& w) {
  return linear(x, w.w_ih, cell == Cell::gru ? w.b_ih : sum_of(w.b_ih, w.b_hh));
}

State step(Cell cell, const Tensor& gx, const State& state, const Weights& w) {
  if (cell == Cell::gru) return {apply(GruGates{}, gx, linear(state.h, w.w_hh, w.b_hh), state.h)[0], {}};
  const Tensor gh = linear(state.h, w.w_hh);
  if (cell == Cell::rnn_tanh) return {tanh(gx + gh), {}};
  if (cell == Cell::rnn_relu) return {relu(gx + gh), {}};
  const auto y = apply(LstmGates{}, gx, gh, state.c);
  return {w.w_hr.defined() ? linear(y[0], w.w_hr) : y[0], y[1]};
}

void check_input(const std::string& op, const Tensor& x) {
  check_defined(op.c_str(), x, "x");
  if (!x.is_floating_point())
    throw DTypeError(op + ": x must be float32 or float64, got " + tapegrad::name_of(x.dtype()) +
                     " (did you mean to(kFloat32)?)");
}

void check_operand(const std::string& op, const std::string& what, const Tensor& t, const Tensor& x,
                   const Shape& sizes) {
  check_defined(op.c_str(), t, what.c_str());
  if (t.dtype() != x.dtype() && !lowers(t, x))
    throw DTypeError(op + ": " + what + " must have the dtype of x, got " + tapegrad::name_of(t.dtype()) + " beside " +
                     tapegrad::name_of(x.dtype()) + " (did you mean to()?)");
  if (!(IntArrayRef(t.sizes()) == IntArrayRef(sizes)))
    throw ShapeError(op + ": " + what + " must be " + to_string(sizes) + " for x " + to_string(x.sizes()) + ", got " +
                     to_string(t.sizes()));
}

int64_t hidden_of(const std::string& op, const std::string& what, Cell cell, const Tensor& w_ih) {
  check_defined(op.c_str(), w_ih, what.c_str());
  const int64_t blocks = blocks_of(cell);
  if (w_ih.dim() != 2 || w_ih.size(0) % blocks != 0)
    throw ShapeError(op + ": " + what + " must be [" + (blocks == 1 ? "" : std::to_string(blocks) + " ") +
                     "hidden, features], got " + to_string(w_ih.sizes()));
  return w_ih.size(0) / blocks;
}

void check_weights(const std::string& op, const WeightNames& names, Cell cell, const Weights& w, const Tensor& x,
                   int64_t features, int64_t hidden, int64_t out) {
  const int64_t rows = blocks_of(cell) * hidden;
  const auto weight = [&](const char* part) { return names.weight + part + names.suffix; };
  check_operand(op, weight("_ih"), w.w_ih, x, {rows, features});
  check_operand(op, weight("_hh"), w.w_hh, x, {rows, out});
  if (w.b_ih.defined()) check_operand(op, names.bias + "_ih" + names.suffix, w.b_ih, x, {rows});
  if (w.b_hh.defined()) check_operand(op, names.bias + "_hh" + names.suffix, w.b_hh, x, {rows});
  if (w.w_hr.defined()) check_operand(op, weight("_hr"), w.w_hr, x, {out, hidden});
}

}  // namespace recurrent

namespace {

using recurrent::Cell;
using recurrent::State;
using recurrent::Weights;

State one_step(Cell cell, const Tensor& x, const State& state, const Weights& w) {
  const std::string op = std::string(recurrent::name_of(cell)) + "_cell";
  recurrent::check_input(op, x);
  if (x.dim() != 1 && x.dim() != 2)
    throw ShapeError(op + ": x must be [batch, features] or [features], got shape " + to_string(x.sizes()));
  const int64_t hidden = recurrent::hidden_of(op, "w_ih", cell, w.w_ih);
  recurrent::check_weights(op, {"w", "b", ""}, cell, w, x, x.size(-1), hidden, hidden);
  Shape sizes = x.sizes();
  sizes[x.dim() - 1] = hidden;
  recurrent::check_operand(op, "h", state.h, x, sizes);
  if (cell == Cell::lstm) recurrent::check_operand(op, "c", state.c, x, sizes);
  if (x.dim() == 2) return step(cell, input_part(cell, x, w), state, w);
  const auto row = [](const Tensor& t) { return t.defined() ? unsqueeze(t, 0) : t; };
  const State next = step(cell, input_part(cell, row(x), w), {row(state.h), row(state.c)}, w);
  return {squeeze(next.h, 0), next.c.defined() ? squeeze(next.c, 0) : next.c};
}

}  // namespace

std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const std::vector<Tensor>& hx, const Tensor& w_ih,
                                     const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  if (hx.size() != 2) throw ValueError("lstm_cell: hx must be {h, c}, got " + std::to_string(hx.size()) + " tensors");
  const State next = one_step(Cell::lstm, x, {hx[0], hx[1]}, {w_ih, w_hh, b_ih, b_hh, {}});
  return {next.h, next.c};
}

Tensor gru_cell(const Tensor& x, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                const Tensor& b_hh) {
  return one_step(Cell::gru, x, {hx, {}}, {w_ih, w_hh, b_ih, b_hh, {}}).h;
}
Tensor rnn_tanh_cell(const Tensor& x, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                     const Tensor& b_hh) {
  return one_step(Cell::rnn_tanh, x, {hx, {}}, {w_ih, w_hh, b_ih, b_hh, {}}).h;
}
Tensor rnn_relu_cell(const Tensor& x, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                     const Tensor& b_hh) {
  return one_step(Cell::rnn_relu, x, {hx, {}}, {w_ih, w_hh, b_ih, b_hh, {}}).h;
}

}  // namespace tapegrad
