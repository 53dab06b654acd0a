// In which order, and which, examples are taken from a data set.
#pragma once

#include "tapegrad/nn/data/drawn_order.h"

// A sampler of one's own offers `void reset()`, which starts a pass, and `std::optional<std::vector<int64_t>> next(int64_t
// batch_size)`: up to that many indices, nothing at the end. `int64_t size() const`, the indices of a pass, gives the loader
// its size(). Loaders run over copies made after reset(). One whose next() takes no argument decides about batches too.
namespace tapegrad::data::samplers {

// 0, 1, ..., size - 1.
class TAPEGRAD_API SequentialSampler {
 public:
  explicit SequentialSampler(int64_t size);  // ValueError for a negative size, here and below
  void reset(std::optional<int64_t> new_size = {});
  std::optional<std::vector<int64_t>> next(int64_t batch_size);
  int64_t size() const { return size_; }
  // Indices of this pass given out so far.
  int64_t index() const { return index_; }

 private:
  int64_t size_;
  int64_t index_ = 0;
};

// A random order of 0, 1, ..., size - 1, another one for every pass. The orders follow from the seed; without one from the
// default generator, so that manual_seed decides.
class TAPEGRAD_API RandomSampler : public detail::DrawnOrder {
 public:
  explicit RandomSampler(int64_t size, const std::optional<uint64_t>& seed = {});
  void reset(std::optional<int64_t> new_size = {});
  std::optional<std::vector<int64_t>> next(int64_t batch_size) { return take(batch_size); }
  int64_t size() const override { return size_; }

 private:
  std::vector<int64_t> drawn(uint64_t seed, uint64_t pass) const override;
  int64_t size_;
};

// The given indices, in a random order, another one for every pass.
class TAPEGRAD_API SubsetRandomSampler : public detail::DrawnOrder {
 public:
  explicit SubsetRandomSampler(std::vector<int64_t> indices, const std::optional<uint64_t>& seed = {});
  void reset() { start(); }
  std::optional<std::vector<int64_t>> next(int64_t batch_size) { return take(batch_size); }
  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }

 private:
  std::vector<int64_t> drawn(uint64_t seed, uint64_t pass) const override;
  std::vector<int64_t> indices_;
};

// num_samples indices i, each with probability weights[i] / sum of weights; without replacement, no index twice (then the
// probabilities are those among the indices left). ValueError for weights that are negative, not finite or all zero, and
// for more samples without replacement than there are positive weights.
class TAPEGRAD_API WeightedRandomSampler : public detail::DrawnOrder {
 public:
  WeightedRandomSampler(std::vector<double> weights, int64_t num_samples, bool replacement = true,
                        const std::optional<uint64_t>& seed = {});
  void reset() { start(); }
  std::optional<std::vector<int64_t>> next(int64_t batch_size) { return take(batch_size); }
  int64_t size() const override { return num_samples_; }

 private:
  std::vector<int64_t> drawn(uint64_t seed, uint64_t pass) const override;
  std::vector<double> weights_;
  int64_t num_samples_;
  bool replacement_;
};

struct DistributedSamplerOptions {
  int64_t num_replicas, rank;
  bool shuffle = true;
  uint64_t seed = 0;       // the same for all
  bool drop_last = false;  // else what is missing for shares of one size is taken from the beginning again
};

// The share of process `rank` among num_replicas: every so many-th index of 0, 1, ..., size - 1, or of a random order of them
// that all draw alike. Every pass has another order; set_epoch() says which the next one takes, as PyTorch's must be told, so that
// processes agree that have not made as many passes. ValueError for a rank outside [0, num_replicas).
class TAPEGRAD_API DistributedSampler : public detail::DrawnOrder {
 public:
  DistributedSampler(int64_t size, const DistributedSamplerOptions& options);
  void set_epoch(uint64_t epoch) { set_pass(epoch); }
  void reset(std::optional<int64_t> new_size = {});
  std::optional<std::vector<int64_t>> next(int64_t batch_size) { return take(batch_size); }
  int64_t size() const override;  // of the share

 private:
  std::vector<int64_t> drawn(uint64_t seed, uint64_t pass) const override;
  int64_t size_;
  DistributedSamplerOptions options_;
};

template <class S>
concept SampleSource = requires(S& s) {
  s.reset();
  s.next(int64_t{1});
};
template <class S>
concept BatchSource = requires(S& s) {
  s.reset();
  s.next();
};

// Batches of another sampler's indices; with drop_last only full ones. ValueError for a batch size below 1.
template <SampleSource Sampler> class BatchSampler {
 public:
  BatchSampler(Sampler sampler, int64_t batch_size, bool drop_last = false)
      : sampler_(std::move(sampler)), batch_size_(batch_size), drop_last_(drop_last) {
    if (batch_size < 1)
      throw ValueError("BatchSampler: batch_size must be at least 1, got " + std::to_string(batch_size));
  }
  void reset() { sampler_.reset(); }
  std::optional<std::vector<int64_t>> next() {
    std::optional<std::vector<int64_t>> indices = sampler_.next(batch_size_);
    const bool full = indices && static_cast<int64_t>(indices->size()) >= batch_size_;
    if (!indices || indices->empty() || (drop_last_ && !full)) return {};
    return indices;
  }
  // Batches of one pass.
  int64_t size() const requires requires(const Sampler& s) { s.size(); }
  {
    const int64_t count = sampler_.size();
    return drop_last_ ? count / batch_size_ : (count / batch_size_) + (count % batch_size_ != 0);
  }
  Sampler& sampler() { return sampler_; }
  const Sampler& sampler() const { return sampler_; }
  // The sampler's.
  NamedTensors state_dict() const requires requires(const Sampler& s) { s.state_dict(); }
  { return sampler_.state_dict(); }
  void load_state_dict(const NamedTensors& dict) requires requires(Sampler& s) { s.load_state_dict(dict); }
  { sampler_.load_state_dict(dict); }

 private:
  Sampler sampler_;
  int64_t batch_size_;
  bool drop_last_;
};

}  // namespace tapegrad::data::samplers
