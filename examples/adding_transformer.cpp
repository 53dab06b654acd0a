// A small transformer learns to add. It sees sums as strings, "347+085=????", and every digit of the answer at once; what a
// carry is it must find out.
#include <cstdio>

#include "common/report.h"

using namespace tapegrad;

constexpr int64_t kDigits = 3, kNumbers = 1000;                          // below 10^3
constexpr int64_t kPlus = 10, kEquals = 11, kBlank = 12, kSymbols = 13;  // beside the ten digits
constexpr int64_t kAnswer = kDigits + 1, kLength = 2 * kDigits + 2 + kAnswer;
constexpr int64_t kWidth = 64, kBatch = 128, kUnseen = 2000;

// n / by, rounded down.
Tensor quotient(const Tensor& n, int64_t by) { return ((n - remainder(n, by)) / by).to(kInt64); }

// The last `count` decimal digits of each of n, the highest first: [N, count].
Tensor digits(const Tensor& n, int64_t count) {
  std::vector<Tensor> columns;
  for (int64_t i = 0, power = 1; i < count; ++i, power *= 10)
    columns.insert(columns.begin(), remainder(quotient(n, power), 10));
  return stack(columns, 1);
}

// "a+b=????" for pairs numbered 1000 a + b.
Tensor questions(const Tensor& pairs) {
  const auto sign = [&](int64_t symbol, int64_t times) { return full({pairs.size(0), times}, symbol); };
  return cat({digits(quotient(pairs, kNumbers), kDigits), sign(kPlus, 1), digits(remainder(pairs, kNumbers), kDigits),
              sign(kEquals, 1), sign(kBlank, kAnswer)},
             1);
}
Tensor answers(const Tensor& pairs) { return digits(quotient(pairs, kNumbers) + remainder(pairs, kNumbers), kAnswer); }

struct Net : nn::Module {
  nn::Embedding symbols = register_module("symbols", nn::Embedding(kSymbols, kWidth));
  nn::Embedding places = register_module("places", nn::Embedding(kLength, kWidth));
  nn::TransformerEncoderLayer layer1 = register_module("layer1", encoder_layer());
  nn::TransformerEncoderLayer layer2 = register_module("layer2", encoder_layer());
  nn::Linear head = register_module("head", nn::Linear(kWidth, 10));

  static nn::TransformerEncoderLayer encoder_layer() {
    return nn::TransformerEncoderLayer(
        kWidth, 4, {.dim_feedforward = 2 * kWidth, .dropout = 0, .batch_first = true, .norm_first = true});
  }
  // Scores of the ten digits for each place of the answer, [N, kAnswer, 10].
  Tensor forward(const Tensor& questions) {
    const Tensor x = symbols(questions) + places(arange(kLength));
    return head(layer2(layer1(x)).slice(1, -kAnswer));
  }
};

double exactly_right(Net& net, const Tensor& pairs) {
  NoGradGuard no_grad;
  return all(argmax(net.forward(questions(pairs)), 2) == answers(pairs), {1}).to(kFloat64).mean().item<double>();
}

int main(int argc, char** argv) {
  const bool quick = examples::quick(argc, argv);
  set_num_threads(1);
  manual_seed(1);
  // All pairs in a random order: the first are kept for the end, training draws from the others.
  const Tensor pairs = randperm(kNumbers * kNumbers), unseen = pairs.slice(0, 0, kUnseen);
  const int64_t steps = quick ? 400 : 2000;
  Net net;
  std::printf("%s\n", net.summary().c_str());
  optim::Adam adam(net.parameters());
  optim::OneCycleLR schedule(adam, 3e-3, {.total_steps = steps, .cycle_momentum = false});
  for (int64_t step = 1; step <= steps; ++step) {
    const Tensor batch = pairs.slice(0, kUnseen + (step - 1) * kBatch, kUnseen + step * kBatch);
    const Tensor loss = cross_entropy(net.forward(questions(batch)).flatten(0, 1), answers(batch).flatten());
    adam.zero_grad();
    loss.backward();
    adam.step();
    schedule.step();
    if (step % 200) continue;
    std::printf("step %4ld  loss %.4f  unseen sums exactly right %.3f\n", step, loss.item<double>(),
                exactly_right(net, unseen));
    std::fflush(stdout);
  }
  NoGradGuard no_grad;
  const Tensor some = unseen.slice(0, 0, 5), written = argmax(net.forward(questions(some)), 2);
  for (int64_t i = 0; i < some.size(0); ++i) {
    const int64_t pair = some[i].item<int64_t>();
    const int64_t sum = (written[i] * tensor({1000, 100, 10, 1})).sum().item<int64_t>();
    std::printf("%ld + %ld = %ld\n", pair / kNumbers, pair % kNumbers, sum);
  }
  examples::Report report;
  report.at_least("unseen sums exactly right", quick ? 0.3 : 0.95, exactly_right(net, unseen));
  return report.exit_status();
}
