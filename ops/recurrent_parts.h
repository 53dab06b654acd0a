// One step of a recurrent layer, and one layer over time. Internal.
#pragma once

#include <string>

#include "tapegrad/core/tensor.h"
#include "tapegrad/ops/kernels/recurrent.h"

namespace tapegrad::recurrent {

using kernels::blocks_of;
using kernels::Cell;
using kernels::Sequences;

constexpr const char* name_of(Cell cell) {
  constexpr const char* names[] = {"rnn_tanh", "rnn_relu", "gru", "lstm"};
  return names[static_cast<int>(cell)];
}

struct Weights {
  Tensor w_ih, w_hh, b_ih, b_hh, w_hr;  // biases and w_hr where there are any
};
struct State {
  Tensor h, c;  // c of the lstm only
};

// What x adds to the gates, [rows, I] at once, with every bias that may be added there.
Tensor input_part(Cell cell, const Tensor& x, const Weights& w);
State step(Cell cell, const Tensor& gx, const State& state, const Weights& w);

struct Pass {
  Tensor y;
  State last;  // each sequence's own
};
// One layer in one direction; x has the rows that `s` says.
Pass layer(Cell cell, const Tensor& x, const State& start, const Weights& w, const Sequences& s);

// ---- checks: ValueError for what is undefined, DTypeError for another dtype than x's, ShapeError ----

void check_input(const std::string& op, const Tensor& x);
void check_operand(const std::string& op, const std::string& what, const Tensor& t, const Tensor& x,
                   const Shape& sizes);
// H, from w_ih alone.
int64_t hidden_of(const std::string& op, const std::string& what, Cell cell, const Tensor& w_ih);
// Errors call the weights `weight`_ih`suffix` and so on.
struct WeightNames {
  std::string weight, bias, suffix;
};
// hidden is H, out the size of h.
void check_weights(const std::string& op, const WeightNames& names, Cell cell, const Weights& w, const Tensor& x,
                   int64_t features, int64_t hidden, int64_t out);

}  // namespace tapegrad::recurrent
