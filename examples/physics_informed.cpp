// A physics-informed network: it is told how heat spreads along a rod, u_t = a u_xx, how warm the rod is at first and at its ends, and
// nothing of the solution. The equation is asked of the network itself: its derivatives by its inputs come from the tape, and are
// trained through.
#include <cmath>
#include <cstdio>
#include <numbers>

#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

constexpr double kPi = std::numbers::pi, kConduction = 0.1;

// The solution, for comparison: each wave along the rod fades by itself, the shorter the faster.
Tensor exact(const Tensor& x, const Tensor& t) {
  return exp(-kConduction * kPi * kPi * t) * sin(kPi * x) +
         0.5 * exp(-4 * kConduction * kPi * kPi * t) * sin(2 * kPi * x);
}

struct Net : nn::Module {
  nn::Sequential layers = register_module(
      "layers", nn::Sequential(nn::Linear(2, 20), nn::Tanh(), nn::Linear(20, 20), nn::Tanh(), nn::Linear(20, 1)));
  Tensor forward(const Tensor& x, const Tensor& t) { return layers(cat({x, t}, 1)); }
};

// How far the network is from u_t = a u_xx at each point.
Tensor equation_error(Net& net, const Tensor& x, const Tensor& t) {
  const Tensor u = net.forward(x, t), ones = ones_like(u);
  const auto slope = [&](const Tensor& y, const std::vector<Tensor>& by) {
    return autograd::grad({y}, by, {ones}, /*retain_graph=*/true, /*create_graph=*/true);
  };
  const std::vector<Tensor> first = slope(u, {x, t});
  const Tensor u_t = first[1], u_xx = slope(first[0], {x})[0];
  return u_t - kConduction * u_xx;
}

struct Points {
  Tensor x, t;
};

// Points in the rod's first second, at its beginning, and at its two ends.
struct Problem {
  Points inside, start, ends;
};

Problem problem() {
  manual_seed(1);
  const auto uniform = [](int64_t count) { return rand({count, 1}, kFloat64); };
  const Tensor side = (arange(60) < 30).to(kFloat64).unsqueeze(1);
  Problem out{{uniform(400), uniform(400)}, {uniform(60), zeros({60, 1}, kFloat64)}, {side, uniform(60)}};
  out.inside.x.requires_grad_();
  out.inside.t.requires_grad_();
  return out;
}

Net trained(const Problem& problem, bool with_equation, int steps) {
  manual_seed(2);
  Net net;
  net.to(kFloat64);
  optim::LBFGS optimizer(net.parameters(), {.max_iter = 20, .history_size = 50, .line_search_fn = "strong_wolfe"});
  const Tensor start = exact(problem.start.x, problem.start.t);
  for (int step = 0; step < steps; ++step) {
    const Tensor loss = optimizer.step([&] {
      optimizer.zero_grad();
      Tensor sum = 10 * mse_loss(net.forward(problem.start.x, problem.start.t), start) +
                   10 * mean(square(net.forward(problem.ends.x, problem.ends.t)));
      if (with_equation) sum = sum + mean(square(equation_error(net, problem.inside.x, problem.inside.t)));
      sum.backward();
      return sum;
    });
    if (step % 10 == 0 || step == steps - 1) std::printf("  step %3d  loss %.2e\n", step, loss.item<double>());
  }
  return net;
}

// |network - solution| / |solution| over a grid.
double error_of(Net& net) {
  NoGradGuard no_grad;
  const Tensor grid = examples::plot::Grid{0, 1, 101}.points(kFloat64);
  const Tensor x = grid.slice(1, 0, 1), t = grid.slice(1, 1, 2), u = exact(x, t);
  return (norm(net.forward(x, t) - u) / norm(u)).item<double>();
}

void draw(Net& net) {
  NoGradGuard no_grad;
  const examples::plot::Grid grid{0, 1, 41};
  const Tensor points = grid.points(kFloat64), x = points.slice(1, 0, 1), t = points.slice(1, 1, 2);
  const Tensor u = net.forward(x, t);
  using examples::plot::Surface;
  examples::plot::draw(
      {.name = "physics_informed",
       .title = "Heat in a rod, by a network that knows the equation",
       .shows = "The temperature along the rod over time, learned from the equation, the temperature at the start and "
                "the cold ends; and how far it is from the solution, which the network was never shown.",
       .columns = 2},
      {Surface{.title = "network", .x_label = "x", .y_label = "t", .grid = grid, .height = u},
       Surface{
           .title = "network - solution", .x_label = "x", .y_label = "t", .grid = grid, .height = u - exact(x, t)}});
}

int main(int argc, char** argv) {
  set_num_threads(1);
  const Problem rod = problem();
  const int steps = examples::quick(argc, argv) ? 30 : 70;
  std::printf("start and ends only:\n");
  Net ignorant = trained(rod, false, 10);
  std::printf("and the equation:\n");
  Net informed = trained(rod, true, steps);

  examples::Report report;
  report.at_least("relative error without the equation", 0.2, error_of(ignorant));
  report.at_most("relative error with it", steps < 70 ? 0.005 : 0.002, error_of(informed));
  draw(informed);
  return report.exit_status();
}
