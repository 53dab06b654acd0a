// T5, CS231n, "Neural Networks part 1", setting the number of layers and their sizes: more neurons curl the boundary
// between two classes around single examples, L2 regularisation smooths it again.
#include <cstdio>

#include "common/plot.h"
#include "common/report.h"
#include "common/toy.h"

using namespace tapegrad;
using examples::plot::Regions;

const examples::plot::Grid plane{-1.2, 1.2, 121};
const examples::Points points = examples::clumps(120);
const double batch = 10;  // the source's demo weighs the penalty against the losses of ten examples

struct Result {
  double accuracy;   // on the training set
  double steepness;  // mean length of the probability's gradient over the plane, from the tape
  Tensor probability;
};

// One hidden layer of `neurons`, trained on all examples at once.
Result train(int64_t neurons, double strength, int steps) {
  manual_seed(1);
  nn::Linear hidden(2, neurons), out(neurons, 1);
  const auto score = [&](const Tensor& x) { return out(tanh(hidden(x))).squeeze(1); };
  optim::Adam adam(nn::Sequential(hidden, out).parameters(), {.lr = 0.02});
  for (int step = 0; step < steps; ++step) {
    const Tensor l2 = 0.5 * strength * (sum(square(hidden.weight)) + sum(square(out.weight)));
    const Tensor loss = binary_cross_entropy_with_logits(score(points.x), points.labels) + l2 / batch;
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  const Tensor at = plane.points().requires_grad_();
  const Tensor probability = sigmoid(score(at));
  const Tensor slope = autograd::grad({sum(probability)}, {at})[0];
  const Tensor right = (score(points.x) > 0) == (points.labels > 0.5);
  return {right.to(kFloat64).mean().item<double>(), norm(slope, 2, {1}).mean().item<double>(), probability.detach()};
}

int main(int argc, char** argv) {
  const int steps = examples::quick(argc, argv) ? 2000 : 10000;
  examples::Report report;
  std::vector<examples::plot::Panel> by_size, by_strength;
  std::vector<double> accuracies, steepnesses;

  for (const int64_t neurons : {3, 6, 20}) {
    const Result result = train(neurons, 0, steps);
    std::printf("%2ld hidden neurons                    train accuracy %.3f\n", neurons, result.accuracy);
    by_size.emplace_back(
        Regions{examples::printed("%ld hidden neurons", neurons), plane, result.probability, points.x, points.labels});
    accuracies.push_back(result.accuracy);
  }
  for (const double strength : {0.001, 0.01, 0.1}) {
    const Result result = train(20, strength, steps);
    std::printf("20 hidden neurons, L2 strength %-5g  train accuracy %.3f  steepness %.3f\n", strength, result.accuracy,
                result.steepness);
    by_strength.emplace_back(
        Regions{examples::printed("L2 strength %g", strength), plane, result.probability, points.x, points.labels});
    steepnesses.push_back(result.steepness);
  }

  report.rises("train accuracy, 3, 6, 20 neurons", accuracies, 3);
  report.falls("steepness, L2 0.001, 0.01, 0.1", steepnesses, 3);
  examples::plot::draw({.name = "t05_sizes",
                        .title = "Larger networks can represent more complicated functions",
                        .shows = "Decision regions of one hidden layer of 3, 6 and 20 neurons: the largest takes in "
                                 "nearly every example, outliers too.",
                        .columns = 3},
                       by_size);
  examples::plot::draw({.name = "t05_regularisation",
                        .title = "Regularisation, not size, is what holds overfitting down",
                        .shows = "The same 20 neurons under L2 regularisation of 0.001, 0.01 and 0.1: the stronger it "
                                 "is, the smoother the regions.",
                        .columns = 3},
                       by_strength);
  return report.exit_status();
}
