// One recurrent layer in one direction: a single operation where gradients of the first order are all that is asked for, else step by step.
#include "tapegrad/autograd/autograd.h"
#include "tapegrad/autograd/trace.h"
#include "tapegrad/autograd/transform/composed.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/gemm.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/recurrent_parts.h"
#include "tapegrad/ops/shape.h"
#include "tapegrad/ops/views.h"

namespace tapegrad::recurrent {
namespace {

using Tensors = std::vector<Tensor>;
using autograd::accumulator;
using autograd::needs;

int64_t step_count(const Sequences& s) { return static_cast<int64_t>(s.counts.size()); }
int64_t examples_of(const Sequences& s, int64_t t) { return s.counts[static_cast<size_t>(t)]; }

// ---- step by step ----

State rows_of(const State& s, int64_t from, int64_t count) {
  const auto rows = [&](const Tensor& t) { return !t.defined() || t.size(0) == count ? t : narrow(t, 0, from, count); };
  return {rows(s.h), rows(s.c)};
}
State joined(const State& a, const State& b) {
  return {cat({a.h, b.h}, 0), a.c.defined() ? cat({a.c, b.c}, 0) : Tensor()};
}

// The state behind every step, in rows as x has them, and behind the last one, where that is every sequence's.
struct States {
  State all, last;
};

States in_steps(Cell cell, const Tensor& x, const State& start, const Weights& w, const Sequences& s) {
  const Tensors gx = split(input_part(cell, x, w), s.counts, 0);
  const int64_t steps = step_count(s);
  Tensors h(gx.size()), c(gx.size());
  State state = rows_of(start, 0, examples_of(s, s.reverse ? steps - 1 : 0));
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t t = s.reverse ? steps - 1 - i : i, now = state.h.size(0), count = examples_of(s, t);
    if (count > now) state = joined(state, rows_of(start, now, count - now));  // backwards, these begin here
    else state = rows_of(state, 0, count);
    state = step(cell, gx[static_cast<size_t>(t)], state, w);
    h[static_cast<size_t>(t)] = state.h, c[static_cast<size_t>(t)] = state.c;
  }
  return {{cat(h, 0), cell == Cell::lstm ? cat(c, 0) : Tensor()}, state.h.size(0) == s.batch() ? state : State()};
}

// ---- at once ----

// What each step began with, in rows as y has them: y of the step before it, or h_0.
Tensor states_before(const Tensor& y, const Tensor& h_0, const Sequences& s) {
  struct Piece {
    bool known;
    int64_t from, count;
  };
  std::vector<Piece> pieces;
  const auto add = [&](bool known, int64_t from, int64_t count) {
    if (count <= 0) return;
    if (!pieces.empty() && pieces.back().known == known && pieces.back().from + pieces.back().count == from)
      pieces.back().count += count;
    else pieces.push_back({known, from, count});
  };
  int64_t row = 0;
  for (int64_t t = 0; t < step_count(s); ++t) {
    const int64_t count = examples_of(s, t), other = s.reverse ? t + 1 : t - 1;
    const bool first = other < 0 || other == step_count(s);
    const int64_t known = first ? 0 : std::min(count, examples_of(s, other));
    add(true, s.reverse ? row + count : row - (first ? 0 : examples_of(s, other)), known);
    add(false, known, count - known);
    row += count;
  }
  Tensors parts;
  for (const Piece& p : pieces) parts.push_back(narrow(p.known ? y : h_0, 0, p.from, p.count));
  return parts.empty() ? y : cat(parts, 0);
}

// What its launches are called.
constexpr const char* launch_name(Cell cell) {
  constexpr const char* names[] = {"rnn_tanh_layer", "rnn_relu_layer", "gru_layer", "lstm_layer"};
  return names[static_cast<int>(cell)];
}

// {y, c} of all rows, the states behind each step; c of the lstm alone. With the gates' gradients dg, taken from the last step to the first:
// dx = dg w_ih, dw_ih = dg^T x, dw_hh = dg^T h, and its columns' sums for the biases.
struct Layer {
  static constexpr const char* name = "recurrent_layer";
  static constexpr bool optional_inputs = true;
  Cell cell;
  std::vector<int64_t> counts;
  bool reverse;
  std::vector<SavedInput> in{};
  SavedInput gates{"gates"};
  SavedOutput y{"y", 0}, c{"c", 1};

  Tensors forward(const Tensor& x, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh,
                  const Tensor& h_0, const Tensor& c_0) {
    const std::pair<const char*, const Tensor*> given[] = {
        {"x", &x}, {"w_ih", &w_ih}, {"w_hh", &w_hh}, {"b_ih", &b_ih}, {"b_hh", &b_hh}, {"h_0", &h_0}, {"c_0", &c_0}};
    in.clear();  // a copy of an operation that ran, to run again
    for (const auto& [field, t] : given) in.emplace_back(field).save(*t);
    const bool apart = cell == Cell::gru || !b_hh.defined();  // the gru multiplies b_hh by r
    const Tensor gx = kernels::gemm(launch_name(cell), x, false, w_ih, true, apart ? b_ih : b_ih + b_hh);
    const kernels::LayerValues v = kernels::recurrent_layer(cell, launch_name(cell), sequences(), gx, h_0, c_0, w_hh,
                                                            cell == Cell::gru ? b_hh : Tensor(), autograd::recording());
    gates.save(v.gates);
    Tensors states{y.save(v.y)};
    if (v.c.defined()) states.push_back(c.save(v.c));
    return states;
  }
  Grads backward_fused(const Grads& dy) const {
    const kernels::LayerValues v{*y, cell == Cell::lstm ? *c : Tensor(), gates.defined() ? *gates : Tensor()};
    const Tensor h_0 = *in[5];
    const auto d = kernels::recurrent_layer_backward(cell, launch_name(cell), sequences(), dy[0],
                                                     cell == Cell::lstm ? dy[1] : Tensor(), v, h_0,
                                                     cell == Cell::lstm ? *in[6] : Tensor(), *in[2], needs(5));
    Grads dx(7);
    if (needs(0)) dx[0] = kernels::gemm(launch_name(cell), d.dgx, false, *in[1], false, {}, accumulator(0));
    if (needs(1)) dx[1] = kernels::gemm(launch_name(cell), d.dgx, true, *in[0], false, {}, accumulator(1));
    if (needs(2))
      dx[2] = kernels::gemm(launch_name(cell), d.dgh, true, states_before(v.y, h_0, sequences()), false, {},
                            accumulator(2));
    if (needs(3)) dx[3] = kernels::column_sums(launch_name(cell), d.dgx);
    if (needs(4)) dx[4] = cell != Cell::gru && needs(3) ? dx[3] : kernels::column_sums(launch_name(cell), d.dgh);
    dx[5] = d.dh_0, dx[6] = d.dc_0;
    return dx;
  }
  Grads backward(const Grads& dy) const {
    return autograd::composed_backward([this](const Tensors& t) { return composition(t); }, inputs(), dy);
  }
  Grads tangent(const Grads& dx) const {
    return autograd::composed_tangent([this](const Tensors& t) { return composition(t); }, inputs(), dx);
  }

 private:
  Sequences sequences() const { return {counts, reverse}; }
  Tensors inputs() const {
    Tensors all;
    for (const SavedInput& one : in) all.push_back(one.defined() ? *one : Tensor());
    return all;
  }
  Tensors composition(const Tensors& t) const {
    const State y = in_steps(cell, t[0], {t[5], t[6]}, {t[1], t[2], t[3], t[4], {}}, sequences()).all;
    return y.c.defined() ? Tensors{y.h, y.c} : Tensors{y.h};
  }
};

// A shortened h is a product more in every step, bfloat16 and autocast round within them, and exporters know the steps.
bool goes_in_steps(const Tensor& x, const Weights& w) {
  return w.w_hr.defined() || x.dtype() == kBFloat16 || autograd::state().autocast || autograd::Tracer::current();
}

States states_of(Cell cell, const Tensor& x, const State& start, const Weights& w, const Sequences& s) {
  if (goes_in_steps(x, w)) return in_steps(cell, x, start, w, s);
  const Tensors y = apply(Layer{cell, s.counts, s.reverse}, x, w.w_ih, w.w_hh, w.b_ih, w.b_hh, start.h, start.c);
  return {{y[0], cell == Cell::lstm ? y[1] : Tensor()}, {}};
}

// The rows behind each sequence's last step, which of the longest are the last rows; backwards all end in the first step.
Tensor last_of(const Tensor& y, const Sequences& s) {
  if (!y.defined() || s.reverse) return y.defined() ? narrow(y, 0, 0, s.batch()) : y;
  Tensors parts;
  int64_t row = y.size(0);
  for (int64_t t = step_count(s) - 1, from = 0; t >= 0; from = examples_of(s, t--)) {
    row -= examples_of(s, t);
    if (examples_of(s, t) > from) parts.push_back(narrow(y, 0, row + from, examples_of(s, t) - from));
  }
  return parts.size() == 1 ? parts[0] : parts.empty() ? narrow(y, 0, 0, 0) : cat(parts, 0);
}

}  // namespace

Pass layer(Cell cell, const Tensor& x, const State& start, const Weights& w, const Sequences& s) {
  const States states = states_of(cell, x, start, w, s);
  if (states.last.h.defined()) return {states.all.h, states.last};
  return {states.all.h, {last_of(states.all.h, s), last_of(states.all.c, s)}};
}

}  // namespace tapegrad::recurrent
