// Taylor's remainder along a direction: a test of first and second derivatives that needs no Jacobian.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tapegrad/autograd/check/system.h"
#include "tapegrad/core/copy.h"

namespace tapegrad {
namespace {

using check::Tensors;
using check::Values;

constexpr int kSteps = 12;

Tensors precise(const char* name, const Tensors& list) {
  Tensors copies;
  for (const Tensor& t : list) {
    if (!t.defined() || !t.is_floating_point())
      throw DTypeError(std::string("taylor_test: ") + name + " must be floating tensors, got " +
                       (t.defined() ? name_of(t.dtype()) : "an undefined tensor"));
    copies.push_back(converted(clone_of(t.detach()), kFloat64));
  }
  return copies;
}

double inner(const Tensors& a, const Tensors& b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    if (!a[k].defined()) continue;
    const Values v = check::values_of(a[k]);
    const Values w = check::values_of(b[k]);
    for (size_t j = 0; j < v.size(); ++j) sum += v[j] * w[j];
  }
  return sum;
}

// The order the smaller steps agree on: the median of log2 of neighbours that are well above the rounding of f.
double observed(const Values& remainders, double rounding) {
  Values orders;
  for (size_t i = 0; i + 1 < remainders.size(); ++i) {
    if (std::min(remainders[i], remainders[i + 1]) <= 100 * rounding) break;
    orders.push_back(std::log2(remainders[i] / remainders[i + 1]));
  }
  if (orders.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  orders.erase(orders.begin(), orders.begin() + static_cast<std::ptrdiff_t>(orders.size() / 2));
  std::nth_element(orders.begin(), orders.begin() + static_cast<std::ptrdiff_t>(orders.size() / 2), orders.end());
  return orders[orders.size() / 2];
}

}  // namespace

std::array<double, 3> taylor_test(GradcheckFunction f, const std::vector<Tensor>& x, const std::vector<Tensor>& u) {
  if (x.empty() || x.size() != u.size())
    throw ValueError("taylor_test: u must have one direction for each x, got " + std::to_string(x.size()) + " x and " +
                     std::to_string(u.size()) + " u");
  const Tensors at = precise("x", x);
  const Tensors along = precise("u", u);
  for (size_t k = 0; k < x.size(); ++k) {
    if (!(IntArrayRef(x[k].sizes()) == IntArrayRef(u[k].sizes())))
      throw ShapeError("taylor_test: u must have the shape of x, got x " + to_string(x[k].sizes()) + " and u " +
                       to_string(u[k].sizes()));
  }
  const AutoGradMode recorded(true);
  const auto value = [&](const Tensors& inputs) {
    const Tensors y = f(inputs);
    if (y.size() != 1 || !y[0].defined() || y[0].numel() != 1)
      throw ShapeError("taylor_test: f must return one element, got " + (y.size() == 1 && y[0].defined()
                                                                             ? to_string(y[0].sizes())
                                                                             : std::to_string(y.size()) + " tensors"));
    return y[0];
  };
  Tensors leaves;
  for (const Tensor& t : at) leaves.push_back(clone_of(t).requires_grad_());
  const Tensor y = value(leaves);
  if (!y.requires_grad())
    throw AutogradError("taylor_test: the result of f must depend on x on the tape, got a " +
                        std::string(name_of(y.dtype())) + " that does not require grad (detached?)");
  const Tensors one{filled_tensor(y.sizes(), y.dtype(), 1)};
  const Tensors g = check::vjp({y}, leaves, one, true, true);
  Tensors recorded_g, weights;
  for (size_t k = 0; k < g.size(); ++k) {
    if (!g[k].defined() || !g[k].requires_grad()) continue;
    recorded_g.push_back(g[k]);
    weights.push_back(along[k]);
  }
  const double f0 = check::values_of(y)[0];
  const double first = inner(g, along);
  const double second = inner(check::vjp(recorded_g, leaves, weights), along);
  std::array<Values, 3> remainders;
  double peak = std::abs(f0);
  double h = 0.25;
  for (int i = 0; i < kSteps; ++i, h /= 2) {
    Tensors moved;
    for (size_t k = 0; k < at.size(); ++k) {
      Values v = check::values_of(at[k]);
      const Values d = check::values_of(along[k]);
      for (size_t j = 0; j < v.size(); ++j) v[j] += h * d[j];
      moved.push_back(check::tensor_of(v, at[k]).requires_grad_());
    }
    const double change = check::values_of(value(moved))[0] - f0;
    peak = std::max(peak, std::abs(change + f0));
    remainders[0].push_back(std::abs(change));
    remainders[1].push_back(std::abs(change - h * first));
    remainders[2].push_back(std::abs(change - h * first - h * h / 2 * second));
  }
  const double rounding = std::numeric_limits<double>::epsilon() * peak;
  return {observed(remainders[0], rounding), observed(remainders[1], rounding), observed(remainders[2], rounding)};
}

}  // namespace tapegrad
