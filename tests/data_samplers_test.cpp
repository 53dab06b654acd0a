// Samplers: orders, subsets, weights, batches.
#include <tapegrad/tapegrad.h>

#include <algorithm>
#include <numeric>

#include "message.h"

using namespace tapegrad;
namespace samplers = data::samplers;

namespace {

using Indices = std::vector<int64_t>;

template <class S> Indices pass(S& sampler, int64_t batch_size = 7) {
  sampler.reset();
  Indices out;
  while (const auto indices = sampler.next(batch_size)) {
    CHECK(static_cast<int64_t>(indices->size()) <= batch_size);
    out.insert(out.end(), indices->begin(), indices->end());
  }
  CHECK_FALSE(sampler.next(1));
  return out;
}

Indices sorted(Indices x) {
  std::sort(x.begin(), x.end());
  return x;
}

Indices range(int64_t n) {
  Indices out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace

TEST_CASE("a sequential sampler counts", "[data]") {
  samplers::SequentialSampler sampler(10);
  CHECK(*sampler.next(3) == Indices{0, 1, 2});
  CHECK(*sampler.next(3) == Indices{3, 4, 5});
  CHECK(sampler.index() == 6);
  CHECK(*sampler.next(100) == Indices{6, 7, 8, 9});
  CHECK_FALSE(sampler.next(1));
  CHECK(pass(sampler) == range(10));
  sampler.reset(4);
  CHECK(sampler.size() == 4);
  CHECK(pass(sampler) == range(4));
  CHECK_FALSE(samplers::SequentialSampler(0).next(2));
  CHECK(message_of<ValueError>([] { samplers::SequentialSampler(-1); }) ==
        "SequentialSampler: size must not be negative, got -1");
}

TEST_CASE("a random sampler makes a new order every pass, the same for the same seed", "[data]") {
  samplers::RandomSampler a(100, 5), b(100, 5), c(100, 6);
  const Indices first = pass(a), second = pass(a);
  CHECK(sorted(first) == range(100));
  CHECK(first != second);
  CHECK(pass(b, 13) == first);
  CHECK(pass(b, 100) == second);
  CHECK(pass(c) != first);
  // Without reset() the first pass begins by itself.
  samplers::RandomSampler d(100, 5);
  CHECK(*d.next(100) == first);
  const auto unseeded = [] {
    manual_seed(3);
    samplers::RandomSampler sampler(50);
    return pass(sampler);
  };
  CHECK(unseeded() == unseeded());
  a.reset(20);
  CHECK(sorted(*a.next(100)) == range(20));
  CHECK_THROWS_AS(samplers::RandomSampler(-1), ValueError);
}

TEST_CASE("a subset sampler takes its indices and no others", "[data]") {
  samplers::SubsetRandomSampler sampler({9, 3, 3, 70, 1, 5, 12, 8}, 1);
  CHECK(sampler.size() == 8);
  const Indices first = pass(sampler);
  CHECK(sorted(first) == Indices{1, 3, 3, 5, 8, 9, 12, 70});
  CHECK(pass(sampler) != first);
  samplers::SubsetRandomSampler none({});
  CHECK(pass(none).empty());
}

TEST_CASE("a weighted sampler draws by the weights", "[data]") {
  const std::vector<double> weights{1, 0, 3, 6};
  samplers::WeightedRandomSampler sampler(weights, 20000, true, 2);
  const Indices drawn = pass(sampler, 512);
  REQUIRE(drawn.size() == 20000);
  for (int64_t i = 0; i < 4; ++i) {
    const double expected = 20000 * weights[static_cast<size_t>(i)] / 10;
    const double spread = std::sqrt(expected);
    const auto count = static_cast<double>(std::count(drawn.begin(), drawn.end(), i));
    CHECK(std::abs(count - expected) <= 5 * spread);
  }
  CHECK(pass(sampler) != drawn);
  samplers::WeightedRandomSampler same(weights, 20000, true, 2);
  CHECK(pass(same) == drawn);
}

TEST_CASE("without replacement a weighted sampler takes no index twice, heavy ones earlier", "[data]") {
  int64_t heavy_first = 0;
  samplers::WeightedRandomSampler sampler({1, 0, 1, 8}, 3, false, 4);
  for (int i = 0; i < 2000; ++i) {
    const Indices drawn = pass(sampler);
    REQUIRE(sorted(drawn) == Indices{0, 2, 3});
    heavy_first += drawn[0] == 3;
  }
  CHECK(std::abs(static_cast<double>(heavy_first) - 1600) < 5 * std::sqrt(2000 * 0.8 * 0.2));
}

TEST_CASE("weights that make no sense are refused", "[data]") {
  const auto error = [](std::vector<double> weights, int64_t count, bool replacement = true) {
    return message_of<ValueError>([&] { samplers::WeightedRandomSampler(weights, count, replacement); });
  };
  CHECK_THAT(error({1, -2}, 1), Contains("not negative, got -2") && Contains("at index 1"));
  CHECK_THAT(error({1, std::nan("")}, 1), Contains("finite") && Contains("nan"));
  CHECK_THAT(error({0, 0}, 1), Contains("at least one weight must be positive"));
  CHECK_THAT(error({}, 1), Contains("at least one weight must be positive"));
  CHECK_THAT(error({1e308, 1e308}, 1), Contains("sum of the weights must be finite"));
  CHECK_THAT(error({1, 0, 1}, 3, false), Contains("positive weights, got 3 and 2"));
  CHECK_THAT(error({1}, -1), Contains("num_samples must not be negative, got -1"));
  samplers::WeightedRandomSampler none({}, 0);
  CHECK(pass(none).empty());
}

TEST_CASE("a batch sampler makes batches of another sampler's indices", "[data]") {
  samplers::BatchSampler batches(samplers::SequentialSampler(7), 3);
  CHECK(batches.size() == 3);
  batches.reset();
  CHECK(*batches.next() == Indices{0, 1, 2});
  CHECK(*batches.next() == Indices{3, 4, 5});
  CHECK(*batches.next() == Indices{6});
  CHECK_FALSE(batches.next());
  samplers::BatchSampler full(samplers::SequentialSampler(7), 3, true);
  CHECK(full.size() == 2);
  full.next(), full.next();
  CHECK_FALSE(full.next());
  CHECK_THROWS_AS(samplers::BatchSampler(samplers::SequentialSampler(7), 0), ValueError);
}

TEST_CASE("distributed samplers share out the examples", "[data]") {
  using samplers::DistributedSampler;
  for (const bool drop_last : {false, true}) {
    for (const int64_t size : {0, 1, 3, 11, 12}) {
      for (const int64_t replicas : {1, 4}) {
        INFO(size << " examples, " << replicas << " replicas, drop_last " << drop_last);
        // Round the ranks, in the order that all draw.
        std::vector<DistributedSampler> ranks;
        for (int64_t rank = 0; rank < replicas; ++rank)
          ranks.emplace_back(size, samplers::DistributedSamplerOptions{
                                       .num_replicas = replicas, .rank = rank, .seed = 3, .drop_last = drop_last});
        const int64_t share = drop_last ? size / replicas : (size + replicas - 1) / replicas;
        std::vector<Indices> passes;
        for (auto& sampler : ranks) {
          CHECK(sampler.size() == share);
          passes.push_back(pass(sampler, 2));
          CHECK(static_cast<int64_t>(passes.back().size()) == share);
        }
        Indices order;
        for (size_t k = 0; k < static_cast<size_t>(share); ++k) {
          for (const Indices& one : passes) order.push_back(one[k]);
        }
        const auto once = std::min(order.size(), static_cast<size_t>(size));
        const Indices front(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(once));
        Indices apart = sorted(front);
        apart.erase(std::unique(apart.begin(), apart.end()), apart.end());
        CHECK(apart.size() == once);  // no index twice, none outside
        CHECK((apart.empty() || apart.back() < size));
        for (size_t k = once; k < order.size(); ++k) CHECK(order[k] == order[k - once]);  // from the beginning again
      }
    }
  }
  DistributedSampler plain(10, {.num_replicas = 4, .rank = 1, .shuffle = false});
  CHECK(pass(plain) == Indices{1, 5, 9});
  DistributedSampler last(10, {.num_replicas = 4, .rank = 3, .shuffle = false});
  CHECK(pass(last) == Indices{3, 7, 1});
  DistributedSampler few(2, {.num_replicas = 5, .rank = 4, .shuffle = false});
  CHECK(pass(few) == Indices{0});
  CHECK(message_of<ValueError>([] { DistributedSampler(3, {.num_replicas = 2, .rank = 2}); }) ==
        "DistributedSampler: rank must be in [0, num_replicas), got 2 and 2 replicas");
  CHECK_THROWS_AS(DistributedSampler(3, {.num_replicas = 0, .rank = 0}), ValueError);
  CHECK_THROWS_AS(DistributedSampler(3, {.num_replicas = 1, .rank = -1}), ValueError);
  CHECK_THROWS_AS(DistributedSampler(-3, {.num_replicas = 1, .rank = 0}), ValueError);
}

TEST_CASE("an epoch decides about the order of a distributed sampler", "[data]") {
  const samplers::DistributedSamplerOptions options{.num_replicas = 2, .rank = 1};
  samplers::DistributedSampler a(40, options), b(40, options);
  const Indices first = pass(a), second = pass(a);
  CHECK(first != second);
  b.set_epoch(1);
  CHECK(*b.next(100) == second);
  b.set_epoch(0);
  CHECK(pass(b) == first);
  CHECK(pass(b) == second);
  a.reset(8);
  CHECK(a.size() == 4);

  const auto set = data::TensorDataset(arange(40), arange(40));
  data::DataLoader loader(set, samplers::DistributedSampler(40, options), {.batch_size = 7, .workers = 1});
  CHECK(loader.size() == 3);
  const auto order = [&] {
    Indices out;
    for (auto& [x, y] : loader) {
      for (int64_t i = 0; i < y.size(0); ++i) out.push_back(y[i].item<int64_t>());
    }
    return out;
  };
  CHECK(order() == first);
  CHECK(order() == second);
  loader.sampler().set_epoch(0);
  // The state says which pass is next, begun or not.
  data::DataLoader other(set, samplers::DistributedSampler(40, options), {.batch_size = 7});
  other.load_state_dict(loader.state_dict());
  CHECK(order() == first);
  Indices again;
  for (auto& [x, y] : other) again.insert(again.end(), y.data_ptr<int64_t>(), y.data_ptr<int64_t>() + y.size(0));
  CHECK(again == first);
}
