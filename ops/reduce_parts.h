// What the families of reductions share: dims as a mask, results under the dims they were reduced over. Internal.
#pragma once

#include <string>

#include "tapegrad/ops/kernels/reduce.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

// The dims named (none: all) as bits.
inline uint32_t checked_mask(const char* op, const Tensor& x, IntArrayRef dim) {
  check_defined(op, x, "x");
  const uint32_t all = (uint32_t{1} << x.dim()) - 1;
  return dim.empty() ? all : dim_mask(dim, x.dim(), op) & all;
}

// The dims whose bits are set.
inline Shape dims_of(uint32_t mask) {
  Shape dims;
  for (int64_t d = 0; d < kMaxRank; ++d) {
    if (mask >> d & 1) dims.push_back(d);
  }
  return dims;
}

// A result with the dims it was reduced over back in place, at size 1.
inline Tensor with_dims(const Tensor& y, const Shape& sizes, uint32_t mask) {
  return y.dim() == sizes.size() ? y : reshape(y, kernels::reduced_sizes(sizes, mask, true));
}

// dv for y = (sum |v|^p)^(1/p) over the dims in `mask`, which dy and y have at size 1: dy sign(v) |v|^(p-1) y^(1-p), 0 where y = 0.
// p is not 0. Defined in reduce.cpp.
Tensor norm_slope(const char* op, const Tensor& dy, const Tensor& v, const Tensor& y, uint32_t mask, double p);

inline void check_floating(const char* op, const Tensor& x) {
  if (!x.is_floating_point())
    throw DTypeError(std::string(op) + ": x must be float32 or float64, got " + name_of(x.dtype()) +
                     " (did you mean x.to(kFloat32)?)");
}

}  // namespace tapegrad
