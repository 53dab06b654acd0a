// Recurrent layers and cells: their parameters, and states that are left out.
#include "tapegrad/nn/rnn.h"

#include <cmath>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/init.h"
#include "tapegrad/nn/internal.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/recurrent.h"

namespace tapegrad::nn {

using detail::RecurrentSettings;
using utils::rnn::PackedSequence;

namespace {

[[noreturn]] void bad(const char* name, const std::string& rule, const std::string& got) {
  throw ValueError(std::string(name) + ": " + rule + ", got " + got);
}

void check_sizes(const char* name, int64_t input_size, int64_t hidden_size) {
  if (input_size < 1 || hidden_size < 1)
    bad(name, "input_size and hidden_size must be positive",
        std::to_string(input_size) + " and " + std::to_string(hidden_size));
  if (hidden_size > INT32_MAX) bad(name, "hidden_size must be below 2^31", std::to_string(hidden_size));
}

bool is_relu(const char* name, const std::string& nonlinearity) {
  if (nonlinearity != "tanh" && nonlinearity != "relu")
    bad(name, "nonlinearity must be \"tanh\" or \"relu\"", '"' + nonlinearity + '"');
  return nonlinearity == "relu";
}

void draw(const std::vector<Parameter>& parameters, int64_t hidden_size) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden_size));
  for (const Tensor& p : parameters) {
    if (p.defined()) init::uniform_(p, -bound, bound);
  }
}

}  // namespace

// ---- layers ----

std::vector<Parameter> RecurrentSettings::register_weights(Module& module) const {
  check_sizes(name, input_size, hidden_size);
  if (num_layers < 1) bad(name, "num_layers must be positive", std::to_string(num_layers));
  if (!(dropout >= 0 && dropout <= 1)) bad(name, "dropout must lie in [0, 1]", std::to_string(dropout));
  if (proj_size < 0 || proj_size >= hidden_size)
    bad(name, "proj_size must be less than hidden_size, 0 for none",
        std::to_string(proj_size) + " for " + std::to_string(hidden_size));
  std::vector<Parameter> all;
  const auto add = [&](const std::string& key, IntArrayRef sizes) {
    all.push_back(module.register_parameter(key, new_tensor(sizes, kFloat32, name)));
  };
  const int64_t rows = blocks * hidden_size, directions = bidirectional ? 2 : 1;
  const int64_t out = proj_size > 0 ? proj_size : hidden_size;
  for (int64_t layer = 0; layer < num_layers; ++layer) {
    for (int64_t direction = 0; direction < directions; ++direction) {
      const std::string suffix = "_l" + std::to_string(layer) + (direction == 1 ? "_reverse" : "");
      add("weight_ih" + suffix, {rows, layer == 0 ? input_size : directions * out});
      add("weight_hh" + suffix, {rows, out});
      if (bias) add("bias_ih" + suffix, {rows}), add("bias_hh" + suffix, {rows});
      if (proj_size > 0) add("weight_hr" + suffix, {proj_size, hidden_size});
    }
  }
  draw(all, hidden_size);
  return all;
}

std::string RecurrentSettings::extra_repr() const {
  std::string text = std::to_string(input_size) + ", " + std::to_string(hidden_size);
  if (proj_size != 0) text += ", proj_size=" + std::to_string(proj_size);
  if (num_layers != 1) text += ", num_layers=" + std::to_string(num_layers);
  if (!bias) text += ", bias=False";
  if (batch_first) text += ", batch_first=True";
  if (dropout != 0) text += ", dropout=" + shown(dropout);
  if (bidirectional) text += ", bidirectional=True";
  return text;
}

namespace {

// What a layer works on: its input, of which `packed` tells more where it is packed.
struct Input {
  const Tensor& x;
  const PackedSequence* packed;
};

// The state that was given, in the order of a packed batch, or zeros. What does not fit is left to the layer's own check.
Tensor state_for(const RecurrentSettings& s, const Tensor& given, const Input& in, int64_t size) {
  const Tensor none;
  const Tensor& order = in.packed ? in.packed->sorted_indices() : none;
  if (given.defined()) {
    const bool reorders = order.defined() && given.dim() == 3 && given.size(1) == in.packed->batch_sizes()[0];
    return reorders ? index_select(given, 1, order) : given;
  }
  if (!in.x.defined()) return given;
  Shape sizes{s.num_layers * (s.bidirectional ? 2 : 1)};
  if (in.packed) sizes.push_back(in.packed->batch_sizes()[0]);
  else if (in.x.dim() == 3) sizes.push_back(in.x.size(s.batch_first ? 0 : 1));
  sizes.push_back(size);
  return filled_tensor(sizes, in.x.is_floating_point() ? in.x.dtype() : kFloat32, 0);
}

// A last state in the order of the sequences that were packed.
Tensor unsorted(const Tensor& state, const PackedSequence& packed) {
  return packed.unsorted_indices().defined() ? index_select(state, 1, packed.unsorted_indices()) : state;
}

std::vector<Tensor> tensors(const std::vector<Parameter>& parameters) { return {parameters.begin(), parameters.end()}; }

using Dense = std::tuple<Tensor, Tensor> (*)(const Tensor&, const Tensor&, const std::vector<Tensor>&, bool, int64_t,
                                             double, bool, bool, bool);
using Packed = std::tuple<Tensor, Tensor> (*)(const Tensor&, const std::vector<int64_t>&, const Tensor&,
                                              const std::vector<Tensor>&, bool, int64_t, double, bool, bool);

std::tuple<Tensor, Tensor> run(Dense layers, const RecurrentSettings& s, const std::vector<Parameter>& weights,
                               bool training, const Tensor& x, const Tensor& h_0) {
  return layers(x, state_for(s, h_0, {x, nullptr}, s.hidden_size), tensors(weights), s.bias, s.num_layers, s.dropout,
                training, s.bidirectional, s.batch_first);
}
std::tuple<PackedSequence, Tensor> run(Packed layers, const RecurrentSettings& s, const std::vector<Parameter>& weights,
                                       bool training, const PackedSequence& x, const Tensor& h_0) {
  const auto [y, h_n] = layers(x.data(), x.batch_sizes(), state_for(s, h_0, {x.data(), &x}, s.hidden_size),
                               tensors(weights), s.bias, s.num_layers, s.dropout, training, s.bidirectional);
  return {x.with(y), unsorted(h_n, x)};
}

}  // namespace

RNN::RNN(int64_t input_size, int64_t hidden_size, const RNNOptions& o)
    : settings_{.name = "RNN",
                .blocks = 1,
                .input_size = input_size,
                .hidden_size = hidden_size,
                .num_layers = o.num_layers,
                .bias = o.bias,
                .batch_first = o.batch_first,
                .bidirectional = o.bidirectional,
                .dropout = o.dropout},
      relu_(is_relu("RNN", o.nonlinearity)),
      weights_(settings_.register_weights(*this)) {}
std::tuple<Tensor, Tensor> RNN::forward(const Tensor& x, const Tensor& h_0) const {
  return run(relu_ ? Dense(rnn_relu) : Dense(rnn_tanh), settings_, weights_, is_training(), x, h_0);
}
std::tuple<PackedSequence, Tensor> RNN::forward(const PackedSequence& x, const Tensor& h_0) const {
  return run(relu_ ? Packed(rnn_relu) : Packed(rnn_tanh), settings_, weights_, is_training(), x, h_0);
}
void RNN::reset_parameters() { draw(weights_, settings_.hidden_size); }

GRU::GRU(int64_t input_size, int64_t hidden_size, const GRUOptions& o)
    : settings_{.name = "GRU",
                .blocks = 3,
                .input_size = input_size,
                .hidden_size = hidden_size,
                .num_layers = o.num_layers,
                .bias = o.bias,
                .batch_first = o.batch_first,
                .bidirectional = o.bidirectional,
                .dropout = o.dropout},
      weights_(settings_.register_weights(*this)) {}
std::tuple<Tensor, Tensor> GRU::forward(const Tensor& x, const Tensor& h_0) const {
  return run(Dense(gru), settings_, weights_, is_training(), x, h_0);
}
std::tuple<PackedSequence, Tensor> GRU::forward(const PackedSequence& x, const Tensor& h_0) const {
  return run(Packed(gru), settings_, weights_, is_training(), x, h_0);
}
void GRU::reset_parameters() { draw(weights_, settings_.hidden_size); }

LSTM::LSTM(int64_t input_size, int64_t hidden_size, const LSTMOptions& o)
    : settings_{.name = "LSTM",
                .blocks = 4,
                .input_size = input_size,
                .hidden_size = hidden_size,
                .num_layers = o.num_layers,
                .bias = o.bias,
                .batch_first = o.batch_first,
                .bidirectional = o.bidirectional,
                .dropout = o.dropout,
                .proj_size = o.proj_size},
      weights_(settings_.register_weights(*this)) {}

namespace {
std::vector<Tensor> states_for(const RecurrentSettings& s, const LSTM::States& given, const Input& in) {
  const auto [h_0, c_0] = given.value_or(std::tuple<Tensor, Tensor>());
  return {state_for(s, h_0, in, s.proj_size > 0 ? s.proj_size : s.hidden_size), state_for(s, c_0, in, s.hidden_size)};
}
}  // namespace

std::tuple<Tensor, std::tuple<Tensor, Tensor>> LSTM::forward(const Tensor& x, const States& hx) const {
  const auto& s = settings_;
  const auto [y, h_n, c_n] = lstm(x, states_for(s, hx, {x, nullptr}), tensors(weights_), s.bias, s.num_layers,
                                  s.dropout, is_training(), s.bidirectional, s.batch_first);
  return {y, {h_n, c_n}};
}
std::tuple<PackedSequence, std::tuple<Tensor, Tensor>> LSTM::forward(const PackedSequence& x, const States& hx) const {
  const auto& s = settings_;
  const auto [y, h_n, c_n] = lstm(x.data(), x.batch_sizes(), states_for(s, hx, {x.data(), &x}), tensors(weights_),
                                  s.bias, s.num_layers, s.dropout, is_training(), s.bidirectional);
  return {x.with(y), {unsorted(h_n, x), unsorted(c_n, x)}};
}
void LSTM::reset_parameters() { draw(weights_, settings_.hidden_size); }

// ---- cells ----

namespace {

template <class Cell>
void register_weights(Cell& cell, const char* name, int64_t blocks, int64_t in, int64_t hidden, bool bias) {
  check_sizes(name, in, hidden);
  const auto add = [&](const char* key, IntArrayRef sizes) {
    return cell.register_parameter(key, new_tensor(sizes, kFloat32, name));
  };
  cell.weight_ih = add("weight_ih", {blocks * hidden, in});
  cell.weight_hh = add("weight_hh", {blocks * hidden, hidden});
  if (bias) cell.bias_ih = add("bias_ih", {blocks * hidden}), cell.bias_hh = add("bias_hh", {blocks * hidden});
  cell.reset_parameters();
}

std::string facts(const Tensor& weight_ih, const Tensor& weight_hh, const Tensor& bias) {
  return std::to_string(weight_ih.size(1)) + ", " + std::to_string(weight_hh.size(1)) +
         (bias.defined() ? "" : ", bias=False");
}

Tensor state_or_zeros(const Tensor& given, const Tensor& x, int64_t hidden) {
  if (given.defined() || !x.defined() || x.dim() == 0) return given;
  Shape sizes = x.sizes();
  sizes[x.dim() - 1] = hidden;
  return filled_tensor(sizes, x.is_floating_point() ? x.dtype() : kFloat32, 0);
}

}  // namespace

RNNCell::RNNCell(int64_t input_size, int64_t hidden_size, const RNNCellOptions& o)
    : relu_(is_relu("RNNCell", o.nonlinearity)) {
  register_weights(*this, "RNNCell", 1, input_size, hidden_size, o.bias);
}
Tensor RNNCell::forward(const Tensor& x, const Tensor& hx) const {
  const Tensor h = state_or_zeros(hx, x, weight_hh.size(1));
  return (relu_ ? rnn_relu_cell : rnn_tanh_cell)(x, h, weight_ih, weight_hh, bias_ih, bias_hh);
}
void RNNCell::reset_parameters() { draw({weight_ih, weight_hh, bias_ih, bias_hh}, weight_hh.size(1)); }
std::string RNNCell::extra_repr() const {
  return facts(weight_ih, weight_hh, bias_ih) + (relu_ ? ", nonlinearity=relu" : "");
}

LSTMCell::LSTMCell(int64_t input_size, int64_t hidden_size, const LSTMCellOptions& o) {
  register_weights(*this, "LSTMCell", 4, input_size, hidden_size, o.bias);
}
std::tuple<Tensor, Tensor> LSTMCell::forward(const Tensor& x,
                                             const std::optional<std::tuple<Tensor, Tensor>>& hx) const {
  const auto [h, c] = hx.value_or(std::tuple<Tensor, Tensor>());
  const int64_t hidden = weight_hh.size(1);
  return lstm_cell(x, {state_or_zeros(h, x, hidden), state_or_zeros(c, x, hidden)}, weight_ih, weight_hh, bias_ih,
                   bias_hh);
}
void LSTMCell::reset_parameters() { draw({weight_ih, weight_hh, bias_ih, bias_hh}, weight_hh.size(1)); }
std::string LSTMCell::extra_repr() const { return facts(weight_ih, weight_hh, bias_ih); }

GRUCell::GRUCell(int64_t input_size, int64_t hidden_size, const GRUCellOptions& o) {
  register_weights(*this, "GRUCell", 3, input_size, hidden_size, o.bias);
}
Tensor GRUCell::forward(const Tensor& x, const Tensor& hx) const {
  return gru_cell(x, state_or_zeros(hx, x, weight_hh.size(1)), weight_ih, weight_hh, bias_ih, bias_hh);
}
void GRUCell::reset_parameters() { draw({weight_ih, weight_hh, bias_ih, bias_hh}, weight_hh.size(1)); }
std::string GRUCell::extra_repr() const { return facts(weight_ih, weight_hh, bias_ih); }

}  // namespace tapegrad::nn
