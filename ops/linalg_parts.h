// What the families of matrix products check alike. Internal.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// One floating dtype (DTypeError), both defined (ValueError).
void check_operands(const char* op, const Tensor& a, const Tensor& b, const char* name_a = "a",
                    const char* name_b = "b");
// Both of this many dims (ShapeError).
void check_rank(const char* op, const Tensor& a, const Tensor& b, int64_t rank);
// The ShapeError for sizes that should meet, with a hint where a transpose would do.
[[noreturn]] void inner_sizes_differ(const char* op, const Tensor& a, const Tensor& b, int64_t inner_a,
                                     int64_t inner_b);

}  // namespace tapegrad
