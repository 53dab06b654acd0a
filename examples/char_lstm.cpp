// An LSTM learns a language character by character. The program writes the text itself, by a grammar in which every choice has
// a known probability, so it knows what the best possible loss is: the entropy of the choices made.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "common/report.h"

using namespace tapegrad;

constexpr int64_t kStreams = 32, kWindow = 40;

// Sentences whose verbs agree with their nouns, also across what stands between the two:
//   the old cats that the dog sees run.
class Writer {
 public:
  explicit Writer(uint32_t seed) : random_(seed) {}
  void sentence() {
    const bool plural = noun_phrase(2);
    text += ' ';
    text += choose({"sleep", "run", "laugh", "sing"});
    text += plural ? ".\n" : "s.\n";
  }
  std::string text;
  double nats = 0;  // -ln of the probability of the text: every text comes about in one way only

 private:
  // One of them, all equally likely.
  const char* choose(const std::vector<const char*>& words) {
    nats += std::log(static_cast<double>(words.size()));
    return words[random_() % words.size()];
  }
  bool maybe(double p) {
    const bool yes = static_cast<double>(random_()) < p * 0x1p32;
    nats -= std::log(yes ? p : 1 - p);
    return yes;
  }
  // "the [adjective] noun [that noun-phrase verb]", nested at most `depth` times; whether the noun is plural
  bool noun_phrase(int depth) {
    text += "the ";
    if (maybe(0.3)) text += choose({"old ", "small ", "grey "});
    text += choose({"cat", "dog", "bird", "friend", "king"});
    const bool plural = maybe(0.4);
    if (plural) text += 's';
    if (depth == 0 || !maybe(0.3)) return plural;
    text += " that ";
    const bool inner_plural = noun_phrase(depth - 1);
    text += choose({" see", " know", " like"});
    if (!inner_plural) text += 's';
    return plural;
  }

  std::mt19937 random_;
};

Writer written(uint32_t seed, int64_t characters) {
  Writer writer(seed);
  while (static_cast<int64_t>(writer.text.size()) < characters) writer.sentence();
  return writer;
}

const std::string alphabet = "\n .abcdefghijklmnopqrstuvwxyz";

Tensor numbered(const std::string& text) {
  Tensor numbers = empty({static_cast<int64_t>(text.size())}, kInt64);
  std::transform(text.begin(), text.end(), numbers.data_ptr<int64_t>(),
                 [](char c) { return static_cast<int64_t>(alphabet.find(c)); });
  return numbers;
}

struct Net : nn::Module {
  nn::Embedding characters = register_module("characters", nn::Embedding(std::ssize(alphabet), 16));
  nn::LSTM lstm = register_module("lstm", nn::LSTM(16, 128, {.batch_first = true}));
  nn::Linear head = register_module("head", nn::Linear(128, std::ssize(alphabet)));

  using State = std::tuple<Tensor, Tensor>;
  State start(int64_t n) { return {zeros({1, n, 128}), zeros({1, n, 128})}; }
  // Scores of the next character behind every one of x [N, T]; the state goes on to where x ends.
  Tensor forward(const Tensor& x, State& state) {
    Tensor hidden;
    std::tie(hidden, state) = lstm(characters(x), state);
    return head(hidden);
  }
};

Tensor loss_of(Net& net, const Tensor& text, Net::State& state) {
  return cross_entropy(net.forward(text.slice(1, 0, -1), state).flatten(0, 1), text.slice(1, 1).flatten());
}

void train(Net& net, const Tensor& text, int64_t steps) {
  optim::Adam adam(net.parameters());
  optim::OneCycleLR schedule(adam, 1e-2, {.total_steps = steps, .cycle_momentum = false});
  adam.set_max_grad_norm(1);
  // Streams side by side, each in windows one after the other, whose state is kept and whose gradients end at its edge.
  const Tensor streams = text.slice(0, 0, text.size(0) / kStreams * kStreams).view({kStreams, -1});
  Net::State state = net.start(kStreams);
  for (int64_t step = 0, at = 0; step < steps; ++step, at += kWindow) {
    if (at + kWindow >= streams.size(1)) at = 0, state = net.start(kStreams);
    state = {std::get<0>(state).detach(), std::get<1>(state).detach()};
    const Tensor loss = loss_of(net, streams.slice(1, at, at + kWindow + 1), state);
    adam.zero_grad();
    loss.backward();
    adam.step();
    schedule.step();
    if ((step + 1) % 200 == 0)
      std::printf("step %4ld  loss %.4f\n", step + 1, loss.item<double>()), std::fflush(stdout);
  }
}

std::string sampled(Net& net, int64_t characters) {
  std::string text = "\n";
  Net::State state = net.start(1);
  net.forward(numbered("\nthe cat sleeps.").unsqueeze(0), state);  // a sentence to begin behind
  for (int64_t i = 0; i < characters; ++i) {
    const Tensor scores = net.forward(numbered(text.substr(text.size() - 1)).unsqueeze(0), state);
    text += alphabet[static_cast<size_t>(multinomial(softmax(scores[0][0], 0), 1).item<int64_t>())];
  }
  return text.substr(1, text.rfind('\n'));
}

int main(int argc, char** argv) {
  const bool quick = examples::quick(argc, argv);
  set_num_threads(1);
  manual_seed(1);
  const int64_t steps = quick ? 400 : 2000;
  const Writer training = written(1, (steps + 1) * kStreams * kWindow), unseen = written(2, 20000);
  Net net;
  train(net, numbered(training.text), steps);

  NoGradGuard no_grad;
  std::printf("\nwhat it writes:\n%s\n", sampled(net, 400).c_str());
  Net::State state = net.start(1);
  const double loss = loss_of(net, numbered("\n" + unseen.text).unsqueeze(0), state).item<double>();
  const double entropy = unseen.nats / static_cast<double>(unseen.text.size());
  std::printf("text that it has never seen: %.4f nats a character in the choices of the grammar, %.4f to the network\n",
              entropy, loss);
  examples::Report report;
  report.at_most("loss per character, above the entropy by the share", quick ? 0.2 : 0.05, loss / entropy - 1);
  return report.exit_status();
}
