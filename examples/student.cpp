// T9, "A quick introduction to neural networks": will the student pass, from hours studied and the mid-term mark?
#include <cstdio>

#include "common/report.h"

using namespace tapegrad;

int main() {
  const Tensor students = tensor({{35., 67.}, {12., 75.}, {16., 89.}, {45., 56.}, {10., 90.}});
  const Tensor result = tensor({1, 0, 1, 1, 0});  // 1 is a pass

  const Tensor mean = students.mean({0}), deviation = (students - mean).square().mean({0}).sqrt();
  const auto normalised = [&](const Tensor& x) { return (x - mean) / deviation; };

  manual_seed(1);
  nn::Sequential net(nn::Linear(2, 2), nn::Sigmoid(), nn::Linear(2, 2));  // two hidden nodes, two probabilities
  optim::SGD descent(net.parameters(), {.lr = 0.5});
  const auto probabilities = [&](const Tensor& x) {
    NoGradGuard no_grad;
    return softmax(net(normalised(x)), 1);
  };
  const auto step = [&](const Tensor& x, const Tensor& target) {
    descent.zero_grad();
    cross_entropy(net(normalised(x)), target).backward();
    descent.step();
  };
  const auto show = [](const char* when, const Tensor& p) {
    std::printf("%-28s fail %.3f  pass %.3f\n", when, p[0][0].item<double>(), p[0][1].item<double>());
  };

  const Tensor first = students.slice(0, 0, 1);
  const Tensor before = probabilities(first);
  step(first, result.slice(0, 0, 1));
  const Tensor after = probabilities(first);
  show("student (35, 67), before", before);
  show("after one backward pass", after);

  for (int i = 0; i < 500; ++i) step(students, result);
  const Tensor unseen = probabilities(tensor({{25., 70.}}));
  show("student (25, 70)", unseen);

  examples::Report report;
  const double rise = (after[0][1] - before[0][1]).item<double>();
  report.holds("one step on (35, 67): P(pass)", "rises", rise > 0 ? "rises" : "falls", rise > 0);
  const auto fitted = (argmax(probabilities(students), 1) == result).sum().item<int64_t>();
  report.holds("students fitted", "5 of 5", std::to_string(fitted) + " of 5", fitted == 5);
  const double pass = unseen[0][1].item<double>();
  report.holds("prediction for (25, 70)", "pass", pass > 0.5 ? "pass" : "fail", pass > 0.5);
  return report.exit_status();
}
