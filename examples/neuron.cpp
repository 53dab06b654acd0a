// T4, CS231n, "Neural Networks part 1": one neuron and its firing rate, one neuron as a classifier, the activation
// functions with their derivatives, ReLUs that die, and layers of neurons with their parameters counted.
#include <cstdio>

#include "common/plot.h"
#include "common/report.h"
#include "common/toy.h"

using namespace tapegrad;
using examples::Report;
using examples::plot::Curves;

// The source's neuron: dot product, bias, sigmoid.
void one_neuron(Report& report) {
  const Tensor weights = tensor({2., -3.}, requires_grad()), bias = tensor(-3., requires_grad());
  const Tensor inputs = tensor({-1., -2.}, requires_grad());
  const Tensor cell_body_sum = sum(inputs * weights) + bias;
  const Tensor firing_rate = 1.0 / (1.0 + exp(-cell_body_sum));
  firing_rate.backward();
  std::printf("cell body sum %g, firing rate %.2f\n", cell_body_sum.item<double>(), firing_rate.item<double>());
  report.equals("firing rate", "0.73", firing_rate);
  report.equals("its slope by weights", "-0.20 -0.39", weights.grad());
  report.equals("its slope by inputs", "0.39 -0.59", inputs.grad());
}

// One neuron on two clouds: the binary softmax classifier, or the binary SVM with labels -1 and 1.
Tensor softmax_loss(const Tensor& score, const Tensor& label) { return binary_cross_entropy_with_logits(score, label); }
Tensor svm_loss(const Tensor& score, const Tensor& label) { return mean(relu(1 - (2 * label - 1) * score)); }

void classify(Report& report, const char* kind, Tensor (*loss)(const Tensor&, const Tensor&)) {
  const auto [x, label] = examples::two_clouds(100);
  std::vector<double> norms;
  double accuracy = 0;
  for (const double strength : {0.0, 0.01, 0.1}) {
    manual_seed(1);
    nn::Linear neuron(2, 1);
    optim::SGD descent(neuron.parameters(), {.lr = 0.5});
    for (int step = 0; step < 500; ++step) {
      Tensor score = neuron(x).squeeze(1);
      descent.zero_grad();
      (loss(score, label) + strength * sum(square(neuron.weight))).backward();
      descent.step();
    }
    NoGradGuard no_grad;
    const Tensor right = ((neuron(x).squeeze(1) > 0) == (label > 0.5)).to(kFloat64);
    if (norms.empty()) accuracy = right.mean().item<double>();
    norms.push_back(norm(neuron.weight).item<double>());
    std::printf("%s, L2 strength %-4g  accuracy %.3f  |w| %.3f\n", kind, strength, right.mean().item<double>(),
                norms.back());
  }
  report.at_least(std::string(kind) + ", one neuron, train accuracy", 0.95, accuracy);
  report.falls(std::string(kind) + ", |w| at L2 0, 0.01, 0.1", norms, 3);
}

using Activation = Tensor (*)(const Tensor&);

// dy/dx at every x, from the tape.
Tensor derivative(Activation f, const Tensor& x) {
  const Tensor at = x.detach().requires_grad_();
  return autograd::grad({sum(f(at))}, {at})[0];
}

Tensor maxout(const Tensor& x, double w1, double b1, double w2, double b2) { return maximum(w1 * x + b1, w2 * x + b2); }

void activations(Report& report) {
  const Tensor x = linspace(-5, 5, 1001, kFloat64);
  const auto doubled = [](const Tensor& v) { return 2 * sigmoid(2 * v) - 1; };
  const auto leaky = [](const Tensor& v) { return leaky_relu(v, 0.1); };
  const auto larger = [](const Tensor& v) { return maxout(v, -0.5, 1, 2, -1); };
  const double apart = max(abs(tanh(x) - doubled(x))).item<double>();
  const double slopes_apart = max(abs(derivative(tanh, x) - derivative(doubled, x))).item<double>();
  report.at_most("tanh x = 2 sigmoid(2x) - 1", 1e-14, apart);
  report.at_most("and so their derivatives", 1e-14, slopes_apart);
  const auto is_relu = equal(maxout(x, 0, 0, 1, 0), relu(x));
  report.holds("ReLU is Maxout with w1, b1 = 0", "equal", is_relu ? "equal" : "different", is_relu);

  const auto panel = [&](const char* title, Activation f, const char* y_range) {
    return Curves{.title = title,
                  .curves = {{"y", x, f(x)}, {"dy/dx", x, derivative(f, x)}},
                  .y_range = y_range,
                  .key = "top left"};
  };
  examples::plot::draw(
      {.name = "t04_activations",
       .title = "Activation functions and their derivatives",
       .shows = "Each function with the derivative the tape gives: sigmoid and tanh saturate at both ends, the ReLU's "
                "slope is 0 on the left, the leaky ReLU keeps a little of it, Maxout takes the larger of two lines.",
       .columns = 3},
      {panel("sigmoid", sigmoid, "-0.2:1.2"), panel("tanh", tanh, "-1.2:1.2"),
       panel("2 sigmoid(2x) - 1", doubled, "-1.2:1.2"), panel("ReLU", relu, "-1:5"),
       panel("leaky ReLU, slope 0.1", leaky, "-1:5"), panel("Maxout of 1 - x/2 and 2x - 1", larger, "-1:5")});
}

// The fraction of hidden ReLUs that no example of the training set makes fire, step by step.
Tensor dead_fraction(double lr, int steps) {
  const auto [x, label] = examples::clumps(200);
  manual_seed(1);
  nn::Linear hidden(2, 50), out(50, 1);
  optim::SGD descent(nn::Sequential(hidden, out).parameters(), {.lr = lr});
  std::vector<double> dead;
  for (int step = 0; step < steps; ++step) {
    Tensor fired = relu(hidden(x));
    dead.push_back((amax(fired, {0}) == 0).to(kFloat64).mean().item<double>());
    descent.zero_grad();
    svm_loss(out(fired).squeeze(1), label).backward();
    descent.step();
  }
  return tensor(dead, kFloat64);
}

void dead_relus(Report& report) {
  const int steps = 200;
  Curves panel{
      .x_label = "step", .y_label = "fraction of ReLUs that are dead", .y_range = "0:1.05", .key = "center right"};
  for (const double lr : {0.1, 3.0, 10.0}) {
    const Tensor dead = dead_fraction(lr, steps);
    std::printf("learning rate %-4g dead ReLUs %4.0f%% after %d steps\n", lr, 100 * dead[-1].item<double>(), steps);
    panel.curves.push_back({examples::printed("learning rate %g", lr), arange(steps), dead});
  }
  report.at_most("dead ReLUs, learning rate 0.1", 0.2, panel.curves.front().y[-1].item<double>());
  report.at_least("dead ReLUs, learning rate too high", 0.4, panel.curves.back().y[-1].item<double>());
  examples::plot::draw({.name = "t04_dead_relus",
                        .title = "Too high a learning rate kills ReLUs",
                        .shows = "50 hidden ReLUs: with too large a step, weights are thrown to where no "
                                 "example activates the unit, and no gradient brings them back."},
                       {panel});
}

// "26 parameters" in a summary's last line.
std::string counted(const nn::Sequential& net) {
  const std::string text = net.summary(), head = "Sequential: ";
  std::printf("%s\n", text.c_str());
  const size_t at = text.rfind(head) + head.size();
  return text.substr(at, text.find(' ', at) - at);
}

void layers(Report& report) {
  manual_seed(1);
  const nn::Sequential small(nn::Linear(3, 4), nn::Sigmoid(), nn::Linear(4, 2));
  const nn::Sequential large(nn::Linear(3, 4), nn::Sigmoid(), nn::Linear(4, 4), nn::Sigmoid(), nn::Linear(4, 1));
  report.equals("parameters of 3-4-2, by summary()", "26", tensor(std::stoi(counted(small))));
  report.equals("parameters of 3-4-4-1, by summary()", "41", tensor(std::stoi(counted(large))));

  // The source's forward pass through the second one, line by line: f = lambda x: 1.0/(1.0 + np.exp(-x))
  const auto p = large.named_parameters();
  const auto column = [](const Tensor& bias) { return bias.unsqueeze(1); };
  const Tensor x = randn({3, 1});
  const Tensor h1 = sigmoid(matmul(p["0.weight"], x) + column(p["0.bias"]));   // 4x1
  const Tensor h2 = sigmoid(matmul(p["2.weight"], h1) + column(p["2.bias"]));  // 4x1
  const Tensor out = matmul(p["4.weight"], h2) + column(p["4.bias"]);          // 1x1
  std::printf("three-layer forward pass: %g\n", out.item<double>());
  report.at_most("forward pass, by lines and by modules", 1e-6, abs(out - large.forward(x.t())).item<double>());
}

int main() {
  Report report;
  one_neuron(report);
  classify(report, "binary softmax", softmax_loss);
  classify(report, "binary SVM", svm_loss);
  activations(report);
  dead_relus(report);
  layers(report);
  return report.exit_status();
}
