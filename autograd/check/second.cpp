// Forward mode against reverse mode, and second order: the gradients as a function of inputs and cotangents.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "tapegrad/autograd/check/system.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::check {
namespace {

struct Sum {
  double value = 0, terms = 0;
  void add(const Tensor& a, const Tensor& b) {
    if (!a.defined() || !b.defined()) return;
    const Values x = values_of(a);
    const Values y = values_of(b);
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] == 0) continue;  // an output without a value has no weight
      value += x[i] * y[i];
      terms += std::abs(x[i] * y[i]);
    }
  }
};

bool narrow(const Tensor& x) { return x.dtype() == kFloat32; }

Tensors zeros_for_absent(const Tensors& g, const Tensors& like) {
  Tensors full = g;
  for (size_t i = 0; i < g.size(); ++i) {
    if (!g[i].defined()) full[i] = filled_tensor(like[i].sizes(), like[i].dtype(), 0);
  }
  return full;
}

// The inputs in float64, where f takes them so.
Tensors precise(const Problem& p) {
  Tensors inputs;
  for (const Tensor& x : p.inputs)
    inputs.push_back(x.defined() && x.is_floating_point() ? converted(clone_of(x), kFloat64) : x);
  try {
    p.run(inputs);
    return inputs;
  } catch (const Error&) { return p.inputs; }
}

// The map (x, w) -> gradients of <w, f> by the wanted x. x and w are its first and last inputs.
struct GradientMap {
  const Problem& p;
  Tensors inputs;             // all of f's
  std::vector<size_t> place;  // of f's outputs that carry a gradient

  // With `create`, the gradients are recorded by leaves and w.
  Tensors operator()(const Tensors& leaves, const Tensors& w, bool create) const {
    const Tensors all = p.run(leaves);
    Tensors y, cotangent;
    for (size_t i = 0; i < place.size(); ++i) {
      if (!all.at(place[i]).requires_grad()) continue;
      y.push_back(all[place[i]]);
      cotangent.push_back(w[i]);
    }
    const Tensors wanted = pick(leaves, p.wanted);
    return zeros_for_absent(vjp(y, wanted, cotangent, create, create), wanted);
  }
};

// u'Hv = v'Hu for the Hessian of <w, f> by the inputs.
void check_symmetry(Problem& p, const GradientMap& map, const Tensors& w) {
  Draws draws(p.options.seed + 5);
  const Tensors leaves = leaves_of(map.inputs, p.wanted);
  const Tensors wanted = pick(leaves, p.wanted);
  const Tensors g = map(leaves, w, true);
  const Tensors u = cotangents(wanted, draws);
  const Tensors v = cotangents(wanted, draws);
  const auto product = [&](const Tensors& along) {
    Tensors y, c;
    for (size_t k = 0; k < g.size(); ++k) {
      if (!g[k].requires_grad()) continue;
      y.push_back(g[k]);
      c.push_back(along[k]);
    }
    return vjp(y, wanted, c);
  };
  const Tensors hu = product(u);
  const Tensors hv = product(v);
  Sum left, right;
  double size = 0;
  for (size_t k = 0; k < wanted.size(); ++k) {
    left.add(u[k], hv[k]);
    right.add(v[k], hu[k]);
    size = std::max({size, largest(hu[k]), largest(hv[k]), largest(g[k])});
  }
  const bool single = p.coarse || wanted[0].dtype() == kFloat32;
  const double eps = single ? std::numeric_limits<float>::epsilon() : 2.220446049250313e-16;
  const double allowed = 64 * eps * (left.terms + right.terms + size) + (single ? 8 * eps : 1e-12);
  if (std::abs(left.value - right.value) <= allowed || !std::isfinite(left.value + right.value)) return;
  p.find("symmetry", "the second derivative is not symmetric: u'Hv = " + number(left.value) +
                         ", v'Hu = " + number(right.value) + " (allowed " + number(allowed) + ")");
}

System gradient_system(Problem& p, const std::shared_ptr<GradientMap>& map, const Tensors& w) {
  System s;
  const size_t n = p.wanted.size();
  for (size_t i : p.wanted) {
    s.x.push_back(clone_of(map->inputs[i]));
    s.x_names.push_back(p.input_name(i));
    s.x_index.push_back(static_cast<int64_t>(i));
    s.outputs.push_back(s.x.back().sizes());
    s.y_names.push_back("g" + std::to_string(i));
    s.y_index.push_back(static_cast<int64_t>(i));
    if (p.coarse || s.x.back().dtype() == kFloat32) s.eps = std::numeric_limits<float>::epsilon();
  }
  for (size_t i = 0; i < w.size(); ++i) {
    s.x.push_back(clone_of(w[i]));
    std::string name = "w" + std::to_string(map->place[i]);
    if (std::find(p.names.begin(), p.names.end(), name) != p.names.end()) name[0] = 'v';  // at order three
    s.x_names.push_back(std::move(name));
    s.x_index.push_back(-1);
  }
  s.what = "order 2: d";
  s.check = "second order";
  s.probes_only = true;
  const auto split = [&p, map, n](const Tensors& x, Tensors& leaves, Tensors& cotangent) {
    leaves = map->inputs;
    for (size_t k = 0; k < n; ++k) leaves[p.wanted[k]] = x[k];
    cotangent.assign(x.begin() + static_cast<std::ptrdiff_t>(n), x.end());
  };
  s.eval = [&p, map, split](const Tensors& x, Values& f) {
    Tensors at, cotangent;
    split(x, at, cotangent);
    const Tensors leaves = leaves_of(at, p.wanted);
    f.clear();
    for (const Tensor& g : (*map)(leaves, cotangent, false)) {
      const Values v = values_of(g);
      f.insert(f.end(), v.begin(), v.end());
    }
    return true;
  };
  Tensors leaves, cotangent;
  split(s.x, leaves, cotangent);
  leaves = leaves_of(leaves, p.wanted);
  for (Tensor& t : cotangent) t = clone_of(t).requires_grad_();
  const Tensors g = (*map)(leaves, cotangent, true);
  Tensors by = pick(leaves, p.wanted);
  by.insert(by.end(), cotangent.begin(), cotangent.end());
  s.vjp = [by, g](const Values& v) { return flat_vjp(g, by, v); };
  return s;
}

// Elements that only outputs without a value depend on, as 0 * inf tells, stay where they are.
void rest_where_not_finite(Tensors& v, const Tensors& g) {
  for (size_t k = 0; k < g.size(); ++k) {
    if (!g[k].defined()) continue;
    Values along = values_of(v[k]);
    const Values slope = values_of(g[k]);
    for (size_t j = 0; j < along.size(); ++j) along[j] = std::isfinite(slope[j]) ? along[j] : 0;
    v[k] = tensor_of(along, v[k]);
  }
}

}  // namespace

void check_forward_mode(Problem& p) {
  Draws draws(p.options.seed + 4);
  const Tensors leaves = leaves_of(p.inputs, p.wanted);
  const Tensors wanted = pick(leaves, p.wanted);
  const Outputs y = recorded_outputs(p.run(leaves));
  if (y.y.empty()) return;
  Tensors w = cotangents(y.y, draws);
  bool partial = false;  // some outputs have no value
  for (size_t i = 0; i < w.size(); ++i) {
    Values weight = values_of(w[i]);
    const Values value = values_of(y.y[i]);
    for (size_t j = 0; j < weight.size(); ++j) {
      if (std::isfinite(value[j])) continue;
      weight[j] = 0;
      partial = true;
    }
    w[i] = tensor_of(weight, w[i]);
  }
  Tensors v = cotangents(wanted, draws);
  Tensors t, g;
  try {
    g = vjp(y.y, wanted, w);
  } catch (const Error&) {
    return;  // reported by the checks of backward
  }
  if (partial) rest_where_not_finite(v, g);
  try {
    t = autograd::jvp(y.y, wanted, v);
  } catch (const AutogradError& e) {
    p.note(std::string("forward mode was not checked: ") + e.what());
    return;
  } catch (const Error& e) {
    p.find("forward mode", std::string("the tangent throws: ") + e.what());
    return;
  }
  for (size_t i = 0; i < t.size(); ++i) {
    if (!t[i].defined() || (t[i].dtype() == y.y[i].dtype() && IntArrayRef(t[i].sizes()) == IntArrayRef(y.y[i].sizes())))
      continue;
    p.find("forward mode",
           "the tangent of output " + std::to_string(y.place[i]) + " is " + to_string(t[i].sizes()) + " " +
               name_of(t[i].dtype()) + ", the output " + to_string(y.y[i].sizes()) + " " + name_of(y.y[i].dtype()),
           static_cast<int64_t>(y.place[i]));
    return;
  }
  Sum reverse, forward;
  double size = 0;
  int64_t n = 1;
  for (size_t i = 0; i < t.size(); ++i) forward.add(w[i], t[i]), n = std::max(n, w[i].numel());
  for (size_t k = 0; k < g.size(); ++k) {
    reverse.add(v[k], g[k]);
    size = std::max(size, largest(g[k]));
    n = std::max(n, v[k].numel());
  }
  const bool single =
      p.coarse || std::any_of(wanted.begin(), wanted.end(), narrow) || std::any_of(y.y.begin(), y.y.end(), narrow);
  const double eps = single ? std::numeric_limits<float>::epsilon() : 2.220446049250313e-16;
  const double allowed = 64 * eps * std::sqrt(static_cast<double>(n)) * (forward.terms + reverse.terms + size) +
                         (single ? 8 * eps : 1e-12);
  ++p.report.checked;
  if (std::abs(forward.value - reverse.value) <= allowed) return;
  if (!std::isfinite(forward.value) && !std::isfinite(reverse.value)) return;
  p.find("forward mode", "forward and reverse mode disagree: <w, Jv> = " + number(forward.value) +
                             ", <J'w, v> = " + number(reverse.value) + " (allowed " + number(allowed) + ")");
}

void check_order_two(Problem& p) {
  const auto map = std::make_shared<GradientMap>(GradientMap{p, precise(p), {}});
  const Outputs y = recorded_outputs(p.run(leaves_of(map->inputs, p.wanted)));
  if (y.y.empty()) return;
  map->place = y.place;
  Draws draws(p.options.seed + 6);
  const Tensors w = cotangents(y.y, draws);
  try {
    check_symmetry(p, *map, w);
    System s = gradient_system(p, map, w);
    check_numeric(p, s);
  } catch (const Error& e) { p.find("second order", e.what()); }
}

// The gradients as a function of inputs and cotangents, checked at order two.
void check_order_three(Problem& p) {
  GradientMap map{p, precise(p), {}};
  const Outputs y = recorded_outputs(p.run(leaves_of(map.inputs, p.wanted)));
  if (y.y.empty()) return;
  map.place = y.place;
  Draws draws(p.options.seed + 7);
  Tensors inputs = map.inputs;
  std::vector<std::string> names = p.names;
  for (const Tensor& w : cotangents(y.y, draws)) {
    names.push_back("w" + std::to_string(map.place[inputs.size() - map.inputs.size()]));
    inputs.push_back(w);
  }
  for (size_t i : p.wanted) inputs[i] = alias(inputs[i]).requires_grad_();
  for (size_t i = map.inputs.size(); i < inputs.size(); ++i) inputs[i].requires_grad_();
  const auto gradients = [&](const Tensors& all) {
    const auto split = all.begin() + static_cast<std::ptrdiff_t>(map.inputs.size());
    const AutoGradMode recorded(true);
    Tensors leaves(all.begin(), split);
    for (size_t i : p.wanted) {
      if (!leaves[i].requires_grad()) leaves[i] = alias(leaves[i]).requires_grad_();
    }
    return map(leaves, Tensors(split, all.end()), true);
  };
  GradcheckOptions options = p.options;
  options.order = 2;
  options.numeric = options.consistency = options.forward = options.explain = false;
  options.linear_in.clear();
  GradcheckReport third;
  try {
    third = checked(gradients, inputs, options, std::move(names));
  } catch (const Error& e) { p.find("third order", e.what()); }
  p.report.checked += third.checked;
  for (GradcheckFinding& finding : third.findings) {
    finding.check = "third order";
    const size_t at = finding.text.find("order 2");
    if (at != std::string::npos) finding.text.replace(at, 7, "order 3");
    p.report.findings.push_back(std::move(finding));
  }
  for (GradcheckDirections& d : third.directions) {
    d.input.replace(0, 7, "order 3");
    p.report.directions.push_back(std::move(d));
  }
  for (const std::string& note : third.notes) p.note("order 3: " + note);
}

}  // namespace tapegrad::check
