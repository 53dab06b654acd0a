// Mixed precision: under AutocastGuard products run in bfloat16, and what needs the precision in float32.
#pragma once

#include "tapegrad/autograd/state.h"

namespace tapegrad {

// For this thread, until the end of the scope: mm, bmm, matmul, linear and what is made of them (addmm, mv, bilinear, einsum)
// round float32 operands to bfloat16 and give bfloat16; losses, softmax, norms, sums, exponentials and logarithms get float32 in
// place of bfloat16; everything else runs in what it is given, mixed operands in the wider. float64 is left alone. Parameters
// stay float32, and so do their gradients. backward() does what its forward did, inside or outside the guard.
// AutocastGuard(false) turns it off within. Where the CPU has no bfloat16 instructions the guard says so once, on stderr, and does
// nothing: bfloat16 would be the slower there.
class TAPEGRAD_API AutocastGuard : autograd::AutocastMode {
 public:
  explicit AutocastGuard(bool enabled = true);
};

inline bool is_autocast_enabled() { return autograd::state().autocast; }

}  // namespace tapegrad
