// The three-layer network of the "11 lines", captured: the digits of T2 at nearly the speed of loops written by hand.
#include <chrono>
#include <cstdio>

#include "common/numpy_random.h"
#include "common/report.h"

using namespace tapegrad;

constexpr int kSteps = 60000;

struct Run {
  Tensor printed, syn0, syn1;
  double seconds;
};

// Trains from the source's start; with `replay` from the third step on by a program.
Run train(bool replay) {
  const Tensor X = tensor({{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}}, kFloat64);
  const Tensor y = tensor({{0}, {1}, {1}, {0}}, kFloat64);
  examples::NumpyRandom random(1);
  Tensor syn0 = 2 * random.random({3, 4}) - 1, syn1 = 2 * random.random({4, 1}) - 1;
  optim::SGD descent({syn0.requires_grad_(), syn1.requires_grad_()}, {.lr = 1.0});

  Tensor l2;
  const auto step = [&] {
    const Tensor l1 = sigmoid(mm(X, syn0));
    l2 = sigmoid(mm(l1, syn1));
    descent.zero_grad();
    (0.5 * sum(square(y - l2))).backward();
    descent.step();
  };
  std::vector<double> printed;
  const auto look = [&](int i) {
    if (i % 10000 == 0) printed.push_back(mean(abs(y - l2)).item<double>());
  };

  const auto start = std::chrono::steady_clock::now();
  step();
  look(0);
  if (replay) {
    const Tensor first0 = syn0.detach().clone(), first1 = syn1.detach().clone();
    Program program = capture(step);  // two steps; back to where they began, so that none is counted twice
    syn0.detach().copy_(first0);
    syn1.detach().copy_(first1);
    for (int i = 1; i < kSteps; ++i) program(), look(i);
    program.print();
  } else {
    for (int i = 1; i < kSteps; ++i) step(), look(i);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return {tensor(printed, kFloat64), syn0, syn1, took.count()};
}

int main() {
  const Run eager = train(false), replayed = train(true);
  std::printf("%d steps: eager %.3f s, replayed %.3f s\n", kSteps, eager.seconds, replayed.seconds);
  examples::Report report;
  report.equals("mean error every 10,000 steps, replayed",
                "0.4964100319027255 0.008584525653247155 0.005789459862507807 0.004629176776769983 "
                "0.003958765280273649 0.003510122567861677",
                replayed.printed, 1e-9);
  report.holds("weights, replayed and eager", "the same bits", "compared",
               equal(eager.syn0, replayed.syn0) && equal(eager.syn1, replayed.syn1));
  return report.exit_status();
}
