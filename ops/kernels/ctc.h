// Connectionist temporal classification: the probability of a sequence of labels over all alignments.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::kernels {

// The operands of ops/losses.h, contiguous: log_probs [t, n, c], int64 targets [n, s] or [sum of lengths], lengths [n].
struct CtcOperands {
  Tensor log_probs, targets, input_lengths, target_lengths;
};

// l[n]; infinite ones are 0 with zero_infinity. Checks lengths and labels first.
Tensor ctc_loss(const char* name, const CtcOperands& in, int64_t blank, bool zero_infinity);
// -dl[n] times the share of the paths that are in class c at t.
Tensor ctc_loss_backward(const char* name, const Tensor& dl, const CtcOperands& in, int64_t blank, bool zero_infinity);

}  // namespace tapegrad::kernels
