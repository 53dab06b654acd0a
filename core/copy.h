// Filling, copying with conversion, and adding, over any layouts; each is one launch.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

namespace detail {

// The conversions between bfloat16 and float32, and y = y + x in bfloat16, by vectors: tiles as kept_launch.h has them. The
// kernels define it.
struct BFloat16Tiles {
  using Tile = void (*)(char* const* ptr, const int64_t* stride, int64_t n, const double* attr);
  Tile narrow, widen, add;
};
BFloat16Tiles bfloat16_tiles();

}  // namespace detail

// Sets every element; the value is converted to the dtype (ValueError naming `op` where an integer dtype does not hold it).
TAPEGRAD_API void fill(const Tensor& dst, const Scalar& value, const char* op = "fill");
// dst = src, converted; src broadcasts to dst's shape (ShapeError naming `op` if it cannot). Overlapping memory is fine
// when both are the same layout of it, or go through a temporary.
TAPEGRAD_API void copy(const Tensor& dst, const Tensor& src, const char* op = "copy_");
// dst += src for the same shape and dtype. dst may be an overlapping view: contributions add up.
TAPEGRAD_API void add_into(const Tensor& dst, const Tensor& src);
// A contiguous tensor with the elements of x.
TAPEGRAD_API Tensor clone_of(const Tensor& x);
// x if it is contiguous, else a copy that is.
TAPEGRAD_API Tensor contiguous_of(const Tensor& x);
// x if it has this dtype, else a converted copy. Floats lose their fraction on the way to integers; what is out of range then,
// and NaN, become the lowest value of the dtype. Integers wrap.
TAPEGRAD_API Tensor converted(const Tensor& x, DType dtype);
// To be told of elements that were written on the host, in memory that is new: inside a capture they become a launch, so that
// every run begins with them, whatever the one before has written there.
TAPEGRAD_API void written_on_host(const Tensor& y, const char* op);
// New, filled.
TAPEGRAD_API Tensor filled_tensor(IntArrayRef sizes, DType dtype, const Scalar& value, const char* op = "full");

}  // namespace tapegrad
