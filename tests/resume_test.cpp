// Checkpoints: a run that was interrupted and resumed has the bits of one that was not, and a kill at any moment leaves a whole file.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <thread>

#include "folder.h"
#include "message.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

bool same(const NamedTensors& a, const NamedTensors& b) {
  if (a.keys() != b.keys()) return false;
  for (const auto& [name, t] : a) {
    if (t.dtype() != b[name].dtype() || !equal(t, b[name])) return false;
  }
  return true;
}

// What users write themselves is a part like any other.
struct Decay {
  optim::Adam& optimizer;
  int64_t steps = 0;
  void step() {
    ++steps;
    for (auto& group : optimizer.param_groups()) group.set_lr(0.05 / static_cast<double>(steps));
  }
  NamedTensors state_dict() const { return {{"steps", tensor(steps)}}; }
  void load_state_dict(const NamedTensors& dict) { steps = dict["steps"].item<int64_t>(); }
};

data::TensorDataset points() {
  Generator generator(5);
  Tensor x = empty({40, 3}), y = empty({40, 1});
  fill_normal(x, 0, 1, generator);
  fill_normal(y, 0, 1, generator);
  return {x, y};
}

struct Run {
  nn::Sequential net;
  optim::Adam adam;
  Decay decay;
  data::DataLoader<data::TensorDataset> loader;
  int64_t epoch = 0;
  double last = 0;
  bool improved = false;
  std::vector<double> losses = {};
  Checkpoint checkpoint = {};

  Run()
      : net(nn::Linear(3, 16), nn::ReLU(), nn::Dropout(0.3), nn::Linear(16, 1)),
        adam(net.parameters(), {.lr = 0.05, .weight_decay = 0.01}),
        decay{adam},
        loader(points(), {.batch_size = 8, .shuffle = true, .workers = 1}) {
    checkpoint.add("model", net).add("optimizer", adam).add("scheduler", decay).add("loader", loader);
    checkpoint.add("epoch", epoch).add("last", last).add("improved", improved);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void train_to(int64_t end) {
    while (epoch < end) {
      for (auto& [x, y] : loader) {
        adam.zero_grad();
        const Tensor loss = mse_loss(net.forward(x), y);
        loss.backward();
        adam.step();
        losses.push_back(loss.item<double>());
      }
      decay.step();
      improved = losses.back() < last;
      last = losses.back();
      ++epoch;
    }
  }
};

}  // namespace

TEST_CASE("a resumed run has the bits of one that was not interrupted", "[weights]") {
  const Folder folder;
  const std::string path = folder / "run.safetensors";
  manual_seed(1);
  Run whole;
  whole.train_to(2);
  whole.checkpoint.save(path);
  whole.losses.clear();
  whole.train_to(4);
  const Generator end = default_generator();
  const uint64_t draw = end.draw();

  manual_seed(77);
  Run resumed;
  resumed.train_to(1);  // whatever was done before
  resumed.losses.clear();
  resumed.checkpoint.load(path);
  CHECK(resumed.epoch == 2);
  CHECK(default_generator().seed() == 1);
  resumed.train_to(4);
  REQUIRE(whole.losses.size() == 10);
  CHECK(resumed.losses == whole.losses);
  CHECK(same(resumed.net.state_dict(), whole.net.state_dict()));
  CHECK(same(resumed.adam.state_dict(), whole.adam.state_dict()));
  CHECK(resumed.last == whole.last);
  CHECK(resumed.improved == whole.improved);
  CHECK(resumed.decay.steps == 4);
  CHECK(default_generator().draw() == draw);

  const NamedTensors tensors = load_safetensors(path);  // readable by anything that reads the format
  CHECK(tensors.contains("model.0.weight"));
  CHECK(tensors["epoch"].item<int64_t>() == 2);
  CHECK(SafetensorsFile(path).metadata()["tapegrad.checkpoint"] == "1");
}

namespace {

// Parts that are the library's: NAdam, warm-up and decay, moving averages.
struct LongRun {
  nn::Sequential net;
  optim::NAdam nadam;
  optim::SequentialLR schedule;
  optim::ExponentialMovingAverage average;
  Tensor x, y;
  Checkpoint checkpoint = {};

  LongRun()
      : net(nn::Linear(3, 4), nn::BatchNorm1d(4), nn::Tanh(), nn::Linear(4, 1)),
        nadam(net.parameters(), {.lr = 0.05, .weight_decay = 0.01}),
        schedule(nadam, {optim::LinearLR(nadam, 0.25, 1, 3), optim::CosineAnnealingLR(nadam, 6)}, {3}),
        average(net, {.decay = 0.9, .warm_up = true}),
        x(points().data()),
        y(points().targets()) {
    checkpoint.add("model", net).add("optimizer", nadam).add("schedule", schedule).add("average", average);
  }
  LongRun(const LongRun&) = delete;
  LongRun& operator=(const LongRun&) = delete;

  void train(int epochs) {
    for (int i = 0; i < 2 * epochs; ++i) {
      nadam.zero_grad();
      mse_loss(net.forward(x), y).backward();
      nadam.step();
      average.update();
      if (i % 2 == 1) schedule.step();
    }
  }
};

}  // namespace

TEST_CASE("a resumed run has the same schedule, NAdam and moving averages", "[weights]") {
  const Folder folder;
  const std::string path = folder / "run.safetensors";
  for (const int before : {2, 5}) {  // in the warm-up, and behind it
    CAPTURE(before);
    manual_seed(1);
    LongRun whole;
    whole.train(before);
    whole.checkpoint.save(path);
    whole.train(4);
    manual_seed(2);
    LongRun fresh, other;
    other.train(3);
    for (LongRun* resumed : {&fresh, &other}) {
      resumed->checkpoint.load(path);
      resumed->train(4);
      CHECK(same(resumed->net.state_dict(), whole.net.state_dict()));
      CHECK(same(resumed->nadam.state_dict(), whole.nadam.state_dict()));
      CHECK(same(resumed->schedule.state_dict(), whole.schedule.state_dict()));
      CHECK(same(resumed->average.state_dict(), whole.average.state_dict()));
      CHECK(resumed->nadam.param_groups()[0].lr() == whole.nadam.param_groups()[0].lr());
    }
  }
}

TEST_CASE("a sampler goes on in the middle of its pass", "[weights]") {
  using namespace data::samplers;
  const auto check = [](auto first, auto second, auto other) {
    for (int i = 0; i < 5; ++i) first.next(3);  // into the second pass or to the end of the first
    first.reset();
    first.next(3);
    const NamedTensors state = first.state_dict();
    second.load_state_dict(state);
    CHECK(second.index() == 3);
    for (int i = 0; i < 3; ++i) CHECK(second.next(2) == first.next(2));
    first.reset();
    second.reset();
    CHECK(second.next(100) == first.next(100));
    const NamedTensors before = other.state_dict();
    CHECK_THAT(message_of<ValueError>([&] { other.load_state_dict(state); }),
               Contains("a sampler of as many indices, got position 3"));
    CHECK_THAT(message_of<ValueError>([&] {
                 other.load_state_dict({{"seed", ones({2})}, {"passes", tensor(1)}, {"x", tensor(1)}});
               }),
               Contains("seed of float32 [2], size missing, position missing, x unexpected"));
    CHECK(same(other.state_dict(), before));
  };
  // Before its first pass too.
  CHECK(
      message_of<ValueError>([] { RandomSampler(9, 2).load_state_dict(RandomSampler(10, 1).state_dict()); }) ==
      "load_state_dict: the state must be that of a sampler of as many indices, got position -1 of 10 for one that gives 9");
  RandomSampler begun(10, 2), fresh(10, 1);
  begun.next(3);
  begun.load_state_dict(fresh.state_dict());
  CHECK(begun.next(10) == fresh.next(10));
  check(RandomSampler(10, 1), RandomSampler(10, 2), RandomSampler(9, 2));
  check(SubsetRandomSampler({3, 1, 4, 1, 5, 9}, 1), SubsetRandomSampler({3, 1, 4, 1, 5, 9}, 7),
        SubsetRandomSampler({3}, 7));
  const std::vector<double> weights{1, 2, 3, 0, 5};
  check(WeightedRandomSampler(weights, 9, true, 1), WeightedRandomSampler(weights, 9, true, 2),
        WeightedRandomSampler(weights, 8, true, 2));
  check(DistributedSampler(19, {.num_replicas = 2, .rank = 1, .seed = 1}),
        DistributedSampler(19, {.num_replicas = 2, .rank = 1, .seed = 2}),
        DistributedSampler(19, {.num_replicas = 2, .rank = 1, .seed = 2, .drop_last = true}));
}

TEST_CASE("a checkpoint that does not fit changes nothing", "[weights]") {
  const Folder folder;
  const std::string path = folder / "run.safetensors";
  manual_seed(1);
  Run run;
  run.train_to(1);
  run.checkpoint.save(path);
  const std::string before = bytes_in(path);
  run.train_to(2);
  const auto refused = [&](const auto& load) {
    run.checkpoint.save(folder / "here");
    const std::string here = bytes_in(folder / "here");
    const std::string text = message_of<Error>(load);
    run.checkpoint.save(folder / "here");
    CHECK(bytes_in(folder / "here") == here);
    return text;
  };
  const auto changed = [&](const std::function<void(NamedTensors&, Metadata&)>& change) {
    const SafetensorsFile file(path);
    NamedTensors tensors = file.tensors();
    Metadata metadata = file.metadata();
    change(tensors, metadata);
    save_safetensors(folder / "changed", tensors, metadata);
    return refused([&] { run.checkpoint.load(folder / "changed"); });
  };
  CHECK_THAT(changed([](NamedTensors&, Metadata& m) { m = {}; }),
             Contains("it must be a checkpoint, got a safetensors file of another kind"));
  CHECK_THAT(changed([](NamedTensors&, Metadata& m) { m["tapegrad.checkpoint"] = "2"; }),
             Contains("the format must be 1, got \"2\""));
  CHECK_THAT(changed([](NamedTensors& t, Metadata&) {
               t.erase("epoch");
               t.erase("scheduler.steps");
               t.insert("ema.x", ones({1}));
             }),
             Contains("got missing parts: scheduler, epoch; unexpected parts: ema"));
  CHECK_THAT(changed([](NamedTensors& t, Metadata&) { t["model.0.weight"] = t["model.0.weight"].to(kFloat64); }),
             Contains("dtypes that differ: model.0.weight is float32 here and float64 there"));
  CHECK_THAT(changed([](NamedTensors& t, Metadata&) { t.erase("model.3.bias"); }),
             Contains("model: load_state_dict: the dict must fit Sequential, got missing keys: 3.bias"));
  // The model fits, and is put back when the parts behind it do not.
  CHECK_THAT(changed([](NamedTensors& t, Metadata&) { t.erase("optimizer.state.1.step"); }),
             Contains("optimizer: load_state_dict: the dict must fit this Adam"));
  CHECK_THAT(changed([](NamedTensors& t, Metadata&) {
               t["epoch"] = tensor({1, 2});
             }),
             Contains("epoch: a count must be one tensor of int64 [], got int64 [2]"));
  CHECK_THAT(changed([](NamedTensors& t, Metadata&) { t["improved"] = tensor(2); }),
             Contains("improved: a count must fit its variable, got 2"));
  CHECK_THAT(changed([](NamedTensors& t, Metadata&) { t["generator"] = tensor({1}); }),
             Contains("generator: a generator must be one tensor of int64 [2]"));
  CHECK_THAT(refused([&] { run.checkpoint.load(folder / "none"); }), Contains("cannot open"));
  CHECK_THAT(refused([&] { run.checkpoint.save(folder / "none/x"); }), Contains("No such file or directory"));
  folder.write("cut", before.substr(0, before.size() - 1));
  CHECK_THAT(refused([&] { run.checkpoint.load(folder / "cut"); }), Contains("truncated?"));
  CHECK(bytes_in(path) == before);
  for (const char* name : {"", "a.b", "model"})
    CHECK_THAT(message_of<ValueError>([&] { run.checkpoint.add(name, run.net); }),
               Contains("got \"" + std::string(name) + "\""));
}

TEST_CASE("a checkpoint that does not fit takes away again what an optimizer did not keep before", "[weights]") {
  const Folder folder;
  nn::Linear there(3, 2), here(3, 2);
  optim::SGD with(there.parameters(), {.lr = 0.1, .momentum = 0.9}), without(here.parameters(), {.lr = 0.2});
  int64_t large = 300;
  int8_t small = 3;
  Checkpoint saved, loaded;
  saved.add("model", there).add("optimizer", with).add("count", large);
  loaded.add("model", here).add("optimizer", without).add("count", small);
  saved.save(folder / "there");
  loaded.save(folder / "before");
  CHECK_THAT(message_of<ValueError>([&] { loaded.load(folder / "there"); }),
             Contains("count: a count must fit its variable, got 300"));
  loaded.save(folder / "after");
  CHECK(bytes_in(folder / "after") == bytes_in(folder / "before"));
}

namespace {

// Saves, one version after the other, until it is killed.
[[noreturn]] void save_for_ever(const std::string& path, int kind) try {
  for (int64_t version = 0;; ++version) {
    const Tensor a = filled_tensor({20000}, kInt64, version),
                 b = filled_tensor({50, 50}, kFloat32, static_cast<double>(version));
    if (kind == 0) save_safetensors(path, {{"a", a}, {"b", b}}, {{"version", std::to_string(version)}});
    else if (kind == 1) save_npz(path, {{"a", a}, {"b", b}});
    else save_npy(path, a);
  }
} catch (...) { ::_exit(1); }

// The one version that all of the file belongs to, or -1.
int64_t version_in(const std::string& path, int kind) {
  const NamedTensors all = kind == 0   ? load_safetensors(path)
                           : kind == 1 ? load_npz(path)
                                       : NamedTensors{{"a", load_npy(path)}};
  const Tensor& a = all["a"];
  const auto version = a[0].item<int64_t>();
  bool one = equal(a, filled_tensor({20000}, kInt64, version));
  if (kind != 2) one = one && equal(all["b"], filled_tensor({50, 50}, kFloat32, static_cast<double>(version)));
  if (kind == 0) one = one && SafetensorsFile(path).metadata()["version"] == std::to_string(version);
  return one ? version : -1;
}

}  // namespace

TEST_CASE("a kill at any moment leaves the old file or the new one", "[weights]") {
  // Where no disk has to be waited for, if there is such a place: a kill leaves what the system has of a file, on disk or not.
  const bool in_memory = std::filesystem::is_directory("/dev/shm");
  const Folder folder(in_memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path());
  std::mt19937 random(1);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) save_npy(folder / "timed", filled_tensor({20000}, kInt64, i));
  const auto saves = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);
  int versions = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string path = folder / ("file" + std::to_string(i % 3));
    if (i < 3) {  // a first version, so that there always is one
      const Tensor a = filled_tensor({20000}, kInt64, 0), b = zeros({50, 50});
      if (i == 0) save_safetensors(path, {{"a", a}, {"b", b}}, {{"version", "0"}});
      else if (i == 1) save_npz(path, {{"a", a}, {"b", b}});
      else save_npy(path, a);
    }
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) save_for_ever(path, i % 3);
    std::this_thread::sleep_for((saves + std::chrono::milliseconds(3)) * static_cast<int>(random() % 1000) / 1000);
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    const int64_t version = version_in(path, i % 3);
    CHECK(version >= 0);
    versions += version > 0;
  }
  // Most were killed behind the first save of their own, and some in the middle of one, which leaves what it had written so far.
  CHECK(versions > 20);
  CHECK(folder.files() > 4 + 20);
}
