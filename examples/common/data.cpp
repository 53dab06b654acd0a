// Finds or draws digits.
#include "common/data.h"

#include <cstdio>
#include <cstdlib>

namespace examples {
namespace {

using tapegrad::data::MNIST;

constexpr int64_t drawn_for_training = 30000, drawn_for_testing = 5000;

DigitData from_mnist(const std::string& folder) {
  const MNIST train(folder, MNIST::Mode::kTrain), test(folder, MNIST::Mode::kTest);
  std::printf("data: MNIST in %s\n", folder.c_str());
  return {{train.images(), train.targets()}, {test.images(), test.targets()}, true};
}

DigitData drawn() {
  std::printf(
      "data: digits drawn by this program; no MNIST in TAPEGRAD_DATA or data/ (scripts/get-mnist fetches it)\n");
  return {draw_digits(drawn_for_training, 1), draw_digits(drawn_for_testing, 2), false};
}

// Both sets by the mean and the deviation of the training pixels.
void normalise(DigitData& data) {
  tapegrad::NoGradGuard no_grad;
  const tapegrad::Tensor mean = data.train.images.mean();
  const tapegrad::Tensor deviation = (data.train.images - mean).square_().mean().sqrt();
  for (Digits* digits : {&data.train, &data.test}) digits->images.sub_(mean).div_(deviation);
}

}  // namespace

DigitData load_digits() {
  try {
    const std::optional<std::string> folder = MNIST::find();
    DigitData data = folder ? from_mnist(*folder) : drawn();
    std::fflush(stdout);
    normalise(data);
    return data;
  } catch (const tapegrad::IOError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(1);
  }
}

}  // namespace examples
