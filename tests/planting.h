// Operations with any value and any rule, to plant bugs in, and what the gradient checker is asked of them.
#pragma once

#include <functional>

#include "message.h"
#include "tapegrad/tapegrad.h"

namespace planting {

using namespace tapegrad;

using Tensors = std::vector<Tensor>;
using Function = std::function<Tensors(const Tensors&)>;
using Value = Tensor (*)(const Tensor&);
using Rule = Tensor (*)(const Tensor& dy, const Tensor& x);
using Value2 = Tensor (*)(const Tensor&, const Tensor&);
using Rule2 = Tensor (*)(const Tensor& dy, const Tensor& a, const Tensor& b);

// An operation with any value and any rule.
struct Planted {
  static constexpr const char* name = "planted";
  Value value;
  Rule rule;
  SavedInput x{"x"};
  Tensor forward(const Tensor& in) {
    x.save(in);
    const NoGradGuard no_grad;
    return value(in);
  }
  Grads backward(const Tensor& dy) const { return {rule(dy, *x)}; }
};

struct Planted2 {
  static constexpr const char* name = "planted2";
  Value2 value;
  Rule2 by_a, by_b;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& x, const Tensor& y) {
    a.save(x);
    b.save(y);
    const NoGradGuard no_grad;
    return value(x, y);
  }
  Grads backward(const Tensor& dy) const { return {by_a(dy, *a, *b), by_b(dy, *a, *b)}; }
};

struct Unchecked {
  static constexpr const char* name = "unchecked";
  Tensor kept;
  Tensor forward(const Tensor& v) {
    const NoGradGuard no_grad;
    kept = v.detach();
    return square(v);
  }
  Grads backward(const Tensor& dy) const { return {dy * kept * 2}; }
};

struct Two {
  static constexpr const char* name = "two";
  SavedInput x{"x"};
  std::vector<Tensor> forward(const Tensor& v) {
    x.save(v);
    const NoGradGuard no_grad;
    return {square(v), tapegrad::exp(v)};
  }
  Grads backward(Grads& dy) const { return {dy[0].defined() ? dy[0] * *x * 2 : *x * 0}; }
};

struct Tangent {
  static constexpr const char* name = "tangent";
  SavedInput x{"x"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    const NoGradGuard no_grad;
    return square(v);
  }
  Grads backward(const Tensor& dy) const { return {dy * *x * 2}; }
  Tensor tangent(const Tensor& dx) const { return dx * *x; }
};

inline auto planted(Value value, Rule rule) {
  return [value, rule](const Tensors& in) { return apply(Planted{.value = value, .rule = rule}, in[0]); };
}
inline auto planted(Value2 value, Rule2 a, Rule2 b) {
  return [=](const Tensors& in) { return apply(Planted2{.value = value, .by_a = a, .by_b = b}, in[0], in[1]); };
}

inline Tensor leaf(IntArrayRef sizes, double low = -1.5, double high = 1.5, DType dtype = kFloat64) {
  static Generator generator(11);
  return (rand(sizes, generator, dtype) * (high - low) + low).requires_grad_();
}
inline Tensor leaf_at(const std::vector<double>& values) { return tensor(values, dtype(kFloat64).requires_grad()); }

inline GradcheckReport caught(GradcheckFunction f, const Tensors& in, const std::string& check,
                              const GradcheckOptions& options = {}) {
  GradcheckReport report = gradcheck_report(f, in, options);
  INFO(report.text());
  bool found = false;
  for (const GradcheckFinding& finding : report.findings) found = found || finding.check == check;
  CHECK(found);
  return report;
}

inline void accepted(GradcheckFunction f, const Tensors& in, const GradcheckOptions& options = {}) {
  const GradcheckReport report = gradcheck_report(f, in, options);
  INFO(report.text());
  CHECK(report.ok());
}

inline Tensor tanh_of(const Tensor& x) { return tapegrad::tanh(x); }
inline Tensor tanh_rule(const Tensor& dy, const Tensor& x) { return dy * (1 - square(tapegrad::tanh(x))); }

// Anything gradcheck takes, to be kept in a table.
template <class F> Function of(F f) {
  return [f](const Tensors& in) { return GradcheckFunction(f)(in); };
}

// x with element i of its row-major order changed by `by`.
inline Tensor changed(const Tensor& x, int64_t i, double by) {
  const Tensor y = clone(x.detach());
  y.data_ptr<double>()[i] += by;
  return y;
}

}  // namespace planting
