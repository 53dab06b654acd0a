// AdamW, amsgrad, NAdam, RAdam, RMSprop and Adagrad against written-out references, and the state of all optimizers out and in.
#include <cmath>
#include <optional>

#include "message.h"
#include "optim_reference.h"

using namespace tapegrad;
using optim_reference::compare_layouts;
using optim_reference::leaf;

namespace {

// PyTorch's algorithms for one number.
template <class Options, bool kDecoupled> struct AdamFamilyReference {
  Options o;
  double m = 0, v = 0, largest = 0;
  int steps = 0;
  double operator()(double p, double g) {
    ++steps;
    if (o.maximize) g = -g;
    if (kDecoupled) p *= 1 - o.lr * o.weight_decay;
    else g += o.weight_decay * p;
    m = o.betas.first * m + (1 - o.betas.first) * g;
    v = o.betas.second * v + (1 - o.betas.second) * g * g;
    largest = std::max(largest, v);
    const double c1 = 1 - std::pow(o.betas.first, steps), c2 = 1 - std::pow(o.betas.second, steps);
    return p - o.lr / c1 * m / (std::sqrt(o.amsgrad ? largest : v) / std::sqrt(c2) + o.eps);
  }
};

struct NadamReference {
  optim::NAdamOptions o;
  double m = 0, v = 0, product = 1;
  int steps = 0;
  double operator()(double p, double g) {
    ++steps;
    if (o.maximize) g = -g;
    if (o.decoupled_weight_decay) p *= 1 - o.lr * o.weight_decay;
    else g += o.weight_decay * p;
    const double mu = o.betas.first * (1 - 0.5 * std::pow(0.96, steps * o.momentum_decay));
    const double next = o.betas.first * (1 - 0.5 * std::pow(0.96, (steps + 1) * o.momentum_decay));
    product *= mu;
    m = o.betas.first * m + (1 - o.betas.first) * g;
    v = o.betas.second * v + (1 - o.betas.second) * g * g;
    const double denominator = std::sqrt(v / (1 - std::pow(o.betas.second, steps))) + o.eps;
    p -= o.lr * (1 - mu) / (1 - product) * g / denominator;
    return p - o.lr * next / (1 - product * next) * m / denominator;
  }
};

struct RadamReference {
  optim::RAdamOptions o;
  double m = 0, v = 0;
  int steps = 0, rectified = 0;
  double operator()(double p, double g) {
    ++steps;
    if (o.maximize) g = -g;
    if (o.decoupled_weight_decay) p *= 1 - o.lr * o.weight_decay;
    else g += o.weight_decay * p;
    m = o.betas.first * m + (1 - o.betas.first) * g;
    v = o.betas.second * v + (1 - o.betas.second) * g * g;
    const double c1 = 1 - std::pow(o.betas.first, steps), c2 = 1 - std::pow(o.betas.second, steps);
    const double limit = 2 / (1 - o.betas.second) - 1, rho = limit - 2 * steps * (1 - c2) / c2;
    if (rho <= 5) return p - o.lr * m / c1;
    const double rect = std::sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho));
    return p - o.lr * m / c1 * rect * std::sqrt(c2) / (std::sqrt(v) + o.eps);
  }
};

struct RmspropReference {
  optim::RMSpropOptions o;
  double v = 0, mean = 0, buffer = 0;
  double operator()(double p, double g) {
    if (o.maximize) g = -g;
    g += o.weight_decay * p;
    v = o.alpha * v + (1 - o.alpha) * g * g;
    mean = o.alpha * mean + (1 - o.alpha) * g;
    const double s = g / (std::sqrt(o.centered ? v - mean * mean : v) + o.eps);
    if (o.momentum == 0) return p - o.lr * s;
    buffer = o.momentum * buffer + s;
    return p - o.lr * buffer;
  }
};

struct AdagradReference {
  optim::AdagradOptions o;
  double v = o.initial_accumulator_value;
  int steps = 0;
  double operator()(double p, double g) {
    if (o.maximize) g = -g;
    g += o.weight_decay * p;
    v += g * g;
    return p - o.lr / (1 + steps++ * o.lr_decay) * g / (std::sqrt(v) + o.eps);
  }
};

// A few steps on two parameters with gradients that depend on nothing but the step.
void run(optim::Optimizer& optimizer, const std::vector<Tensor>& params, int first, int last) {
  for (int step = first; step < last; ++step) {
    Generator generator(static_cast<uint64_t>(step));
    for (const Tensor& p : params) p.mutable_grad() = rand(p.sizes(), generator, p.dtype()) - 0.3;
    optimizer.step();
  }
}

// Six steps at once, and three, a state that moves house, three more: the same bits.
template <class Optimizer, class Options> void check_resumes(const Options& options) {
  const std::vector<Tensor> whole{leaf(ones({5})), leaf(full({2, 3}, 0.5))},
      parts{leaf(ones({5})), leaf(full({2, 3}, 0.5))};
  Optimizer straight(whole, options);
  run(straight, whole, 0, 6);
  OrderedDict<std::string, Tensor> saved;
  {
    Optimizer before(parts, options);
    run(before, parts, 0, 3);
    for (const auto& [key, value] : before.state_dict()) saved.append(key, value.clone());
  }
  Optimizer after(parts, Options{.lr = 123});
  after.load_state_dict(saved);
  run(after, parts, 3, 6);
  for (size_t i = 0; i < whole.size(); ++i) CHECK(equal(whole[i], parts[i]));
}

}  // namespace

TEST_CASE("AdamW and amsgrad follow PyTorch's algorithms", "[optim]") {
  using W = optim::AdamWOptions;
  for (const W& o : {W{}, W{.lr = 0.1, .weight_decay = 0.3}, W{.lr = 0.05, .betas = {0.5, 0.6}, .amsgrad = true},
                     W{.lr = 0.01, .maximize = true}})
    compare_layouts<optim::AdamW, AdamFamilyReference<W, true>>(o);
  using A = optim::AdamOptions;
  for (const A& o :
       {A{.lr = 0.1, .betas = {0.5, 0.6}, .amsgrad = true}, A{.lr = 0.1, .weight_decay = 0.2, .amsgrad = true}})
    compare_layouts<optim::Adam, AdamFamilyReference<A, false>>(o);
  CHECK(W{}.weight_decay == 0.01);
}

TEST_CASE("NAdam follows PyTorch's algorithm", "[optim]") {
  using O = optim::NAdamOptions;
  for (const O& o :
       {O{}, O{.lr = 0.1, .betas = {0.5, 0.6}, .momentum_decay = 0.5}, O{.lr = 0.05, .weight_decay = 0.2},
        O{.lr = 0.05, .weight_decay = 0.2, .decoupled_weight_decay = true}, O{.lr = 0.1, .maximize = true}})
    compare_layouts<optim::NAdam, NadamReference>(o);
}

TEST_CASE("RAdam follows PyTorch's algorithm, before and after it trusts the variance", "[optim]") {
  using O = optim::RAdamOptions;
  // Ten steps; from the sixth on rho is above 5, with a second beta of 0.6 never.
  for (const O& o :
       {O{.lr = 0.1}, O{.lr = 0.1, .betas = {0.5, 0.9}}, O{.lr = 0.1, .betas = {0.5, 0.6}},
        O{.lr = 0.05, .weight_decay = 0.2}, O{.lr = 0.05, .weight_decay = 0.2, .decoupled_weight_decay = true},
        O{.lr = 0.1, .maximize = true}})
    compare_layouts<optim::RAdam, RadamReference>(o);
}

namespace {

// Twelve steps with a change of options in between; captured, the first two are those of the capture.
template <class Optimizer> std::vector<Tensor> twelve_steps(bool captured) {
  const Tensor p = leaf(ones({5})), q = leaf(full({3}, 0.5)), w = full({5}, 0.25);
  Optimizer optimizer({p, q}, {.lr = 0.1});
  const auto step = [&] {
    optimizer.zero_grad();
    const Tensor loss = (p.square() * w).sum() + q.square().sum();
    loss.backward();
    optimizer.step();
    return loss;
  };
  std::optional<Program> program;
  if (captured) program = capture(step, {.verify = 1});
  for (int i = captured ? 2 : 0; i < 12; ++i) {
    if (i == 7) {
      optimizer.param_groups()[0].set_lr(0.03);
      optimizer.param_groups()[0].options().betas.first = 0.7;
    }
    if (captured) (*program)();
    else step();
  }
  return {p, q};
}

}  // namespace

TEST_CASE("captured steps of NAdam and RAdam have the bits of steps", "[optim][capture]") {
  const auto check = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    for (size_t i = 0; i < a.size(); ++i) CHECK(equal(a[i], b[i]));
  };
  check(twelve_steps<optim::NAdam>(true), twelve_steps<optim::NAdam>(false));
  check(twelve_steps<optim::RAdam>(true), twelve_steps<optim::RAdam>(false));
}

TEST_CASE("NAdam keeps the product of its momenta for every parameter", "[optim]") {
  const Tensor a = leaf(ones({2})), b = leaf(ones({2}));
  optim::NAdam adam({a, b}, optim::NAdamOptions{.lr = 0.1, .momentum_decay = 0.5});
  const auto step = [&](const std::vector<Tensor>& with) {
    adam.zero_grad();
    for (const Tensor& p : with) p.mutable_grad() = ones({2});
    adam.step();
  };
  step({a});  // b meets its first momentum later, when beta1 is another
  adam.param_groups()[0].options().betas.first = 0.5;
  step({b});
  const auto dict = adam.state_dict();
  const double mu = 1 - 0.5 * std::pow(0.96, 0.5);
  CHECK(dict["state.0.mu_product"].item<double>() == Approx(0.9 * mu));
  CHECK(dict["state.1.mu_product"].item<double>() == Approx(0.5 * mu));
  step({a, b});
  const double next = 0.5 * (1 - 0.5 * std::pow(0.96, 1.));
  CHECK(adam.state_dict()["state.0.mu_product"].item<double>() == Approx(0.9 * mu * next));
  CHECK(adam.state_dict()["state.1.mu_product"].item<double>() == Approx(0.5 * mu * next));
  CHECK_FALSE(equal(a, b));
}

TEST_CASE("RMSprop follows PyTorch's algorithm", "[optim]") {
  using O = optim::RMSpropOptions;
  for (const O& o :
       {O{}, O{.lr = 0.05, .alpha = 0.5, .momentum = 0.9}, O{.lr = 0.05, .alpha = 0.7, .eps = 1e-2, .centered = true},
        O{.lr = 0.02, .weight_decay = 0.1, .momentum = 0.5, .centered = true}, O{.maximize = true}})
    compare_layouts<optim::RMSprop, RmspropReference>(o);
}

TEST_CASE("Adagrad follows PyTorch's algorithm", "[optim]") {
  using O = optim::AdagradOptions;
  for (const O& o :
       {O{}, O{.lr = 0.1, .lr_decay = 0.1}, O{.lr = 0.1, .weight_decay = 0.1, .initial_accumulator_value = 0.5},
        O{.lr = 0.1, .eps = 0.1, .maximize = true}})
    compare_layouts<optim::Adagrad, AdagradReference>(o);
}

TEST_CASE("every optimizer goes on from its saved state as if there had been no break", "[optim]") {
  check_resumes<optim::SGD>(optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true});
  check_resumes<optim::SGD>(optim::SGDOptions{.lr = 0.1});
  check_resumes<optim::Adam>(optim::AdamOptions{.lr = 0.1, .amsgrad = true});
  check_resumes<optim::AdamW>(optim::AdamWOptions{.lr = 0.1, .betas = {0.8, 0.9}});
  check_resumes<optim::NAdam>(optim::NAdamOptions{.lr = 0.1, .momentum_decay = 0.3});
  check_resumes<optim::RAdam>(optim::RAdamOptions{.lr = 0.1, .betas = {0.8, 0.9}, .decoupled_weight_decay = true});
  check_resumes<optim::RMSprop>(optim::RMSpropOptions{.lr = 0.1, .momentum = 0.5, .centered = true});
  check_resumes<optim::Adagrad>(optim::AdagradOptions{.lr = 0.1, .lr_decay = 0.5});
}

TEST_CASE("the state of an optimizer names what it holds", "[optim]") {
  const Tensor a = leaf(ones({2})), b = leaf(ones({3}));
  optim::Adam adam({a}, {.lr = 0.5, .amsgrad = true});
  adam.add_param_group({b});
  run(adam, {a, b}, 0, 2);
  const auto dict = adam.state_dict();
  CHECK(dict["param_groups.0.lr"].item<double>() == 0.5);
  CHECK(dict["param_groups.0.amsgrad"].item<double>() == 1);
  CHECK(dict["param_groups.1.beta2"].item<double>() == 0.999);
  CHECK(dict["state.1.step"].item<int64_t>() == 2);
  CHECK(dict["state.0.max_exp_avg_sq"].sizes() == Shape{2});
  CHECK_FALSE(dict.contains("state.1.max_exp_avg_sq"));
}

TEST_CASE("a state that does not fit is refused whole", "[optim]") {
  const Tensor a = leaf(ones({2}));
  optim::Adam adam({a}, 0.5);
  run(adam, {a}, 0, 1);
  auto dict = adam.state_dict();
  for (auto& [key, value] : dict) value = value.clone();
  dict.erase("state.0.step");
  dict["state.0.exp_avg"] = zeros({3});
  dict["param_groups.0.lr"] = zeros({2});
  dict.append("state.1.step", zeros({}, kInt64));
  const std::string text = message_of<ValueError>([&] { adam.load_state_dict(dict); });
  CHECK_THAT(text, Contains("load_state_dict: the dict must fit this Adam, got missing keys: state.0.step"));
  CHECK_THAT(text, Contains("unexpected keys: state.1.step"));
  CHECK_THAT(text, Contains("state.0.exp_avg is float32 [2] here and float32 [3] there"));
  CHECK_THAT(text, Contains("param_groups.0.lr is one number here and [2] there"));
  CHECK(adam.param_groups()[0].lr() == 0.5);
}

TEST_CASE("options are numbers under the names of the state", "[optim]") {
  const Tensor a = leaf(ones({2}));
  optim::Adam adam({a}, {.lr = 0.5, .amsgrad = true});
  optim::ParamGroup group = adam.param_groups()[0];
  CHECK(group.option("beta2") == 0.999);
  CHECK(group.option("amsgrad") == 1);
  CHECK_FALSE(group.has_option("momentum"));
  group.set_option("beta1", 0.25);
  CHECK(adam.param_groups()[0].options().betas.first == 0.25);
  CHECK_THAT(message_of<ValueError>([&] { group.set_option("momentum", 0.9); }),
             Contains("option: the name must be one of [lr, beta1, beta2, eps, weight_decay, amsgrad, maximize], got "
                      "\"momentum\""));
}

TEST_CASE("options outside their range are refused by name", "[optim]") {
  const std::vector<Tensor> params{leaf(ones({2}))};
  CHECK_THAT(message_of<ValueError>([&] { optim::RMSprop(params, {.alpha = -1}); }),
             Contains("RMSprop: alpha must be a number that is not negative, got -1"));
  CHECK_THAT(message_of<ValueError>([&] { optim::Adagrad(params, {.lr_decay = -1}); }), Contains("Adagrad: lr_decay"));
  CHECK_THAT(message_of<ValueError>([&] {
               optim::AdamW(params, {.betas = {0.9, 1}});
             }),
             Contains("AdamW: betas.second must be in [0, 1), got 1"));
  CHECK_THAT(message_of<ValueError>([&] { optim::NAdam(params, {.momentum_decay = -1}); }),
             Contains("NAdam: momentum_decay must be a number that is not negative, got -1"));
  CHECK_THAT(message_of<ValueError>([&] {
               optim::RAdam(params, {.betas = {1, 0.9}});
             }),
             Contains("RAdam: betas.first must be in [0, 1), got 1"));
  CHECK_THAT(message_of<ValueError>([&] { optim::SGD(params, {.lr = std::nan("")}); }), Contains("got nan"));
}
