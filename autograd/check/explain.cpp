// Whose fault a finding is: each recorded op's own rule is checked at the values it saw; if all hold, the way between them is.
#include <algorithm>
#include <cmath>
#include <memory>
#include <unordered_set>

#include "tapegrad/autograd/check/system.h"
#include "tapegrad/autograd/graph.h"
#include "tapegrad/autograd/rewrite.h"
#include "tapegrad/autograd/watch.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/random.h"

namespace tapegrad::check {
namespace {

using autograd::Access;
using autograd::Edge;
using autograd::Node;

constexpr size_t kNodesChecked = 1000;

// Which checks a finding needs to be seen again on one node.
enum class Kind { numeric, second, all };

Kind kind_of(const std::string& check) {
  if (check == "numeric") return Kind::numeric;
  return check == "second order" || check == "third order" || check == "symmetry" ? Kind::second : Kind::all;
}

const std::vector<Tensor>& inputs_of(Node& n) {
  static const std::vector<Tensor> none;
  return Access::extras(n) ? Access::extras(n)->inputs : none;
}

std::string recorded_at(Node& n) {
  const auto* extras = Access::extras(n);
  return extras && !extras->stack.empty() ? autograd::describe_stack(extras->stack) : "";
}

// f once more, with everything on its tape watched.
struct Trace {
  Tensors leaves, y;
  std::vector<autograd::Severed> severed;
  std::unique_ptr<autograd::Graph> graph;

  Trace(const Problem& p, const Tensors& inputs) : leaves(leaves_of(inputs, p.wanted)) {
    {
      const autograd::WatchGuard watch;
      y = p.run(leaves);
      severed = watch.severed();
    }
    graph = std::make_unique<autograd::Graph>(y);
  }
  // The nodes that lead to this leaf.
  std::unordered_set<const Node*> leading_to(const Tensor& leaf) const {
    std::unordered_set<const Node*> found;
    for (const Node* n : graph->nodes) {
      for (int64_t i = 0; i < n->inputs(); ++i) {
        if (n->edge(i).leaf() == leaf.impl() || (n->edge(i).node() && found.count(n->edge(i).node()))) found.insert(n);
      }
    }
    return found;
  }
};

// The recorded graph as a function of its leaves, every node run again.
class Replayed {
 public:
  explicit Replayed(const Trace& trace) : trace_(trace) {}
  // f's outputs with `leaves` in place of the trace's. ValueError when a node cannot be run again.
  void operator()(const Tensors& leaves, Tensors& y) const {
    const NoGradGuard no_grad;
    std::vector<Tensors> values;
    const auto value_of = [&](const Edge& edge) {
      if (const Node* n = edge.node())
        return values[static_cast<size_t>(trace_.graph->node_number.at(n) - 1)].at(edge.output());
      for (size_t i = 0; i < leaves.size(); ++i) {
        if (trace_.leaves[i].impl() == edge.leaf()) return leaves[i];
      }
      return Tensor(Ref<TensorImpl>::share(edge.leaf())).detach();
    };
    for (Node* n : trace_.graph->nodes) {
      Tensors in = inputs_of(*n);
      for (int64_t i = 0; i < n->inputs() && i < static_cast<int64_t>(in.size()); ++i) {
        if (n->edge(i)) in[static_cast<size_t>(i)] = value_of(n->edge(i));
      }
      values.push_back(n->replay(in));
      if (static_cast<int64_t>(values.back().size()) != n->outputs())
        throw ValueError(std::string("gradcheck: ") + n->name() + " cannot be run again");
    }
    y.clear();
    for (const Tensor& t : trace_.y) {
      const bool recorded = t.defined() && t.requires_grad();
      y.push_back(recorded ? value_of(Edge::to(*t.impl())) : t);
    }
  }

 private:
  const Trace& trace_;
};

void seed_anew() { default_generator().manual_seed(20240601); }

class Explanation {
 public:
  explicit Explanation(Problem& p) : p_(p) {}
  void add_to(GradcheckFinding& f) {
    const Kind kind = kind_of(f.check);
    View& view = view_of(kind);
    if (!view.trace) return;
    const bool may_be_nan = f.cause.rfind("NaN", 0) == 0 || f.check == "forward mode";
    if (may_be_nan && name_source_of_nan(f, view)) return;
    if (!name_culprit(f, view, kind) && (kind == Kind::numeric || f.check == "forward mode")) name_path(f, view);
  }

 private:
  struct View {
    std::unique_ptr<Trace> trace;
    std::vector<std::unique_ptr<GradcheckReport>> reports;  // of the nodes, as far as they were checked
    bool tried = false;
  };
  View& view_of(Kind kind);
  const GradcheckReport& report_of(View& view, size_t node, Kind kind);
  bool name_culprit(GradcheckFinding& f, View& view, Kind kind);
  bool name_source_of_nan(GradcheckFinding& f, View& view);
  void name_path(GradcheckFinding& f, View& view);
  std::string path_fault(const GradcheckFinding& f, const Trace& trace);
  bool not_linear(const GradcheckFinding& f, const Trace& trace);
  bool tape_agrees(const GradcheckFinding& f, const Trace& trace, bool& same_values);

  Problem& p_;
  View views_[3];
};

Explanation::View& Explanation::view_of(Kind kind) {
  View& view = views_[static_cast<size_t>(kind)];
  if (std::exchange(view.tried, true)) return view;
  Tensors inputs;
  for (const Tensor& x : p_.inputs) {
    const bool precise = kind != Kind::all && x.defined() && x.is_floating_point();
    inputs.push_back(precise ? converted(clone_of(x), kFloat64) : x);
  }
  try {
    view.trace = std::make_unique<Trace>(p_, inputs);
    view.reports.resize(view.trace->graph->nodes.size());
  } catch (const Error&) {}  // f does not run there; that is a finding of its own
  return view;
}

// The node's own check, at the values it saw.
const GradcheckReport& Explanation::report_of(View& view, size_t node, Kind kind) {
  std::unique_ptr<GradcheckReport>& report = view.reports[node];
  if (report) return *report;
  report = std::make_unique<GradcheckReport>();
  Node& n = *view.trace->graph->nodes[node];
  Tensors in;
  std::vector<std::string> names;
  bool any = false;
  for (const Tensor& x : inputs_of(n)) {
    const auto i = static_cast<int64_t>(in.size());
    names.push_back("input " + std::to_string(i) + " of " + n.name());
    in.push_back(x.defined() ? alias(x) : x);
    if (!n.edge(i) || !x.defined() || !x.is_floating_point()) continue;
    in.back().requires_grad_();
    any = true;
  }
  GradcheckOptions options{.order = kind == Kind::second ? 2 : 1, .full_limit = 1024, .probes = 2};
  options.seed = p_.options.seed;
  options.kinks = p_.options.kinks == Kinks::fail ? Kinks::fail : Kinks::accept;
  options.consistency = options.forward = kind == Kind::all;
  options.explain = false;
  options.layout_sensitive = p_.options.layout_sensitive;
  options.reseed = seed_anew;
  if (!any) return *report;
  try {
    *report = checked([&n](const Tensors& x) { return n.replay(x); }, in, options, std::move(names));
  } catch (const Error&) {}  // it cannot be run alone: no verdict
  p_.report.evaluations += report->evaluations;
  return *report;
}

bool Explanation::name_culprit(GradcheckFinding& f, View& view, Kind kind) {
  const auto& nodes = view.trace->graph->nodes;
  std::unordered_set<const Node*> leading;
  if (f.input >= 0) leading = view.trace->leading_to(view.trace->leaves[static_cast<size_t>(f.input)]);
  const size_t last = nodes.size() > kNodesChecked ? nodes.size() - kNodesChecked : 0;
  for (size_t i = nodes.size(); i-- > last;) {
    if (!leading.empty() && !leading.count(nodes[i])) continue;
    const GradcheckReport& report = report_of(view, i, kind);
    const auto same = std::find_if(report.findings.begin(), report.findings.end(), [&](const GradcheckFinding& own) {
      return own.check == f.check || kind == Kind::second;
    });
    if (same == report.findings.end()) continue;
    f.culprit = nodes[i]->name();
    f.where = recorded_at(*nodes[i]);
    std::string inputs, wrong;
    for (const Tensor& x : inputs_of(*nodes[i]))
      inputs += (inputs.empty() ? "" : ", ") + (x.defined() ? to_string(x.sizes()) : std::string("-"));
    std::vector<int64_t> listed;
    for (const GradcheckFinding& own : report.findings) {
      if (own.input < 0 || std::find(listed.begin(), listed.end(), own.input) != listed.end()) continue;
      listed.push_back(own.input);
      wrong += (wrong.empty() ? "" : ", ") + std::to_string(own.input);
    }
    f.text += "\n  culprit  node " + std::to_string(i + 1) + " of " + std::to_string(nodes.size()) + ", " + f.culprit +
              "(" + inputs + ")" + (f.where.empty() ? "" : ", recorded at " + f.where) +
              "; alone it fails the check too" +
              (wrong.empty() || nodes[i]->inputs() < 2 ? "" : ", for input " + wrong);
    if (nodes.size() > 1 && !same->cause.empty()) f.cause = same->cause;
    return true;
  }
  return false;
}

bool all_finite(const Grads& g) {
  for (const Tensor& t : g) {
    if (!t.defined()) continue;
    for (double v : values_of(t)) {
      if (!std::isfinite(v)) return false;
    }
  }
  return true;
}

// The first rule of a sweep that makes what is not finite from what is.
bool Explanation::name_source_of_nan(GradcheckFinding& f, View& view) {
  const Trace& trace = *view.trace;
  Node* source = nullptr;
  const autograd::RewriteGuard seen([&](Node& node, Grads& dy) {
    const bool finite = all_finite(dy);
    Grads dx = autograd::rewritten(node, dy);
    if (!source && finite && !all_finite(dx)) source = &node;
    return dx;
  });
  const Outputs outputs = recorded_outputs(trace.y);
  Draws draws(p_.options.seed + 9);
  vjp(outputs.y, pick(trace.leaves, p_.wanted), cotangents(outputs.y, draws));
  if (!source) return false;
  f.culprit = source->name();
  f.where = recorded_at(*source);
  f.text += "\n  culprit  " + f.culprit + (f.where.empty() ? "" : ", recorded at " + f.where) +
            ": its rule makes NaN or infinity from a finite gradient";
  f.cause = "NaN where the derivative is finite: 0 * inf behind a mask? " + f.culprit + " makes the inf";
  return true;
}

// Whether the gradient is right for what is on the tape, if not for f.
bool Explanation::tape_agrees(const GradcheckFinding& f, const Trace& trace, bool& same_values) {
  const Replayed replayed(trace);
  Tensors y;
  replayed(trace.leaves, y);
  same_values = true;
  for (size_t i = 0; i < y.size(); ++i) {
    const bool number = y[i].defined() && y[i].is_floating_point();
    if (number && distance(y[i], trace.y[i]) > 1e-9 * (1 + largest(y[i]))) same_values = false;
  }
  if (!same_values) return false;
  const auto input = static_cast<size_t>(std::max<int64_t>(0, f.input));
  const Outputs outputs = recorded_outputs(trace.y);
  Draws draws(p_.options.seed + 8);
  const Tensors w = cotangents(outputs.y, draws);
  const Tensor g = vjp(outputs.y, {trace.leaves[input]}, w)[0];
  const Values base = values_of(trace.leaves[input]);
  const Values slope = g.defined() ? values_of(g) : Values(base.size());
  Values d(base.size());
  double analytic = 0, terms = 0, size = 1e-3;
  for (size_t j = 0; j < d.size(); ++j) {
    d[j] = draws.weight();
    analytic += slope[j] * d[j], terms += std::abs(slope[j] * d[j]), size = std::max(size, std::abs(base[j]));
  }
  const auto along = [&](double t, Values& values) {
    Tensors leaves = trace.leaves;
    Values v = base;
    for (size_t j = 0; j < v.size(); ++j) v[j] += t * d[j];
    leaves[input] = tensor_of(v, leaves[input]);
    Tensors at;
    replayed(leaves, at);
    double sum = 0;
    for (size_t i = 0; i < outputs.place.size(); ++i) {
      const Values out = values_of(at[outputs.place[i]]);
      const Values weight = values_of(w[i]);
      for (size_t j = 0; j < out.size(); ++j) sum += weight[j] * out[j];
    }
    values.assign(1, sum);
    return true;
  };
  Ladder ladder({along, [](double t) { return 2 * t; }, size});
  const Judgement judgement = ladder.judge(0, analytic, terms).judgement;
  return judgement == Judgement::pass || judgement == Judgement::kink;
}

// Whether options.linear_in names the input and f is not linear in it.
bool Explanation::not_linear(const GradcheckFinding& f, const Trace& trace) {
  const auto& list = p_.options.linear_in;
  if (f.input < 0 || std::find(list.begin(), list.end(), f.input) == list.end()) return false;
  const auto input = static_cast<size_t>(f.input);
  const Values base = values_of(trace.leaves[input]);
  const auto at = [&](double t) {
    Values v = base;
    for (double& e : v) e += t * (1 + std::abs(e));
    Tensors x = trace.leaves;
    x[input] = tensor_of(v, x[input]);
    return p_.run(leaves_of(x, p_.wanted));
  };
  const Tensors low = at(-1), middle = at(0), high = at(1);
  for (size_t i = 0; i < middle.size(); ++i) {
    if (!middle[i].defined() || !middle[i].is_floating_point()) continue;
    const Values a = values_of(low[i]), b = values_of(middle[i]), c = values_of(high[i]);
    for (size_t j = 0; j < b.size(); ++j) {
      const double size = std::abs(a[j]) + std::abs(b[j]) + std::abs(c[j]);
      if (std::abs(a[j] + c[j] - 2 * b[j]) > 1e-9 * size) return true;
    }
  }
  return false;
}

std::string Explanation::path_fault(const GradcheckFinding& f, const Trace& trace) {
  if (not_linear(f, trace))
    return "not linear: options.linear_in names " + p_.input_name(static_cast<size_t>(f.input)) +
           ", in which f is not linear";
  bool same_values = false;
  if (tape_agrees(f, trace, same_values)) {
    return "detached: " + (f.input < 0 ? "f" : p_.input_name(static_cast<size_t>(f.input))) +
           (f.input < 0 ? " depends on its inputs" : " reaches the result") +
           " by a way that is not on the tape (detach, NoGradGuard, item() or data_ptr)";
  }
  if (!same_values)
    return "written outside the tape: the recorded ops, run again on the same inputs, give another result (a write "
           "through data_ptr or under NoGradGuard, or a rule of an op's forward that keeps state)";
  return "composition: the rules are right one by one, but the sweep does not add up to the derivative of what was "
         "recorded (views, accumulation, a missing edge, a hook)";
}

void Explanation::name_path(GradcheckFinding& f, View& view) {
  Trace& trace = *view.trace;
  std::string checked = std::to_string(trace.graph->nodes.size()) + " recorded ops are each right alone";
  for (size_t i = 0; i < view.reports.size(); ++i) {
    const bool tried = view.reports[i] && view.reports[i]->evaluations == 0;
    if (tried) checked += ", but " + std::string(trace.graph->nodes[i]->name()) + " cannot be run alone";
  }
  if (trace.graph->nodes.empty()) checked = "nothing is recorded between inputs and outputs";
  f.text += "\n  culprit  no op: " + checked;
  try {
    f.cause = path_fault(f, trace);
  } catch (const Error&) {}  // a node cannot be run again on other values
  std::vector<std::string> told;
  for (auto event = trace.severed.rbegin(); event != trace.severed.rend() && told.size() < 3; ++event) {
    const std::string where = autograd::describe_stack(event->stack);
    const std::string line = event->what + ", " + where;
    if (std::find(told.begin(), told.end(), line) != told.end()) continue;
    if (f.where.empty()) f.where = where;
    told.push_back(line);
    f.text += "\n  leaves   the tape by " + line;
  }
}

}  // namespace

bool through_float32(const Problem& p) {
  Tensors inputs;
  for (const Tensor& x : p.inputs)
    inputs.push_back(x.defined() && x.is_floating_point() ? converted(clone_of(x), kFloat64) : x);
  try {
    const Trace trace(p, inputs);
    for (size_t k : p.wanted) {
      const auto leading = trace.leading_to(trace.leaves[k]);
      for (Node* n : trace.graph->nodes) {
        const auto& in = inputs_of(*n);
        for (size_t i = 0; i < in.size() && static_cast<int64_t>(i) < n->inputs(); ++i) {
          const Node* from = n->edge(static_cast<int64_t>(i)).node();
          if (from && leading.count(from) && in[i].dtype() == kFloat32) return true;
        }
      }
    }
  } catch (const Error&) {}  // f does not run there; that is a finding of its own
  return false;
}

void explain(Problem& p) {
  Explanation explanation(p);
  for (GradcheckFinding& finding : p.report.findings) {
    if (finding.check == "forward" || finding.check == "nondeterministic forward") continue;
    explanation.add_to(finding);
  }
}

}  // namespace tapegrad::check
