// How operands meet: promotion to one dtype and broadcasting to one shape, recorded only where a gradient needs it.
#pragma once

#include "tapegrad/autograd/apply.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad {

// The dtype of an operation on a and b: the wider one, except that a 0-dim tensor only counts by its kind (bool, integer,
// float) beside one with dims.
inline DType result_type(const Tensor& a, const Tensor& b) {
  const DType da = a.dtype();
  const DType db = b.dtype();
  if (da == db) return da;
  const auto kind = [](DType d) { return d == kBool ? 0 : is_floating_point(d) ? 2 : 1; };
  const bool small_a = a.dim() == 0 && b.dim() > 0;
  const bool small_b = b.dim() == 0 && a.dim() > 0;
  if (small_b && kind(db) <= kind(da)) return da;
  if (small_a && kind(da) <= kind(db)) return db;
  return promote_types(da, db);
}

// float32 for integers and bool, themselves for floats.
inline DType real_type(DType dtype) { return is_floating_point(dtype) ? dtype : kFloat32; }
inline Tensor real(const Tensor& x) { return x.is_floating_point() ? x : to(x, kFloat32); }

inline void check_defined(const char* op, const Tensor& x, const char* argument) {
  if (!x.defined())
    throw ValueError(std::string(op) + ": " + argument + " must be defined, got an undefined tensor (Tensor())");
}

inline bool same_sizes(const Tensor& a, const Tensor& b) { return IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()); }

// x with this dtype, and expanded to `shape` on the tape when its gradient will have to be summed back. Where no gradient
// is wanted, the kernels broadcast by themselves.
inline Tensor operand(const Tensor& x, DType dtype, const Shape& shape) {
  Tensor y = x.dtype() == dtype ? x : to(x, dtype);
  const bool differs = !(IntArrayRef(y.sizes()) == IntArrayRef(shape));
  return differs && GradMode::is_enabled() && y.requires_grad() ? expand(y, shape) : y;
}

// op(a, b), promoted to `dtype` and broadcast.
template <class Op> Tensor apply_binary(Op op, const Tensor& a, const Tensor& b, DType dtype) {
  if (a.dtype() == dtype && b.dtype() == dtype && same_sizes(a, b)) return apply(std::move(op), a, b);
  const Shape shape = broadcast_shapes(a.sizes(), b.sizes(), Op::name);
  return apply(std::move(op), operand(a, dtype, shape), operand(b, dtype, shape));
}

template <class Op> Tensor apply_binary(Op op, const Tensor& a, const Tensor& b) {
  check_defined(Op::name, a, "a");
  check_defined(Op::name, b, "b");
  return apply_binary(std::move(op), a, b, result_type(a, b));
}

// A number as a 0-dim tensor.
inline Tensor number_of(const Scalar& s, DType dtype) { return filled_tensor(IntArrayRef(), dtype, s); }

// op written into x, for an op of one operand whose result has x's dtype.
template <class Op> Tensor& in_place_unary(Op op, const Tensor& x, bool real_result) {
  check_defined(Op::name, x, "x");
  if (real_result && !x.is_floating_point())
    throw DTypeError(std::string(Op::name) + ": the result is float32 and cannot be written in place into " +
                     name_of(x.dtype()) + " (use the form without _)");
  return apply_in_place(std::move(op), x);
}

// op written into a, with b converted and broadcast to it. DTypeError where the result's kind does not fit a's dtype,
// ShapeError where the result's shape is not a's.
template <class Op> Tensor& in_place_binary(Op op, const Tensor& a, const Tensor& b, DType result) {
  if (!can_cast(result, a.dtype()))
    throw DTypeError(std::string(Op::name) + ": the result is " + name_of(result) +
                     " and cannot be written in place into " + name_of(a.dtype()) + " (use the form without _)");
  if (a.dtype() == b.dtype() && same_sizes(a, b)) return apply_in_place(std::move(op), a, b);
  if (!(IntArrayRef(broadcast_shapes(a.sizes(), b.sizes(), Op::name)) == IntArrayRef(a.sizes())))
    throw ShapeError(std::string(Op::name) + ": the result must have the shape written to, which is " +
                     to_string(a.sizes()) + ", got an operand of shape " + to_string(b.sizes()));
  return apply_in_place(std::move(op), a, operand(b, a.dtype(), a.sizes()));
}

}  // namespace tapegrad
