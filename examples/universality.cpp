// T7, "A visual proof that neural nets can compute any function" (Nielsen, chapter 4), one input: sigmoid neurons as
// steps, pairs of them as bumps, bumps as any function, for any number of outputs; then the tape improves what was set
// by hand. Two inputs: towers.cpp.
#include <cmath>
#include <cstdio>

#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;
using examples::printed;
using examples::plot::Curves;
using examples::plot::Panel;

const Tensor x = linspace(0, 1, 999, kFloat64);

// What to compute, [n, outputs]: the source's f, and for two outputs a figure eight.
Tensor f(const Tensor& x) { return (0.2 + 0.4 * square(x) + 0.3 * x * sin(15 * x) + 0.05 * cos(50 * x)).unsqueeze(1); }
Tensor eight(const Tensor& t) { return 0.5 + 0.4 * stack({sin(2 * M_PI * t), sin(4 * M_PI * t)}, 1); }

// The network with everything chosen by hand. Neurons j and N + j step up and down around bump j; the output neuron is
// a sigmoid as well, so what the bumps build is the inverse sigmoid of the goal.
nn::Sequential by_hand(Tensor (*goal)(const Tensor&), int64_t pairs) {
  Tensor edges = linspace(0, 1, pairs + 1, kFloat64);
  const Tensor wanted = goal((edges.slice(0, 0, -1) + edges.slice(0, 1)) / 2);
  const Tensor heights = log(wanted / (1 - wanted));
  edges[0] = -0.1, edges[-1] = 1.1;  // so that the ends of the interval lie inside a bump
  const Tensor s = cat({edges.slice(0, 0, -1), edges.slice(0, 1)});
  const double w =
      200.0 * static_cast<double>(pairs);  // the source's 1000 for five bumps, more where they are narrower

  nn::Linear hidden(1, 2 * pairs), out(2 * pairs, wanted.size(1));
  nn::Sequential net(hidden, nn::Sigmoid(), out, nn::Sigmoid());
  net.to(kFloat64);
  NoGradGuard no_grad;
  hidden.weight.fill_(w);
  hidden.bias.copy_(-w * s);
  out.weight.copy_(cat({heights, -heights}).t());
  out.bias.zero_();
  return net;
}

Tensor run(nn::Sequential& net) {
  NoGradGuard no_grad;
  return net(x.unsqueeze(1));
}
double deviation(nn::Sequential& net, const Tensor& wanted) { return mean(abs(run(net) - wanted)).item<double>(); }

void train(nn::Sequential& net, const Tensor& wanted, double pairs, double steps) {
  optim::Adam adam(net.at<nn::Linear>(2).parameters(), {.lr = 0.1 / (pairs * pairs)});  // each x sees all of them
  adam.add_param_group(net.at<nn::Linear>(0).parameters(), {.lr = 50 / pairs});
  for (int step = 0; step < steps; ++step) {
    const Tensor loss = mse_loss(net(x.unsqueeze(1)), wanted);
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
}

// What the hidden layer is made of.
void draw_steps() {
  Curves step{.title = "one neuron, b = -0.4 w", .x_label = "x", .key = "bottom right"};
  for (const double w : {5., 20., 100., 1000.})
    step.curves.push_back({printed("w = %g", w), x, sigmoid(w * x - 0.4 * w)});
  const Tensor up = 0.8 * sigmoid(1000 * x - 400), down = -0.8 * sigmoid(1000 * x - 600);
  const Curves bump{.title = "a pair, heights 0.8 and -0.8",
                    .x_label = "x",
                    .curves = {{"steps up at 0.4", x, up}, {"steps down at 0.6", x, down}, {"their sum", x, up + down}},
                    .y_range = "-1:1.8"};
  examples::plot::draw({.name = "t07_steps",
                        .title = "A sigmoid neuron becomes a step, two become a bump",
                        .shows = "Left: the larger the weight, the nearer to a step at s = -b/w. Right: two steps of "
                                 "opposite heights leave a bump between them.",
                        .columns = 2},
                       {step, bump});
}

void one_output(examples::Report& report, bool quick) {
  const Tensor wanted = f(x);
  std::vector<Panel> set, learnt;
  std::vector<double> before, after;
  for (const int64_t pairs : {5, 10, 50, 500}) {
    nn::Sequential net = by_hand(f, pairs);
    const auto panel = [&](const char* how) {
      return Curves{.title = printed("%ld pairs, %s", pairs, how),
                    .x_label = "x",
                    .curves = {{"network", x, run(net).squeeze(1)}, {"f", x, wanted.squeeze(1)}},
                    .y_range = "0:1",
                    .key = "top left"};
    };
    before.push_back(deviation(net, wanted));
    set.emplace_back(panel("by hand"));
    const auto n = static_cast<double>(pairs);
    train(net, wanted, n, quick ? std::min(200., 30000 / n) : std::min(2000., 100000 / n));
    after.push_back(deviation(net, wanted));
    learnt.emplace_back(panel("trained"));
    std::printf("%3ld pairs  average deviation %.5f by hand, %.5f trained from there\n", pairs, before.back(),
                after.back());
    report.falls(printed("deviation of %ld pairs, then trained", pairs), {before.back(), after.back()}, 5);
  }
  report.falls("average deviation, 5, 10, 50, 500 pairs", before, 4);
  const double power = std::log(before[0] / before[3]) / std::log(500. / 5.);
  report.holds("it falls with N", "about as 1/N", printed("as 1/N^%.2f", power), std::fabs(power - 1) < 0.2);

  examples::plot::draw({.name = "t07_pairs",
                        .title = "f(x) = 0.2 + 0.4x^2 + 0.3x sin(15x) + 0.05cos(50x) from pairs of steps",
                        .shows = "f and the network for 5, 10, 50 and 500 pairs with every weight chosen by hand.",
                        .columns = 2},
                       set);
  examples::plot::draw(
      {.name = "t07_trained",
       .title = "The same networks after gradient descent",
       .shows = "5 and 10 pairs trained from the weights chosen by hand: the steps have moved to where "
                "f needs them.",
       .columns = 2},
      {learnt[0], learnt[1]});
}

void two_outputs(examples::Report& report) {
  const Tensor wanted = eight(x), goal = wanted.t();
  std::vector<Panel> panels;
  std::vector<double> deviations;
  for (const int64_t pairs : {20, 200}) {
    nn::Sequential net = by_hand(eight, pairs);
    deviations.push_back(deviation(net, wanted));
    const Tensor y = run(net).t();
    panels.emplace_back(Curves{.title = printed("%ld pairs", pairs),
                               .x_label = "first output",
                               .y_label = "second output",
                               .curves = {{"network", y[0], y[1]}, {"goal", goal[0], goal[1]}},
                               .x_range = "0:1",
                               .y_range = "0:1",
                               .key = "top center"});
  }
  report.falls("two outputs, 20 and 200 pairs", deviations, 4);
  examples::plot::draw({.name = "t07_outputs",
                        .title = "Two outputs, one hidden layer",
                        .shows = "A network of one input and two outputs draws a figure eight: both outputs share the "
                                 "steps and have heights of their own.",
                        .columns = 2},
                       panels);
}

int main(int argc, char** argv) {
  set_num_threads(1);
  examples::Report report;
  draw_steps();
  one_output(report, examples::quick(argc, argv));
  two_outputs(report);
  return report.exit_status();
}
