// The tape as text and as a drawing.
#pragma once

#include <string>

#include "tapegrad/core/tensor.h"

namespace tapegrad::autograd {

// One line per leaf and per node that y was computed by (a leaf: by itself), earliest first: number, name, shape and dtype of the result, the numbers of
// what it was computed from, and every saved tensor with its shape and bytes; then the totals.
TAPEGRAD_API std::string tape_text(const Tensor& y);
// The same as a graph in the DOT language: `dot -Tsvg`.
TAPEGRAD_API std::string tape_dot(const Tensor& y);
// Bytes of the tensors saved by the nodes y was computed by, each block of memory counted once.
TAPEGRAD_API int64_t saved_bytes(const Tensor& y);

}  // namespace tapegrad::autograd
