// Products with the Jacobian and the Hessian: vjp, jvp by tangents or by two sweeps, hvp, vhp.
#include "tapegrad/autograd/transform/products.h"

#include "tapegrad/autograd/transform/internal.h"
#include "tapegrad/ops/factory.h"

namespace tapegrad::autograd {

using namespace transform;

namespace {

constexpr const char* kEveryInput = "an output must depend on every input";
constexpr const char* kEveryOutput = "every output must depend on an input that moves";
constexpr const char* kEveryGradient = "the gradient by every input must depend on an input";

// J dx as the derivative by w of <J'w, dx>. The value of w does not matter.
Tensors push_by_sweeps(const Trace& t, const Tensors& dx, bool create_graph) {
  Tensors w;
  for (const Tensor& y : t.y) w.push_back(y.requires_grad() ? zeros_like(y).requires_grad_() : Tensor());
  const Tensors pulled = pull(t, w, true, true);
  Trace linear{t.name, w, {}};
  Tensors v;
  for (size_t i = 0; i < pulled.size(); ++i) {
    if (!pulled[i].defined() || !dx[i].defined()) continue;
    linear.y.push_back(pulled[i]);
    v.push_back(dx[i]);
  }
  for (Tensor& one : linear.x) {
    if (!one.defined()) one = zeros(IntArrayRef());  // carries no gradient
  }
  return pull(linear, v, create_graph, create_graph);
}

Tensors pushed(const Trace& t, const Tensors& dx, const ForwardOptions& options) {
  return options.mode == ForwardMode::tangents ? push(t, dx, options.create_graph)
                                               : push_by_sweeps(t, dx, options.create_graph);
}

// x -> the gradient of f, from f's trace.
Trace gradient_of(const Trace& t) {
  const Tensor& y = scalar_of(t);
  Trace g{t.name, t.x, pull(t, {ones_like(y)}, true, true)};
  return g;
}

// Absent gradients have absent derivatives.
void zeros_for_absent(Trace& g) {
  for (size_t i = 0; i < g.y.size(); ++i) {
    if (!g.y[i].defined()) g.y[i] = zeros_like(g.x[i]);
  }
}

}  // namespace

const Tensor& detail::only_output(const char* name, const Tensors& y) {
  if (y.size() != 1)
    throw ValueError(std::string(name) + ": f must return one tensor where a single input is given, got " +
                     std::to_string(y.size()) + " (pass the input as a list: {x})");
  return y[0];
}

Pair<Tensors> vjp(TensorFunction f, const Tensors& inputs, const Tensors& v, const ProductOptions& options) {
  const AutoGradMode mode(options.create_graph);
  const Trace t = trace("vjp", f, inputs, options.create_graph);
  Tensors g = pull(t, directions(t, v, t.y, "output"), options.create_graph, options.create_graph);
  fill_absent(t, g, t.x, options.strict, kEveryInput, "input");
  return {finished(t.y, options.create_graph), finished(std::move(g), options.create_graph)};
}

Pair<Tensors> jvp(TensorFunction f, const Tensors& inputs, const Tensors& v, const ForwardOptions& options) {
  const AutoGradMode mode(options.create_graph);
  const Trace t = trace("jvp", f, inputs, options.create_graph);
  Tensors dy = pushed(t, directions(t, v, t.x, "input"), options);
  fill_absent(t, dy, t.y, options.strict, kEveryOutput, "output");
  return {finished(t.y, options.create_graph), finished(std::move(dy), options.create_graph)};
}

std::pair<Tensor, Tensors> hvp(TensorFunction f, const Tensors& inputs, const Tensors& v,
                               const ForwardOptions& options) {
  const AutoGradMode mode(options.create_graph);
  const Trace t = trace("hvp", f, inputs, options.create_graph);
  Trace g = gradient_of(t);
  zeros_for_absent(g);
  Tensors h = pushed(g, directions(t, v, t.x, "input"), options);
  fill_absent(t, h, t.x, options.strict, kEveryGradient, "gradient");
  return {finished(t.y, options.create_graph)[0], finished(std::move(h), options.create_graph)};
}

std::pair<Tensor, Tensors> vhp(TensorFunction f, const Tensors& inputs, const Tensors& v,
                               const ProductOptions& options) {
  const AutoGradMode mode(options.create_graph);
  const Trace t = trace("vhp", f, inputs, options.create_graph);
  Trace g = gradient_of(t);
  zeros_for_absent(g);
  Tensors h = pull(g, directions(t, v, t.x, "input"), options.create_graph, options.create_graph);
  fill_absent(t, h, t.x, options.strict, kEveryGradient, "gradient");
  return {finished(t.y, options.create_graph)[0], finished(std::move(h), options.create_graph)};
}

}  // namespace tapegrad::autograd
