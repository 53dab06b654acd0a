// lerp, addcmul, addcdiv.
#include "tapegrad/ops/blend.h"

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::Map;
using kernels::ternary;

namespace {

// y = start + w (end - start);  dstart = dy (1 - w), dend = dy w, dw = dy (end - start)
struct Lerp {
  static constexpr const char* name = "lerp";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput start{"start"}, end{"end"}, w{"weight"};
  Tensor forward(const Tensor& from, const Tensor& to, const Tensor& weight, const Tensor& out = {}) {
    start.save(from, autograd::needs(2));
    end.save(to, autograd::needs(2));
    w.save(weight, autograd::needs(0) || autograd::needs(1));
    return ternary(name, Map::lerp, from, to, weight, out);
  }
  Grads backward(const Tensor& dy) const {
    return {autograd::needs(0) ? dy * (1 - *w) : Tensor(), autograd::needs(1) ? dy * *w : Tensor(),
            autograd::needs(2) ? dy * (*end - *start) : Tensor()};
  }
};

// y = start + w (end - start);  dstart = dy (1 - w), dend = dy w
struct LerpScalar {
  static constexpr const char* name = "lerp";
  static constexpr bool elementwise = true;
  double w;
  Tensor forward(const Tensor& start, const Tensor& end, const Tensor& out = {}) {
    return ternary(name, Map::lerp, start, end, number_of(w, start.dtype()), out);
  }
  Grads backward(const Tensor& dy) const {
    return {autograd::needs(0) ? dy * (1 - w) : Tensor(), autograd::needs(1) ? dy * w : Tensor()};
  }
};

// y = x + v a b;  dx = dy, da = dy v b, db = dy v a
struct Addcmul {
  static constexpr const char* name = "addcmul";
  static constexpr bool elementwise = true;
  double value;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& x, const Tensor& u, const Tensor& v, const Tensor& out = {}) {
    a.save(u, autograd::needs(2));
    b.save(v, autograd::needs(1));
    return ternary(name, Map::addcmul, x, u, v, out, {value});
  }
  Grads backward(const Tensor& dy) const {
    return {Tensor(dy), autograd::needs(1) ? dy * (*b * value) : Tensor(),
            autograd::needs(2) ? dy * (*a * value) : Tensor()};
  }
};

// y = x + v a / b;  dx = dy, da = dy v / b, db = -dy v a / b^2
struct Addcdiv {
  static constexpr const char* name = "addcdiv";
  static constexpr bool elementwise = true;
  double value;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& x, const Tensor& u, const Tensor& v, const Tensor& out = {}) {
    a.save(u, autograd::needs(2));
    b.save(v, autograd::needs(1) || autograd::needs(2));
    return ternary(name, Map::addcdiv, x, u, v, out, {value});
  }
  Grads backward(const Tensor& dy) const {
    if (!autograd::needs(1) && !autograd::needs(2)) return {Tensor(dy), Tensor(), Tensor()};
    const Tensor da = dy * value / *b;
    return {Tensor(dy), da, autograd::needs(2) ? neg(da * *a / *b) : Tensor()};
  }
};

// As result_type of two: tensors without dims count by their kind alone beside those with dims.
DType result_type(const Tensor& x, const Tensor& a, const Tensor& b) {
  const Tensor& first = x.dim() > 0 ? x : a.dim() > 0 ? a : b;
  DType dtype = first.dtype();
  for (const Tensor* t : {&x, &a, &b}) {
    if ((t->dim() > 0) == (first.dim() > 0)) dtype = promote_types(dtype, t->dtype());
  }
  const auto kind = [](DType d) { return d == kBool ? 0 : is_floating_point(d) ? 2 : 1; };
  DType number = dtype;
  for (const Tensor* t : {&x, &a, &b}) {
    if (t->dim() == 0 && kind(t->dtype()) > kind(dtype)) number = promote_types(number, t->dtype());
  }
  return number;
}

Shape common_shape(const char* op, const Tensor& x, const Tensor& a, const Tensor& b) {
  return broadcast_shapes(broadcast_shapes(x.sizes(), a.sizes(), op), b.sizes(), op);
}

template <class Op> Tensor apply_ternary(Op op, const Tensor& x, const Tensor& a, const Tensor& b, DType dtype) {
  const Shape shape = common_shape(Op::name, x, a, b);
  return apply(std::move(op), operand(x, dtype, shape), operand(a, dtype, shape), operand(b, dtype, shape));
}

// Whether the result may be written into x.
void check_fits(const char* op, const Tensor& x, const Tensor& a, const Tensor& b, DType result) {
  check_in_place_cast(op, x, result);
  const Shape shape = common_shape(op, x, a, b);
  if (!(IntArrayRef(shape) == IntArrayRef(x.sizes())))
    throw ShapeError(std::string(op) + ": the result must have the shape written to, which is " + to_string(x.sizes()) +
                     ", got operands of shapes " + to_string(a.sizes()) + " and " + to_string(b.sizes()));
}

template <class Op> Tensor& in_place_ternary(Op op, const Tensor& x, const Tensor& a, const Tensor& b) {
  return apply_in_place(std::move(op), x, operand(a, x.dtype(), x.sizes()), operand(b, x.dtype(), x.sizes()));
}

void check_three(const char* op, const Tensor& x, const Tensor& a, const Tensor& b) {
  check_defined(op, x, "x");
  check_defined(op, a, "a");
  check_defined(op, b, "b");
}

void check_lerp(const char* op, const Tensor& start, const Tensor& end) {
  check_defined(op, start, "start");
  check_defined(op, end, "end");
  if (!start.is_floating_point() || start.dtype() != end.dtype())
    throw DTypeError(std::string(op) + ": start and end must have one floating dtype, got " + name_of(start.dtype()) +
                     " and " + name_of(end.dtype()));
}

void check_weight(const char* op, const Tensor& start, const Tensor& weight) {
  check_defined(op, weight, "weight");
  if (weight.dtype() != start.dtype())
    throw DTypeError(std::string(op) + ": weight must have the dtype of start, which is " + name_of(start.dtype()) +
                     ", got " + name_of(weight.dtype()));
}

void check_lerp_fits(const Tensor& start, const Tensor& end) {
  if (!(IntArrayRef(broadcast_shapes(start.sizes(), end.sizes(), "lerp_")) == IntArrayRef(start.sizes())))
    throw ShapeError("lerp_: the result must have the shape written to, which is " + to_string(start.sizes()) +
                     ", got an end of shape " + to_string(end.sizes()));
}

DType addcmul_dtype(const char* op, const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  check_three(op, x, a, b);
  const DType dtype = result_type(x, a, b);
  if (dtype == kBool) throw DTypeError(std::string(op) + ": bool is not a dtype it takes");
  if (!is_floating_point(dtype) && value.is_floating_point())
    throw DTypeError(std::string(op) + ": value must be an integer for integer tensors, got " +
                     std::to_string(value.to<double>()));
  return dtype;
}

DType addcdiv_dtype(const char* op, const Tensor& x, const Tensor& a, const Tensor& b) {
  check_three(op, x, a, b);
  if (!a.is_floating_point() && !b.is_floating_point())
    throw DTypeError(std::string(op) + ": a and b must not both be integers, got " + name_of(a.dtype()) + " and " +
                     name_of(b.dtype()) + " (did you mean a.to(kFloat32)?)");
  return result_type(x, a, b);
}

// value a b for integers, exact beyond what double holds.
Tensor integer_product(const Tensor& a, const Tensor& b, const Scalar& value, DType dtype) {
  return mul(mul(to(a, dtype), value), to(b, dtype));
}

}  // namespace

Tensor lerp(const Tensor& start, const Tensor& end, const Scalar& weight) {
  check_lerp("lerp", start, end);
  return apply_binary(LerpScalar{weight.to<double>()}, start, end, start.dtype());
}
Tensor lerp(const Tensor& start, const Tensor& end, const Tensor& weight) {
  check_lerp("lerp", start, end);
  check_weight("lerp", start, weight);
  return apply_ternary(Lerp{}, start, end, weight, start.dtype());
}
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  const DType dtype = addcmul_dtype("addcmul", x, a, b, value);
  if (is_floating_point(dtype)) return apply_ternary(Addcmul{value.to<double>()}, x, a, b, dtype);
  common_shape("addcmul", x, a, b);
  return add(to(x, dtype), integer_product(a, b, value, dtype));
}
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  return apply_ternary(Addcdiv{value.to<double>()}, x, a, b, addcdiv_dtype("addcdiv", x, a, b));
}

Tensor& lerp_(const Tensor& start, const Tensor& end, const Scalar& weight) {
  check_lerp("lerp_", start, end);
  check_lerp_fits(start, end);
  return apply_in_place(LerpScalar{weight.to<double>()}, start, operand(end, start.dtype(), start.sizes()));
}
Tensor& lerp_(const Tensor& start, const Tensor& end, const Tensor& weight) {
  check_lerp("lerp_", start, end);
  check_weight("lerp_", start, weight);
  check_fits("lerp_", start, end, weight, start.dtype());
  return in_place_ternary(Lerp{}, start, end, weight);
}
Tensor& addcmul_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  const DType dtype = addcmul_dtype("addcmul_", x, a, b, value);
  check_fits("addcmul_", x, a, b, dtype);
  if (x.is_floating_point()) return in_place_ternary(Addcmul{value.to<double>()}, x, a, b);
  return add_(x, integer_product(a, b, value, x.dtype()));
}
Tensor& addcdiv_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  check_fits("addcdiv_", x, a, b, addcdiv_dtype("addcdiv_", x, a, b));
  return in_place_ternary(Addcdiv{value.to<double>()}, x, a, b);
}

}  // namespace tapegrad
