// Comparisons and predicates.
#include "tapegrad/ops/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tapegrad/core/iterate.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::Map;

namespace {

Tensor compare(const char* name, Map op, const Tensor& a, const Tensor& b) {
  check_defined(name, a, "a");
  check_defined(name, b, "b");
  const DType dtype = result_type(a, b);
  return kernels::test(name, op, converted(a, dtype), converted(b, dtype));
}

// What every element of an integer dtype answers to a number outside the dtype's range.
bool answer_to(Map op, bool below) {
  switch (op) {
    case Map::eq: return false;
    case Map::ne: return true;
    case Map::lt:
    case Map::le: return !below;
    default: return below;
  }
}

Tensor compare(const char* name, Map op, const Tensor& a, const Scalar& b) {
  check_defined(name, a, "a");
  const DType dtype = promote_types(a.dtype(), b);
  if (!b.fits(dtype)) return filled_tensor(a.sizes(), kBool, answer_to(op, b.to<int64_t>() < 0));
  return kernels::test_scalar(name, op, converted(a, dtype), b);
}

// Of the truth of both: x != 0, NaN included.
Tensor logical(const char* name, Map op, const Tensor& a, const Tensor& b) {
  check_defined(name, a, "a");
  check_defined(name, b, "b");
  return kernels::test(name, op, converted(a, kBool), converted(b, kBool));
}

void check_bool(const char* op, const Tensor& x, const char* argument) {
  check_defined(op, x, argument);
  if (x.dtype() != kBool)
    throw DTypeError(std::string(op) + ": " + argument + " must be bool, got " + name_of(x.dtype()) +
                     " (bitwise operations on integers are not offered; did you mean logical_and() or its kin?)");
}

void refuse_in_capture() {
  detail::check_host_read("equal() and allclose() read values on the host, which a replay would not do again");
}

// Whether every element of a bool tensor is true.
bool all_true(const Tensor& x) {
  const Tensor flat = contiguous_of(x);
  refuse_in_capture();
  const bool* v = flat.elements<bool>();
  return std::all_of(v, v + flat.numel(), [](bool b) { return b; });
}

}  // namespace

Tensor eq(const Tensor& a, const Tensor& b) { return compare("eq", Map::eq, a, b); }
Tensor eq(const Tensor& a, const Scalar& b) { return compare("eq", Map::eq, a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { return compare("ne", Map::ne, a, b); }
Tensor ne(const Tensor& a, const Scalar& b) { return compare("ne", Map::ne, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return compare("lt", Map::lt, a, b); }
Tensor lt(const Tensor& a, const Scalar& b) { return compare("lt", Map::lt, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return compare("le", Map::le, a, b); }
Tensor le(const Tensor& a, const Scalar& b) { return compare("le", Map::le, a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { return compare("gt", Map::gt, a, b); }
Tensor gt(const Tensor& a, const Scalar& b) { return compare("gt", Map::gt, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return compare("ge", Map::ge, a, b); }
Tensor ge(const Tensor& a, const Scalar& b) { return compare("ge", Map::ge, a, b); }

Tensor isnan(const Tensor& x) {
  check_defined("isnan", x, "x");
  return kernels::test("isnan", Map::isnan, x);
}
Tensor isinf(const Tensor& x) {
  check_defined("isinf", x, "x");
  return kernels::test("isinf", Map::isinf, x);
}
Tensor isfinite(const Tensor& x) {
  check_defined("isfinite", x, "x");
  return kernels::test("isfinite", Map::isfinite, x);
}
Tensor logical_not(const Tensor& x) {
  check_defined("logical_not", x, "x");
  return kernels::test("logical_not", Map::logical_not, x);
}
Tensor logical_and(const Tensor& a, const Tensor& b) { return logical("logical_and", Map::logical_and, a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return logical("logical_or", Map::maximum, a, b); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { return logical("logical_xor", Map::ne, a, b); }

Tensor operator~(const Tensor& x) {
  check_bool("operator ~", x, "x");
  return logical_not(x);
}
Tensor operator&(const Tensor& a, const Tensor& b) {
  check_bool("operator &", a, "a");
  check_bool("operator &", b, "b");
  return logical_and(a, b);
}
Tensor operator|(const Tensor& a, const Tensor& b) {
  check_bool("operator |", a, "a");
  check_bool("operator |", b, "b");
  return logical_or(a, b);
}
Tensor operator^(const Tensor& a, const Tensor& b) {
  check_bool("operator ^", a, "a");
  check_bool("operator ^", b, "b");
  return logical_xor(a, b);
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  check_defined("allclose", a, "a");
  check_defined("allclose", b, "b");
  refuse_in_capture();
  if (a.dtype() != b.dtype())
    throw DTypeError(std::string("allclose: a and b must have one dtype, got ") + name_of(a.dtype()) + " and " +
                     name_of(b.dtype()));
  StridedLoop<2> loop(broadcast_shapes(a.sizes(), b.sizes(), "allclose"));
  const Tensor x = converted(a, kFloat64);
  const Tensor y = converted(b, kFloat64);
  loop.operand(0, x);
  loop.operand(1, y);
  loop.prepare();
  bool close = true;
  const auto near = [&](double u, double v) {
    if (std::isnan(u) || std::isnan(v)) return equal_nan && std::isnan(u) && std::isnan(v);
    if (u == v) return true;  // equal infinities too
    return std::isfinite(u) && std::isfinite(v) && std::abs(u - v) <= atol + rtol * std::abs(v);
  };
  loop.run(
      [&](char* const* at, const int64_t* stride, int64_t n) {
        for (int64_t i = 0; i < n && close; ++i)
          close = near(*reinterpret_cast<const double*>(at[0] + i * stride[0]),
                       *reinterpret_cast<const double*>(at[1] + i * stride[1]));
      },
      std::numeric_limits<int64_t>::max());
  return close;
}

bool equal(const Tensor& a, const Tensor& b) {
  check_defined("equal", a, "a");
  check_defined("equal", b, "b");
  return same_sizes(a, b) && a.dtype() == b.dtype() && all_true(eq(a, b));
}

}  // namespace tapegrad
