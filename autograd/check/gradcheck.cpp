// The gradient checker's entry: takes private copies, runs the checks in order of cost, puts the caller's state back.
#include "tapegrad/autograd/check/gradcheck.h"

#include <algorithm>

#include "tapegrad/autograd/check/system.h"
#include "tapegrad/core/random.h"

namespace tapegrad {
namespace {

// Grad mode on, and the default generator as it was in the end.
class KeepState {
 public:
  KeepState() : seed_(default_generator().seed()), draw_(default_generator().draw()) {}
  ~KeepState() {
    default_generator().manual_seed(seed_);
    default_generator().set_draw(draw_);
  }

 private:
  const AutoGradMode mode_{true};
  const uint64_t seed_, draw_;
};

// Cheap ones first; a function that fails one order is not asked for the next.
void run_checks(check::Problem& p) {
  if (!check::check_forward(p)) return;
  p.coarse = check::through_float32(p);
  if (p.coarse) p.note("f computes through float32: differences and bounds are as coarse as that");
  if (p.options.consistency) check::check_consistency(p);
  if (p.options.forward) check::check_forward_mode(p);
  if (p.options.numeric) {
    check::System s = check::first_order(p);
    check::check_numeric(p, s);
    try {
      check::check_float32(p, s);
    } catch (const Error& e) { p.find("backward throws", e.what()); }
  }
  if (p.options.order >= 2 && p.report.ok()) check::check_order_two(p);
  if (p.options.order >= 3 && p.report.ok()) check::check_order_three(p);
}

void check_options(const GradcheckOptions& o, size_t inputs) {
  if (o.order < 1 || o.order > 3)
    throw ValueError("gradcheck: order must be 1, 2 or 3, got " + std::to_string(o.order));
  if (o.probes < 1) throw ValueError("gradcheck: probes must be at least 1, got " + std::to_string(o.probes));
  const auto not_negative = [](const char* name, double value) {
    if (!(value >= 0))
      throw ValueError(std::string("gradcheck: ") + name + " must not be negative, got " + check::number(value));
  };
  not_negative("full_limit", static_cast<double>(o.full_limit));
  not_negative("nondet_tol", o.nondet_tol);
  not_negative("rtol", o.rtol.value_or(0));
  not_negative("atol", o.atol.value_or(0));
  for (int64_t i : o.linear_in) {
    if (i < 0 || static_cast<size_t>(i) >= inputs)
      throw ValueError("gradcheck: linear_in must name inputs by their numbers, of which there are " +
                       std::to_string(inputs) + ", got " + std::to_string(i));
  }
}

}  // namespace

GradcheckReport check::checked(GradcheckFunction f, const Tensors& inputs, const GradcheckOptions& options,
                               std::vector<std::string> names) {
  GradcheckReport report;
  report.loosened = options.rtol || options.atol;
  Problem p{f, options, report, {}, {}, std::move(names)};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    if (x.defined() && x.dtype() == kBFloat16)
      throw DTypeError(
          "gradcheck: inputs must be float32 or float64, since bfloat16 is too coarse for differences, got "
          "bfloat16 input " +
          std::to_string(i) + " (did you mean to(kFloat64)?)");
    p.inputs.push_back(x.defined() ? copy_in_layout(x) : x);
    if (x.defined() && x.is_floating_point() && x.requires_grad()) p.wanted.push_back(i);
  }
  if (p.wanted.empty())
    throw ValueError("gradcheck: at least one floating input must require grad, got " + std::to_string(inputs.size()) +
                     " inputs of which none does");
  const KeepState keep;
  run_checks(p);
  // What has a number and a cause is read first.
  std::stable_partition(report.findings.begin(), report.findings.end(),
                        [](const GradcheckFinding& f) { return f.check == "numeric"; });
  if (options.explain && !report.ok()) explain(p);
  for (GradcheckFinding& finding : report.findings) {
    if (!finding.cause.empty()) finding.text += "\n  cause    " + finding.cause;
  }
  return report;
}

GradcheckReport gradcheck_report(GradcheckFunction f, const std::vector<Tensor>& inputs,
                                 const GradcheckOptions& options) {
  check_options(options, inputs.size());
  if (!options.input_names.empty() && options.input_names.size() != inputs.size())
    throw ValueError("gradcheck: input_names must name every input, got " + std::to_string(options.input_names.size()) +
                     " names for " + std::to_string(inputs.size()) + " inputs");
  std::vector<std::string> names;
  for (size_t i = 0; i < inputs.size(); ++i) {
    names.push_back("in" + std::to_string(i));
    if (!options.input_names.empty()) names.back() += "(\"" + options.input_names[i] + "\")";
  }
  return check::checked(f, inputs, options, std::move(names));
}

bool gradcheck(GradcheckFunction f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  GradcheckReport report = gradcheck_report(f, inputs, options);
  if (!report.ok()) throw GradcheckError(std::move(report));
  return true;
}

bool gradgradcheck(GradcheckFunction f, const std::vector<Tensor>& inputs, GradcheckOptions options) {
  options.order = 2;
  return gradcheck(f, inputs, options);
}

}  // namespace tapegrad
