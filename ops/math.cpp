// Exponentials, logarithms and reciprocals.
#include "tapegrad/ops/math.h"

#include <numbers>

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::Map;
using kernels::unary;

namespace {

// y = e^x - 1;  dx = dy (y + 1)
struct Expm1 {
  static constexpr const char* name = "expm1";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::expm1, x, out)); }
  Grads backward(const Tensor& dy) const { return {dy * (*y + 1)}; }
};

// y = 2^x;  dx = dy y ln 2
struct Exp2 {
  static constexpr const char* name = "exp2";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::exp2, x, out)); }
  Grads backward(const Tensor& dy) const { return {dy * (*y * std::numbers::ln2)}; }
};

// y = ln(1 + x);  dx = dy / (1 + x)
struct Log1p {
  static constexpr const char* name = "log1p";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::log1p, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy / (*x + 1)}; }
};

// y = ln x / ln 2;  dx = dy / (x ln 2)
struct Log2 {
  static constexpr const char* name = "log2";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::log2, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy / (*x * std::numbers::ln2)}; }
};

// y = ln x / ln 10;  dx = dy / (x ln 10)
struct Log10 {
  static constexpr const char* name = "log10";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::log10, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy / (*x * std::numbers::ln10)}; }
};

// y = 1 / sqrt x;  dx = -dy y^3 / 2
struct Rsqrt {
  static constexpr const char* name = "rsqrt";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::rsqrt, x, out)); }
  Grads backward(const Tensor& dy) const {
    const Tensor r = *y;
    return {dy * (r * r * r * -0.5)};
  }
};

// y = 1 / x;  dx = -dy y^2
struct Reciprocal {
  static constexpr const char* name = "reciprocal";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::reciprocal, x, out)); }
  Grads backward(const Tensor& dy) const { return {neg(dy * square(*y))}; }
};

}  // namespace

Tensor expm1(const Tensor& x) {
  check_defined("expm1", x, "x");
  return apply(Expm1{}, real(x));
}
Tensor exp2(const Tensor& x) {
  check_defined("exp2", x, "x");
  return apply(Exp2{}, real(x));
}
Tensor log1p(const Tensor& x) {
  check_defined("log1p", x, "x");
  return apply(Log1p{}, real(x));
}
Tensor log2(const Tensor& x) {
  check_defined("log2", x, "x");
  return apply(Log2{}, real(x));
}
Tensor log10(const Tensor& x) {
  check_defined("log10", x, "x");
  return apply(Log10{}, real(x));
}
Tensor rsqrt(const Tensor& x) {
  check_defined("rsqrt", x, "x");
  return apply(Rsqrt{}, real(x));
}
Tensor reciprocal(const Tensor& x) {
  check_defined("reciprocal", x, "x");
  return apply(Reciprocal{}, real(x));
}

Tensor& expm1_(const Tensor& x) { return in_place_unary(Expm1{}, x, true); }
Tensor& exp2_(const Tensor& x) { return in_place_unary(Exp2{}, x, true); }
Tensor& log1p_(const Tensor& x) { return in_place_unary(Log1p{}, x, true); }
Tensor& log2_(const Tensor& x) { return in_place_unary(Log2{}, x, true); }
Tensor& log10_(const Tensor& x) { return in_place_unary(Log10{}, x, true); }
Tensor& rsqrt_(const Tensor& x) { return in_place_unary(Rsqrt{}, x, true); }
Tensor& reciprocal_(const Tensor& x) { return in_place_unary(Reciprocal{}, x, true); }

}  // namespace tapegrad
