// T1, "A Neural Network in 11 lines of Python", part 1, two layers: one neuron learns to copy its first input.
#include <cstdio>

#include "common/numpy_random.h"
#include "common/report.h"

using namespace tapegrad;

int main() {
  const Tensor X = tensor({{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}}, kFloat64);
  const Tensor y = tensor({{0}, {0}, {1}, {1}}, kFloat64);

  examples::NumpyRandom random(1);
  Tensor syn0 = (2 * random.random({3, 1}) - 1).requires_grad_();
  optim::SGD descent({syn0}, {.lr = 1.0});

  Tensor l1;
  for (int i = 0; i < 10000; ++i) {
    l1 = sigmoid(mm(X, syn0));
    Tensor loss = 0.5 * sum(square(y - l1));
    descent.zero_grad();
    loss.backward();  // the source: l1_delta = l1_error * nonlin(l1, True); np.dot(l0.T, l1_delta)
    descent.step();
  }

  set_print_options({.precision = 8});
  std::printf("Output After Training:\n%s\n", to_string(l1).c_str());
  examples::Report report;
  report.equals("outputs after training", "0.00966449 0.00786506 0.99358898 0.99211957", l1);
  report.equals("weights after training", "9.67299303 -0.2078435 -4.62963669", syn0);
  return report.exit_status();
}
