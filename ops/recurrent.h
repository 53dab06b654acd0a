// Recurrent cells, and layers of them over whole sequences. Weights have PyTorch's layout: w_ih [G H, I] and w_hh [G H, H], with G = 1, 3 (GRU)
// or 4 (LSTM) blocks of H rows, biases [G H] or undefined. All operands have one floating dtype. ShapeError for sizes that do not belong together.
#pragma once

#include <tuple>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// {h', c'} of one step, hx = {h, c}. With i, f, g, o = the blocks of x w_ih^T + b_ih + h w_hh^T + b_hh: c' = sigmoid(f) c + sigmoid(i) tanh(g),
// h' = sigmoid(o) tanh(c'). x is [N, I], states are [N, H]; without the N for one example.
// Hochreiter and Schmidhuber, "Long short-term memory" (1997).
TAPEGRAD_API std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const std::vector<Tensor>& hx, const Tensor& w_ih,
                                                  const Tensor& w_hh, const Tensor& b_ih = {}, const Tensor& b_hh = {});
// h' of one step. With a = x w_ih^T + b_ih and b = h w_hh^T + b_hh in blocks r, z, n: r, z = sigmoid(a + b), n = tanh(a_n + r b_n),
// h' = (1 - z) n + z h. Sizes as lstm_cell's. Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).
TAPEGRAD_API Tensor gru_cell(const Tensor& x, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                             const Tensor& b_ih = {}, const Tensor& b_hh = {});
// h' = tanh(x w_ih^T + b_ih + h w_hh^T + b_hh), for sizes as lstm_cell's. Elman, "Finding structure in time" (1990).
TAPEGRAD_API Tensor rnn_tanh_cell(const Tensor& x, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                                  const Tensor& b_ih = {}, const Tensor& b_hh = {});
// h' = relu(x w_ih^T + b_ih + h w_hh^T + b_hh), for sizes as lstm_cell's.
TAPEGRAD_API Tensor rnn_relu_cell(const Tensor& x, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,
                                  const Tensor& b_ih = {}, const Tensor& b_hh = {});

// {y, h_n, c_n}: layers of lstm_cell over x [T, N, I] (batch_first: [N, T, I]; one sequence: [T, I]) from hx = {h_0, c_0}, each [layers D, N, H],
// D = 2 where bidirectional, else 1. y is [T, N, D H], what the last layer gave at every step, directions side by side; each other layer's is the
// next one's input, through dropout(p = dropout) where train. params has w_ih, w_hh, b_ih, b_hh (the biases only with has_biases) of each layer's
// directions in turn. A last w_hr [P, H] of each, where h_0 has another size P than c_0, makes h' = w_hr h' of every step: Sak et al., "Long
// short-term memory recurrent neural network architectures for large scale acoustic modeling" (2014). The gradients need y of a single direction as
// it was: to write to it, take a copy. ShapeError for no step, ValueError for another number of params.
TAPEGRAD_API std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& x, const std::vector<Tensor>& hx,
                                                     const std::vector<Tensor>& params, bool has_biases,
                                                     int64_t num_layers, double dropout, bool train, bool bidirectional,
                                                     bool batch_first);
// {y, h_n}: layers of gru_cell, otherwise as lstm.
TAPEGRAD_API std::tuple<Tensor, Tensor> gru(const Tensor& x, const Tensor& hx, const std::vector<Tensor>& params,
                                            bool has_biases, int64_t num_layers, double dropout, bool train,
                                            bool bidirectional, bool batch_first);
// {y, h_n}: layers of rnn_tanh_cell, otherwise as lstm.
TAPEGRAD_API std::tuple<Tensor, Tensor> rnn_tanh(const Tensor& x, const Tensor& hx, const std::vector<Tensor>& params,
                                                 bool has_biases, int64_t num_layers, double dropout, bool train,
                                                 bool bidirectional, bool batch_first);
// {y, h_n}: layers of rnn_relu_cell, otherwise as lstm.
TAPEGRAD_API std::tuple<Tensor, Tensor> rnn_relu(const Tensor& x, const Tensor& hx, const std::vector<Tensor>& params,
                                                 bool has_biases, int64_t num_layers, double dropout, bool train,
                                                 bool bidirectional, bool batch_first);

// The same over sequences of different lengths, the longest first: data [sum of batch_sizes, I] has the first batch_sizes[t] sequences' step t
// behind step t - 1. y is laid out as data, states are each sequence's own last. ValueError for batch_sizes that are not positive, that grow, or
// that do not sum to data's rows. nn::utils::rnn::pack_padded_sequence makes such data.
TAPEGRAD_API std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& data, const std::vector<int64_t>& batch_sizes,
                                                     const std::vector<Tensor>& hx, const std::vector<Tensor>& params,
                                                     bool has_biases, int64_t num_layers, double dropout, bool train,
                                                     bool bidirectional);
TAPEGRAD_API std::tuple<Tensor, Tensor> gru(const Tensor& data, const std::vector<int64_t>& batch_sizes,
                                            const Tensor& hx, const std::vector<Tensor>& params, bool has_biases,
                                            int64_t num_layers, double dropout, bool train, bool bidirectional);
TAPEGRAD_API std::tuple<Tensor, Tensor> rnn_tanh(const Tensor& data, const std::vector<int64_t>& batch_sizes,
                                                 const Tensor& hx, const std::vector<Tensor>& params, bool has_biases,
                                                 int64_t num_layers, double dropout, bool train, bool bidirectional);
TAPEGRAD_API std::tuple<Tensor, Tensor> rnn_relu(const Tensor& data, const std::vector<int64_t>& batch_sizes,
                                                 const Tensor& hx, const std::vector<Tensor>& params, bool has_biases,
                                                 int64_t num_layers, double dropout, bool train, bool bidirectional);

}  // namespace tapegrad
