// T3, "How to build a neural network", one step of exclusive or by hand: the tape's deltas beside the source's.
#include <cstdio>

#include "common/report.h"
#include "tapegrad/autograd/check/gradcheck.h"

using namespace tapegrad;

// The last product under the rule of the source's text, which divides by the weights where the chain rule multiplies.
struct AsTold : autograd::Function<AsTold> {
  static Tensor forward(autograd::AutogradContext* ctx, const Tensor& hidden, const Tensor& W2) {
    ctx->save_for_backward({hidden, W2});
    return mm(hidden, W2);
  }
  static autograd::variable_list backward(autograd::AutogradContext* ctx, autograd::variable_list delta) {
    const autograd::variable_list saved = ctx->get_saved_variables();
    return {delta[0] / saved[1].t(), mm(saved[0].t(), delta[0])};
  }
};

// One forward and backward pass with everything the source prints; `product` multiplies the hidden layer by W2.
struct Pass {
  template <class Product> Pass(const Tensor& x, double target, const Tensor& W1, const Tensor& W2, Product product) {
    hidden_sums = mm(x, W1);
    hidden = sigmoid(hidden_sums);
    output_sum = product(hidden, W2);
    output = sigmoid(output_sum);
    const auto gradients = autograd::grad({0.5 * sum(square(target - output))}, {hidden_sums, output_sum, W1, W2});
    // the source's deltas point downhill
    delta_hidden_sums = -gradients[0], delta_output_sum = -gradients[1];
    new_W1 = W1.detach() - gradients[2], new_W2 = W2.detach() - gradients[3];
  }
  Tensor hidden_sums, hidden, output_sum, output, delta_hidden_sums, delta_output_sum, new_W1, new_W2;
};

// Full-batch steps until every output is within 0.1 of its target; how many it took, or -1.
int train(const Tensor& W1, const Tensor& W2) {
  const Tensor X = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}}, kFloat64), y = tensor({{0}, {1}, {1}, {0}}, kFloat64);
  optim::SGD descent({W1, W2}, {.lr = 1.0});
  for (int step = 0; step < 10000; ++step) {
    Tensor output = sigmoid(mm(sigmoid(mm(X, W1)), W2));
    if (max(abs(y - output)).item<double>() < 0.1) return step;
    descent.zero_grad();
    (0.5 * sum(square(y - output))).backward();
    descent.step();
  }
  return -1;
}

int main() {
  const Tensor x = tensor({{1, 1}}, kFloat64);
  Tensor W1 = tensor({{.8, .4, .3}, {.2, .9, .5}}, dtype(kFloat64).requires_grad(true));
  Tensor W2 = tensor({{.3}, {.5}, {.9}}, dtype(kFloat64).requires_grad(true));
  const auto multiply = [](const Tensor& hidden, const Tensor& w) { return mm(hidden, w); };
  const auto as_told = [](const Tensor& hidden, const Tensor& w) { return AsTold::apply(hidden, w); };
  const Pass tape(x, 0, W1, W2, multiply), told(x, 0, W1, W2, as_told);

  examples::Report report;
  report.equals("hidden sums", "1 1.3 0.8", tape.hidden_sums);
  report.equals("hidden layer", "0.73105858 0.78583498 0.68997448", tape.hidden);
  report.equals("output sum", "1.23321210", tape.output_sum);
  report.equals("output", "0.77438027", tape.output);
  report.equals("delta output sum", "-0.13529621", tape.delta_output_sum);
  report.equals("new W2", "0.20109054 0.3936795 0.80664907", tape.new_W2);
  report.equals("new W1", "0.79201975 0.38861493 0.27395295 0.19201975 0.88861493 0.47395295", tape.new_W1);
  report.equals("delta hidden sums, by division", "-0.089 -0.045 -0.032", told.delta_hidden_sums, 1e-3);
  report.equals("delta hidden sums, by the tape", "-0.00798 -0.01139 -0.02605", tape.delta_hidden_sums);

  const Tensor hidden = tape.hidden.detach().requires_grad_();
  const auto of_tape = gradcheck_report(multiply, {hidden, W2});
  const auto of_told = gradcheck_report(as_told, {hidden, W2});
  report.holds("numerical check of the tape", "right", of_tape.ok() ? "right" : "wrong", of_tape.ok());
  report.holds("numerical check of the division", "wrong", of_told.ok() ? "right" : "wrong", !of_told.ok());
  std::printf("%s\n", of_told.text().c_str());

  const int steps = train(W1, W2);
  report.holds("outputs within 0.1 on all four rows", "solved",
               steps < 0 ? "not solved" : "after " + std::to_string(steps) + " steps", steps >= 0);
  return report.exit_status();
}
