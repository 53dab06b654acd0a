// Recurrent cells, a step of N examples or a layer over all steps. Operands are of one floating dtype. Internal.
#pragma once

#include <array>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

enum class Cell : uint8_t { rnn_tanh, rnn_relu, gru, lstm };
// How many times H the rows of its weights are.
constexpr int64_t blocks_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

// ---- one step: N examples of H units ----

// {h', c', gates} from gx and gh, [N, 4H], and c, [N, H]: gates = sigmoid, sigmoid, tanh, sigmoid of the quarters i, f, g, o of gx + gh,
// c' = f c + i g, h' = o tanh c'.
std::array<Tensor, 3> lstm_gates(const char* name, const Tensor& gx, const Tensor& gh, const Tensor& c);
// {d(gx + gh), dc} from dh' and dc', of which the latter may be undefined.
std::array<Tensor, 2> lstm_gates_backward(const char* name, const Tensor& dh, const Tensor& dc_new, const Tensor& gates,
                                          const Tensor& c, const Tensor& c_new);
// {h', gates} from gx and gh, [N, 3H], and h, [N, H]: gates r, z = sigmoid of the first thirds of gx + gh, n = tanh(gx_n + r gh_n),
// h' = n + z (h - n).
std::array<Tensor, 2> gru_gates(const char* name, const Tensor& gx, const Tensor& gh, const Tensor& h);
// {dgx, dgh, dh}
std::array<Tensor, 3> gru_gates_backward(const char* name, const Tensor& dh_new, const Tensor& gates, const Tensor& gh,
                                         const Tensor& h);

// ---- all steps of one layer in one direction ----

// Which rows belong to which step: counts[t] of them to step t, behind those of step t - 1, the longest sequences first. Reverse takes the
// last step first.
struct Sequences {
  const std::vector<int64_t>& counts;
  bool reverse;
  int64_t batch() const { return counts.front(); }
};

// What a layer over R rows gives and what its rule needs: y, [R, H]; of the lstm, c, [R, H], and gates, [R, 4H]; of the gru, `for_rule`,
// gates, [R, 4H], whose last quarter is gh_n.
struct LayerValues {
  Tensor y, c, gates;
};
// gx, [R, blocks H], is x's part of the gates with every bias but the gru's b_hh; it is contiguous, and written. h_0 and c_0 are [N, H].
LayerValues recurrent_layer(Cell cell, const char* name, const Sequences& s, const Tensor& gx, const Tensor& h_0,
                            const Tensor& c_0, const Tensor& w_hh, const Tensor& b_hh, bool for_rule);

// dgh is dgx but for the gru; dh_0 is undefined unless `to_start`. Either of dy and dc may be undefined.
struct LayerGrads {
  Tensor dgx, dgh, dh_0, dc_0;
};
LayerGrads recurrent_layer_backward(Cell cell, const char* name, const Sequences& s, const Tensor& dy, const Tensor& dc,
                                    const LayerValues& v, const Tensor& h_0, const Tensor& c_0, const Tensor& w_hh,
                                    bool to_start);

}  // namespace tapegrad::kernels
