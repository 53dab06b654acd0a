// The gates of recurrent cells over contiguous-made operands: N examples of H units. Internal.
#pragma once

#include <array>

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

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

}  // namespace tapegrad::kernels
