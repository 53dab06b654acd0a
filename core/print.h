// Tensors as text, laid out as PyTorch's Python prints them.
#pragma once

#include <iosfwd>
#include <string>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

struct PrintOptions {
  int precision = 4;         // digits behind the point
  int64_t threshold = 1000;  // tensors with more elements are summarised
  int64_t edgeitems = 3;     // items at either end of a dim that a summary keeps
  int64_t linewidth = 80;    // characters a line has room for
};

// What every thread prints with: set_print_options({.precision = 6}). ValueError for a precision outside [0, 100], a
// negative threshold or edgeitems, a linewidth below 1.
TAPEGRAD_API void set_print_options(const PrintOptions& options);
TAPEGRAD_API PrintOptions print_options();

// "tensor([1.0000, 2.5000])"; behind the values the dtype unless float32, int64 or bool, and grad_fn or requires_grad.
// Undefined: "tensor(undefined)". Floats print as integers ("1.") when all are, in scientific notation when the largest
// is above 1000 times the smallest, above 1e8, or the smallest is below 1e-4.
TAPEGRAD_API std::string to_string(const Tensor& x);
TAPEGRAD_API std::string to_string(const Tensor& x, const PrintOptions& options);
TAPEGRAD_API std::ostream& operator<<(std::ostream& out, const Tensor& x);

namespace autograd {
// The tape's part of a printed tensor: "grad_fn=<mul>", "requires_grad=True", or nothing. Defined by the tape.
std::string tape_suffix(const Tensor& x);
}  // namespace autograd

}  // namespace tapegrad
