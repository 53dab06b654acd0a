// The options of a loader, and the order it takes by default.
#include "tapegrad/nn/data/loader.h"

namespace tapegrad::data::detail {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw ValueError("DataLoader: " + what); }

}  // namespace

const DataLoaderOptions& checked(const DataLoaderOptions& options, Decides by) {
  if (options.batch_size < 1) refuse("batch_size must be at least 1, got " + std::to_string(options.batch_size));
  if (options.workers < 0) refuse("workers must not be negative, got " + std::to_string(options.workers));
  if (options.max_jobs && *options.max_jobs < 1)
    refuse("max_jobs must be at least 1, got " + std::to_string(*options.max_jobs));
  if (by != Decides::options && options.shuffle)
    refuse("the sampler decides about the order, got shuffle = true beside it");
  if (by == Decides::batch_sampler && (options.batch_size != 1 || options.drop_last))
    refuse("the sampler decides about batches, got batch_size = " + std::to_string(options.batch_size) +
           " and drop_last = " + (options.drop_last ? "true" : "false") + " beside it");
  return options;
}

int64_t size_of(const std::optional<size_t>& size) {
  if (!size) refuse("a data set without a size needs a sampler, got none");
  return static_cast<int64_t>(*size);
}

DefaultSampler::DefaultSampler(int64_t size, const DataLoaderOptions& options, uint64_t seed) : sequential_(size) {
  if (options.shuffle) random_.emplace(size, seed);
}

void DefaultSampler::reset() { random_ ? random_->reset() : sequential_.reset(); }

std::optional<std::vector<int64_t>> DefaultSampler::next(int64_t batch_size) {
  return random_ ? random_->next(batch_size) : sequential_.next(batch_size);
}

}  // namespace tapegrad::data::detail
