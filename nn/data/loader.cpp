// The options of a loader, and the order it takes by default.
#include "tapegrad/nn/data/loader.h"

#include <string_view>

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

void DefaultSampler::load_state_dict(const NamedTensors& dict) {
  if (random_) return random_->load_state_dict(dict);
  if (!dict.empty())
    throw ValueError("load_state_dict: a loader that does not shuffle has a sampler without state, got one with " +
                     dict.begin()->first);
}

NamedTensors written(const LoaderState& state) {
  NamedTensors out = samplers::detail::written_counts(
      {{"seed", static_cast<int64_t>(state.seed)}, {"passes", static_cast<int64_t>(state.pass)}});
  for (const auto& [key, t] : state.sampler) out.append("sampler." + key, t);
  return out;
}

LoaderState read_loader(const NamedTensors& dict) {
  constexpr std::string_view kPrefix = "sampler.";
  NamedTensors own, sampler;
  for (const auto& [key, t] : dict) {
    if (key.compare(0, kPrefix.size(), kPrefix) == 0) sampler.append(key.substr(kPrefix.size()), t);
    else own.append(key, t);
  }
  const auto counts = samplers::detail::read_counts("load_state_dict", own, {"seed", "passes"});
  return {static_cast<uint64_t>(counts["seed"]), static_cast<uint64_t>(counts["passes"]), std::move(sampler)};
}

}  // namespace tapegrad::data::detail
