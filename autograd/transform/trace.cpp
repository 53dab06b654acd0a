// A function recorded over inputs of the call's own, swept and pushed through; what its arguments are held to.
#include "tapegrad/autograd/transform/internal.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::autograd::transform {
namespace {

std::string numbered(const char* what, size_t i) { return std::string(what) + " " + std::to_string(i); }

Tensor of_its_own(const Tensor& x, bool create_graph) {
  if (!x.is_floating_point()) return x.detach();
  if (create_graph && x.requires_grad()) return clone(x);
  return x.detach().requires_grad_();
}

void check_defined(const char* name, const Tensors& list, const char* what) {
  if (list.empty()) throw ValueError(std::string(name) + ": there must be at least one " + what + ", got none");
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].defined())
      throw ValueError(std::string(name) + ": " + numbered(what, i) +
                       " must be defined, got an undefined tensor (Tensor())");
  }
}

}  // namespace

Trace trace(const char* name, TensorFunction f, const Tensors& inputs, bool create_graph) {
  check_defined(name, inputs, "input");
  const AutoGradMode on(true);
  Trace t{name, {}, {}};
  for (const Tensor& x : inputs) t.x.push_back(of_its_own(x, create_graph));
  t.y = f(t.x);
  check_defined(name, t.y, "output");
  return t;
}

const Tensor& scalar_of(const Trace& t) {
  if (t.y.size() != 1)
    throw ValueError(std::string(t.name) + ": f must return one tensor of one element, got " +
                     std::to_string(t.y.size()) + " tensors");
  const Tensor& y = t.y[0];
  if (y.numel() != 1 || !y.is_floating_point())
    throw ValueError(std::string(t.name) + ": f must return one floating tensor of one element, got " +
                     to_string(y.sizes()) + " " + name_of(y.dtype()));
  return y;
}

Tensors directions(const Trace& t, const Tensors& v, const Tensors& like, const char* of) {
  const std::string name = t.name;
  if (v.empty()) {
    if (like.size() != 1 || like[0].numel() != 1)
      throw ValueError(
          name + ": v may be left out for a single " + of + " of one element only, got " +
          (like.size() == 1 ? "shape " + to_string(like[0].sizes()) : std::to_string(like.size()) + " " + of + "s"));
    return {ones_like(like[0])};
  }
  if (v.size() != like.size())
    throw ValueError(name + ": v must have one tensor per " + of + ", got " + std::to_string(v.size()) + " for " +
                     std::to_string(like.size()));
  for (size_t i = 0; i < v.size(); ++i) {
    if (!v[i].defined()) continue;
    if (!(IntArrayRef(v[i].sizes()) == IntArrayRef(like[i].sizes())))
      throw ShapeError(name + ": v must have the shape of its " + of + ", got " + numbered("v", i) + " " +
                       to_string(v[i].sizes()) + " and " + numbered(of, i) + " " + to_string(like[i].sizes()));
    if (!like[i].is_floating_point())
      throw DTypeError(name + ": only a floating " + of + " has a direction, got one for " + numbered(of, i) +
                       ", which is " + name_of(like[i].dtype()) + " (pass Tensor() in its place)");
    if (v[i].dtype() != like[i].dtype())
      throw DTypeError(name + ": v must have the dtype of its " + of + ", got " + numbered("v", i) + " " +
                       name_of(v[i].dtype()) + " and " + numbered(of, i) + " " + name_of(like[i].dtype()));
  }
  return v;
}

Tensors pull(const Trace& t, const Tensors& w, bool keep, bool create_graph) {
  Tensors y, dy, x;
  for (size_t i = 0; i < t.y.size(); ++i) {
    if (!w[i].defined() || !t.y[i].requires_grad()) continue;
    y.push_back(t.y[i]);
    dy.push_back(w[i]);
  }
  for (const Tensor& input : t.x) {
    if (input.requires_grad()) x.push_back(input);
  }
  Tensors result(t.x.size());
  if (y.empty() || x.empty()) return result;
  Tensors g = grad(y, x, dy, keep, create_graph, true);
  for (size_t i = 0, next = 0; i < t.x.size(); ++i) {
    if (t.x[i].requires_grad()) result[i] = std::move(g[next++]);
  }
  return result;
}

Tensors push(const Trace& t, const Tensors& dx, bool create_graph) {
  Tensors x, v;
  for (size_t i = 0; i < t.x.size(); ++i) {
    if (!dx[i].defined() || !t.x[i].requires_grad()) continue;
    x.push_back(t.x[i]);
    v.push_back(dx[i]);
  }
  return autograd::jvp(t.y, x, v, create_graph);
}

void fill_absent(const Trace& t, Tensors& d, const Tensors& like, bool strict, const char* rule, const char* entry) {
  for (size_t i = 0; i < d.size(); ++i) {
    if (d[i].defined()) continue;
    if (strict)
      throw AutogradError(std::string(t.name) + ": with strict, " + rule + ", got " + numbered(entry, i) +
                          " independent, shape " + to_string(like[i].sizes()) + " " + name_of(like[i].dtype()));
    d[i] = zeros_like(like[i]);
  }
}

Tensors finished(Tensors results, bool create_graph) {
  if (create_graph) return results;
  for (Tensor& t : results) t = t.detach();
  return results;
}

}  // namespace tapegrad::autograd::transform
