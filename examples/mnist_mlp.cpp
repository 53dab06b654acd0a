// T10, "A quick introduction to neural networks": the 784-300-100-10 network that reads handwritten digits.
#include <cstdio>

#include "common/data.h"
#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

struct Net : nn::Module {
  nn::Linear fc1 = register_module("fc1", nn::Linear(784, 300));
  nn::Linear fc2 = register_module("fc2", nn::Linear(300, 100));
  nn::Linear fc3 = register_module("fc3", nn::Linear(100, 10));

  struct Layers {
    Tensor hidden1, hidden2, scores;
  };
  Layers layers(const Tensor& images) {
    const Tensor hidden1 = relu(fc1(images.flatten(1))), hidden2 = relu(fc2(hidden1));
    return {hidden1, hidden2, fc3(hidden2)};
  }
  Tensor forward(const Tensor& images) { return layers(images).scores; }
};

double accuracy(Net& net, const examples::Digits& digits) {
  NoGradGuard no_grad;
  return (argmax(net.forward(digits.images), 1) == digits.labels).to(kFloat64).mean().item<double>();
}

void draw_activations(Net& net, const examples::Digits& digits) {
  NoGradGuard no_grad;
  const Tensor image = digits.images.slice(0, 0, 1);
  const auto [hidden1, hidden2, scores] = net.layers(image);
  const std::string label = std::to_string(digits.labels[0].item<int64_t>());
  using examples::plot::Image;
  examples::plot::draw(
      {.name = "t10_activations",
       .title = "A " + label + " on its way through 784-300-100-10",
       .shows = "One test digit, what each hidden layer makes of it, and the probabilities it ends in.",
       .columns = 2},
      {Image{"input, 784", image.view({28, 28})}, Image{"first hidden layer, 300", hidden1.view({15, 20})},
       Image{"second hidden layer, 100", hidden2.view({10, 10})},
       Image{"probabilities of 0 to 9", softmax(scores, 1)}});
}

int main(int argc, char** argv) {
  const bool quick = examples::quick(argc, argv);
  const examples::DigitData digits = examples::load_digits();

  set_num_threads(1);  // batches this small gain nothing from a second thread
  manual_seed(1);
  Net net;
  std::printf("%s\n", net.summary().c_str());
  const int64_t epochs = quick ? 1 : 6;
  data::DataLoader batches(data::TensorDataset(digits.train.images, digits.train.labels),
                           {.batch_size = 64, .shuffle = true, .seed = 1});
  optim::Adam adam(net.parameters());

  int64_t step = 0;
  const int64_t steps = epochs * batches.size();
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    nn::Progress progress(batches.size(), "epoch " + std::to_string(epoch + 1));
    for (auto [images, labels] : batches) {
      Tensor loss = cross_entropy(net.forward(images), labels);
      for (auto& group : adam.param_groups())  // falls to 0 evenly, so that the last steps settle
        group.set_lr(1e-3 * (1 - static_cast<double>(step++) / static_cast<double>(steps)));
      adam.zero_grad();
      loss.backward();
      adam.step();
      progress.step();
    }
    std::printf("epoch %ld  test accuracy %.4f\n", epoch + 1, accuracy(net, digits.test));
    std::fflush(stdout);
  }

  draw_activations(net, digits.test);
  examples::Report report;
  report.accuracy(digits.mnist, quick ? 0.95 : 0.98, quick ? 0.90 : 0.96, accuracy(net, digits.test));
  return report.exit_status();
}
