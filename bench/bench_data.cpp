// What loading costs: a batch of 64 out of 60000 x 1 x 28 x 28 images, in order and shuffled, in the caller and by workers, beside
// the training step of 784-300-100-10 (SGD, batch 64) that uses it up. loads_per_step is how many batches are loaded in the time
// of one step, which is timed before.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "google_rows.h"
#include "tapegrad/tapegrad.h"

namespace {

using namespace tapegrad;
using benchmark::State;

constexpr int64_t kImages = 60000, kBatch = 64;

const data::TensorDataset& images() {
  static const data::TensorDataset set(rand({kImages, 1, 28, 28}), randint(10, {kImages}));
  return set;
}

struct Net : nn::Module {
  nn::Linear fc1 = register_module("fc1", nn::Linear(784, 300));
  nn::Linear fc2 = register_module("fc2", nn::Linear(300, 100));
  nn::Linear fc3 = register_module("fc3", nn::Linear(100, 10));
  Tensor forward(const Tensor& x) { return fc3(relu(fc2(relu(fc1(x.flatten(1)))))); }
};

class Training {
 public:
  void step(const data::Example<>& batch) {
    optimizer_.zero_grad();
    cross_entropy(net_.forward(batch.data), batch.target).backward();
    optimizer_.step();
  }

 private:
  Net net_;
  optim::SGD optimizer_{net_.parameters(), {.lr = 0.01}};
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Seconds of one step on a batch that is there, the least of several rounds.
double step_time() {
  static const double time = [] {
    Training training;
    const data::Example<> batch = images().get_batch(std::vector<int64_t>(kBatch, 5));
    double best = 1;
    for (int round = 0; round < 10; ++round) {
      const double start = now();
      for (int i = 0; i < 50; ++i) training.step(batch);
      best = std::min(best, (now() - start) / 50);
    }
    return best;
  }();
  return time;
}

void training_step(State& state) {
  Training training;
  const data::Example<> batch = images().get_batch(std::vector<int64_t>(kBatch, 5));
  for (auto _ : state) training.step(batch);
}
BENCHMARK(training_step)->UseRealTime();

// An iteration is one batch; passes begin anew as they end, and their beginning is part of it.
template <class Dataset, class Use>
void load(State& state, const Dataset& set, const data::DataLoaderOptions& options, const Use& use) {
  data::DataLoader loader(set, options);
  auto it = loader.begin();
  const double step = step_time(), start = now();
  for (auto _ : state) {
    if (it == loader.end()) it = loader.begin();
    use(*it);
    ++it;
  }
  const double batch_time = (now() - start) / static_cast<double>(state.iterations());
  state.counters["images_per_second"] = kBatch / batch_time;
  state.counters["loads_per_step"] = step / batch_time;
}

data::DataLoaderOptions options_of(const State& state) {
  return {.batch_size = kBatch, .shuffle = state.range(0) != 0, .seed = 1, .workers = state.range(1)};
}

void batches(State& state) {
  load(state, images(), options_of(state), [](auto& batch) { benchmark::DoNotOptimize(batch.data.data_ptr()); });
}
BENCHMARK(batches)->ArgNames({"shuffled", "workers"})->ArgsProduct({{0, 1}, {0, 2}})->UseRealTime();

void batches_normalized(State& state) {
  load(state, images().map(data::transforms::Normalize<>(0.1307, 0.3081)), options_of(state),
       [](auto& batch) { benchmark::DoNotOptimize(batch.data.data_ptr()); });
}
BENCHMARK(batches_normalized)->ArgNames({"shuffled", "workers"})->ArgsProduct({{1}, {0, 2}})->UseRealTime();

// One get and one call after the other, as for a data set or a transform of one's own.
void batches_one_by_one(State& state) {
  load(state, images().map([](data::Example<> e) { return data::Example<>(e.data * 2, e.target); }), options_of(state),
       [](auto& batch) { benchmark::DoNotOptimize(batch.data.data_ptr()); });
}
BENCHMARK(batches_one_by_one)->ArgNames({"shuffled", "workers"})->ArgsProduct({{1}, {0, 2}})->UseRealTime();

// Loading and the step together, to be compared with training_step.
void training_loop(State& state) {
  Training training;
  load(state, images(), options_of(state), [&](auto& batch) { training.step(batch); });
}
BENCHMARK(training_loop)->ArgNames({"shuffled", "workers"})->ArgsProduct({{1}, {0, 2}})->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  tapegrad::set_num_threads(1);
  return bench::run_google("data", argc, argv);
}
