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

// x, or its float32 form under AutocastGuard: for functions made of several operations that need the precision.
inline Tensor float32_under_autocast(const Tensor& x) {
  return autograd::state().autocast ? autograd::detail::widened(x) : x;
}
// Whether float32_under_autocast() would change one of them.
template <class... X> bool autocast_lifts(const X&... x) {
  return autograd::state().autocast && (autograd::detail::is_bfloat16(x) || ...);
}

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

// An integer beside integers must fit their dtype (ValueError); in uint8 negative ones down to -255 wrap, as in PyTorch.
inline void check_number(const char* op, const Scalar& s, DType dtype) {
  if (s.fits(dtype)) return;
  const bool wraps = dtype == kUInt8 && !s.is_floating_point() && s.to<int64_t>() < 0 && s.to<int64_t>() >= -255;
  if (!wraps) does_not_fit(op, s, dtype);
}

// A number as a 0-dim tensor; ValueError where an integer dtype does not hold it.
inline Tensor number_of(const Scalar& s, DType dtype, const char* op = "full") {
  return filled_tensor(IntArrayRef(), dtype, s, op);
}

using autograd::detail::in_place_name;

// A dtype the kernel does not take must be found before anything is written: of those, only bool comes this far. Ops that
// take it say so by `static constexpr bool takes_bool = true`.
template <class Op> inline constexpr bool takes_bool = requires { requires Op::takes_bool; };

inline void check_in_place_bool(const char* op, const Tensor& x) {
  if (x.dtype() == kBool) throw DTypeError(std::string(op) + ": bool is not a dtype it takes");
}

inline void check_in_place_cast(const char* op, const Tensor& x, DType result) {
  if (!can_cast(result, x.dtype()))
    throw DTypeError(std::string(op) + ": the result is " + name_of(result) + " and cannot be written in place into " +
                     name_of(x.dtype()) + " (use the form without _)");
}

template <class Op> void check_result(const Tensor& x, DType result) {
  check_in_place_cast(in_place_name<Op>, x, result);
  if (!takes_bool<Op>) check_in_place_bool(in_place_name<Op>, x);
}

// op written into x, for an op of one operand whose result has x's dtype.
template <class Op> Tensor& in_place_unary(Op op, const Tensor& x, bool real_result) {
  check_defined(in_place_name<Op>, x, "x");
  check_result<Op>(x, real_result ? real_type(x.dtype()) : x.dtype());
  return apply_in_place(std::move(op), x);
}

// op of x and the number s written into x, for an op whose result has the dtype `result`.
template <class Op> Tensor& in_place_scalar(Op op, const Tensor& x, const Scalar& s, DType result) {
  check_result<Op>(x, result);
  check_number(in_place_name<Op>, s, x.dtype());
  return apply_in_place(std::move(op), x);
}

inline void check_broadcasts_into(const char* op, const Tensor& a, const Tensor& b) {
  if (!(IntArrayRef(broadcast_shapes(a.sizes(), b.sizes(), op)) == IntArrayRef(a.sizes())))
    throw ShapeError(std::string(op) + ": the result must have the shape written to, which is " + to_string(a.sizes()) +
                     ", got an operand of shape " + to_string(b.sizes()));
}

// op written into a, with b converted and broadcast to it. DTypeError where the result's kind does not fit a's dtype,
// ShapeError where the result's shape is not a's.
template <class Op> Tensor& in_place_binary(Op op, const Tensor& a, const Tensor& b, DType result) {
  check_result<Op>(a, result);
  if (a.dtype() == b.dtype() && same_sizes(a, b)) return apply_in_place(std::move(op), a, b);
  check_broadcasts_into(in_place_name<Op>, a, b);
  return apply_in_place(std::move(op), a, operand(b, a.dtype(), a.sizes()));
}

}  // namespace tapegrad
