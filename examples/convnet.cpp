// T11, "Convolutional networks" and "Output and weights visualisation": two convolutions with pooling and two linear
// layers read handwritten digits, and show what their filters look for.
#include <cstdio>

#include "common/data.h"
#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

struct Net : nn::Module {
  nn::Conv2d conv1 = register_module("conv1", nn::Conv2d(1, 10, {.kernel_size = 5}));
  nn::Conv2d conv2 = register_module("conv2", nn::Conv2d(10, 20, {.kernel_size = 5}));
  nn::Linear fc1 = register_module("fc1", nn::Linear(320, 50));
  nn::Linear fc2 = register_module("fc2", nn::Linear(50, 10));

  Tensor first_maps(const Tensor& images) { return relu(conv1(images)); }                              // 10 of 24x24
  Tensor second_maps(const Tensor& images) { return relu(conv2(max_pool2d(first_maps(images), 2))); }  // 20 of 8x8
  Tensor forward(const Tensor& images) {
    const Tensor features = max_pool2d(second_maps(images), 2).flatten(1);  // 20 of 4x4
    return fc2(dropout(relu(fc1(features)), 0.5, is_training()));
  }
};

double accuracy(Net& net, const examples::Digits& digits) {
  NoGradGuard no_grad;
  net.eval();
  int64_t right = 0;
  for (int64_t i = 0; i < digits.labels.size(0); i += 1000) {
    const Tensor scores = net.forward(digits.images.slice(0, i, i + 1000));
    right += sum(argmax(scores, 1) == digits.labels.slice(0, i, i + 1000)).item<int64_t>();
  }
  net.train();
  return static_cast<double>(right) / static_cast<double>(digits.labels.size(0));
}

void draw(Net& before, Net& after, const examples::Digits& digits) {
  NoGradGuard no_grad;
  using examples::plot::Image, examples::plot::tiles;
  const auto filters = [](const char* title, Net& net) { return tiles(title, net.conv1.weight.squeeze(1), 5); };
  examples::plot::draw({.name = "t11_filters",
                        .title = "The ten 5x5 filters of the first convolution",
                        .shows = "Noise before training; after it edges and strokes in several directions. Each filter "
                                 "has the colours of its own range.",
                        .columns = 2},
                       {filters("before training", before), filters("after training", after)});

  const Tensor image = digits.images.slice(0, 0, 1);
  const std::string label = std::to_string(digits.labels[0].item<int64_t>());
  after.eval();
  examples::plot::draw(
      {.name = "t11_maps",
       .title = "What the filters make of a " + label,
       .shows =
           "A test digit, its 10 maps of 24x24 behind the first convolution and its 20 maps of 8x8 behind the "
           "second, by the network before training (above) and after it (below), with the probabilities it ends in.",
       .columns = 3},
      {Image{"a " + label + " of the test set", image[0][0], false},
       tiles("first maps, before", before.first_maps(image)[0], 5),
       tiles("second maps, before", before.second_maps(image)[0], 5),
       Image{"probabilities, after", softmax(after.forward(image), 1)},
       tiles("first maps, after", after.first_maps(image)[0], 5),
       tiles("second maps, after", after.second_maps(image)[0], 5)});
}

int main(int argc, char** argv) {
  const bool quick = examples::quick(argc, argv);
  const examples::DigitData digits = examples::load_digits();

  set_num_threads(1);
  manual_seed(1);
  Net net;
  Net untrained = nn::clone(net);
  std::printf("%s\n", net.summary().c_str());
  const int64_t epochs = quick ? 1 : 8;
  data::DataLoader batches(data::TensorDataset(digits.train.images, digits.train.labels),
                           {.batch_size = 64, .shuffle = true, .seed = 1});
  optim::Adam adam(net.parameters());
  optim::OneCycleLR schedule(adam, 4e-3, {.total_steps = epochs * batches.size(), .cycle_momentum = false});

  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    nn::Progress progress(batches.size(), "epoch " + std::to_string(epoch + 1));
    for (auto [images, labels] : batches) {
      Tensor loss = cross_entropy(net.forward(images), labels);
      adam.zero_grad();
      loss.backward();
      adam.step();
      schedule.step();
      progress.step();
    }
    std::printf("epoch %ld  test accuracy %.4f\n", epoch + 1, accuracy(net, digits.test));
    std::fflush(stdout);
  }

  draw(untrained, net, digits.test);
  examples::Report report;
  report.accuracy(digits.mnist, quick ? 0.97 : 0.989, quick ? 0.93 : 0.98, accuracy(net, digits.test));
  return report.exit_status();
}
