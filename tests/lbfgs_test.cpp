// L-BFGS against a reference in plain numbers, on functions whose least point is known, and its state.
#include <cmath>
#include <deque>

#include "message.h"
#include "optim_reference.h"

using namespace tapegrad;
using optim_reference::leaf;

namespace {

using Numbers = std::vector<double>;

double product(const Numbers& a, const Numbers& b) {
  double y = 0;
  for (size_t i = 0; i < a.size(); ++i) y += a[i] * b[i];
  return y;
}
Numbers sum(const Numbers& a, double by, const Numbers& b) {
  Numbers y = a;
  for (size_t i = 0; i < a.size(); ++i) y[i] += by * b[i];
  return y;
}
double largest(const Numbers& a) {
  double y = 0;
  for (const double x : a) y = std::max(y, std::abs(x));
  return y;
}
Numbers numbers(const Tensor& x) {
  Numbers out;
  const Tensor flat = x.detach().reshape({-1});
  for (int64_t i = 0; i < flat.numel(); ++i) out.push_back(flat[i].item<double>());
  return out;
}

// f(x) = sum of (x_i - i)^4 / 4 + (x_i - x_i+1)^2, with its gradient.
double hilly(const Numbers& x, Numbers& g) {
  double f = 0;
  g.assign(x.size(), 0);
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = x[i] - static_cast<double>(i);
    f += d * d * d * d / 4;
    g[i] += d * d * d;
    if (i + 1 == x.size()) continue;
    const double e = x[i] - x[i + 1];
    f += e * e;
    g[i] += 2 * e;
    g[i + 1] -= 2 * e;
  }
  return f;
}
Tensor hilly(const Tensor& x) {
  const int64_t n = x.numel();
  return (x - arange(n, kFloat64)).pow(4).sum() / 4 + (x.slice(0, 0, n - 1) - x.slice(0, 1, n)).square().sum();
}

// Without a line search, as PyTorch does it; the inverse of the Hessian as a matrix that is updated from the diagonal.
struct Reference {
  double lr;
  size_t history;
  Numbers x;
  std::deque<std::pair<Numbers, Numbers>> pairs = {};  // step, change
  Numbers direction = {}, last = {};
  double t = 0, scale = 1;
  int iterations = 0;

  Numbers times_inverse(const Numbers& g) const {
    const size_t n = g.size();
    std::vector<Numbers> h(n, Numbers(n, 0));
    for (size_t i = 0; i < n; ++i) h[i][i] = scale;
    for (const auto& [s, y] : pairs) {  // H = (1 - s y^T / ys) H (1 - y s^T / ys) + s s^T / ys
      const double ys = product(y, s);
      std::vector<Numbers> a(n, Numbers(n, 0)), next(n, Numbers(n, 0));
      for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) a[i][j] = (i == j ? 1. : 0.) - s[i] * y[j] / ys;
      for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) {
          for (size_t k = 0; k < n; ++k)
            for (size_t l = 0; l < n; ++l) next[i][j] += a[i][k] * h[k][l] * a[j][l];
          next[i][j] += s[i] * s[j] / ys;
        }
      h = next;
    }
    Numbers out;
    for (size_t i = 0; i < n; ++i) out.push_back(product(h[i], g));
    return out;
  }

  void step(int most) {
    Numbers g;
    hilly(x, g);
    for (int i = 1; i <= most; ++i) {
      if (++iterations == 1) {
        direction = sum(Numbers(x.size(), 0), -1, g);
      } else {
        const Numbers y = sum(g, -1, last), s = sum(Numbers(x.size(), 0), t, direction);
        if (product(y, s) > 1e-10) {
          if (pairs.size() == history) pairs.pop_front();
          pairs.emplace_back(s, y);
          scale = product(y, s) / product(y, y);
        }
        direction = sum(Numbers(x.size(), 0), -1, times_inverse(g));
      }
      last = g;
      double size = 0;
      for (const double v : g) size += std::abs(v);
      t = iterations == 1 ? std::min(1., 1 / size) * lr : lr;
      x = sum(x, t, direction);
      if (i < most) hilly(x, g);
    }
  }
};

// A bent valley; least, 0, at (1, 1).
Tensor rosenbrock(const Tensor& x) { return 100 * (x[1] - x[0].square()).square() + (1 - x[0]).square(); }

template <class F> auto closure_of(optim::Optimizer& optimizer, const Tensor& x, const F& f, int* calls = nullptr) {
  return [&optimizer, x, f, calls] {
    if (calls) ++*calls;
    optimizer.zero_grad();
    const Tensor loss = f(x);
    loss.backward();
    return loss;
  };
}
const auto kHilly = [](const Tensor& x) { return hilly(x); };
const auto kRosenbrock = [](const Tensor& x) { return rosenbrock(x); };

}  // namespace

TEST_CASE("LBFGS without a line search follows the matrices it stands for", "[optim]") {
  for (const size_t history : {size_t{2}, size_t{100}}) {
    const Tensor x = leaf(tensor({3., -1., 0.5, 2.}, kFloat64));
    optim::LBFGS optimizer({x}, {.lr = 0.3, .max_iter = 4, .history_size = static_cast<int64_t>(history)});
    Reference reference{0.3, history, numbers(x)};
    for (int i = 0; i < 5; ++i) {
      Numbers g;
      const double before = hilly(reference.x, g);
      const Tensor loss = optimizer.step(closure_of(optimizer, x, kHilly));
      reference.step(4);
      CHECK(loss.item<double>() == Approx(before).epsilon(1e-10));
      const Numbers now = numbers(x);
      for (size_t k = 0; k < now.size(); ++k) CHECK(now[k] == Approx(reference.x[k]).epsilon(1e-9));
    }
    CHECK(optimizer.state_dict()["state.0.n_iter"].item<int64_t>() == 20);
    CHECK(optimizer.state_dict()["state.0.func_evals"].item<int64_t>() == 20);
  }
}

TEST_CASE("every step along a line ends where the strong Wolfe conditions hold", "[optim]") {
  for (const double lr : {1., 1e-3, 30.}) {
    const Tensor x = leaf(tensor({-1.2, 1.}, kFloat64));
    optim::LBFGS optimizer({x}, {.lr = lr, .max_iter = 1, .line_search_fn = "strong_wolfe"});
    for (int i = 0; i < 12; ++i) {
      const Tensor start = leaf(x), end_start = x.detach().clone();
      const Tensor f0 = rosenbrock(start);
      const Tensor g0 = autograd::grad({f0}, {start})[0];
      optimizer.step(closure_of(optimizer, x, kRosenbrock));
      const Tensor end = leaf(x), f1 = rosenbrock(end), g1 = autograd::grad({f1}, {end})[0];
      const Tensor d = optimizer.state_dict()["state.0.d"][0];
      const double t = optimizer.state_dict()["state.0.t"].item<double>();
      const double slope0 = dot(g0, d).item<double>(), slope1 = dot(g1, d).item<double>();
      CHECK(allclose(end.detach(), end_start + d * t, 1e-12, 1e-12));
      CHECK(slope0 < 0);
      CHECK(f1.item<double>() <= f0.item<double>() + 1e-4 * t * slope0);
      CHECK(std::abs(slope1) <= 0.9 * std::abs(slope0));
    }
  }
}

TEST_CASE("LBFGS finds the least point of Rosenbrock's valley and of a quadratic", "[optim]") {
  const Tensor x = leaf(tensor({-1.2, 1.}, kFloat64));
  optim::LBFGS optimizer({x}, {.max_iter = 60, .tolerance_change = 1e-15, .line_search_fn = "strong_wolfe"});
  int calls = 0;
  optimizer.step(closure_of(optimizer, x, kRosenbrock, &calls));
  CHECK(numbers(x)[0] == Approx(1).epsilon(1e-6));
  CHECK(numbers(x)[1] == Approx(1).epsilon(1e-6));
  CHECK(optimizer.state_dict()["state.0.func_evals"].item<int64_t>() == calls);

  // x^T A x / 2 - b x over two parameters: A x = b.
  manual_seed(3);
  const Tensor m = randn({6, 6}, kFloat64), a = matmul(m, m.t()) + eye(6, kFloat64), b = randn({6}, kFloat64);
  const Tensor p = leaf(zeros({2}, kFloat64)), q = leaf(zeros({2, 2}, kFloat64));
  optim::LBFGS solver(
      {p, q}, {.max_iter = 100, .tolerance_grad = 1e-10, .tolerance_change = 0, .line_search_fn = "strong_wolfe"});
  const auto joined = [&] { return cat({p, q.reshape({4})}); };
  solver.step([&] {
    solver.zero_grad();
    const Tensor v = joined(), loss = dot(v, mv(a, v)) / 2 - dot(b, v);
    loss.backward();
    return loss;
  });
  CHECK(largest(numbers(mv(a, joined()) - b)) < 1e-6);
}

TEST_CASE("a line search comes back from where the function has no value", "[optim]") {
  const Tensor x = leaf(full({1}, 5, kFloat64));
  optim::LBFGS optimizer({x}, {.lr = 20, .line_search_fn = "strong_wolfe"});
  const auto closure = [&] {
    optimizer.zero_grad();
    const Tensor y = (x - x.log() * 2).sum();  // least at 2; the first step would go to -7
    y.backward();
    return y;
  };
  optimizer.step(closure);
  CHECK(x[0].item<double>() == Approx(2).epsilon(1e-5));
}

TEST_CASE("LBFGS keeps a pair at least, whatever its option was set to", "[optim]") {
  const Tensor x = leaf(tensor({3., -1., 0.5}, kFloat64)), y = leaf(x);
  optim::LBFGS none({x}, {.lr = 0.3, .max_iter = 6}), one({y}, {.lr = 0.3, .max_iter = 6, .history_size = 1});
  none.param_groups()[0].set_option("history_size", 0);
  none.step(closure_of(none, x, kHilly));
  one.step(closure_of(one, y, kHilly));
  CHECK(equal(x, y));
}

TEST_CASE("LBFGS ends a step by its limits", "[optim]") {
  const auto calls_of = [](const optim::LBFGSOptions& options) {
    const Tensor x = leaf(tensor({-1.2, 1.}, kFloat64));
    optim::LBFGS optimizer({x}, options);
    int calls = 0;
    optimizer.step(closure_of(optimizer, x, kRosenbrock, &calls));
    return calls;
  };
  CHECK(calls_of({.lr = 1e-3, .max_iter = 7}) == 7);
  CHECK(calls_of({.lr = 1e-3, .max_iter = 7, .max_eval = 3}) == 3);
  CHECK(calls_of({.lr = 1e-3, .max_iter = 7, .tolerance_change = 10}) == 2);
  CHECK(calls_of({.lr = 1e-3, .max_iter = 7, .tolerance_grad = 1e6}) == 1);
}

TEST_CASE("LBFGS goes on from its saved state as if there had been no break", "[optim]") {
  for (const bool searches : {false, true}) {
    const auto options =
        optim::LBFGSOptions{.lr = 0.3,
                            .max_iter = 3,
                            .history_size = 4,
                            .line_search_fn = searches ? std::optional<std::string>("strong_wolfe") : std::nullopt};
    const auto run = [](optim::LBFGS& optimizer, const Tensor& x, int steps) {
      for (int i = 0; i < steps; ++i) optimizer.step(closure_of(optimizer, x, kHilly));
    };
    const Tensor whole = leaf(tensor({3., -1., 0.5}, kFloat64)), parts = leaf(whole);
    optim::LBFGS straight({whole}, options), before({parts}, options);
    run(straight, whole, 6);
    run(before, parts, 3);
    OrderedDict<std::string, Tensor> saved;
    for (const auto& [key, value] : before.state_dict()) saved.append(key, value.clone());
    optim::LBFGS after({parts}, 123);
    after.load_state_dict(saved);
    run(after, parts, 3);
    CHECK(equal(whole, parts));
    CHECK(after.param_groups()[0].options().line_search_fn.has_value() == searches);

    saved["state.0.d"] = zeros({1, 4}, kFloat64);
    saved.erase("state.0.t");
    CHECK_THAT(message_of<ValueError>([&] { after.load_state_dict(saved); }),
               Contains("load_state_dict: the dict must fit this LBFGS, got missing keys: state.0.t; what differs: "
                        "state.0.d is float64 of 3 columns here and float64 [1, 4] there"));
  }
}

TEST_CASE("LBFGS refuses what it cannot do, and keeps the parameters when the closure throws", "[optim]") {
  const Tensor x = leaf(tensor({-1.2, 1.}, kFloat64));
  const auto text = [&](const optim::LBFGSOptions& options) {
    return message_of<ValueError>([&] { optim::LBFGS({x}, options); });
  };
  CHECK_THAT(text({.max_iter = 0}), Contains("LBFGS: max_iter must be at least 1, got 0"));
  CHECK_THAT(text({.history_size = 0}), Contains("LBFGS: history_size must be at least 1, got 0"));
  CHECK_THAT(text({.tolerance_grad = -1}), Contains("LBFGS: tolerance_grad must be a number that is not negative"));
  CHECK_THAT(text({.line_search_fn = "armijo"}),
             Contains("LBFGS: line_search_fn must be \"strong_wolfe\" or none, got \"armijo\""));
  CHECK_THAT(message_of<DTypeError>([&] {
               optim::LBFGS({x, leaf(ones({2}))}, 1.0);
             }),
             Contains("LBFGS: parameters must have one dtype, got float64 and float32"));

  optim::LBFGS optimizer({x}, {.line_search_fn = "strong_wolfe"});
  CHECK_THAT(message_of<ValueError>([&] { optimizer.step(); }), Contains("LBFGS: step needs a closure"));
  int calls = 0;
  const Tensor before = x.detach().clone();
  const auto closure = closure_of(optimizer, x, kRosenbrock, &calls);
  CHECK_THROWS_AS(optimizer.step([&] {
    if (calls == 2) throw std::runtime_error("enough");
    return closure();
  }),
                  std::runtime_error);
  CHECK(equal(x, before));
  optimizer.set_max_grad_norm(1);
  CHECK_THAT(message_of<ValueError>([&] { optimizer.step(closure); }),
             Contains("LBFGS: gradients must not be clipped"));
}
