// T13, "Neural program learning from input-output examples": an LSTM reads a string of digits and another one writes what
// a program makes of it. Nobody tells them the program; they see examples.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/plot.h"
#include "common/report.h"

using namespace tapegrad;

constexpr int64_t kLongest = 10, kLength = kLongest + 1;   // the stop is read and written too
constexpr int64_t kStop = 10, kStart = 11, kSymbols = 12;  // beside the ten digits
constexpr int64_t kTrain = 40000, kUnseen = 1000, kBatch = 100;

using StringProgram = std::function<std::string(std::string)>;

// Distinct strings of one to ten digits in a random order, so that any two parts of the list have none in common.
std::vector<std::string> distinct_strings(int64_t count) {
  std::mt19937 random(1);
  std::set<std::string> seen;
  std::vector<std::string> strings;
  while (static_cast<int64_t>(strings.size()) < count) {
    std::string s(1 + random() % kLongest, '0');
    for (char& c : s) c = static_cast<char>('0' + random() % 10);
    if (seen.insert(s).second) strings.push_back(s);
  }
  std::shuffle(strings.begin(), strings.end(), random);  // the short ones came first, since there are few
  return strings;
}

// [count, kLength]: symbols, then stops up to the end.
Tensor encoded(const std::vector<std::string>& strings) {
  Tensor symbols = full({static_cast<int64_t>(strings.size()), kLength}, kStop);
  int64_t* row = symbols.data_ptr<int64_t>();
  for (const std::string& s : strings) {
    std::transform(s.begin(), s.end(), row, [](char c) { return c - '0'; });
    row += kLength;
  }
  return symbols;
}

std::string decoded(const Tensor& symbols) {
  std::string s;
  for (int64_t i = 0; i < symbols.size(0); ++i) {
    const auto symbol = symbols[i].item<int64_t>();
    if (symbol == kStop) break;
    s += symbol < 10 ? static_cast<char>('0' + symbol) : '?';
  }
  return s;
}

struct Net : nn::Module {
  nn::Embedding symbols = register_module("symbols", nn::Embedding(kSymbols, 32));
  nn::LSTM encoder = register_module("encoder", nn::LSTM(32, 128, {.batch_first = true}));
  nn::LSTM decoder = register_module("decoder", nn::LSTM(32, 128, {.batch_first = true}));
  nn::Linear head = register_module("head", nn::Linear(128, kSymbols));

  using State = std::tuple<Tensor, Tensor>;
  // All that the decoder learns of the string is the state in which the encoder ends.
  State read(const Tensor& in) { return std::get<1>(encoder(symbols(in))); }

  // Scores [N, kLength, kSymbols] of every next symbol where the ones before it are right: the whole answer at once.
  Tensor forward(const Tensor& in, const Tensor& out) {
    const Tensor before = cat({full({out.size(0), 1}, kStart), out.slice(1, 0, -1)}, 1);
    return head(std::get<0>(decoder(symbols(before), read(in))));
  }
  // What it writes when each symbol follows those it wrote itself.
  Tensor write(const Tensor& in) {
    NoGradGuard no_grad;
    State state = read(in);
    Tensor symbol = full({in.size(0), 1}, kStart), hidden;
    std::vector<Tensor> written;
    for (int64_t t = 0; t < kLength; ++t) {
      std::tie(hidden, state) = decoder(symbols(symbol), state);
      written.push_back(symbol = argmax(head(hidden), 2));
    }
    return cat(written, 1);
  }
};

// The share of strings that come out right, every symbol and the end included.
double exactly_right(Net& net, const Tensor& in, const Tensor& out) {
  return all(net.write(in) == out, {1}).to(kFloat64).mean().item<double>();
}

struct Lesson {
  Tensor steps, right;  // on unseen strings, along the way
  double final_share;
};

Lesson learn(const char* name, const StringProgram& program, const std::vector<std::string>& strings, int64_t steps) {
  std::vector<std::string> answers;
  for (const std::string& s : strings) answers.push_back(program(s));
  const Tensor in = encoded(strings), out = encoded(answers);
  const Tensor unseen_in = in.slice(0, kTrain), unseen_out = out.slice(0, kTrain);

  manual_seed(1);
  Net net;
  optim::Adam adam(net.parameters());
  optim::OneCycleLR schedule(adam, 5e-3, {.total_steps = steps, .cycle_momentum = false});
  adam.set_max_grad_norm(1);
  data::DataLoader batches(data::TensorDataset(in.slice(0, 0, kTrain), out.slice(0, 0, kTrain)),
                           {.batch_size = kBatch, .shuffle = true, .seed = 1});
  std::vector<double> at, right;
  for (int64_t step = 0; step < steps;)
    for (auto [question, answer] : batches) {
      if (step == steps) break;
      const Tensor loss = cross_entropy(net.forward(question, answer).flatten(0, 1), answer.flatten());
      adam.zero_grad();
      loss.backward();
      adam.step();
      schedule.step();
      if (++step % 100 && step != steps) continue;
      at.push_back(static_cast<double>(step));
      right.push_back(exactly_right(net, unseen_in, unseen_out));
      std::printf("%s, step %4ld  loss %.4f  unseen strings exactly right %.3f\n", name, step, loss.item<double>(),
                  right.back());
      std::fflush(stdout);
    }
  const Tensor written = net.write(unseen_in.slice(0, 0, 5));
  for (int64_t i = 0; i < 5; ++i)
    std::printf("%s: %s -> %s\n", name, strings[static_cast<size_t>(kTrain + i)].c_str(), decoded(written[i]).c_str());
  return {tensor(at), tensor(right), right.back()};
}

int main(int argc, char** argv) {
  const bool quick = examples::quick(argc, argv);
  set_num_threads(1);
  const std::vector<std::string> strings = distinct_strings(kTrain + kUnseen);
  const auto reverse = [](std::string s) { return std::string(s.rbegin(), s.rend()); };
  const auto sort = [](std::string s) { return std::sort(s.begin(), s.end()), s; };

  examples::Report report;
  const Lesson reversing = learn("reverse", reverse, strings, quick ? 400 : 2000);
  const Lesson sorting = learn("sort", sort, strings, quick ? 400 : 2000);
  examples::plot::draw({.name = "t13_learning",
                        .title = "Programs learned from examples",
                        .shows = "The share of strings never seen in training that come out exactly right, while an "
                                 "encoder-decoder learns to reverse and another one to sort."},
                       {examples::plot::Curves{.x_label = "step",
                                               .y_label = "unseen strings exactly right",
                                               .curves = {{"reverse", reversing.steps, reversing.right},
                                                          {"sort", sorting.steps, sorting.right}},
                                               .y_range = "0:1",
                                               .key = "bottom right"}});
  report.at_least("unseen strings reversed exactly", quick ? 0.6 : 0.95, reversing.final_share);
  report.at_least("unseen strings sorted exactly", quick ? 0.6 : 0.95, sorting.final_share);
  return report.exit_status();
}
