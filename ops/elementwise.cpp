// Powers, roots, exponentials, bounds and choices, elementwise.
#include "tapegrad/ops/elementwise.h"

#include <cmath>
#include <limits>

#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::binary;
using kernels::binary_scalar;
using kernels::Map;
using kernels::ternary;
using kernels::unary;

namespace {

// y = x x;  dx = 2 dy x
struct Square {
  static constexpr const char* name = "square";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::square, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * *x * 2}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::square_backward, dy, *x)}; }
};

// y = e^x;  dx = dy y
struct Exp {
  static constexpr const char* name = "exp";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::exp, x, out)); }
  Grads backward(const Tensor& dy) const { return {dy * *y}; }
};

// y = ln x;  dx = dy / x
struct Log {
  static constexpr const char* name = "log";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::log, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy / *x}; }
};

// y = sqrt x;  dx = dy / (2 y)
struct Sqrt {
  static constexpr const char* name = "sqrt";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::sqrt, x, out)); }
  Grads backward(const Tensor& dy) const { return {dy / (*y * 2)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::sqrt_backward, dy, *y)}; }
};

// y = |x|;  dx = dy sign(x)
struct Abs {
  static constexpr const char* name = "abs";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::abs, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * sign(*x)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::abs_backward, dy, *x)}; }
};

// y = sign(x);  dx = 0
struct Sign {
  static constexpr const char* name = "sign";
  static constexpr bool elementwise = true;
  static constexpr bool takes_bool = true;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return unary(name, Map::sign, x, out); }
  Grads backward(const Tensor& dy) const { return {zeros_like(dy)}; }
};

// y = x^p;  dx = dy p x^(p-1)
struct PowScalar {
  static constexpr const char* name = "pow";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  Scalar p;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return binary_scalar(name, Map::pow, x.save(v), p, out); }
  Grads backward(const Tensor& dy) const {
    const double power = p.to<double>();
    if (power == 0) return {zeros_like(dy)};
    return {dy * (pow(*x, power - 1) * power)};
  }
};

// y = x^p;  dx = dy p x^(p-1) and 0 where p = 0,  dp = dy y ln x and 0 where x = 0, p >= 0
struct Pow {
  static constexpr const char* name = "pow";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"}, p{"exponent"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& base, const Tensor& exponent, const Tensor& out = {}) {
    return y.save(binary(name, Map::pow, x.save(base), p.save(exponent), out), autograd::needs(1));
  }
  Grads backward(const Tensor& dy) const {
    Tensor dx, dp;
    if (autograd::needs(0)) dx = where(*p == 0, 0, dy * (*p * pow(*x, *p - 1)));
    if (autograd::needs(1)) {
      // The logarithm of the zeros left out is not taken: its slope would make their second derivative NaN.
      const Tensor none = logical_and(*x == 0, *p >= 0);
      dp = where(none, 0, dy * *y * log(where(none, 1, *x)));
    }
    return {dx, dp};
  }
};

// y = min(max(x, lo), hi);  dx = dy where lo <= x <= hi, else 0
struct Clamp {
  static constexpr const char* name = "clamp";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  double lo, hi;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) {
    x.save(v);
    // The kernel's bounds are numbers; NaN as one makes every element NaN.
    if (std::isnan(lo) || std::isnan(hi)) return binary_scalar(name, Map::add, v, std::nan(""), out);
    return unary(name, Map::clamp, v, out, {lo, hi});
  }
  Grads backward(const Tensor& dy) const { return {where(logical_and(*x >= lo, *x <= hi), dy, 0)}; }
  Grads backward_fused(const Tensor& dy) const { return {binary(name, Map::clamp_backward, dy, *x, {}, {lo, hi})}; }
};

// y = a where c, else b;  da = dy where c, db = dy elsewhere
struct Where {
  static constexpr const char* name = "where";
  static constexpr bool elementwise = true;
  SavedInput c{"condition"};
  Tensor forward(const Tensor& condition, const Tensor& a, const Tensor& b) {
    return ternary(name, Map::where, c.save(condition), a, b);
  }
  Grads backward(const Tensor& dy) const {
    return {Tensor(), autograd::needs(1) ? where(*c, dy, 0) : Tensor(),
            autograd::needs(2) ? where(*c, 0, dy) : Tensor()};
  }
};

// y = the larger (smaller) one;  dy to it, half to each of equals
template <Map op> struct Extremum {
  static constexpr bool largest = op == Map::maximum;
  static constexpr const char* name = largest ? "maximum" : "minimum";
  static constexpr bool elementwise = true;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& x, const Tensor& y) { return binary(name, op, a.save(x), b.save(y)); }
  Grads backward(const Tensor& dy) const {
    const Tensor shared = where(*a == *b, dy * 0.5, dy);
    return {autograd::needs(0) ? where(largest ? *a < *b : *a > *b, 0, shared) : Tensor(),
            autograd::needs(1) ? where(largest ? *b < *a : *b > *a, 0, shared) : Tensor()};
  }
};

void check_integer_power(const char* op, DType dtype, const Scalar& exponent) {
  if (!is_floating_point(dtype) && !exponent.is_floating_point() && exponent.to<int64_t>() < 0)
    throw ValueError(std::string(op) + ": an integer tensor cannot be raised to a negative integer, got exponent " +
                     std::to_string(exponent.to<int64_t>()) + " (did you mean to(kFloat32)?)");
}

struct Bounds {
  Scalar lo, hi;
  bool has_lo, has_hi;
  Clamp op() const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return {has_lo ? lo.to<double>() : -infinity, has_hi ? hi.to<double>() : infinity};
  }
};

Bounds bounds_of(const char* op, const Tensor& x, const std::optional<Scalar>& min, const std::optional<Scalar>& max) {
  check_defined(op, x, "x");
  if (!min && !max) throw ValueError(std::string(op) + ": at least one of min and max must be given, got neither");
  return {min.value_or(0), max.value_or(0), min.has_value(), max.has_value()};
}

DType clamp_dtype(const Tensor& x, const Bounds& b) {
  DType dtype = x.dtype();
  if (b.has_lo) dtype = promote_types(dtype, b.lo);
  if (b.has_hi) dtype = promote_types(dtype, b.hi);
  return dtype;
}

// An integer bound that the dtype does not hold is as good as the end of its range.
Scalar within(const Scalar& bound, DType dtype) {
  if (bound.fits(dtype)) return bound;
  const bool below = bound.to<int64_t>() < 0;
  if (dtype == kUInt8) return below ? 0 : 255;
  return below ? std::numeric_limits<int32_t>::min() : std::numeric_limits<int32_t>::max();
}

// Integers are compared as integers: a bound beyond 2^53 must not pass through double.
Tensor clamp_integers(const Tensor& x, const Bounds& b, const Tensor& out) {
  Tensor y = x;
  if (b.has_lo) y = binary_scalar("clamp", Map::maximum, y, within(b.lo, x.dtype()), out);
  if (b.has_hi) y = binary_scalar("clamp", Map::minimum, y, within(b.hi, x.dtype()), out);
  return y;
}

}  // namespace

Tensor square(const Tensor& x) {
  check_defined("square", x, "x");
  return apply(Square{}, x.dtype() == kBool ? to(x, kInt64) : x);
}
Tensor exp(const Tensor& x) {
  check_defined("exp", x, "x");
  return apply(Exp{}, real(x));
}
Tensor log(const Tensor& x) {
  check_defined("log", x, "x");
  return apply(Log{}, real(x));
}
Tensor sqrt(const Tensor& x) {
  check_defined("sqrt", x, "x");
  return apply(Sqrt{}, real(x));
}
Tensor abs(const Tensor& x) {
  check_defined("abs", x, "x");
  return apply(Abs{}, x);
}
Tensor sign(const Tensor& x) {
  check_defined("sign", x, "x");
  return apply(Sign{}, x);
}

Tensor pow(const Tensor& x, const Scalar& exponent) {
  check_defined("pow", x, "x");
  check_integer_power("pow", x.dtype(), exponent);
  const DType dtype = promote_types(x.dtype(), exponent);
  check_number("pow", exponent, dtype);
  const Tensor base = x.dtype() == dtype ? x : to(x, dtype);
  if (exponent.to<double>() == 2 && dtype != kBool) return apply(Square{}, base);
  return apply(PowScalar{exponent}, base);
}

Tensor pow(const Tensor& x, const Tensor& exponent) {
  check_defined("pow", x, "x");
  check_defined("pow", exponent, "exponent");
  return apply_binary(Pow{}, x, exponent);
}

Tensor pow(const Scalar& x, const Tensor& exponent) {
  check_defined("pow", exponent, "exponent");
  const DType dtype = promote_types(exponent.dtype(), x);
  return apply_binary(Pow{}, number_of(x, dtype, "pow"), exponent, dtype);
}

Tensor clamp(const Tensor& x, const std::optional<Scalar>& min, const std::optional<Scalar>& max) {
  const Bounds bounds = bounds_of("clamp", x, min, max);
  const DType dtype = clamp_dtype(x, bounds);
  if (dtype == kBool) throw DTypeError("clamp: bool is not a dtype it takes");
  const Tensor v = x.dtype() == dtype ? x : to(x, dtype);
  return is_floating_point(dtype) ? apply(bounds.op(), v) : clamp_integers(v, bounds, {});
}

Tensor maximum(const Tensor& a, const Tensor& b) { return apply_binary(Extremum<Map::maximum>{}, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return apply_binary(Extremum<Map::minimum>{}, a, b); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_defined("where", condition, "condition");
  check_defined("where", a, "a");
  check_defined("where", b, "b");
  if (condition.dtype() != kBool)
    throw DTypeError(std::string("where: condition must be bool, got ") + name_of(condition.dtype()) +
                     " (did you mean condition != 0?)");
  const DType dtype = result_type(a, b);
  const Shape both = broadcast_shapes(a.sizes(), b.sizes(), "where");
  const Shape shape = broadcast_shapes(condition.sizes(), both, "where");
  return apply(Where{}, condition, operand(a, dtype, shape), operand(b, dtype, shape));
}

Tensor where(const Tensor& condition, const Tensor& a, const Scalar& b) {
  check_defined("where", a, "a");
  return where(condition, a, number_of(b, promote_types(a.dtype(), b), "where"));
}

Tensor where(const Tensor& condition, const Scalar& a, const Tensor& b) {
  check_defined("where", b, "b");
  return where(condition, number_of(a, promote_types(b.dtype(), a), "where"), b);
}

Tensor where(const Tensor& condition, const Scalar& a, const Scalar& b) {
  const auto natural = [](const Scalar& s) { return s.is_floating_point() ? kFloat32 : s.dtype(); };
  const DType dtype = promote_types(natural(a), natural(b));
  return where(condition, number_of(a, dtype, "where"), number_of(b, dtype, "where"));
}

Tensor& square_(const Tensor& x) { return in_place_unary(Square{}, x, false); }
Tensor& exp_(const Tensor& x) { return in_place_unary(Exp{}, x, true); }
Tensor& log_(const Tensor& x) { return in_place_unary(Log{}, x, true); }
Tensor& sqrt_(const Tensor& x) { return in_place_unary(Sqrt{}, x, true); }
Tensor& abs_(const Tensor& x) { return in_place_unary(Abs{}, x, false); }
Tensor& sign_(const Tensor& x) { return in_place_unary(Sign{}, x, false); }

Tensor& pow_(const Tensor& x, const Scalar& exponent) {
  check_defined("pow_", x, "x");
  check_integer_power("pow_", x.dtype(), exponent);
  return in_place_scalar(PowScalar{exponent}, x, exponent, promote_types(x.dtype(), exponent));
}

Tensor& pow_(const Tensor& x, const Tensor& exponent) {
  check_defined("pow_", x, "x");
  check_defined("pow_", exponent, "exponent");
  return in_place_binary(Pow{}, x, exponent, result_type(x, exponent));
}

Tensor& clamp_(const Tensor& x, const std::optional<Scalar>& min, const std::optional<Scalar>& max) {
  const Bounds bounds = bounds_of("clamp_", x, min, max);
  if (clamp_dtype(x, bounds) != x.dtype())
    throw DTypeError(std::string("clamp_: the bounds must not need a wider dtype than the tensor's, which is ") +
                     name_of(x.dtype()));
  check_in_place_bool(in_place_name<Clamp>, x);
  if (x.is_floating_point()) return apply_in_place(bounds.op(), x);
  autograd::detail::check_in_place("clamp_", x);
  x.impl()->storage->bump_version();
  clamp_integers(x, bounds, x);
  return const_cast<Tensor&>(x);
}

}  // namespace tapegrad
