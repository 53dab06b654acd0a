// Rounding, remainders, and numbers in place of NaN and infinities.
#include "tapegrad/ops/rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tapegrad/core/launch.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::binary;
using kernels::binary_scalar;
using kernels::Map;
using kernels::unary;

namespace {

// y = an integer next to x;  dx = 0
template <Map op> struct Rounding {
  static constexpr const char* name = op == Map::floor   ? "floor"
                                      : op == Map::ceil  ? "ceil"
                                      : op == Map::trunc ? "trunc"
                                                         : "round";
  static constexpr bool elementwise = true;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return unary(name, op, x, out); }
  Grads backward(const Tensor& dy) const { return {zeros_like(dy)}; }
};

// y = the multiple of 10^-decimals next to x;  dx = 0
struct RoundDecimals {
  static constexpr const char* name = "round";
  static constexpr bool elementwise = true;
  int64_t decimals;
  Tensor forward(const Tensor& x, const Tensor& out = {}) {
    // A power beyond the dtype's range is infinite, and the kernel knows what to do.
    double power = std::pow(10., std::abs(static_cast<double>(decimals)));
    if (x.dtype() != kFloat64 && power > std::numeric_limits<float>::max())
      power = std::numeric_limits<double>::infinity();
    return unary(name, Map::round_decimals, x, out, {power, decimals < 0 ? -1. : 1.});
  }
  Grads backward(const Tensor& dy) const { return {zeros_like(dy)}; }
};

// y = x - trunc(x);  dx = dy
struct Frac {
  static constexpr const char* name = "frac";
  static constexpr bool elementwise = true;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return unary(name, Map::frac, x, out); }
  Grads backward(const Tensor& dy) const { return {Tensor(dy)}; }
};

// y = a - b q, q = a / b cut to an integer (fmod) or rounded down (remainder);  da = dy, db = -dy q
template <Map op> struct Modulo {
  static constexpr const char* name = op == Map::fmod ? "fmod" : "remainder";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& u, const Tensor& v, const Tensor& out = {}) {
    return binary(name, op, a.save(u, autograd::needs(1)), b.save(v, autograd::needs(1)), out);
  }
  Grads backward(const Tensor& dy) const {
    if (!autograd::needs(1)) return {Tensor(dy), Tensor()};
    const Tensor y = op == Map::fmod ? fmod(*a, *b) : remainder(*a, *b);
    return {Tensor(dy), neg(dy * round((*a - y) / *b))};  // exact where a / b itself would round up to the next integer
  }
};

// y = x - s q;  dx = dy
template <Map op> struct ModuloScalar {
  static constexpr const char* name = op == Map::fmod ? "fmod" : "remainder";
  static constexpr bool elementwise = true;
  Scalar s;
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return binary_scalar(name, op, x, s, out); }
  Grads backward(const Tensor& dy) const { return {Tensor(dy)}; }
};

// y = x, with numbers for NaN and infinities;  dx = dy where x is finite, else 0
struct NanToNum {
  static constexpr const char* name = "nan_to_num";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  double nan, posinf, neginf;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) {
    return unary(name, Map::nan_to_num, x.save(v), out, {nan, posinf, neginf});
  }
  Grads backward(const Tensor& dy) const { return {where(isfinite(*x), dy, 0)}; }
};

NanToNum replacing(DType dtype, std::optional<double> nan, std::optional<double> posinf, std::optional<double> neginf) {
  const double largest = dtype == kBFloat16  ? static_cast<double>(std::numeric_limits<BFloat16>::max())
                         : dtype == kFloat32 ? std::numeric_limits<float>::max()
                                             : std::numeric_limits<double>::max();
  return {nan.value_or(0), posinf.value_or(largest), neginf.value_or(-largest)};
}

template <Map op> Tensor rounded(const Tensor& x) {
  check_defined(Rounding<op>::name, x, "x");
  return is_integral(x.dtype()) ? clone(x) : apply(Rounding<op>{}, x);
}

template <Map op> Tensor& round_in_place(const Tensor& x) {
  check_defined(in_place_name<Rounding<op>>, x, "x");
  check_in_place_bool(in_place_name<Rounding<op>>, x);
  return is_integral(x.dtype()) ? const_cast<Tensor&>(x) : apply_in_place(Rounding<op>{}, x);
}

void check_decimals(const char* op, const Tensor& x) {
  check_defined(op, x, "x");
  if (!x.is_floating_point())
    throw DTypeError(std::string(op) + ": decimals are for floating point tensors, got " + name_of(x.dtype()));
}

void check_floating(const char* op, const Tensor& x) {
  if (!x.is_floating_point())
    throw DTypeError(std::string(op) + ": " + name_of(x.dtype()) + " is not a dtype it takes");
}

[[noreturn]] void divided_by_zero(const char* op) {
  throw ValueError(std::string(op) +
                   ": integers must not be divided by 0, got a 0 in b (did you mean b.to(kFloat32)?)");
}

// Whether b, converted to the integer dtype of the result, has a zero.
void check_divisor(const char* op, const Tensor& a, const Tensor& b, DType dtype) {
  if (!is_integral(dtype) || a.numel() == 0) return;
  const Tensor divisor = contiguous_of(converted(b, dtype));
  dispatch(dtype, [&]<class T>() {
    launch(op, LaunchKind::other, {}, {&divisor}, [op, v = divisor.elements<T>(), n = divisor.numel()] {
      if (std::find(v, v + n, T{0}) != v + n) divided_by_zero(op);
    });
  });
}

void check_divisor(const char* op, const Scalar& b, DType dtype) {
  check_number(op, b, dtype);
  if (!is_integral(dtype)) return;
  dispatch(dtype, [&]<class T>() {
    if (b.to<T>() == T{0}) divided_by_zero(op);
  });
}

template <Map op> Tensor modulo(const Tensor& a, const Tensor& b) {
  constexpr const char* name = Modulo<op>::name;
  check_defined(name, a, "a");
  check_defined(name, b, "b");
  const DType dtype = result_type(a, b);
  check_divisor(name, a, b, dtype);
  return apply_binary(Modulo<op>{}, a, b, dtype);
}

template <Map op> Tensor modulo(const Tensor& a, const Scalar& b) {
  constexpr const char* name = Modulo<op>::name;
  check_defined(name, a, "a");
  const DType dtype = promote_types(a.dtype(), b);
  check_divisor(name, b, dtype);
  return apply(ModuloScalar<op>{b}, a.dtype() == dtype ? a : to(a, dtype));
}

template <Map op> Tensor& modulo_in_place(const Tensor& a, const Tensor& b) {
  constexpr const char* name = in_place_name<Modulo<op>>;
  check_defined(name, a, "a");
  check_defined(name, b, "b");
  const DType result = result_type(a, b);
  if (is_integral(result)) check_divisor(name, a, b, a.dtype());
  return in_place_binary(Modulo<op>{}, a, b, result);
}

template <Map op> Tensor& modulo_in_place(const Tensor& a, const Scalar& b) {
  constexpr const char* name = in_place_name<ModuloScalar<op>>;
  check_defined(name, a, "a");
  const DType result = promote_types(a.dtype(), b);
  check_result<ModuloScalar<op>>(a, result);
  check_divisor(name, b, result);
  return apply_in_place(ModuloScalar<op>{b}, a);
}

}  // namespace

Tensor floor(const Tensor& x) { return rounded<Map::floor>(x); }
Tensor ceil(const Tensor& x) { return rounded<Map::ceil>(x); }
Tensor trunc(const Tensor& x) { return rounded<Map::trunc>(x); }
Tensor round(const Tensor& x, int64_t decimals) {
  if (decimals == 0) return rounded<Map::round>(x);
  check_decimals("round", x);
  return apply(RoundDecimals{decimals}, x);
}
Tensor frac(const Tensor& x) {
  check_defined("frac", x, "x");
  return apply(Frac{}, x);
}
Tensor fmod(const Tensor& a, const Tensor& b) { return modulo<Map::fmod>(a, b); }
Tensor fmod(const Tensor& a, const Scalar& b) { return modulo<Map::fmod>(a, b); }
Tensor remainder(const Tensor& a, const Tensor& b) { return modulo<Map::remainder>(a, b); }
Tensor remainder(const Tensor& a, const Scalar& b) { return modulo<Map::remainder>(a, b); }
Tensor remainder(const Scalar& a, const Tensor& b) {
  check_defined("remainder", b, "b");
  const DType dtype = promote_types(b.dtype(), a);
  return modulo<Map::remainder>(number_of(a, dtype, "remainder"), to(b, dtype));
}
Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  check_defined("nan_to_num", x, "x");
  return x.is_floating_point() ? apply(replacing(x.dtype(), nan, posinf, neginf), x) : clone(x);
}

Tensor& floor_(const Tensor& x) { return round_in_place<Map::floor>(x); }
Tensor& ceil_(const Tensor& x) { return round_in_place<Map::ceil>(x); }
Tensor& trunc_(const Tensor& x) { return round_in_place<Map::trunc>(x); }
Tensor& round_(const Tensor& x, int64_t decimals) {
  if (decimals == 0) return round_in_place<Map::round>(x);
  check_decimals("round_", x);
  return apply_in_place(RoundDecimals{decimals}, x);
}
Tensor& frac_(const Tensor& x) {
  check_defined("frac_", x, "x");
  check_floating(in_place_name<Frac>, x);
  return apply_in_place(Frac{}, x);
}
Tensor& fmod_(const Tensor& a, const Tensor& b) { return modulo_in_place<Map::fmod>(a, b); }
Tensor& fmod_(const Tensor& a, const Scalar& b) { return modulo_in_place<Map::fmod>(a, b); }
Tensor& remainder_(const Tensor& a, const Tensor& b) { return modulo_in_place<Map::remainder>(a, b); }
Tensor& remainder_(const Tensor& a, const Scalar& b) { return modulo_in_place<Map::remainder>(a, b); }
Tensor& nan_to_num_(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                    std::optional<double> neginf) {
  check_defined("nan_to_num_", x, "x");
  if (!x.is_floating_point()) return const_cast<Tensor&>(x);
  return apply_in_place(replacing(x.dtype(), nan, posinf, neginf), x);
}

}  // namespace tapegrad
