// First order: f in float64 with the tape's gradients, and the float32 gradient against those.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tapegrad/autograd/check/system.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::check {
namespace {

// The outputs at these places, one behind the other; false where their shapes are others.
bool flatten(const Tensors& y, const std::vector<size_t>& place, const std::vector<Shape>& shapes, Values& f) {
  f.clear();
  for (size_t i = 0; i < place.size(); ++i) {
    const Tensor& t = y.at(place[i]);
    if (!t.defined() || !(IntArrayRef(t.sizes()) == IntArrayRef(shapes[i]))) return false;
    const Values v = values_of(t);
    f.insert(f.end(), v.begin(), v.end());
  }
  return true;
}

// p's inputs with float32 ones in float64, and f of them, recorded.
struct Converted {
  Tensors inputs, leaves, y;
  explicit Converted(const Problem& p) {
    for (const Tensor& x : p.inputs) {
      const bool narrow = x.defined() && x.dtype() == kFloat32;
      inputs.push_back(!x.defined() ? x : narrow ? converted(clone_of(x), kFloat64) : clone_of(x));
    }
    leaves = leaves_of(inputs, p.wanted);
    y = p.run(leaves);
  }
};

Converted in_float64(const Problem& p) {
  try {
    return Converted(p);
  } catch (const Error& e) {
    throw DTypeError(std::string("gradcheck: f must run on float64 copies of its float32 inputs, where differences see "
                                 "more, got: ") +
                     e.what() +
                     " (does it make float32 tensors of its own, or hold float32 parameters? for a module "
                     "use check_module)");
  }
}

// Not where f differentiates by itself, say.
bool runs_without_recording(const Problem& p, const Tensors& at) {
  const NoGradGuard no_grad;
  try {
    p.run(at);
    return true;
  } catch (const Error&) { return false; }
}

Tensors plain(const Problem& p, const Tensors& at, bool recorded) {
  const AutoGradMode mode(recorded);
  return p.run(recorded ? leaves_of(at, p.wanted) : at);
}

}  // namespace

// f's inputs in float64 where f takes them so, its floating outputs, and their gradients from one recorded run.
System first_order(Problem& p) {
  const Converted run = in_float64(p);
  System s;
  std::vector<size_t> place;
  for (size_t i = 0; i < run.y.size(); ++i) {
    if (!run.y[i].defined() || !run.y[i].is_floating_point()) continue;
    place.push_back(i);
    s.outputs.push_back(run.y[i].sizes());
    s.y_names.push_back("out" + std::to_string(i));
    s.y_index.push_back(static_cast<int64_t>(i));
    if (p.coarse || run.y[i].dtype() == kFloat32) s.eps = std::numeric_limits<float>::epsilon();
  }
  for (size_t i : p.wanted) {
    s.x.push_back(clone_of(run.inputs[i]));
    s.x_names.push_back(p.input_name(i));
    s.x_index.push_back(static_cast<int64_t>(i));
  }
  const bool recorded = !runs_without_recording(p, run.inputs);
  s.eval = [&p, inputs = run.inputs, place, shapes = s.outputs, recorded](const Tensors& x, Values& f) {
    Tensors at = inputs;
    for (size_t k = 0; k < p.wanted.size(); ++k) at[p.wanted[k]] = x[k];
    if (flatten(plain(p, at, recorded), place, shapes, f)) return true;
    p.find("shape", "the shapes of f's outputs change with the values of its inputs");
    return false;
  };
  s.vjp = [y = pick(run.y, place), wanted = pick(run.leaves, p.wanted)](const Values& w) {
    return flat_vjp(y, wanted, w);
  };
  s.vjp_at = [&p, inputs = run.inputs, place](const Tensors& x, const Values& w) {
    Tensors at = inputs;
    for (size_t k = 0; k < p.wanted.size(); ++k) at[p.wanted[k]] = x[k];
    const Tensors leaves = leaves_of(at, p.wanted);
    return flat_vjp(pick(p.run(leaves), place), pick(leaves, p.wanted), w);
  };
  return s;
}

// The float32 gradient against that of the float64 copy.
void check_float32(Problem& p, const System& s) {
  bool any = false;
  for (size_t k = 0; k < p.wanted.size(); ++k)
    any |= p.inputs[p.wanted[k]].dtype() == kFloat32 && s.x[k].dtype() == kFloat64;
  if (!any) return;
  const Tensors leaves = leaves_of(p.inputs, p.wanted);
  const Tensors all = p.run(leaves);
  Draws draws(p.options.seed + 3);
  Tensors y, w;
  Values flat;
  for (const Tensor& t : all) {
    if (!t.defined() || !t.is_floating_point()) continue;
    const Tensor c = cotangents({t}, draws)[0];
    const Values v = values_of(c);
    flat.insert(flat.end(), v.begin(), v.end());
    if (!t.requires_grad()) continue;
    y.push_back(t);
    w.push_back(c);
  }
  const Tensors g32 = vjp(y, pick(leaves, p.wanted), w);
  const std::vector<Values> g64 = s.vjp(flat);
  const double eps = std::numeric_limits<float>::epsilon();
  for (size_t k = 0; k < g32.size(); ++k) {
    const Tensor expected = tensor_of(g64[k], s.x[k]);
    const Tensor got =
        g32[k].defined() ? converted(g32[k], s.x[k].dtype()) : filled_tensor(expected.sizes(), expected.dtype(), 0);
    const double n = std::sqrt(static_cast<double>(flat.size())) / 8;
    const double allowed = 512 * eps * largest(expected) * std::max(1.0, n) + 8 * eps * 1.5;
    if (distance(got, expected) <= allowed) continue;
    p.find("float32",
           "the gradient by " + s.x_names[k] + " in float32 is off the float64 one by " +
               number(distance(got, expected)) + " (allowed " + number(allowed) + ")",
           -1, s.x_index[k]);
  }
}

}  // namespace tapegrad::check
