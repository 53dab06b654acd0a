// Trigonometric and hyperbolic functions.
#include "tapegrad/ops/trigonometry.h"

#include <cmath>

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/math.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::binary;
using kernels::Map;
using kernels::unary;

namespace {

// y = sin x;  dx = dy cos x
struct Sin {
  static constexpr const char* name = "sin";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::sin, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * cos(*x)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::sin_backward, dy, *x)}; }
};

// y = cos x;  dx = -dy sin x
struct Cos {
  static constexpr const char* name = "cos";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::cos, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {neg(dy * sin(*x))}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::cos_backward, dy, *x)}; }
};

// y = tan x;  dx = dy (1 + y^2)
struct Tan {
  static constexpr const char* name = "tan";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::tan, x, out)); }
  Grads backward(const Tensor& dy) const { return {dy * (square(*y) + 1)}; }
};

// y = arcsin x;  dx = dy / sqrt(1 - x^2)
struct Asin {
  static constexpr const char* name = "asin";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::asin, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * rsqrt((1 - *x) * (1 + *x))}; }
};

// y = arccos x;  dx = -dy / sqrt(1 - x^2)
struct Acos {
  static constexpr const char* name = "acos";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::acos, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {neg(dy * rsqrt((1 - *x) * (1 + *x)))}; }
};

// y = arctan x;  dx = dy / (1 + x^2)
struct Atan {
  static constexpr const char* name = "atan";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::atan, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy / (square(*x) + 1)}; }
};

// y = sinh x;  dx = dy cosh x
struct Sinh {
  static constexpr const char* name = "sinh";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::sinh, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * cosh(*x)}; }
};

// y = cosh x;  dx = dy sinh x
struct Cosh {
  static constexpr const char* name = "cosh";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::cosh, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * sinh(*x)}; }
};

// y = ln cosh x;  dx = dy tanh x
struct LogCosh {
  static constexpr const char* name = "log_cosh";
  static constexpr bool elementwise = true;
  static constexpr bool takes_bfloat16 = false;  // made of several operations
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) {
    x.save(v);
    const Tensor y = computed(v);
    if (!out.defined()) return y;
    copy(out, y, name);
    return out;
  }
  // cosh x = 1 + 2 sinh(x / 2)^2 keeps the digits next to 0; from 20 on e^(-2|x|) is below the last digit of |x| - ln 2.
  static Tensor computed(const Tensor& v) {
    const Tensor a = abs(v);
    return where(a < 20, log1p(square(sinh(a * 0.5)) * 2), a - std::log(2.0));
  }
  Grads backward(const Tensor& dy) const { return {dy * tanh(*x)}; }
};

// y = arsinh x;  dx = dy / sqrt(x^2 + 1)
struct Asinh {
  static constexpr const char* name = "asinh";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::asinh, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * rsqrt(square(*x) + 1)}; }
};

// y = arcosh x;  dx = dy / sqrt(x^2 - 1)
struct Acosh {
  static constexpr const char* name = "acosh";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::acosh, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * (rsqrt(*x - 1) * rsqrt(*x + 1))}; }
};

// y = artanh x;  dx = dy / (1 - x^2)
struct Atanh {
  static constexpr const char* name = "atanh";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::atanh, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy / ((1 - *x) * (1 + *x))}; }
};

// y = the angle of (b, a);  da = dy b / (a^2 + b^2), db = -dy a / (a^2 + b^2)
struct Atan2 {
  static constexpr const char* name = "atan2";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& ordinate, const Tensor& abscissa, const Tensor& out = {}) {
    return binary(name, Map::atan2, a.save(ordinate), b.save(abscissa), out);
  }
  Grads backward(const Tensor& dy) const {
    const Tensor each = dy / (square(*a) + square(*b));
    return {autograd::needs(0) ? each * *b : Tensor(), autograd::needs(1) ? neg(each * *a) : Tensor()};
  }
};

// y = sqrt(a^2 + b^2);  da = dy a / y, db = dy b / y
struct Hypot {
  static constexpr const char* name = "hypot";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput a{"a"}, b{"b"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& u, const Tensor& v, const Tensor& out = {}) {
    return y.save(binary(name, Map::hypot, a.save(u, autograd::needs(0)), b.save(v, autograd::needs(1)), out));
  }
  Grads backward(const Tensor& dy) const {
    const Tensor length = *y;
    return {autograd::needs(0) ? dy * (*a / length) : Tensor(), autograd::needs(1) ? dy * (*b / length) : Tensor()};
  }
};

}  // namespace

Tensor sin(const Tensor& x) {
  check_defined("sin", x, "x");
  return apply(Sin{}, real(x));
}
Tensor cos(const Tensor& x) {
  check_defined("cos", x, "x");
  return apply(Cos{}, real(x));
}
Tensor tan(const Tensor& x) {
  check_defined("tan", x, "x");
  return apply(Tan{}, real(x));
}
Tensor asin(const Tensor& x) {
  check_defined("asin", x, "x");
  return apply(Asin{}, real(x));
}
Tensor acos(const Tensor& x) {
  check_defined("acos", x, "x");
  return apply(Acos{}, real(x));
}
Tensor atan(const Tensor& x) {
  check_defined("atan", x, "x");
  return apply(Atan{}, real(x));
}
Tensor sinh(const Tensor& x) {
  check_defined("sinh", x, "x");
  return apply(Sinh{}, real(x));
}
Tensor cosh(const Tensor& x) {
  check_defined("cosh", x, "x");
  return apply(Cosh{}, real(x));
}
Tensor log_cosh(const Tensor& x) {
  check_defined("log_cosh", x, "x");
  return apply(LogCosh{}, real(x));
}
Tensor asinh(const Tensor& x) {
  check_defined("asinh", x, "x");
  return apply(Asinh{}, real(x));
}
Tensor acosh(const Tensor& x) {
  check_defined("acosh", x, "x");
  return apply(Acosh{}, real(x));
}
Tensor atanh(const Tensor& x) {
  check_defined("atanh", x, "x");
  return apply(Atanh{}, real(x));
}
Tensor atan2(const Tensor& a, const Tensor& b) {
  check_defined("atan2", a, "a");
  check_defined("atan2", b, "b");
  return apply_binary(Atan2{}, a, b, real_type(result_type(a, b)));
}
Tensor hypot(const Tensor& a, const Tensor& b) { return apply_binary(Hypot{}, a, b); }

Tensor& sin_(const Tensor& x) { return in_place_unary(Sin{}, x, true); }
Tensor& cos_(const Tensor& x) { return in_place_unary(Cos{}, x, true); }
Tensor& tan_(const Tensor& x) { return in_place_unary(Tan{}, x, true); }
Tensor& asin_(const Tensor& x) { return in_place_unary(Asin{}, x, true); }
Tensor& acos_(const Tensor& x) { return in_place_unary(Acos{}, x, true); }
Tensor& atan_(const Tensor& x) { return in_place_unary(Atan{}, x, true); }
Tensor& sinh_(const Tensor& x) { return in_place_unary(Sinh{}, x, true); }
Tensor& cosh_(const Tensor& x) { return in_place_unary(Cosh{}, x, true); }
Tensor& log_cosh_(const Tensor& x) { return in_place_unary(LogCosh{}, x, true); }
Tensor& asinh_(const Tensor& x) { return in_place_unary(Asinh{}, x, true); }
Tensor& acosh_(const Tensor& x) { return in_place_unary(Acosh{}, x, true); }
Tensor& atanh_(const Tensor& x) { return in_place_unary(Atanh{}, x, true); }

Tensor& atan2_(const Tensor& a, const Tensor& b) {
  check_defined("atan2_", a, "a");
  check_defined("atan2_", b, "b");
  return in_place_binary(Atan2{}, a, b, real_type(result_type(a, b)));
}
Tensor& hypot_(const Tensor& a, const Tensor& b) {
  check_defined("hypot_", a, "a");
  check_defined("hypot_", b, "b");
  if (!a.is_floating_point())
    throw DTypeError(std::string("hypot_: ") + name_of(a.dtype()) + " is not a dtype it takes");
  return in_place_binary(Hypot{}, a, b, result_type(a, b));
}

}  // namespace tapegrad
