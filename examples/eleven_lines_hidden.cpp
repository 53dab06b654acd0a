// T2, "A Neural Network in 11 lines of Python", part 1, three layers: exclusive or through four hidden neurons.
#include <cstdio>
#include <vector>

#include "common/numpy_random.h"
#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

// One step as the source writes it, every delta by hand; what the tape is compared with.
void step_by_hand(const Tensor& X, const Tensor& y, const Tensor& syn0, const Tensor& syn1) {
  NoGradGuard no_grad;
  const Tensor l1 = sigmoid(mm(X, syn0)), l2 = sigmoid(mm(l1, syn1));
  const Tensor l2_delta = (y - l2) * l2 * (1 - l2);
  const Tensor l1_delta = mm(l2_delta, syn1.t()) * l1 * (1 - l1);
  syn1 += mm(l1.t(), l2_delta);
  syn0 += mm(X.t(), l1_delta);
}

int main() {
  const Tensor X = tensor({{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}}, kFloat64);
  const Tensor y = tensor({{0}, {1}, {1}, {0}}, kFloat64);

  examples::NumpyRandom random(1);
  Tensor syn0 = 2 * random.random({3, 4}) - 1, syn1 = 2 * random.random({4, 1}) - 1;
  const Tensor hand0 = syn0.clone(), hand1 = syn1.clone();
  optim::SGD descent({syn0.requires_grad_(), syn1.requires_grad_()}, {.lr = 1.0});

  std::vector<double> printed, steps, errors;
  for (int i = 0; i < 60000; ++i) {
    Tensor l1 = sigmoid(mm(X, syn0)), l2 = sigmoid(mm(l1, syn1));
    Tensor loss = 0.5 * sum(square(y - l2));
    descent.zero_grad();
    loss.backward();
    descent.step();
    step_by_hand(X, y, hand0, hand1);

    if (i % 100 != 0) continue;
    steps.push_back(i);
    errors.push_back(mean(abs(y - l2)).item<double>());
    if (i % 10000 != 0) continue;
    printed.push_back(errors.back());
    std::printf("step %5d  error %.16g\n", i, errors.back());
  }

  examples::Report report;
  report.equals("mean error every 10,000 steps",
                "0.4964100319027255 0.008584525653247155 0.005789459862507807 0.004629176776769983 "
                "0.003958765280273649 0.003510122567861677",
                tensor(printed, kFloat64), 1e-9);
  const double apart = maximum(max(abs(syn0 - hand0)), max(abs(syn1 - hand1))).item<double>();
  report.at_most("weights against hand-coded deltas", 1e-9, apart);
  examples::plot::draw({.name = "t02_error",
                        .title = "Three layers learn exclusive or",
                        .shows = "The mean absolute error the source prints every 10,000 steps, here every 100."},
                       {examples::plot::Curves{.x_label = "step",
                                               .y_label = "mean absolute error",
                                               .curves = {{"", tensor(steps), tensor(errors)}},
                                               .log_y = true}});
  return report.exit_status();
}
