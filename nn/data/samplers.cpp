// Orders from seeds.
#include "tapegrad/nn/data/samplers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tapegrad/core/random.h"

namespace tapegrad::data::samplers {
namespace {

void check_size(const char* sampler, int64_t size) {
  if (size < 0) throw ValueError(std::string(sampler) + ": size must not be negative, got " + std::to_string(size));
}

Generator generator_of(uint64_t seed, uint64_t pass) {
  Generator generator(seed);
  generator.set_draw(pass);
  return generator;
}

std::vector<int64_t> counted(int64_t first, int64_t count) {
  std::vector<int64_t> out(static_cast<size_t>(count));
  std::iota(out.begin(), out.end(), first);
  return out;
}

std::vector<int64_t> permutation(int64_t count, uint64_t seed, uint64_t pass) {
  Generator generator = generator_of(seed, pass);
  const Tensor order = new_tensor({count}, kInt64);
  fill_permutation(order, generator);
  const auto* p = order.elements<int64_t>();
  return {p, p + count};
}

// `count` numbers in [0, 1).
Tensor uniform(int64_t count, uint64_t seed, uint64_t pass) {
  Generator generator = generator_of(seed, pass);
  Tensor u = new_tensor({count}, kFloat64);
  fill_uniform(u, 0, 1, generator);
  return u;
}

// Where the running sum of the weights first exceeds a uniform part of the whole.
std::vector<int64_t> with_replacement(const std::vector<double>& weights, int64_t count, uint64_t seed, uint64_t pass) {
  std::vector<double> sums(weights.size());
  std::partial_sum(weights.begin(), weights.end(), sums.begin());
  const Tensor u = uniform(count, seed, pass);
  std::vector<int64_t> out;
  for (int64_t k = 0; k < count; ++k) {
    const double part = std::min(u.elements<double>()[k] * sums.back(), std::nextafter(sums.back(), 0.0));
    out.push_back(std::upper_bound(sums.begin(), sums.end(), part) - sums.begin());
  }
  return out;
}

// The indices with the smallest -log(u) / weight, in that order: the first is i with probability proportional to weights[i],
// the next likewise among the rest (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006).
std::vector<int64_t> without_replacement(const std::vector<double>& weights, int64_t count, uint64_t seed,
                                         uint64_t pass) {
  const Tensor u = uniform(static_cast<int64_t>(weights.size()), seed, pass);
  std::vector<std::pair<double, int64_t>> keys;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) keys.emplace_back(-std::log1p(-u.elements<double>()[i]) / weights[i], static_cast<int64_t>(i));
  }
  std::partial_sort(keys.begin(), keys.begin() + count, keys.end());
  std::vector<int64_t> out;
  for (int64_t k = 0; k < count; ++k) out.push_back(keys[static_cast<size_t>(k)].second);
  return out;
}

}  // namespace

SequentialSampler::SequentialSampler(int64_t size) : size_(size) { check_size("SequentialSampler", size); }

void SequentialSampler::reset(std::optional<int64_t> new_size) {
  if (new_size) check_size("SequentialSampler", *new_size);
  size_ = new_size.value_or(size_);
  index_ = 0;
}

std::optional<std::vector<int64_t>> SequentialSampler::next(int64_t batch_size) {
  const int64_t count = std::min(batch_size, size_ - index_);
  if (count <= 0) return {};
  index_ += count;
  return counted(index_ - count, count);
}

RandomSampler::RandomSampler(int64_t size, const std::optional<uint64_t>& seed) : size_(size) {
  check_size("RandomSampler", size);
  set_seed(seed);
}

void RandomSampler::reset(std::optional<int64_t> new_size) {
  if (new_size) check_size("RandomSampler", *new_size);
  size_ = new_size.value_or(size_);
  start();
}

std::vector<int64_t> RandomSampler::drawn(uint64_t seed, uint64_t pass) const { return permutation(size_, seed, pass); }

SubsetRandomSampler::SubsetRandomSampler(std::vector<int64_t> indices, const std::optional<uint64_t>& seed)
    : indices_(std::move(indices)) {
  set_seed(seed);
}

std::vector<int64_t> SubsetRandomSampler::drawn(uint64_t seed, uint64_t pass) const {
  std::vector<int64_t> order = permutation(size(), seed, pass);
  for (int64_t& at : order) at = indices_[static_cast<size_t>(at)];
  return order;
}

WeightedRandomSampler::WeightedRandomSampler(std::vector<double> weights, int64_t num_samples, bool replacement,
                                             const std::optional<uint64_t>& seed)
    : weights_(std::move(weights)), num_samples_(num_samples), replacement_(replacement) {
  const std::string who = "WeightedRandomSampler: ";
  if (num_samples < 0) throw ValueError(who + "num_samples must not be negative, got " + std::to_string(num_samples));
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (!std::isfinite(weights_[i]) || weights_[i] < 0)
      throw ValueError(who + "weights must be finite and not negative, got " + std::to_string(weights_[i]) +
                       " at index " + std::to_string(i));
  }
  const int64_t positive = std::count_if(weights_.begin(), weights_.end(), [](double w) { return w > 0; });
  if (num_samples > 0 && positive == 0)
    throw ValueError(who + "at least one weight must be positive, got " + std::to_string(weights_.size()) +
                     " weights, none of them");
  if (!std::isfinite(std::accumulate(weights_.begin(), weights_.end(), 0.0)))
    throw ValueError(who + "the sum of the weights must be finite, got infinity");
  if (!replacement && num_samples > positive)
    throw ValueError(who + "without replacement num_samples must be at most the number of positive weights, got " +
                     std::to_string(num_samples) + " and " + std::to_string(positive));
  set_seed(seed);
}

std::vector<int64_t> WeightedRandomSampler::drawn(uint64_t seed, uint64_t pass) const {
  if (num_samples_ == 0) return {};
  return (replacement_ ? with_replacement : without_replacement)(weights_, num_samples_, seed, pass);
}

DistributedSampler::DistributedSampler(int64_t size, const DistributedSamplerOptions& options)
    : size_(size), options_(options) {
  check_size("DistributedSampler", size);
  if (options.num_replicas < 1)
    throw ValueError("DistributedSampler: num_replicas must be at least 1, got " +
                     std::to_string(options.num_replicas));
  if (options.rank < 0 || options.rank >= options.num_replicas)
    throw ValueError("DistributedSampler: rank must be in [0, num_replicas), got " + std::to_string(options.rank) +
                     " and " + std::to_string(options.num_replicas) + " replicas");
  set_seed(options.seed);
}

void DistributedSampler::reset(std::optional<int64_t> new_size) {
  if (new_size) check_size("DistributedSampler", *new_size);
  size_ = new_size.value_or(size_);
  start();
}

int64_t DistributedSampler::size() const {
  const int64_t whole = size_ / options_.num_replicas;
  return whole + (!options_.drop_last && size_ % options_.num_replicas != 0);
}

std::vector<int64_t> DistributedSampler::drawn(uint64_t seed, uint64_t pass) const {
  const std::vector<int64_t> all = options_.shuffle ? permutation(size_, seed, pass) : counted(0, size_);
  std::vector<int64_t> share;
  for (int64_t k = 0; k < size(); ++k)
    share.push_back(all[static_cast<size_t>((options_.rank + k * options_.num_replicas) % size_)]);
  return share;
}

}  // namespace tapegrad::data::samplers
