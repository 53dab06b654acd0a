// Error and gamma functions.
#include "tapegrad/ops/special.h"

#include <numbers>

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

using kernels::Map;
using kernels::unary;

namespace {

// 2 / sqrt(pi) e^(-x^2), the slope of erf
Tensor bell(const Tensor& x) { return exp(neg(square(x))) * (2 * std::numbers::inv_sqrtpi); }

// y = erf x;  dx = dy 2 / sqrt(pi) e^(-x^2)
struct Erf {
  static constexpr const char* name = "erf";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::erf, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * bell(*x)}; }
};

// y = 1 - erf x;  dx = -dy 2 / sqrt(pi) e^(-x^2)
struct Erfc {
  static constexpr const char* name = "erfc";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::erfc, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {neg(dy * bell(*x))}; }
};

// y = the inverse of erf at x;  dx = dy sqrt(pi) / 2 e^(y^2)
struct Erfinv {
  static constexpr const char* name = "erfinv";
  static constexpr bool elementwise = true;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x, const Tensor& out = {}) { return y.save(unary(name, Map::erfinv, x, out)); }
  Grads backward(const Tensor& dy) const { return {dy * (exp(square(*y)) * (0.5 / std::numbers::inv_sqrtpi))}; }
};

// y = ln |gamma(x)|;  dx = dy digamma(x)
struct Lgamma {
  static constexpr const char* name = "lgamma";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::lgamma, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * digamma(*x)}; }
};

// y = (ln gamma)'(x);  dx = dy polygamma(1, x)
struct Digamma {
  static constexpr const char* name = "digamma";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) { return unary(name, Map::digamma, x.save(v), out); }
  Grads backward(const Tensor& dy) const { return {dy * polygamma(1, *x)}; }
};

// y = the n-th derivative of digamma at x;  dx = dy polygamma(n + 1, x)
struct Polygamma {
  static constexpr const char* name = "polygamma";
  static constexpr bool elementwise = true;
  static constexpr bool saves_input = true;
  int64_t n;
  SavedInput x{"x"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) {
    x.save(v);
    return n == 0 ? unary(name, Map::digamma, v, out) : unary(name, Map::polygamma, v, out, {static_cast<double>(n)});
  }
  Grads backward(const Tensor& dy) const { return {dy * polygamma(n + 1, *x)}; }
};

void check_order(const char* op, int64_t n) {
  if (n < 0) throw ValueError(std::string(op) + ": n must not be negative, got " + std::to_string(n));
}

}  // namespace

Tensor erf(const Tensor& x) {
  check_defined("erf", x, "x");
  return apply(Erf{}, real(x));
}
Tensor erfc(const Tensor& x) {
  check_defined("erfc", x, "x");
  return apply(Erfc{}, real(x));
}
Tensor erfinv(const Tensor& x) {
  check_defined("erfinv", x, "x");
  return apply(Erfinv{}, real(x));
}
Tensor lgamma(const Tensor& x) {
  check_defined("lgamma", x, "x");
  return apply(Lgamma{}, real(x));
}
Tensor digamma(const Tensor& x) {
  check_defined("digamma", x, "x");
  return apply(Digamma{}, real(x));
}
Tensor polygamma(int64_t n, const Tensor& x) {
  check_defined("polygamma", x, "x");
  check_order("polygamma", n);
  return apply(Polygamma{n}, real(x));
}

Tensor& erf_(const Tensor& x) { return in_place_unary(Erf{}, x, true); }
Tensor& erfc_(const Tensor& x) { return in_place_unary(Erfc{}, x, true); }
Tensor& erfinv_(const Tensor& x) { return in_place_unary(Erfinv{}, x, true); }
Tensor& lgamma_(const Tensor& x) { return in_place_unary(Lgamma{}, x, true); }
Tensor& digamma_(const Tensor& x) { return in_place_unary(Digamma{}, x, true); }
Tensor& polygamma_(const Tensor& x, int64_t n) {
  check_order("polygamma_", n);
  return in_place_unary(Polygamma{n}, x, true);
}

}  // namespace tapegrad
