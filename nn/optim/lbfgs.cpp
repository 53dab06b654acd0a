// L-BFGS.
#include "tapegrad/nn/optim/lbfgs.h"

#include <algorithm>
#include <cmath>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/optim/line_search.h"
#include "tapegrad/nn/optim/named_state.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/products.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/shape.h"

namespace tapegrad::optim {
namespace {

struct LbfgsGroup final : detail::GroupWith<LBFGSOptions> {
  using GroupWith::GroupWith;
  std::array<bool, 3> kept_state() const override { return {}; }
  void visit_options(const detail::OptionVisitor& visit) override {
    bool searches = options.line_search_fn.has_value();
    int64_t most = *options.max_eval;
    visit("lr", options.lr);
    visit("max_iter", options.max_iter);
    visit("max_eval", most);
    visit("tolerance_grad", options.tolerance_grad);
    visit("tolerance_change", options.tolerance_change);
    visit("history_size", options.history_size);
    visit("line_search_fn", searches);
    options.max_eval = most;
    options.line_search_fn = searches ? std::optional<std::string>("strong_wolfe") : std::nullopt;
  }
};

void check_at_least(const char* option, int64_t least, int64_t value) {
  if (value < least)
    throw ValueError(std::string("LBFGS: ") + option + " must be at least " + std::to_string(least) + ", got " +
                     std::to_string(value));
}

void check(const LBFGSOptions& o) {
  detail::check_not_negative("LBFGS", "lr", o.lr);
  detail::check_not_negative("LBFGS", "tolerance_grad", o.tolerance_grad);
  detail::check_not_negative("LBFGS", "tolerance_change", o.tolerance_change);
  check_at_least("max_iter", 1, o.max_iter);
  check_at_least("max_eval", 1, *o.max_eval);
  check_at_least("history_size", 1, o.history_size);
  if (o.line_search_fn && *o.line_search_fn != "strong_wolfe")
    throw ValueError("LBFGS: line_search_fn must be \"strong_wolfe\" or none, got \"" + *o.line_search_fn + "\"");
}

double product_of(const Tensor& a, const Tensor& b) { return dot(a, b).item<double>(); }
double largest_size(const Tensor& x) { return x.numel() == 0 ? 0 : max(abs(x)).item<double>(); }

}  // namespace

LBFGS::LBFGS(std::vector<Tensor> params, const LBFGSOptions& given) {
  LBFGSOptions options = given;
  if (!options.max_eval) options.max_eval = std::max<int64_t>(1, options.max_iter * 5 / 4);
  check(options);
  params_ = params;
  add_group(Ref<detail::Group>::adopt(new LbfgsGroup(std::move(params), options)));
  for (const Tensor& p : params_) {
    numel_ += p.numel();
    if (p.dtype() != params_[0].dtype())
      throw DTypeError(std::string("LBFGS: parameters must have one dtype, got ") +
                       tapegrad::name_of(params_[0].dtype()) + " and " + tapegrad::name_of(p.dtype()));
  }
}

void LBFGS::step() {
  throw ValueError("LBFGS: step needs a closure that makes the gradients anew and returns the loss, got none");
}

// One call of step.
struct LBFGS::Run {
  LBFGS& own;
  const std::function<Tensor()>& closure;
  LBFGSOptions o;
  int64_t evaluations = 0;
  double loss = 0;
  Tensor gradient = {};

  Tensor flat_gradient() const {
    std::vector<Tensor> parts;
    for (const Tensor& p : own.params_) {
      const Tensor g = p.grad();
      parts.push_back(g.defined() ? reshape(g.detach(), {p.numel()}) : zeros({p.numel()}, p.dtype()));
    }
    return parts.size() == 1 ? clone(parts[0]) : cat(parts);
  }

  Tensor evaluate() {
    Tensor value;
    {
      AutoGradMode recording(true);
      value = closure();
    }
    loss = value.item<double>();
    gradient = flat_gradient();
    ++evaluations;
    ++own.evaluations_;
    return value;
  }

  // Parameters = x + t d, x being what they were before.
  void place(const std::vector<Tensor>& x, double t) const {
    int64_t offset = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const Tensor& p = own.params_[i];
      const Tensor move = narrow(own.direction_, 0, offset, p.numel());
      own.params_[i].copy_(add(x[i], reshape(move, p.sizes()), t));
      offset += p.numel();
    }
  }

  std::vector<Tensor> present() const {
    std::vector<Tensor> x;
    for (const Tensor& p : own.params_) x.push_back(clone(p.detach()));
    return x;
  }

  void remember() const {
    History& h = own.history_;
    const Tensor change = gradient - own.last_gradient_, moved = own.direction_ * own.step_size_;
    const double curvature = product_of(change, moved);
    if (curvature <= 1e-10) return;
    if (!h.weights.empty() && static_cast<int64_t>(h.weights.size()) >= o.history_size) {
      h.changes.erase(h.changes.begin());
      h.steps.erase(h.steps.begin());
      h.weights.erase(h.weights.begin());
    }
    h.changes.push_back(change);
    h.steps.push_back(moved);
    h.weights.push_back(1 / curvature);
    own.scale_ = curvature / product_of(change, change);
  }

  // The gradient times the approximate inverse of the Hessian, negated: two loops over the history.
  Tensor downhill() const {
    const History& h = own.history_;
    std::vector<double> shares(h.weights.size());
    Tensor q = neg(gradient);
    for (size_t i = shares.size(); i-- > 0;) {
      shares[i] = product_of(h.steps[i], q) * h.weights[i];
      q = add(q, h.changes[i], -shares[i]);
    }
    q = q * own.scale_;
    for (size_t i = 0; i < shares.size(); ++i)
      q = add(q, h.steps[i], shares[i] - product_of(h.changes[i], q) * h.weights[i]);
    return q;
  }

  void search(const std::vector<Tensor>& x, double slope) {
    const detail::LinePoint origin{0, loss, slope, gradient};
    const auto at = [&](double t) {
      place(x, t);
      evaluate();
      return detail::LinePoint{t, loss, product_of(gradient, own.direction_), gradient};
    };
    const detail::LinePoint found = detail::strong_wolfe(at, origin, own.step_size_, largest_size(own.direction_));
    own.step_size_ = found.t;
    loss = found.f;
    gradient = found.gradient;
    place(x, found.t);
  }

  // Whether there is reason for another.
  bool iterate(int64_t number) {
    ++own.iterations_;
    if (own.iterations_ == 1) {
      own.history_ = {};
      own.scale_ = 1;
      own.direction_ = neg(gradient);
    } else {
      remember();
      own.direction_ = downhill();
    }
    own.last_gradient_ = gradient;
    own.last_loss_ = loss;
    own.step_size_ = own.iterations_ == 1 ? std::min(1., 1 / sum(abs(gradient)).item<double>()) * o.lr : o.lr;
    const double slope = product_of(gradient, own.direction_);
    if (slope > -o.tolerance_change) return false;

    const std::vector<Tensor> x = present();
    try {
      if (o.line_search_fn) {
        search(x, slope);
      } else {
        place(x, own.step_size_);
        if (number < o.max_iter) evaluate();
      }
    } catch (...) {
      for (size_t i = 0; i < x.size(); ++i) own.params_[i].copy_(x[i]);
      throw;
    }
    if (number >= o.max_iter || evaluations >= *o.max_eval) return false;
    if (largest_size(gradient) <= o.tolerance_grad) return false;
    if (largest_size(own.direction_) * std::abs(own.step_size_) <= o.tolerance_change) return false;
    return std::abs(loss - own.last_loss_) >= o.tolerance_change;
  }
};

Tensor LBFGS::step_with(const std::function<Tensor()>& closure) {
  tapegrad::detail::check_host_read("LBFGS reads losses on the host to decide how far it goes");
  if (max_grad_norm() > 0)
    throw ValueError(
        "LBFGS: gradients must not be clipped, which a line search would not understand, got max_grad_norm " +
        std::to_string(max_grad_norm()));
  const NoGradGuard no_grad;
  Run run{*this, closure, param_groups()[0].options()};
  const Tensor first = run.evaluate();
  if (largest_size(run.gradient) <= run.o.tolerance_grad) return first;
  for (int64_t number = 1; run.iterate(number);) ++number;
  return first;
}

void LBFGS::visit(NamedState& state) {
  const DType dtype = params_[0].dtype();
  const auto rows = [&](const char* name, std::vector<Tensor>& list) {
    Tensor joined = list.empty() ? Tensor() : stack(list);
    state.rows(name, joined, dtype, numel_);
    list.clear();
    for (int64_t i = 0; joined.defined() && i < joined.sizes()[0]; ++i) list.push_back(clone(select(joined, 0, i)));
  };
  const auto row = [&](const char* name, Tensor& x) {
    std::vector<Tensor> list;
    if (x.defined()) list.push_back(x);
    rows(name, list);
    x = list.empty() ? Tensor() : list[0];
  };
  const NoGradGuard no_grad;
  row("state.0.d", direction_);
  state("state.0.t", step_size_);
  rows("state.0.old_dirs", history_.changes);
  rows("state.0.old_stps", history_.steps);
  state.list("state.0.ro", history_.weights);
  state("state.0.H_diag", scale_);
  row("state.0.prev_flat_grad", last_gradient_);
  state("state.0.prev_loss", last_loss_);
  state("state.0.n_iter", iterations_);
  state("state.0.func_evals", evaluations_);
}

OrderedDict<std::string, Tensor> LBFGS::state_dict() const {
  auto out = Optimizer::state_dict();
  const auto own = NamedState::written([this](NamedState& state) { const_cast<LBFGS*>(this)->visit(state); });
  for (const auto& [key, value] : own) out.append(key, value);
  return out;
}

void LBFGS::load_state_dict(const OrderedDict<std::string, Tensor>& dict) {
  const auto read = [this](NamedState& state) { visit(state); };
  const auto known = NamedState::written(read);
  OrderedDict<std::string, Tensor> own, rest;
  for (const auto& [key, value] : dict) (known.contains(key) ? own : rest).append(key, value);
  NamedState::check(name(), own, read);
  const int64_t pairs = own["state.0.ro"].numel();
  if (own["state.0.old_dirs"].sizes()[0] != pairs || own["state.0.old_stps"].sizes()[0] != pairs)
    throw ValueError("load_state_dict: LBFGS needs a row of old_dirs and of old_stps for each of ro, got " +
                     std::to_string(own["state.0.old_dirs"].sizes()[0]) + ", " +
                     std::to_string(own["state.0.old_stps"].sizes()[0]) + " and " + std::to_string(pairs));
  Optimizer::load_state_dict(rest);
  NamedState::take(own, read);
}

}  // namespace tapegrad::optim
