// T8, "Multi-layer neural networks with sigmoid function": two hidden sigmoid neurons bend the plane into exclusive or,
// and the 784-15-10 sigmoid network reads handwritten digits.
#include <cstdio>

#include "common/data.h"
#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

nn::Sequential sigmoid_network(int64_t inputs, int64_t hidden, int64_t outputs) {
  return nn::Sequential(nn::Linear(inputs, hidden), nn::Sigmoid(), nn::Linear(hidden, outputs), nn::Sigmoid());
}

// The source's quadratic cost: half the squared distance of output and target, averaged over the examples.
Tensor cost(const Tensor& output, const Tensor& target) {
  return 0.5 * mse_loss(output, target, kSum) / output.size(0);
}

void exclusive_or(examples::Report& report) {
  const Tensor x = tensor({{0., 0.}, {0., 1.}, {1., 0.}, {1., 1.}}), target = tensor({{0.}, {1.}, {1.}, {0.}});
  manual_seed(1);
  nn::Sequential net = sigmoid_network(2, 2, 1);
  optim::SGD descent(net.parameters(), {.lr = 5.0});
  for (int step = 0; step <= 5000; ++step) {
    const Tensor loss = cost(net(x), target);
    if (step % 1000 == 0) std::printf("exclusive or, step %4d  cost %.5f\n", step, loss.item<double>());
    descent.zero_grad();
    loss.backward();
    descent.step();
  }
  NoGradGuard no_grad;
  const Tensor output = net(x);
  report.equals("exclusive or of 00, 01, 10, 11", "0 1 1 0", output, 0.1);

  const examples::plot::Grid square{0, 1, 41};
  const Tensor height = net(square.points());
  const auto panel = [&](const char* title, const Tensor& values) {
    return examples::plot::Surface{
        .title = title, .x_label = "x1", .y_label = "x2", .grid = square, .height = values, .z_range = "0:1"};
  };
  const Tensor hidden = sigmoid(net.at<nn::Linear>(0)(square.points()));
  examples::plot::draw(
      {.name = "t08_ridge",
       .title = "Exclusive or through two hidden sigmoid neurons",
       .shows = "The output over the unit square is a ridge: high between two opposite corners, low at "
                "the others. Each hidden neuron makes one of its sides.",
       .columns = 3},
      {panel("first hidden neuron", hidden.slice(1, 0, 1)), panel("second hidden neuron", hidden.slice(1, 1, 2)),
       panel("output", height)});
}

double accuracy(nn::Sequential& net, const examples::Digits& digits) {
  NoGradGuard no_grad;
  return (argmax(net(digits.images.flatten(1)), 1) == digits.labels).to(kFloat64).mean().item<double>();
}

void digits(examples::Report& report, bool quick) {
  const examples::DigitData data = examples::load_digits();
  manual_seed(1);
  nn::Sequential net = sigmoid_network(784, 15, 10);
  std::printf("%s\n", net.summary().c_str());
  const int64_t epochs = quick ? 2 : 20;
  data::DataLoader batches(data::TensorDataset(data.train.images.flatten(1), eye(10).index({data.train.labels})),
                           {.batch_size = 10, .shuffle = true, .seed = 1});
  optim::SGD descent(net.parameters(), {.lr = 1.0});
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (auto& group : descent.param_groups())  // falls evenly, so that the last steps settle
      group.set_lr(1.0 - static_cast<double>(epoch) / static_cast<double>(epochs));
    for (auto [images, one_hot] : batches) {
      descent.zero_grad();
      cost(net(images), one_hot).backward();
      descent.step();
    }
    std::printf("epoch %ld  test accuracy %.4f\n", epoch + 1, accuracy(net, data.test));
    std::fflush(stdout);
  }
  std::vector<examples::plot::Panel> panels;
  for (int64_t i = 0; i < 15; ++i)
    panels.emplace_back(examples::plot::Image{"", net.at<nn::Linear>(0).weight[i].view({28, 28})});
  examples::plot::draw({.name = "t08_hidden",
                        .title = "What the 15 hidden neurons look for",
                        .shows = "The weights of each hidden neuron of 784-15-10, laid out as the image they meet.",
                        .columns = 5},
                       panels);
  report.accuracy(data.mnist, quick ? 0.90 : 0.93, quick ? 0.75 : 0.80, accuracy(net, data.test));
}

int main(int argc, char** argv) {
  set_num_threads(1);
  examples::Report report;
  exclusive_or(report);
  digits(report, examples::quick(argc, argv));
  return report.exit_status();
}
