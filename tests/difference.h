// Derivatives of a function of float64 tensors held against central differences: reverse mode by the plain and by the fused
// rules, forward mode, and second order by the inputs and by the cotangent.
#pragma once

#include <cmath>
#include <functional>
#include <source_location>
#include <vector>

#include "catch.h"
#include "tapegrad/autograd/autograd.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/random.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/reduce.h"

namespace difference {

using namespace tapegrad;
using Function = std::function<Tensor(const std::vector<Tensor>&)>;

inline double inner(const Tensor& a, const Tensor& b) {
  const Tensor x = contiguous_of(a.detach());
  const Tensor y = contiguous_of(b.detach());
  double total = 0;
  for (int64_t i = 0; i < x.numel(); ++i) total += x.data_ptr<double>()[i] * y.data_ptr<double>()[i];
  return total;
}

// Element i of any tensor, in row-major order.
inline double at(const Tensor& x, int64_t i) {
  const char* element = static_cast<const char*>(x.data_ptr());
  for (int64_t d = x.dim() - 1; d >= 0; --d) {
    element += i % x.size(d) * x.stride(d) * x.element_size();
    i /= x.size(d);
  }
  return dispatch(x.dtype(), [&]<class T>() { return static_cast<double>(*reinterpret_cast<const T*>(element)); });
}

inline void check_close(const char* what, double value, double expected) {
  CAPTURE(what, value, expected);
  CHECK(std::abs(value - expected) <= 2e-6 * std::max(1.0, std::abs(expected)));
}

inline std::vector<Tensor> moved(const std::vector<Tensor>& x, const std::vector<Tensor>& u, double h) {
  std::vector<Tensor> at;
  for (size_t i = 0; i < x.size(); ++i) at.push_back((x[i].detach() + u[i] * h).detach().requires_grad_());
  return at;
}

inline std::vector<Tensor> directions(const std::vector<Tensor>& like) {
  std::vector<Tensor> u;
  for (const Tensor& t : like) u.push_back(randn_like(t.detach()));
  return u;
}

// f at x along three random directions; x are float64 leaves, y = f(x) is smooth around them.
inline void check_derivatives(const Function& f, const std::vector<Tensor>& leaves,
                              std::source_location where = std::source_location::current()) {
  CAPTURE(where.line());
  const double h = 1e-5;
  const std::vector<Tensor> x = moved(leaves, leaves, 0);
  const Tensor y = f(x);
  Tensor w = randn_like(y.detach()).requires_grad_();
  const auto plain = autograd::grad({y}, x, {w}, true, true);
  const auto fused = autograd::grad({y}, x, {w.detach()}, true, false);
  for (size_t i = 0; i < x.size(); ++i) {
    const Tensor u = randn_like(x[i].detach());
    check_close("fused rule", inner(fused[i], u), inner(plain[i], u));
  }
  for (int round = 0; round < 3; ++round) {
    const auto u = directions(x);
    double expected = 0;
    for (size_t i = 0; i < x.size(); ++i) expected += inner(plain[i], u[i]);
    check_close("gradient", expected, (inner(f(moved(x, u, h)), w) - inner(f(moved(x, u, -h)), w)) / (2 * h));
    check_close("tangent", inner(autograd::jvp({y}, x, u)[0], w), expected);
    const auto v = directions(x);
    Tensor s = zeros({}, kFloat64);
    for (size_t i = 0; i < x.size(); ++i) s = s + sum(plain[i] * v[i]);
    std::vector<Tensor> both = x;
    both.push_back(w);
    const auto g2 = autograd::grad({s}, both, {}, true, false, true);
    const Tensor dw = randn_like(w.detach());
    double along = g2.back().defined() ? inner(g2.back(), dw) : 0;
    for (size_t i = 0; i < x.size(); ++i) along += g2[i].defined() ? inner(g2[i], u[i]) : 0;
    const auto slope = [&](double step) {
      const auto at = moved(x, u, step);
      const auto g = autograd::grad({f(at)}, at, {(w.detach() + dw * step).detach()});
      double total = 0;
      for (size_t i = 0; i < x.size(); ++i) total += inner(g[i], v[i]);
      return total;
    };
    check_close("second order", along, (slope(h) - slope(-h)) / (2 * h));
  }
}

// The text of the error of type E that fn throws; fails without one.
template <class E, class F> std::string error_of(const F& fn) {
  try {
    fn();
  } catch (const E& e) { return e.what(); } catch (const std::exception& e) {
    FAIL_CHECK("another type of error: " << e.what());
    return "";
  }
  FAIL_CHECK("no error");
  return "";
}

}  // namespace difference
