// Batches from a data set, in order or shuffled, made in the caller or ahead of it by worker threads.
#pragma once

#include <iterator>

#include "tapegrad/nn/data/dataset.h"
#include "tapegrad/nn/data/pass.h"
#include "tapegrad/nn/data/samplers.h"
#include "tapegrad/nn/data/transforms.h"

namespace tapegrad::data {

struct DataLoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false;               // a new order for every pass
  std::optional<uint64_t> seed = {};  // of orders and random transforms; by default from the default generator
  bool drop_last = false;             // leave out a last batch that is not full
  int64_t workers = 0;                // threads that make batches; without any the caller makes each when it wants it
  std::optional<int64_t> max_jobs =
      {};                        // batches made or being made that the caller has not taken; by default 2 workers
  bool enforce_ordering = true;  // else batches come as they are ready
};

namespace detail {

// Who decides which examples make a batch.
enum class Decides : uint8_t { options, sampler, batch_sampler };
// The options; ValueError for a value that makes no sense, or one that somebody else decides.
TAPEGRAD_API const DataLoaderOptions& checked(const DataLoaderOptions& options, Decides by);

// Of a data set that may not know its size (ValueError).
TAPEGRAD_API int64_t size_of(const std::optional<size_t>& size);
inline int64_t size_of(int64_t size) { return size; }

// What `shuffle` chooses between.
class TAPEGRAD_API DefaultSampler {
 public:
  DefaultSampler(int64_t size, const DataLoaderOptions& options, uint64_t seed);
  void reset();
  std::optional<std::vector<int64_t>> next(int64_t batch_size);
  int64_t size() const { return sequential_.size(); }
  NamedTensors state_dict() const { return random_ ? random_->state_dict() : NamedTensors(); }
  void load_state_dict(const NamedTensors& dict);

 private:
  samplers::SequentialSampler sequential_;
  std::optional<samplers::RandomSampler> random_;
};

// What a loader keeps: two numbers of its own, and its sampler's under "sampler.".
struct LoaderState {
  uint64_t seed, pass;
  NamedTensors sampler;
};
TAPEGRAD_API NamedTensors written(const LoaderState& state);
TAPEGRAD_API LoaderState read_loader(const NamedTensors& dict);

template <class Sampler> struct BatchSamplerOf { using Type = samplers::BatchSampler<Sampler>; };
template <samplers::BatchSource Sampler> struct BatchSamplerOf<Sampler> { using Type = Sampler; };

}  // namespace detail

// Every `for (auto& [x, y] : loader)` is one pass over the data set. Batches are copies: writing to one leaves the data set
// as it is. The memory of a batch is used again once nobody holds it.
//   data::DataLoader loader(data::TensorDataset(x, y), {.batch_size = 64, .shuffle = true, .seed = 1, .workers = 2});
// Order, batches and random transforms follow from the seed, whatever the number of workers. What making a batch throws
// comes out of the loop in its turn, as it was thrown. A pass ends its threads whichever way it is left.
// A third argument between the two is a sampler. Examples of tensors are stacked; other examples come as a std::vector.
template <class Dataset, class Sampler = detail::DefaultSampler, class Collate = detail::StackExamples>
class DataLoader {
  using BatchSampler = typename detail::BatchSamplerOf<Sampler>::Type;
  using Maker = detail::Maker<Dataset, BatchSampler, Collate>;

 public:
  using Batch = typename Maker::Batch;

  explicit DataLoader(Dataset dataset,
                      const DataLoaderOptions& options = {}) requires std::is_same_v<Sampler, detail::DefaultSampler>
      : dataset_(std::move(dataset)),
        options_(detail::checked(options, detail::Decides::options)),
        seed_(samplers::detail::seed_or_draw(options.seed)),
        batches_(Sampler(detail::size_of(dataset_.size()), options, seed_), options.batch_size, options.drop_last) {}
  DataLoader(Dataset dataset, Sampler sampler,
             const DataLoaderOptions& options = {}) requires(samplers::SampleSource<Sampler> ||
                                                             samplers::BatchSource<Sampler>)
      : dataset_(std::move(dataset)),
        options_(detail::checked(options, kDecides)),
        seed_(samplers::detail::seed_or_draw(options.seed)),
        batches_(batched(std::move(sampler), options)) {}

  struct End {};
  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(detail::Owned<Maker> maker) : maker_(std::move(maker)), batch_(maker_->next()) {}
    Batch& operator*() const { return *batch_; }
    Batch* operator->() const { return batch_.get(); }
    Iterator& operator++() {
      batch_ = {};  // before the next is made, which finds its memory
      batch_ = maker_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(End) const { return !batch_; }

   private:
    detail::Owned<Maker> maker_;
    detail::Owned<Batch> batch_;
  };
  // Starts a pass, which must end before the loader does.
  Iterator begin() {
    batches_.reset();
    const detail::PassOptions options{detail::mixed_seed(seed_, pass_++), options_.workers,
                                      options_.max_jobs.value_or(2 * options_.workers), options_.enforce_ordering};
    return Iterator(detail::Owned<Maker>(new Maker(dataset_, batches_, options)));
  }
  End end() { return {}; }

  // Batches of one pass.
  int64_t size() const requires requires(const BatchSampler& b) { b.size(); }
  { return batches_.size(); }
  // What it takes to make the next pass as this loader would, random transforms included. Passes are kept whole: one that was begun
  // counts, and the next one follows it. Samplers of one's own are part of it where they have state_dict() and load_state_dict().
  NamedTensors state_dict() const {
    detail::LoaderState state{seed_, pass_, {}};
    if constexpr (kKeeps) state.sampler = batches_.state_dict();
    return detail::written(state);
  }
  // ValueError for a dict of another loader; this one is then as it was.
  void load_state_dict(const NamedTensors& dict) {
    const detail::LoaderState state = detail::read_loader(dict);
    if constexpr (kKeeps) batches_.load_state_dict(state.sampler);
    seed_ = state.seed;
    pass_ = state.pass;
  }
  const Dataset& dataset() const { return dataset_; }
  // Of the passes to come: `loader.sampler().set_epoch(epoch)`.
  Sampler& sampler() {
    if constexpr (samplers::BatchSource<Sampler>) return batches_;
    else return batches_.sampler();
  }
  const DataLoaderOptions& options() const { return options_; }

 private:
  static constexpr auto kDecides =
      samplers::BatchSource<Sampler> ? detail::Decides::batch_sampler : detail::Decides::sampler;
  static constexpr bool kKeeps = requires(BatchSampler & b, const NamedTensors& dict) {
    NamedTensors(b.state_dict());
    b.load_state_dict(dict);
  };
  static BatchSampler batched(Sampler sampler, const DataLoaderOptions& options) {
    if constexpr (samplers::BatchSource<Sampler>) return sampler;
    else return BatchSampler(std::move(sampler), options.batch_size, options.drop_last);
  }

  Dataset dataset_;
  DataLoaderOptions options_;
  uint64_t seed_, pass_ = 0;
  BatchSampler batches_;
};

// PyTorch's spelling, with its default of a random order. Examples are not stacked unless by map(transforms::Stack<>()), except
// where the data set gives stacked batches (TensorDataset, MNIST, CIFAR10).
//   auto loader = data::make_data_loader<data::samplers::SequentialSampler>(std::move(dataset), {.batch_size = 64});
//   for (auto& batch : *loader) net.forward(batch.data);
template <class Sampler = samplers::RandomSampler, class Dataset>
  requires std::is_constructible_v<Sampler, int64_t>
auto make_data_loader(Dataset dataset, const DataLoaderOptions& options = {}) {
  detail::checked(options, detail::Decides::sampler);
  const int64_t size = detail::size_of(dataset.size());
  using Loader = DataLoader<Dataset, Sampler, detail::KeepExamples>;
  if constexpr (std::is_constructible_v<Sampler, int64_t, std::optional<uint64_t>>)
    return detail::Owned<Loader>(new Loader(std::move(dataset), Sampler(size, options.seed), options));
  else return detail::Owned<Loader>(new Loader(std::move(dataset), Sampler(size), options));
}
template <class Dataset, class Sampler>
  requires(samplers::SampleSource<Sampler> || samplers::BatchSource<Sampler>)
auto make_data_loader(Dataset dataset, Sampler sampler, const DataLoaderOptions& options = {}) {
  using Loader = DataLoader<Dataset, Sampler, detail::KeepExamples>;
  return detail::Owned<Loader>(new Loader(std::move(dataset), std::move(sampler), options));
}

}  // namespace tapegrad::data
