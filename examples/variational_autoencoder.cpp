// A variational autoencoder (Kingma, Welling, "Auto-encoding variational Bayes", 2014): digits through sixteen numbers and back, and new
// digits from numbers drawn at random.
#include <cstdio>

#include "common/data.h"
#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

constexpr int64_t kPixels = 784, kHidden = 256, kLatent = 16;

struct VAE : nn::Module {
  nn::Linear encoder = register_module("encoder", nn::Linear(kPixels, kHidden));
  nn::Linear mean = register_module("mean", nn::Linear(kHidden, kLatent));
  nn::Linear log_variance = register_module("log_variance", nn::Linear(kHidden, kLatent));
  nn::Linear decoder = register_module("decoder", nn::Linear(kLatent, kHidden));
  nn::Linear pixels = register_module("pixels", nn::Linear(kHidden, kPixels));

  // The logits of pixels being ink.
  Tensor decode(const Tensor& z) { return pixels(relu(decoder(z))); }

  // -ELBO, in nats for each image. z = mean + deviation * noise, so that the gradient goes past the noise to mean and deviation.
  Tensor forward(const Tensor& x) {
    const Tensor hidden = relu(encoder(x)), mu = mean(hidden), log_var = log_variance(hidden);
    const Tensor z = mu + exp(0.5 * log_var) * randn_like(mu);
    const Tensor reconstruction = binary_cross_entropy_with_logits(decode(z), x, {.reduction = kSum});
    const Tensor divergence =
        -0.5 * sum(1 + log_var - square(mu) - exp(log_var));  // of q(z | x) from a standard normal
    return (reconstruction + divergence) / static_cast<double>(x.size(0));
  }
};

// [n, 784] in [0, 1], which the digits were normalised from.
Tensor ink(const examples::Digits& digits) {
  const Tensor x = digits.images.flatten(1);
  return (x - x.min()) / (x.max() - x.min());
}

double elbo(VAE& net, const Tensor& x) {
  NoGradGuard no_grad;
  return -net.forward(x).item<double>();
}

// Images [n, 784] side by side, so many in a row.
Tensor sheet(const Tensor& images, int64_t columns) {
  const int64_t rows = images.size(0) / columns;
  return images.view({rows, columns, 28, 28}).permute({0, 2, 1, 3}).reshape({rows * 28, columns * 28});
}

void draw(VAE& net, const Tensor& x) {
  NoGradGuard no_grad;
  manual_seed(5);
  const Tensor shown = x.slice(0, 0, 16);
  const Tensor back = sigmoid(net.decode(net.mean(relu(net.encoder(shown)))));
  const Tensor pairs = cat({shown.slice(0, 0, 8), back.slice(0, 0, 8), shown.slice(0, 8, 16), back.slice(0, 8, 16)});
  using examples::plot::Image;
  examples::plot::draw(
      {.name = "variational_autoencoder",
       .title = "Digits through sixteen numbers",
       .shows = "Left: test digits, and under each what comes back of it. Right: digits nobody wrote, from "
                "sixteen normal numbers each.",
       .columns = 2},
      {Image{"digits, under each what comes back", sheet(pairs, 8)},
       Image{"samples", sheet(sigmoid(net.decode(randn({64, kLatent}))), 8)}});
}

int main(int argc, char** argv) {
  const bool quick = examples::quick(argc, argv);
  const examples::DigitData digits = examples::load_digits();
  const Tensor train = ink(digits.train), test = ink(digits.test);
  set_num_threads(1);
  manual_seed(1);
  VAE net;
  std::printf("%s\n", net.summary().c_str());

  const int64_t used = quick ? 12800 : train.size(0), epochs = quick ? 1 : 3;
  data::DataLoader batches(data::TensorDataset(train.slice(0, 0, used), digits.train.labels.slice(0, 0, used)),
                           {.batch_size = 128, .shuffle = true, .seed = 1});
  optim::Adam adam(net.parameters(), {.lr = 1e-3});
  const double before = elbo(net, test);
  std::printf("ELBO before training %.1f\n", before);
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (auto& [x, label] : batches) {
      const Tensor loss = net.forward(x);
      adam.zero_grad();
      loss.backward();
      adam.step();
    }
    std::printf("epoch %ld  ELBO of the test digits %.2f\n", epoch + 1, elbo(net, test));
    std::fflush(stdout);
  }

  examples::Report report;
  const std::string of = digits.mnist ? "ELBO of MNIST's test digits, nats" : "ELBO of drawn digits, nats";
  report.at_least(of, digits.mnist ? (quick ? -200 : -118) : (quick ? -290 : -240), elbo(net, test));
  draw(net, test);
  return report.exit_status();
}
