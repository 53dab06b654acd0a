// Learning to learn (Finn, Abbeel, Levine, "Model-agnostic meta-learning", 2017): weights from which one step of gradient descent on ten
// points of a sine wave nobody has seen gets near the whole wave. They are trained through that step: a gradient through a gradient.
#include <cmath>
#include <cstdio>
#include <numbers>

#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

using Weights = std::vector<Tensor>;

constexpr int64_t kHidden = 40, kShots = 10;
constexpr double kStep = 0.02;  // of the descent that is trained through

// Waves a sin(x + p), as many as there are tasks, each with points to learn from and points to be judged by: [tasks, points, 1]
struct Tasks {
  Tensor amplitude, phase, x, y, query_x, query_y;
  Tensor wave(const Tensor& at) const { return amplitude * sin(at + phase); }
};

Tasks tasks(int64_t count, int64_t queries, Generator& random, DType type = kFloat32) {
  const auto between = [&](IntArrayRef sizes, double from, double to) {
    return from + (to - from) * rand(sizes, random, type);
  };
  Tasks out{between({count, 1, 1}, 0.1, 5),      between({count, 1, 1}, 0, std::numbers::pi),
            between({count, kShots, 1}, -5, 5),  {},
            between({count, queries, 1}, -5, 5), {}};
  out.y = out.wave(out.x);
  out.query_y = out.wave(out.query_x);
  return out;
}

// 1-40-40-1
Weights new_weights(DType type = kFloat32) {
  Weights w;
  const int64_t sizes[] = {1, kHidden, kHidden, 1};
  for (int layer = 0; layer < 3; ++layer) {
    const double bound = 1 / std::sqrt(static_cast<double>(sizes[layer]));
    w.push_back(empty({sizes[layer], sizes[layer + 1]}, type).uniform_(-bound, bound).requires_grad_());
    w.push_back(zeros({1, sizes[layer + 1]}, dtype(type).requires_grad(true)));
  }
  return w;
}

// Every task with weights of its own, [tasks, in, out], or all with the same.
Tensor network(const Weights& w, const Tensor& x) {
  const Tensor h = relu(matmul(x, w[0]) + w[1]);
  return matmul(relu(matmul(h, w[2]) + w[3]), w[4]) + w[5];
}

// Each task's mean error, added up, so that every task's weights have a gradient of their own.
Tensor total_loss(const Weights& w, const Tensor& x, const Tensor& y) {
  return square(network(w, x) - y).sum() / static_cast<double>(x.size(1));
}

// The weights of each task after some steps on its points. Recorded: what follows can be differentiated by where they began.
Weights adapted(const Weights& start, const Tasks& tasks, int steps) {
  Weights w;
  for (const Tensor& one : start) w.push_back(one.unsqueeze(0).expand({tasks.x.size(0), one.size(0), one.size(1)}));
  for (int step = 0; step < steps; ++step) {
    const Weights slopes = autograd::grad({total_loss(w, tasks.x, tasks.y)}, w, {}, {}, /*create_graph=*/true);
    for (size_t i = 0; i < w.size(); ++i) w[i] = w[i] - kStep * slopes[i];
  }
  return w;
}

// Mean over the tasks of the error at the points they are judged by.
Tensor loss_after(const Weights& start, const Tasks& tasks, int steps) {
  return total_loss(adapted(start, tasks, steps), tasks.query_x, tasks.query_y) / static_cast<double>(tasks.x.size(0));
}

// The gradient through the step, along a direction, against the difference of two losses.
void check_gradient(examples::Report& report) {
  Generator random(5);
  manual_seed(3);
  const Weights w = new_weights(kFloat64);
  const Tasks some = tasks(4, 10, random, kFloat64);
  const Weights slopes = autograd::grad({loss_after(w, some, 1)}, w);
  const double h = 1e-6;
  double along = 0;
  Weights ahead, behind;
  for (size_t i = 0; i < w.size(); ++i) {
    const Tensor direction = randn(w[i].sizes(), random, kFloat64);
    along += (slopes[i] * direction).sum().item<double>();
    ahead.push_back((w[i] + h * direction).detach().requires_grad_());
    behind.push_back((w[i] - h * direction).detach().requires_grad_());
  }
  const double difference = (loss_after(ahead, some, 1) - loss_after(behind, some, 1)).item<double>() / (2 * h);
  std::printf("gradient through one step, along a direction: %.9g by the tape, %.9g by differences\n", along,
              difference);
  report.at_most("gradient through a gradient against differences", 1e-6, std::abs(along / difference - 1));
}

// By the loss after so many steps: one makes weights that learn, none one network for all waves.
Weights trained(int steps, int iterations) {
  manual_seed(1);
  Generator random(1);
  Weights w = new_weights();
  optim::Adam adam(w, {.lr = 2e-3});
  for (int i = 0; i < iterations; ++i) {
    const Tensor loss = loss_after(w, tasks(20, 10, random), steps);
    adam.zero_grad();
    loss.backward();
    adam.step();
    if ((i + 1) % (iterations / 4) == 0) std::printf("  iteration %5d  loss %.3f\n", i + 1, loss.item<double>());
  }
  return w;
}

void draw(const Weights& learned, const Weights& joint) {
  Generator random(11);
  Tasks one = tasks(1, 10, random);
  one.amplitude.fill_(4);
  one.y = one.wave(one.x);
  const Tensor x = linspace(-5, 5, 201), columns = x.view({1, -1, 1});
  examples::plot::Curves panel{.x_label = "x", .y_label = "y", .y_range = "-5:9", .key = "top center"};
  panel.curves.push_back({"the wave", x, one.wave(columns).view({-1})});
  panel.curves.push_back({"meta-learned, before", x, network(adapted(learned, one, 0), columns).detach().view({-1})});
  panel.curves.push_back({"after one step", x, network(adapted(learned, one, 1), columns).detach().view({-1})});
  panel.curves.push_back(
      {"trained jointly, after one step", x, network(adapted(joint, one, 1), columns).detach().view({-1})});
  examples::plot::draw(
      {.name = "maml",
       .title = "One step on ten points of a new wave",
       .shows = "The meta-learned network is near the whole wave after one step of gradient descent; the one "
                "that was trained on all waves at once has hardly moved."},
      {panel});
}

int main(int argc, char** argv) {
  set_num_threads(1);
  examples::Report report;
  check_gradient(report);
  const bool quick = examples::quick(argc, argv);
  const int iterations = quick ? 1000 : 8000;
  std::printf("trained through one step:\n");
  const Weights learned = trained(1, iterations);
  std::printf("trained jointly:\n");
  const Weights joint = trained(0, iterations);

  Generator random(7);
  const Tasks fresh = tasks(500, 50, random);
  double ours[3], theirs[3];
  const int steps[] = {0, 1, 5};
  for (size_t i = 0; i < 3; ++i) {
    ours[i] = loss_after(learned, fresh, steps[i]).item<double>();
    theirs[i] = loss_after(joint, fresh, steps[i]).item<double>();
    std::printf("500 new waves, %d steps: loss %.3f meta-learned, %.3f trained jointly\n", steps[i], ours[i],
                theirs[i]);
  }
  report.at_most("loss after one step, of what joint training leaves", quick ? 0.5 : 0.35, ours[1] / theirs[1]);
  report.at_most("loss after five steps, of what joint training leaves", quick ? 0.5 : 0.25, ours[2] / theirs[2]);
  draw(learned, joint);
  return report.exit_status();
}
