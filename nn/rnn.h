// Recurrent layers and cells.
#pragma once

#include <optional>
#include <tuple>

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/nn/packed_sequence.h"

namespace tapegrad::nn {

struct RNNOptions {
  int64_t num_layers = 1;
  std::string nonlinearity = "tanh";  // or "relu"
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;  // of what a layer gives the next
  bool bidirectional = false;
};
struct LSTMOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  int64_t proj_size = 0;  // where positive, the size of h, which a further weight makes of it at every step
};
struct GRUOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
};

namespace detail {
// What the three layers have in common.
struct TAPEGRAD_API RecurrentSettings {
  const char* name;
  int64_t blocks, input_size, hidden_size, num_layers;
  bool bias, batch_first, bidirectional;
  double dropout;
  int64_t proj_size = 0;
  std::vector<Parameter> register_weights(Module& module) const;
  std::string extra_repr() const;
};
}  // namespace detail

// The layers take x [T, N, input] (batch_first: [N, T, input]), one sequence [T, input], or packed sequences, and the states they start from,
// each [layers D, N, hidden] with D = 2 for two directions, else 1; zeros where these are left out. They give y [T, N, D hidden] in x's form, and the
// last states of every layer and direction, each sequence's own. Parameters: weight_ih_l0 [G hidden, input], weight_hh_l0 [G hidden, hidden],
// bias_ih_l0 and bias_hh_l0 [G hidden], in the G blocks of ops/recurrent.h; then those of l0_reverse, l1, ..., all uniform in
// (-1/sqrt(hidden), 1/sqrt(hidden)). ValueError for sizes or num_layers below 1, or dropout outside [0, 1].

// {y, h_n} of h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it.
class TAPEGRAD_API RNN final : public Cloneable<RNN> {
 public:
  RNN(int64_t input_size, int64_t hidden_size, const RNNOptions& options = {});
  std::tuple<Tensor, Tensor> forward(const Tensor& x, const Tensor& h_0 = {}) const;
  std::tuple<utils::rnn::PackedSequence, Tensor> forward(const utils::rnn::PackedSequence& x,
                                                         const Tensor& h_0 = {}) const;
  // Draws the start values again, from the default generator.
  void reset_parameters();
  // Every parameter, in order of registration.
  std::vector<Tensor> all_weights() const { return {weights_.begin(), weights_.end()}; }
  std::string extra_repr() const override { return settings_.extra_repr(); }

 private:
  detail::RecurrentSettings settings_;
  bool relu_;
  std::vector<Parameter> weights_;
};

// {y, {h_n, c_n}} of the steps of lstm_cell(). With proj_size P > 0 h has P elements, weight_hh_l0 is [G hidden, P], and there is a
// weight_hr_l0 [P, hidden].
class TAPEGRAD_API LSTM final : public Cloneable<LSTM> {
 public:
  using States = std::optional<std::tuple<Tensor, Tensor>>;
  LSTM(int64_t input_size, int64_t hidden_size, const LSTMOptions& options = {});
  std::tuple<Tensor, std::tuple<Tensor, Tensor>> forward(const Tensor& x, const States& hx = {}) const;
  std::tuple<utils::rnn::PackedSequence, std::tuple<Tensor, Tensor>> forward(const utils::rnn::PackedSequence& x,
                                                                             const States& hx = {}) const;
  void reset_parameters();
  std::vector<Tensor> all_weights() const { return {weights_.begin(), weights_.end()}; }
  std::string extra_repr() const override { return settings_.extra_repr(); }

 private:
  detail::RecurrentSettings settings_;
  std::vector<Parameter> weights_;
};

// {y, h_n} of the steps of gru_cell().
class TAPEGRAD_API GRU final : public Cloneable<GRU> {
 public:
  GRU(int64_t input_size, int64_t hidden_size, const GRUOptions& options = {});
  std::tuple<Tensor, Tensor> forward(const Tensor& x, const Tensor& h_0 = {}) const;
  std::tuple<utils::rnn::PackedSequence, Tensor> forward(const utils::rnn::PackedSequence& x,
                                                         const Tensor& h_0 = {}) const;
  void reset_parameters();
  std::vector<Tensor> all_weights() const { return {weights_.begin(), weights_.end()}; }
  std::string extra_repr() const override { return settings_.extra_repr(); }

 private:
  detail::RecurrentSettings settings_;
  std::vector<Parameter> weights_;
};

// One step, of x [N, input] or [input] and states [N, hidden] or [hidden]; zeros where these are left out. Weights as the layers' first ones.
struct RNNCellOptions {
  bool bias = true;
  std::string nonlinearity = "tanh";  // or "relu"
};
struct LSTMCellOptions {
  bool bias = true;
};
using GRUCellOptions = LSTMCellOptions;

// h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it.
class TAPEGRAD_API RNNCell final : public Cloneable<RNNCell> {
 public:
  RNNCell(int64_t input_size, int64_t hidden_size, const RNNCellOptions& options = {});
  Tensor forward(const Tensor& x, const Tensor& hx = {}) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight_ih, weight_hh, bias_ih, bias_hh;  // the biases undefined without

 private:
  bool relu_;
};

// {h', c'} of lstm_cell().
class TAPEGRAD_API LSTMCell final : public Cloneable<LSTMCell> {
 public:
  LSTMCell(int64_t input_size, int64_t hidden_size, const LSTMCellOptions& options = {});
  std::tuple<Tensor, Tensor> forward(const Tensor& x, const std::optional<std::tuple<Tensor, Tensor>>& hx = {}) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight_ih, weight_hh, bias_ih, bias_hh;
};

// h' of gru_cell().
class TAPEGRAD_API GRUCell final : public Cloneable<GRUCell> {
 public:
  GRUCell(int64_t input_size, int64_t hidden_size, const GRUCellOptions& options = {});
  Tensor forward(const Tensor& x, const Tensor& hx = {}) const;
  void reset_parameters();
  std::string extra_repr() const override;

  Parameter weight_ih, weight_hh, bias_ih, bias_hh;
};

}  // namespace tapegrad::nn
