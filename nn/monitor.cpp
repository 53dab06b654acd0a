// Takes readings of gradients, updates and activations, and judges them.
#include "tapegrad/nn/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "tapegrad/autograd/graph.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/nn/monitor_record.h"

namespace tapegrad::nn {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

void refuse_in_capture() {
  tapegrad::detail::check_host_read("a GradientMonitor reads values on the host, which a replay would not do again");
}

// The elements to look at, of bfloat16 as float32.
Tensor elements_of(const Tensor& x) {
  const Tensor values = x.detach();
  return contiguous_of(values.dtype() == kBFloat16 ? converted(values, kFloat32) : values);
}

// In double, without overflow where float32 would have one; b may be undefined.
double norm_of_difference(const Tensor& a, const Tensor& b) {
  refuse_in_capture();
  const Tensor x = elements_of(a);
  const Tensor y = b.defined() ? elements_of(b) : Tensor();
  return dispatch_floating(x.dtype(), [&]<class T>() {
    const T* v = x.elements<T>();
    const T* u = y.defined() ? y.elements<T>() : nullptr;
    double sum = 0;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const double d = static_cast<double>(v[i]) - (u ? static_cast<double>(u[i]) : 0.0);
      sum += d * d;
    }
    return std::sqrt(sum);
  });
}
double norm_of(const Tensor& x) { return norm_of_difference(x, Tensor()); }

void check_options(const GradientMonitorOptions& o) {
  const auto positive = [](const char* name, double value) {
    if (!(value > 0)) throw ValueError(fmt::format("GradientMonitor: {} must be positive, got {:g}", name, value));
  };
  positive("vanishing", o.vanishing);
  positive("exploding", o.exploding);
  positive("fast", o.fast);
  positive("slow", o.slow);
  positive("dead", o.dead);
  positive("window", static_cast<double>(o.window));
  if (o.dead > 1) throw ValueError(fmt::format("GradientMonitor: dead is a share, at most 1, got {:g}", o.dead));
  if (o.slow >= o.fast)
    throw ValueError(fmt::format("GradientMonitor: slow must be less than fast, got {:g} and {:g}", o.slow, o.fast));
  if (o.history < 2) throw ValueError(fmt::format("GradientMonitor: history must be at least 2, got {}", o.history));
}

}  // namespace

void Curve::add(int64_t step, double value, int64_t kept) {
  if ((step - 1) % stride_ != 0) return;
  points_.emplace_back(step, value);
  if (static_cast<int64_t>(points_.size()) <= kept) return;
  stride_ *= 2;
  std::erase_if(points_, [&](const auto& point) { return (point.first - 1) % stride_ != 0; });
}

double GradientMonitor::Record::Activation::share(int64_t window) const {
  if (fired.empty()) return 0;
  const int64_t last = std::max<int64_t>(0, looks - window);  // within the first window only who never fired counts
  const auto dead = std::count_if(fired.begin(), fired.end(), [&](int64_t look) { return look <= last; });
  return static_cast<double>(dead) / static_cast<double>(fired.size());
}

GradientMonitor::Record::Record(const Module& module, const GradientMonitorOptions& o) : options(o) {
  check_options(o);
  for (const auto& [name, t] : module.named_parameters()) {
    if (!t.requires_grad()) continue;
    Parameter p;
    p.tensor = t;
    p.before = clone_of(t.detach());
    p.weight = t.dim() >= 2;
    p.reading = {name, t.sizes(), kUnknown, kUnknown, kUnknown, kUnknown};
    parameters.push_back(std::move(p));
  }
  if (parameters.empty())
    throw ValueError("GradientMonitor: a parameter of the module must require grad, got " + module.name() +
                     " in which none does");
  if (o.find_op) first_not_finite.emplace();
}

GradientMonitor::GradientMonitor(const Module& module, const GradientMonitorOptions& options)
    : record_(std::make_unique<Record>(module, options)) {}

GradientMonitor::GradientMonitor(const Module& module, const optim::Optimizer& optimizer,
                                 const GradientMonitorOptions& options)
    : GradientMonitor(module, options) {
  record_->has_optimizer = true;
  for (Record::Parameter& p : record_->parameters) {
    p.optimized = false;
    for (const optim::ParamGroup& group : optimizer.param_groups()) {
      for (const Tensor& t : group.params()) {
        if (t.impl() != p.tensor.impl()) continue;
        p.optimized = true;
        p.group = group;
      }
    }
  }
}

GradientMonitor::~GradientMonitor() = default;

void GradientMonitor::watch(const std::string& name, const Tensor& activation, int64_t dim) {
  refuse_in_capture();
  if (!activation.defined() || !activation.is_floating_point() || activation.dim() == 0)
    throw ValueError("GradientMonitor: activation \"" + name + "\" must be a floating tensor of one dim or more, got " +
                     (activation.defined() ? name_of(activation.dtype()) + (" " + to_string(activation.sizes()))
                                           : "an undefined tensor (Tensor())"));
  const int64_t along = activation.dim() == 1 ? 0 : activation.dim_index(dim);
  const int64_t units = activation.size(along);
  auto& all = record_->activations;
  auto known = std::find_if(all.begin(), all.end(), [&](const Record::Activation& a) { return a.name == name; });
  if (known == all.end()) {
    Record::Activation fresh;
    fresh.name = name;
    fresh.fired.assign(static_cast<size_t>(units), 0);
    known = all.insert(all.end(), std::move(fresh));
  }
  if (static_cast<int64_t>(known->fired.size()) != units)
    throw ShapeError(fmt::format("GradientMonitor: activation \"{}\" must have {} units as before along dim {}, got {}",
                                 name, known->fired.size(), along, to_string(activation.sizes())));
  known->seen = true;
  const Tensor x = elements_of(activation);
  int64_t inner = 1;
  for (int64_t d = along + 1; d < x.dim(); ++d) inner *= x.size(d);
  dispatch_floating(x.dtype(), [&]<class T>() {
    const T* v = x.elements<T>();
    for (int64_t i = 0; i < x.numel(); ++i) {
      if (v[i] > 0) known->fired[static_cast<size_t>(i / inner % units)] = known->looks + 1;
    }
  });
}

// The nearest parameters back from the op: all those of one module are named by it.
std::string GradientMonitor::Record::place_of(const autograd::Node& node) const {
  std::vector<const autograd::Node*> level{&node};
  std::unordered_set<const autograd::Node*> seen;
  while (!level.empty()) {
    std::string place;
    std::vector<const autograd::Node*> next;
    for (const autograd::Node* n : level) {
      for (int64_t i = 0; i < n->inputs(); ++i) {
        if (const autograd::Node* from = n->edge(i).node(); from && seen.insert(from).second) next.push_back(from);
        const auto p = std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& one) {
          return n->edge(i).leaf() && one.tensor.impl() == n->edge(i).leaf();
        });
        if (p == parameters.end() || !place.empty()) continue;
        const std::string& name = p->reading.name;
        const size_t dot = name.rfind('.');
        place = dot == std::string::npos ? name : name.substr(0, dot);
      }
    }
    if (!place.empty()) return place + " > " + node.name();
    level = std::move(next);
  }
  return node.name();
}

void GradientMonitor::watch(const Tensor& loss) {
  if (!loss.defined() || !loss.requires_grad())
    throw ValueError(
        "GradientMonitor: the loss must be on the tape, got " +
        std::string(loss.defined() ? "a tensor that does not require grad" : "an undefined tensor (Tensor())"));
  const autograd::Graph graph({loss});
  std::unordered_set<std::string> named;
  for (const autograd::Node* node : graph.nodes) {
    if (node->freed())
      throw AutogradError("GradientMonitor: watch(loss) must come before backward(), got a graph that was freed");
    if (std::string(node->name()) != "relu") continue;
    Tensor y;
    node->visit_saved(
        [](void* to, const autograd::SavedView& saved) {
          if (saved.tensor) *static_cast<Tensor*>(to) = *saved.tensor;
        },
        &y);
    if (!y.defined() || y.dim() == 0) continue;
    const std::string place = record_->place_of(*node);
    std::string name = place;
    for (int i = 2; !named.insert(name).second; ++i) name = place + " " + std::to_string(i);
    watch(name, y);
  }
}

void GradientMonitor::Record::read(Parameter& p) {
  const Tensor& g = p.tensor.grad();
  ParameterReading& r = p.reading;
  r.gradient = g.defined() ? norm_of(g) : kUnknown;
  r.rms = r.gradient / std::sqrt(static_cast<double>(std::max<int64_t>(1, p.tensor.numel())));
  const bool comparable = p.before.dtype() == p.tensor.dtype();  // not after module.to(dtype)
  const double size = norm_of(p.before);
  r.update = comparable && size > 0 ? norm_of_difference(p.tensor, p.before) / size : kUnknown;
  r.lr = p.group ? p.group->lr() : kUnknown;
  if (comparable) copy(p.before, p.tensor.detach());
  else p.before = clone_of(p.tensor.detach());
  p.gradient.add(steps, r.gradient, options.history);
  p.update.add(steps, r.update, options.history);
}

void GradientMonitor::step() {
  Record& r = *record_;
  const bool any =
      std::any_of(r.parameters.begin(), r.parameters.end(), [](const auto& p) { return p.tensor.grad().defined(); });
  if (!any)
    throw ValueError(
        fmt::format("GradientMonitor: step() must find a gradient, got {} parameters of which none has one "
                    "(is it called after zero_grad()?)",
                    r.parameters.size()));
  ++r.steps;
  for (Record::Parameter& p : r.parameters) r.read(p);
  r.judge_parameters();
  r.judge_activations();
}

void GradientMonitor::Record::warn(const char* kind, const std::string& name, const std::string& text) {
  auto known = std::find_if(warnings.begin(), warnings.end(),
                            [&](const GradientWarning& w) { return w.kind == kind && w.name == name; });
  if (known == warnings.end()) known = warnings.insert(warnings.end(), {kind, name, steps, 0, ""});
  ++known->steps;
  known->text = name + ": " + text;
}

void GradientMonitor::Record::judge_parameters() {
  const ParameterReading* largest = nullptr;
  for (const Parameter& p : parameters) {
    if (std::isfinite(p.reading.rms) && p.weight && (!largest || p.reading.rms > largest->rms)) largest = &p.reading;
  }
  const std::string op = first_not_finite ? first_not_finite->take() : "";
  for (const Parameter& p : parameters) {
    const ParameterReading& r = p.reading;
    if (!p.tensor.grad().defined()) {
      warn("no gradient", r.name, "no gradient arrives (does the loss depend on it?)");
      continue;
    }
    if (!p.optimized) warn("not optimized", r.name, "has a gradient, but the optimizer does not hold it");
    if (!std::isfinite(r.gradient)) {
      // The first to turn has the story; a later step only shows what became of it.
      const std::string hint = first_not_finite ? "" : " (find_op = true tells by which op)";
      const bool told = std::any_of(warnings.begin(), warnings.end(), [&](const GradientWarning& w) {
        return w.kind == "not finite" && w.name == r.name && w.first_step < steps;
      });
      if (told) {
        for (GradientWarning& w : warnings) w.steps += w.kind == "not finite" && w.name == r.name;
      } else {
        warn("not finite", r.name,
             fmt::format("its gradient has {}{}", std::isnan(r.gradient) ? "NaN" : "infinity",
                         op.empty() ? hint : "; " + op));
      }
      continue;
    }
    if (r.gradient > options.exploding)
      warn("exploding", r.name, fmt::format("gradient of norm {:.3g}, above {:g}", r.gradient, options.exploding));
    if (!p.weight || !largest) continue;
    if (r.rms < options.vanishing * largest->rms)
      warn("vanishing", r.name,
           fmt::format("root mean square of the gradient {:.3g}, {:.1g} of that of {}", r.rms, r.rms / largest->rms,
                       largest->name));
    if (p.optimized && r.update > options.fast)
      warn("update", r.name, fmt::format("changes by {:.3g} of itself in a step, above {:g}", r.update, options.fast));
    if (p.optimized && r.update < options.slow)
      warn("update", r.name, fmt::format("changes by {:.3g} of itself in a step, below {:g}", r.update, options.slow));
  }
}

void GradientMonitor::Record::judge_activations() {
  for (Activation& a : activations) {
    if (!std::exchange(a.seen, false)) continue;
    ++a.looks;
    const double share = a.share(options.window);
    a.dead.add(steps, share, options.history);
    if (share < options.dead || a.looks < options.window) continue;
    warn("dead", a.name,
         fmt::format("{:.0f}% of {} units gave no positive value in the last {} steps", 100 * share, a.fired.size(),
                     options.window));
  }
}

int64_t GradientMonitor::steps() const { return record_->steps; }

std::vector<ParameterReading> GradientMonitor::parameters() const {
  std::vector<ParameterReading> readings;
  for (const Record::Parameter& p : record_->parameters) readings.push_back(p.reading);
  return readings;
}

std::vector<ActivationReading> GradientMonitor::activations() const {
  std::vector<ActivationReading> readings;
  for (const Record::Activation& a : record_->activations)
    readings.push_back({a.name, static_cast<int64_t>(a.fired.size()), a.share(record_->options.window)});
  return readings;
}

std::vector<GradientWarning> GradientMonitor::warnings() const { return record_->warnings; }

}  // namespace tapegrad::nn
