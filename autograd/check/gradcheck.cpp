// The gradient checker's entry: takes private copies, runs the checks in order of cost, puts the caller's state back.
#include "tapegrad/autograd/check/gradcheck.h"

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

}  // namespace

GradcheckReport gradcheck_report(GradcheckFunction f, const std::vector<Tensor>& inputs,
                                 const GradcheckOptions& options) {
  if (options.order != 1 && options.order != 2)
    throw ValueError("gradcheck: order must be 1 or 2, got " + std::to_string(options.order));
  GradcheckReport report;
  report.loosened = options.rtol || options.atol;
  check::Problem p{f, options, report, {}, {}};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    p.inputs.push_back(x.defined() ? check::copy_in_layout(x) : x);
    if (x.defined() && x.is_floating_point() && x.requires_grad()) p.wanted.push_back(i);
  }
  if (p.wanted.empty())
    throw ValueError("gradcheck: at least one floating input must require grad, got " + std::to_string(inputs.size()) +
                     " inputs of which none does");
  const KeepState keep;
  if (!check::check_forward(p)) return report;
  if (options.consistency) check::check_consistency(p);
  if (options.forward) check::check_forward_mode(p);
  if (options.numeric) {
    try {
      check::System s = check::first_order(p);
      check::check_numeric(p, s);
      check::check_float32(p, s);
    } catch (const Error& e) { p.find("backward throws", e.what()); }
  }
  if (options.order == 2 && report.ok()) check::check_order_two(p);
  return report;
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
