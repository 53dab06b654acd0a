// Loaders: the same batches from any number of workers, samplers, and what comes in which form.
#include <tapegrad/tapegrad.h>

#include <algorithm>

#include "message.h"

using namespace tapegrad;
namespace samplers = data::samplers;
namespace transforms = data::transforms;

namespace {

using Example = data::Example<>;
using Indices = std::vector<int64_t>;

data::TensorDataset rows(int64_t n) { return {(arange(n) * 2).unsqueeze(1).expand({n, 3}), arange(n)}; }

struct Numbers : data::Dataset<Numbers> {
  int64_t size() const { return 40; }
  Example get(int64_t i) const { return {full({2}, i, kFloat32), tensor(i)}; }
};

template <class Loader> std::vector<Example> pass(Loader& loader) {
  std::vector<Example> out;
  for (auto& batch : loader) out.push_back(batch);
  return out;
}

bool same(const std::vector<Example>& a, const std::vector<Example>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Example& x, const Example& y) {
    return equal(x.data, y.data) && equal(x.target, y.target);
  });
}

template <class Loader> Indices targets(Loader& loader) {
  Indices out;
  for (auto& [x, y] : loader) {
    for (int64_t i = 0; i < y.size(0); ++i) out.push_back(y[i].template item<int64_t>());
  }
  return out;
}

}  // namespace

TEST_CASE("a loader gives the same batches with any number of workers", "[data]") {
  const auto check = [](const auto& set) {
    for (const bool shuffle : {false, true}) {
      data::DataLoader alone(set, {.batch_size = 7, .shuffle = shuffle, .seed = 3});
      const std::vector<std::vector<Example>> passes = {pass(alone), pass(alone), pass(alone)};
      CHECK(same(passes[0], passes[1]) == !shuffle);
      for (const int64_t workers : {1, 2, 5}) {
        INFO(workers << " workers");
        data::DataLoader loader(set, {.batch_size = 7, .shuffle = shuffle, .seed = 3, .workers = workers});
        for (const auto& expected : passes) CHECK(same(pass(loader), expected));
      }
    }
  };
  check(rows(40));
  check(Numbers());
  check(Numbers().map(transforms::Stack<>()));
}

TEST_CASE("random transforms draw the same with any number of workers and any batch size", "[data]") {
  const auto set =
      Numbers().map([](const Example& e) { return Example(e.data + rand({2}), e.target); }).map([](const Example& e) {
        return Example(cat({e.data, randn({2})}), e.target);
      });
  const auto all = [&](int64_t batch_size, int64_t workers, uint64_t seed) {
    data::DataLoader loader(set, {.batch_size = batch_size, .shuffle = true, .seed = seed, .workers = workers});
    std::vector<Tensor> passes;
    for (int p = 0; p < 2; ++p) {
      std::vector<Tensor> parts;
      for (auto& batch : loader) parts.push_back(batch.data);
      passes.push_back(cat(parts));
    }
    return passes;
  };
  const uint64_t draw = default_generator().draw();
  const std::vector<Tensor> expected = all(5, 0, 1);
  for (const int64_t workers : {0, 1, 3}) {
    for (const int64_t batch_size : {5, 16, 40}) {
      const std::vector<Tensor> got = all(batch_size, workers, 1);
      CHECK(equal(got[0], expected[0]));
      CHECK(equal(got[1], expected[1]));
    }
  }
  CHECK_FALSE(equal(all(5, 0, 2)[0], expected[0]));
  CHECK(default_generator().draw() == draw);  // the caller's own numbers go on as if nothing had been
  // No two examples, passes or transforms share numbers.
  std::vector<float> noise;
  for (const Tensor& one : expected) {
    const Tensor normal = one.slice(1, 2).contiguous();
    noise.insert(noise.end(), normal.data_ptr<float>(), normal.data_ptr<float>() + 80);
  }
  std::sort(noise.begin(), noise.end());
  CHECK(std::unique(noise.begin(), noise.end()) == noise.end());
}

TEST_CASE("two transforms of one batch draw different numbers", "[data]") {
  struct Batches : data::Dataset<Batches> {
    int64_t size() const { return 4; }
    std::vector<Example> get_batch(IntArrayRef indices) const {
      return std::vector<Example>(static_cast<size_t>(indices.size()), Example(zeros({2}), tensor(0)));
    }
  };
  const auto with_noise = [](const Example& e) { return Example(e.data, rand({2})); };
  const auto set = Batches().map([](const Example& e) { return Example(rand({2}), e.target); }).map(with_noise);
  data::DataLoader loader(set, {.batch_size = 4, .seed = 1});
  for (auto& [first, second] : loader) CHECK_FALSE(first.eq(second).to(kInt64).sum().item<int64_t>() > 0);
}

TEST_CASE("without a seed manual_seed decides about orders and random transforms", "[data]") {
  const auto run = [](int64_t workers) {
    manual_seed(11);
    data::DataLoader loader(Numbers().map([](const Example& e) { return Example(rand({3}), e.target); }),
                            {.batch_size = 6, .shuffle = true, .workers = workers});
    return pass(loader);
  };
  CHECK(same(run(0), run(0)));
  CHECK(same(run(0), run(2)));
}

TEST_CASE("a sampler says which examples are taken", "[data]") {
  for (const int64_t workers : {0, 2}) {
    data::DataLoader subset(rows(40), samplers::SubsetRandomSampler({30, 2, 9}, 1),
                            {.batch_size = 2, .workers = workers});
    CHECK(subset.size() == 2);
    Indices got = targets(subset);
    std::sort(got.begin(), got.end());
    CHECK(got == Indices{2, 9, 30});
    data::DataLoader weighted(rows(3), samplers::WeightedRandomSampler({0, 1, 0}, 5),
                              {.batch_size = 2, .workers = workers});
    CHECK(targets(weighted) == Indices{1, 1, 1, 1, 1});
    data::DataLoader batches(rows(40), samplers::BatchSampler(samplers::SequentialSampler(10), 4, true),
                             {.workers = workers});
    CHECK(batches.size() == 2);
    CHECK(targets(batches) == Indices{0, 1, 2, 3, 4, 5, 6, 7});
  }
}

TEST_CASE("samplers of one's own need reset and next", "[data]") {
  struct Halving {  // decides about batches, and does not know how many
    int64_t left = 0;
    void reset() { left = 16; }
    std::optional<Indices> next() {
      if (left == 0) return {};
      left /= 2;
      return Indices(static_cast<size_t>(left + 1), left);
    }
  };
  data::DataLoader loader(rows(40), Halving(), {.workers = 2});
  Indices sizes;
  for (auto& batch : loader) sizes.push_back(batch.data.size(0));
  CHECK(sizes == Indices{9, 5, 3, 2, 1});

  struct Unsized : data::Dataset<Unsized> {
    std::optional<size_t> size() const { return {}; }
    Example get(int64_t i) const { return Numbers().get(i); }
  };
  CHECK_THAT(message_of<ValueError>([] { data::DataLoader{Unsized()}; }), Contains("needs a sampler"));
  data::DataLoader endless(Unsized(), samplers::SequentialSampler(5));
  CHECK(targets(endless) == Indices{0, 1, 2, 3, 4});
}

TEST_CASE("options that contradict each other are refused", "[data]") {
  const auto error = [](const data::DataLoaderOptions& options) {
    return message_of<ValueError>([&] { data::DataLoader(rows(4), options); });
  };
  const uint64_t draw = default_generator().draw();
  CHECK(error({.batch_size = 0}) == "DataLoader: batch_size must be at least 1, got 0");
  CHECK(error({.workers = -1}) == "DataLoader: workers must not be negative, got -1");
  CHECK(error({.workers = 1, .max_jobs = 0}) == "DataLoader: max_jobs must be at least 1, got 0");
  CHECK(default_generator().draw() == draw);
  CHECK_THAT(
      message_of<ValueError>([] { data::DataLoader(rows(4), samplers::SequentialSampler(4), {.shuffle = true}); }),
      Contains("sampler decides about the order"));
  CHECK_THAT(message_of<ValueError>([] {
               data::DataLoader(rows(4), samplers::BatchSampler(samplers::SequentialSampler(4), 2), {.batch_size = 3});
             }),
             Contains("sampler decides about batches") && Contains("batch_size = 3"));
}

TEST_CASE("examples that are not tensors come in a vector", "[data]") {
  using Named = data::Example<Tensor, std::string>;
  struct Names {
    int64_t size() const { return 3; }
    Named get(int64_t i) const { return {tensor(i), "#" + std::to_string(i)}; }
  };
  data::DataLoader loader(Names(), {.batch_size = 2, .workers = 1});
  std::string all;
  for (std::vector<Named>& batch : loader) {
    for (const Named& one : batch) all += one.target;
    all += ".";
  }
  CHECK(all == "#0#1.#2.");
}

TEST_CASE("make_data_loader is PyTorch's", "[data]") {
  auto loader = data::make_data_loader<samplers::SequentialSampler>(
      rows(6).map(transforms::Normalize<>(2, 2)).map(transforms::Stack<>()), {.batch_size = 4});
  Indices sizes;
  for (data::Example<>& batch : *loader) {
    sizes.push_back(batch.data.size(0));
    CHECK(equal(batch.data, (batch.target - 1).to(kFloat32).unsqueeze(1).expand({sizes.back(), 3})));
  }
  CHECK(sizes == Indices{4, 2});

  auto examples = data::make_data_loader(Numbers(), {.batch_size = 16, .seed = 1});  // random, not stacked
  Indices order;
  for (std::vector<Example>& batch : *examples) {
    for (const Example& e : batch) order.push_back(e.target.item<int64_t>());
  }
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  data::DataLoader same_seed(rows(40), {.batch_size = 3, .shuffle = true, .seed = 1});
  CHECK(targets(same_seed) == order);
  auto subset = data::make_data_loader(rows(9), samplers::SubsetRandomSampler({5}), {.batch_size = 2});
  CHECK(targets(*subset) == Indices{5});
}

TEST_CASE("passes over one loader may run inside each other", "[data]") {
  data::DataLoader loader(rows(12), {.batch_size = 4, .workers = 1});
  Indices pairs;
  for (auto& outer : loader) {
    for (auto& inner : loader) pairs.push_back(outer.target[0].item<int64_t>() * 100 + inner.target[0].item<int64_t>());
  }
  CHECK(pairs == Indices{0, 4, 8, 400, 404, 408, 800, 804, 808});
}

TEST_CASE("a batch may be moved out, kept and written to", "[data]") {
  data::DataLoader loader(rows(8), {.batch_size = 2, .workers = 2});
  std::vector<Example> kept;
  for (auto& batch : loader) kept.push_back(std::move(batch));
  REQUIRE(kept.size() == 4);
  for (int64_t i = 0; i < 4; ++i) {
    kept[static_cast<size_t>(i)].data.add_(1);
    CHECK(kept[static_cast<size_t>(i)].data[1][2].item<int64_t>() == 4 * i + 3);
  }
  CHECK(targets(loader) == Indices{0, 1, 2, 3, 4, 5, 6, 7});
}
