// The order of the examples in every pass of a loader.
#include "tapegrad/nn/data/loader.h"

#include "tapegrad/core/random.h"

namespace tapegrad::data::detail {

Passes::Passes(int64_t count, const DataLoaderOptions& options) : count_(count), options_(options) {
  if (options.batch_size < 1)
    throw ValueError("DataLoader: batch_size must be at least 1, got " + std::to_string(options.batch_size));
  if (options.shuffle && !options.seed) {
    Generator& generator = default_generator();
    const Tensor word = new_tensor({1}, kInt64);
    fill_integers(word, 0, int64_t{1} << 62, generator);
    options_.seed = static_cast<uint64_t>(*word.data_ptr<int64_t>());
  }
}

std::vector<int64_t> Passes::next() {
  std::vector<int64_t> order(static_cast<size_t>(count_));
  if (!options_.shuffle) {
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    return order;
  }
  Generator generator(*options_.seed);
  generator.set_draw(pass_++);
  const Tensor permutation = new_tensor({count_}, kInt64);
  fill_permutation(permutation, generator);
  const auto* p = permutation.data_ptr<int64_t>();
  order.assign(p, p + count_);
  return order;
}

int64_t Passes::batches() const {
  const int64_t size = options_.batch_size;
  return options_.drop_last ? count_ / size : (count_ / size) + (count_ % size != 0);
}

}  // namespace tapegrad::data::detail
