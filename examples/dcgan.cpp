// A generator of digits and its critic, in the shape of Radford et al., "Unsupervised representation learning with deep
// convolutional generative adversarial networks" (2016), narrow enough for half a minute.
#include <cstdio>

#include "common/data.h"
#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

constexpr int64_t kNoise = 32, kBatch = 64;

// Noise [N, 32, 1, 1] to images [N, 1, 28, 28] in (-1, 1).
nn::Sequential generator() {
  return nn::Sequential(nn::ConvTranspose2d(kNoise, 64, {.kernel_size = 7, .bias = false}), nn::BatchNorm2d(64),
                        nn::ReLU(),  // 7x7
                        nn::ConvTranspose2d(64, 32, {.kernel_size = 4, .stride = 2, .padding = 1, .bias = false}),
                        nn::BatchNorm2d(32), nn::ReLU(),  // 14x14
                        nn::ConvTranspose2d(32, 1, {.kernel_size = 4, .stride = 2, .padding = 1}), nn::Tanh());
}

// Images to one score each: above 0 for "real".
nn::Sequential critic() {
  const nn::LeakyReLU leaky({.negative_slope = 0.2});
  return nn::Sequential(nn::Conv2d(1, 16, {.kernel_size = 4, .stride = 2, .padding = 1}), leaky.clone(),  // 14x14
                        nn::Conv2d(16, 32, {.kernel_size = 4, .stride = 2, .padding = 1, .bias = false}),
                        nn::BatchNorm2d(32), leaky.clone(),  // 7x7
                        nn::Conv2d(32, 1, {.kernel_size = 7}), nn::Flatten());
}

// As DCGAN starts: weights of convolutions normal with deviation 0.02.
void initialise(nn::Sequential& net) {
  NoGradGuard no_grad;
  for (auto& [name, p] : net.named_parameters())
    if (p.dim() == 4) p.normal_(0, 0.02);
}

// A plain reader of digits, for judging.
nn::Sequential reader(const Tensor& images, const Tensor& labels) {
  nn::Sequential net(nn::Flatten(), nn::Linear(784, 100), nn::ReLU(), nn::Linear(100, 10));
  optim::Adam adam(net.parameters(), {.lr = 2e-3});
  data::DataLoader batches(data::TensorDataset(images, labels), {.batch_size = 64, .shuffle = true, .seed = 1});
  for (int epoch = 0; epoch < 2; ++epoch)
    for (auto [x, y] : batches) {
      adam.zero_grad();
      cross_entropy(net(x), y).backward();
      adam.step();
    }
  return net;
}

// Salimans et al., "Improved techniques for training GANs" (2016), with digits for classes: e to the mean divergence of a
// sample's probabilities from those of all samples. 10 where each sample is read without doubt and all digits are as
// frequent; 1 where the reader learns nothing, or where there is only one sort of image.
double score(nn::Sequential& reader, const Tensor& images) {
  const Tensor logits = log_softmax(reader(images), 1), p = exp(logits);
  return exp((p * (logits - log(p.mean(0)))).sum(1).mean()).item<double>();
}

Tensor real_or_not(const Tensor& scores, double target) {
  return binary_cross_entropy_with_logits(scores, full_like(scores, target));
}

void train(nn::Sequential& generate, nn::Sequential& judge, const Tensor& images, int64_t steps) {
  optim::Adam generator_adam(generate.parameters(), {.lr = 2e-3, .betas = {0.5, 0.999}});
  optim::Adam critic_adam(judge.parameters(), {.lr = 2e-3, .betas = {0.5, 0.999}});
  data::DataLoader batches(data::TensorDataset(images, images),
                           {.batch_size = kBatch, .shuffle = true, .seed = 1, .drop_last = true});
  for (int64_t step = 0; step < steps;)
    for (auto [real, unused] : batches) {
      if (step++ == steps) return;
      const Tensor fake = generate(randn({kBatch, kNoise, 1, 1}));
      // The critic learns to tell them apart; 0.9 for "real" keeps it from being too sure of itself.
      const Tensor critic_loss = real_or_not(judge(real), 0.9) + real_or_not(judge(fake.detach()), 0);
      critic_adam.zero_grad();
      critic_loss.backward();
      critic_adam.step();
      // The generator learns to have its images taken for real.
      const Tensor generator_loss = real_or_not(judge(fake), 1);
      generator_adam.zero_grad();
      generator_loss.backward();
      generator_adam.step();
      if (step % 200) continue;
      std::printf("step %4ld  critic's loss %.3f  generator's loss %.3f\n", step, critic_loss.item<double>(),
                  generator_loss.item<double>());
      std::fflush(stdout);
    }
}

int main(int argc, char** argv) {
  const bool quick = examples::quick(argc, argv);
  const examples::DigitData digits = examples::load_digits();
  const Tensor low = digits.train.images.min(), range = digits.train.images.max() - low;
  // to [-1, 1], where tanh ends
  const auto scaled = [&](const Tensor& images) { return 2 * (images - low) / range - 1; };
  const Tensor real = scaled(digits.train.images), test = scaled(digits.test.images);

  set_num_threads(1);
  manual_seed(1);
  nn::Sequential reads = reader(real, digits.train.labels), generate = generator(), judge = critic();
  initialise(generate), initialise(judge);
  const Tensor noise = randn({1000, kNoise, 1, 1});
  const auto samples = [&] {
    NoGradGuard no_grad;
    return generate(noise);
  };
  const Tensor before = samples();
  std::printf("%s\n%s\n", generate.summary().c_str(), judge.summary().c_str());
  train(generate, judge, real, quick ? 200 : 1200);
  generate.eval();
  const Tensor after = samples();

  examples::plot::draw({.name = "dcgan",
                        .title = "Digits that nobody wrote",
                        .shows = "What the generator makes of the same noise before and after training.",
                        .columns = 2},
                       {examples::plot::tiles("before", before.slice(0, 0, 64).squeeze(1), 8),
                        examples::plot::tiles("after", after.slice(0, 0, 64).squeeze(1), 8)});
  NoGradGuard no_grad;
  const double of_real = score(reads, test), reached = score(reads, after);
  std::printf("score of 10: real digits %.2f, generated ones %.2f, and %.2f before training\n", of_real, reached,
              score(reads, before));
  examples::Report report;
  report.at_least("score of generated digits, of that of real ones", quick ? 0.35 : 0.55, reached / of_real);
  return report.exit_status();
}
