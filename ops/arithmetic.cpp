// + - * / and their in-place forms.
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::binary;
using kernels::binary_scalar;
using kernels::Map;
using kernels::unary;

namespace {

// y = a + b;  da = dy, db = dy
struct Add {
  static constexpr const char* name = "add";
  static constexpr bool elementwise = true;
  static constexpr bool takes_bool = true;
  Tensor forward(const Tensor& a, const Tensor& b, const Tensor& out = {}) { return binary(name, Map::add, a, b, out); }
  Grads backward(const Tensor& dy) const { return {Tensor(dy), Tensor(dy)}; }
};

// y = a - b;  da = dy, db = -dy
struct Sub {
  static constexpr const char* name = "sub";
  static constexpr bool elementwise = true;
  Tensor forward(const Tensor& a, const Tensor& b, const Tensor& out = {}) { return binary(name, Map::sub, a, b, out); }
  Grads backward(const Tensor& dy) const { return {Tensor(dy), autograd::needs(1) ? neg(dy) : Tensor()}; }
};

// y = a b;  da = dy b, db = dy a
struct Mul {
  static constexpr const char* name = "mul";
  static constexpr bool elementwise = true;
  static constexpr bool takes_bool = true;
  static constexpr bool saves_input = true;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& x, const Tensor& y, const Tensor& out = {}) {
    return binary(name, Map::mul, a.save(x, autograd::needs(1)), b.save(y, autograd::needs(0)), out);
  }
  Grads backward(const Tensor& dy) const {
    return {autograd::needs(0) ? mul(dy, *b) : Tensor(), autograd::needs(1) ? mul(dy, *a) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    return {autograd::needs(0) ? binary(name, Map::mul, dy, *b) : Tensor(),
            autograd::needs(1) ? binary(name, Map::mul, dy, *a) : Tensor()};
  }
};

// y = a / b;  da = dy / b, db = -dy y / b
struct Div {
  static constexpr const char* name = "div";
  static constexpr bool elementwise = true;
  SavedInput b{"b"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& numerator, const Tensor& denominator, const Tensor& out = {}) {
    return y.save(binary(name, Map::div, numerator, b.save(denominator), out), autograd::needs(1));
  }
  Grads backward(const Tensor& dy) const {
    const Tensor da = dy / *b;
    return {da, autograd::needs(1) ? neg(da * *y) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    const Tensor da = binary(name, Map::div, dy, *b);
    if (!autograd::needs(1)) return {da, Tensor()};
    const Tensor db = binary(name, Map::mul, da, *y);
    return {da, unary(name, Map::neg, db, db)};
  }
};

// y = x + s;  dx = dy
struct AddScalar {
  static constexpr const char* name = "add";
  static constexpr bool elementwise = true;
  static constexpr bool takes_bool = true;
  Scalar s;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return binary_scalar(name, Map::add, x, s, out); }
  Grads backward(const Tensor& dy) const { return {Tensor(dy)}; }
};

// y = x - s;  dx = dy
struct SubScalar {
  static constexpr const char* name = "sub";
  static constexpr bool elementwise = true;
  Scalar s;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return binary_scalar(name, Map::sub, x, s, out); }
  Grads backward(const Tensor& dy) const { return {Tensor(dy)}; }
};

// y = s x;  dx = s dy
struct MulScalar {
  static constexpr const char* name = "mul";
  static constexpr bool elementwise = true;
  static constexpr bool takes_bool = true;
  Scalar s;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return binary_scalar(name, Map::mul, x, s, out); }
  Grads backward(const Tensor& dy) const { return {dy * s}; }
};

// y = x / s;  dx = dy / s
struct DivScalar {
  static constexpr const char* name = "div";
  static constexpr bool elementwise = true;
  Scalar s;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return binary_scalar(name, Map::div, x, s, out); }
  Grads backward(const Tensor& dy) const { return {dy / s}; }
};

// y = -x;  dx = -dy
struct Neg {
  static constexpr const char* name = "neg";
  static constexpr bool elementwise = true;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return unary(name, Map::neg, x, out); }
  Grads backward(const Tensor& dy) const { return {neg(dy)}; }
};

bool is_one(const Scalar& alpha) { return alpha.to<double>() == 1; }

Tensor scaled(const char* op, const Tensor& x, const Scalar& alpha) {
  check_defined(op, x, "b");
  if (is_one(alpha)) return x;
  if (x.dtype() == kBool)
    throw DTypeError(std::string(op) + ": alpha must be 1 for bool tensors, got " + std::to_string(alpha.to<double>()));
  if (alpha.is_floating_point() && !x.is_floating_point())
    throw DTypeError(std::string(op) + ": alpha must be an integer for integer tensors, got a floating point number");
  return x * alpha;
}

Scalar scaled(const Scalar& x, const Scalar& alpha) {
  if (is_one(alpha)) return x;
  if (x.is_floating_point() || alpha.is_floating_point()) return x.to<double>() * alpha.to<double>();
  int64_t product;
  (void)__builtin_mul_overflow(x.to<int64_t>(), alpha.to<int64_t>(), &product);  // wraps, as the elements do
  return product;
}

void refuse_bool(const char* op, DType dtype) {
  if (dtype == kBool)
    throw DTypeError(std::string(op) + ": bool is not a dtype it takes (did you mean logical_not() or operator !=?)");
}

// Op of x and s in the dtype both promote to. The number goes by reference until it is checked: a copy of one just made
// waits for its parts to reach memory.
template <class Op> Tensor with_scalar(const Tensor& x, const Scalar& s, DType dtype) {
  check_number(Op::name, s, dtype);
  return x.dtype() == dtype ? apply(Op{s}, x) : apply(Op{s}, to(x, dtype));
}

template <class Op> Tensor& in_place_with(const Tensor& x, const Scalar& s, DType result) {
  return in_place_scalar(Op{s}, x, s, result);
}

// The number on the left of an operator, as a tensor.
Tensor left_number(const char* op, const Scalar& s, DType dtype) {
  check_number(op, s, dtype);
  return number_of(dtype == kUInt8 ? Scalar(s.to<uint8_t>()) : s, dtype, op);
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  return apply_binary(Add{}, a, scaled("add", b, alpha));
}

Tensor add(const Tensor& a, const Scalar& b, const Scalar& alpha) {
  check_defined("add", a, "a");
  const DType dtype = promote_types(a.dtype(), b);
  return is_one(alpha) ? with_scalar<AddScalar>(a, b, dtype) : with_scalar<AddScalar>(a, scaled(b, alpha), dtype);
}

Tensor sub(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  check_defined("sub", a, "a");
  const Tensor subtrahend = scaled("sub", b, alpha);
  refuse_bool("sub", result_type(a, b));
  return apply_binary(Sub{}, a, subtrahend);
}

Tensor sub(const Tensor& a, const Scalar& b, const Scalar& alpha) {
  check_defined("sub", a, "a");
  refuse_bool("sub", promote_types(a.dtype(), b));
  const DType dtype = promote_types(a.dtype(), b);
  return is_one(alpha) ? with_scalar<SubScalar>(a, b, dtype) : with_scalar<SubScalar>(a, scaled(b, alpha), dtype);
}

Tensor operator-(const Scalar& a, const Tensor& b) {
  check_defined("sub", b, "b");
  const DType dtype = promote_types(b.dtype(), a);
  refuse_bool("sub", dtype);
  return apply_binary(Sub{}, left_number("sub", a, dtype), b, dtype);
}

Tensor mul(const Tensor& a, const Tensor& b) { return apply_binary(Mul{}, a, b); }

Tensor mul(const Tensor& a, const Scalar& b) {
  check_defined("mul", a, "a");
  return with_scalar<MulScalar>(a, b, promote_types(a.dtype(), b));
}

Tensor div(const Tensor& a, const Tensor& b) {
  check_defined("div", a, "a");
  check_defined("div", b, "b");
  return apply_binary(Div{}, a, b, real_type(result_type(a, b)));
}

Tensor div(const Tensor& a, const Scalar& b) {
  check_defined("div", a, "a");
  return with_scalar<DivScalar>(a, b, real_type(promote_types(a.dtype(), b)));
}

Tensor operator/(const Scalar& a, const Tensor& b) {
  check_defined("div", b, "b");
  const DType dtype = real_type(promote_types(b.dtype(), a));
  return apply_binary(Div{}, number_of(a, dtype, "div"), b, dtype);
}

Tensor neg(const Tensor& x) {
  check_defined("neg", x, "x");
  refuse_bool("neg", x.dtype());
  return apply(Neg{}, x);
}

Tensor& neg_(const Tensor& x) {
  check_defined("neg_", x, "x");
  refuse_bool("neg_", x.dtype());
  return in_place_unary(Neg{}, x, false);
}

Tensor& add_(const Tensor& x, const Tensor& other, const Scalar& alpha) {
  check_defined("add_", x, "x");
  const Tensor addend = scaled("add_", other, alpha);
  return in_place_binary(Add{}, x, addend, result_type(x, addend));
}

Tensor& add_(const Tensor& x, const Scalar& other, const Scalar& alpha) {
  check_defined("add_", x, "x");
  return in_place_with<AddScalar>(x, scaled(other, alpha), promote_types(x.dtype(), other));
}

Tensor& sub_(const Tensor& x, const Tensor& other, const Scalar& alpha) {
  check_defined("sub_", x, "x");
  const Tensor subtrahend = scaled("sub_", other, alpha);
  refuse_bool("sub_", result_type(x, subtrahend));
  return in_place_binary(Sub{}, x, subtrahend, result_type(x, subtrahend));
}

Tensor& sub_(const Tensor& x, const Scalar& other, const Scalar& alpha) {
  check_defined("sub_", x, "x");
  refuse_bool("sub_", promote_types(x.dtype(), other));
  return in_place_with<SubScalar>(x, scaled(other, alpha), promote_types(x.dtype(), other));
}

Tensor& mul_(const Tensor& x, const Tensor& other) {
  check_defined("mul_", x, "x");
  check_defined("mul_", other, "other");
  return in_place_binary(Mul{}, x, other, result_type(x, other));
}

Tensor& mul_(const Tensor& x, const Scalar& other) {
  check_defined("mul_", x, "x");
  return in_place_with<MulScalar>(x, other, promote_types(x.dtype(), other));
}

Tensor& div_(const Tensor& x, const Tensor& other) {
  check_defined("div_", x, "x");
  check_defined("div_", other, "other");
  return in_place_binary(Div{}, x, other, real_type(result_type(x, other)));
}

Tensor& div_(const Tensor& x, const Scalar& other) {
  check_defined("div_", x, "x");
  return in_place_with<DivScalar>(x, other, real_type(promote_types(x.dtype(), other)));
}

}  // namespace tapegrad
