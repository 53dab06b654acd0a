// Looks inside a recorded computation: prints the tape of a small network, its drawing in DOT and the bytes it holds, and
// follows the gradient of one weight by hand, link by link, beside what the tape says.
#include <cmath>
#include <cstdio>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

int wrong = 0;

// One link of the chain: what the hand has, what the tape has.
void link(const char* what, const char* rule, double by_hand, const Tensor& by_tape) {
  const double taped = by_tape.item<double>();
  const bool same = std::fabs(by_hand - taped) < 1e-15;
  wrong += !same;
  std::printf("%-11s = %-38s %+.15f  tape %+.15f%s\n", what, rule, by_hand, taped, same ? "" : "  DIFFERENT");
}

}  // namespace

int main() {
  // Two inputs, three hidden neurons, one output; the numbers of xor_by_hand.cpp.
  const Tensor x = tensor({{1, 1}}, kFloat64);
  const Tensor W1 = tensor({{.8, .4, .3}, {.2, .9, .5}}, dtype(kFloat64).requires_grad(true));
  const Tensor W2 = tensor({{.3}, {.5}, {.9}}, dtype(kFloat64).requires_grad(true));
  const double target = 0;

  const Tensor sums = mm(x, W1), hidden = sigmoid(sums);
  const Tensor sum2 = mm(hidden, W2), output = sigmoid(sum2);
  const Tensor error = output - target, loss = 0.5 * sum(square(error));

  // A line for each node: number, operation, where its inputs come from, its shape, what it saves for its rule.
  std::printf("The tape, earliest first:\n%s\n", autograd::tape_text(loss).c_str());
  std::printf("As a drawing, for `dot -Tsvg`:\n%s\n", autograd::tape_dot(loss).c_str());
  std::printf("It keeps %ld bytes of saved tensors and %ld nodes alive.\n\n",
              static_cast<long>(autograd::saved_bytes(loss)), static_cast<long>(autograd::live_nodes()));

  // Tensors in the middle pass their gradient on; these are asked to keep it.
  for (const Tensor* t : {&sums, &hidden, &sum2, &output, &error}) t->retain_grad();
  loss.backward();

  // The same for W1[0][1], from the loss down, with plain numbers: a link is the one above times a slope.
  const double x0 = x[0][0].item<double>(), h1 = hidden[0][1].item<double>(), w = W2[1][0].item<double>();
  const double y = output.item<double>();
  std::printf("The gradient of W1[0][1], from the loss down:\n");
  const double d_error = y - target;
  link("d error", "output - target", d_error, error.grad());
  const double d_output = d_error;
  link("d output", "d error", d_output, output.grad());
  const double d_sum2 = d_output * y * (1 - y);
  link("d sum2", "d output * output (1 - output)", d_sum2, sum2.grad());
  const double d_h1 = d_sum2 * w;
  link("d hidden[1]", "d sum2 * W2[1]", d_h1, hidden.grad()[0][1]);
  const double d_s1 = d_h1 * h1 * (1 - h1);
  link("d sums[1]", "d hidden[1] * hidden[1] (1 - hidden[1])", d_s1, sums.grad()[0][1]);
  const double d_w = d_s1 * x0;
  link("d W1[0][1]", "d sums[1] * x[0]", d_w, W1.grad()[0][1]);

  std::printf("\nbackward() has let go of everything saved and of the edges; the loss's own node is left:\n%s",
              autograd::tape_text(loss).c_str());
  return wrong == 0 ? 0 : 1;
}
