// Batches from a data set, in order or shuffled.
#pragma once

#include "tapegrad/nn/data/dataset.h"

namespace tapegrad::data {

struct DataLoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false;               // a new order for every pass
  std::optional<uint64_t> seed = {};  // of the orders; by default from the default generator, so manual_seed decides
  bool drop_last = false;             // leave out a last batch that is not full
};

namespace detail {

// The order of one pass after the other. ValueError for a batch size below 1.
class TAPEGRAD_API Passes {
 public:
  Passes(int64_t count, const DataLoaderOptions& options);
  std::vector<int64_t> next();
  int64_t batches() const;
  int64_t batch_size() const { return options_.batch_size; }

 private:
  int64_t count_;
  DataLoaderOptions options_;
  uint64_t pass_ = 0;
};

}  // namespace detail

// Every `for (auto [x, y] : loader)` is one pass over the data set. Batches are copies: writing to one leaves the data set
// as it is.
//   data::DataLoader loader(data::TensorDataset(x, y), {.batch_size = 64, .shuffle = true, .seed = 1});
template <class Dataset> class DataLoader {
 public:
  explicit DataLoader(Dataset dataset, const DataLoaderOptions& options = {})
      : dataset_(std::move(dataset)), passes_(dataset_.size(), options) {}

  struct End {};
  class Iterator {
   public:
    explicit Iterator(DataLoader* loader)
        : loader_(loader), order_(loader->passes_.next()), left_(loader->passes_.batches()) {}
    Example operator*() const { return loader_->batch(order_, position_); }
    Iterator& operator++() {
      position_ += loader_->passes_.batch_size();
      --left_;
      return *this;
    }
    bool operator==(End) const { return left_ == 0; }

   private:
    DataLoader* loader_;
    std::vector<int64_t> order_;
    int64_t left_;
    int64_t position_ = 0;
  };
  Iterator begin() { return Iterator(this); }
  End end() { return {}; }

  // Batches of one pass.
  int64_t size() const { return passes_.batches(); }
  const Dataset& dataset() const { return dataset_; }

 private:
  Example batch(const std::vector<int64_t>& order, int64_t position) const {
    const int64_t rest = static_cast<int64_t>(order.size()) - position;
    const int64_t count = rest < passes_.batch_size() ? rest : passes_.batch_size();
    const IntArrayRef indices(order.data() + position, count);
    if constexpr (requires { dataset_.get_batch(indices); }) {
      return dataset_.get_batch(indices);
    } else {
      std::vector<Example> examples;
      for (int64_t i : indices) examples.push_back(dataset_.get(i));
      return detail::stacked(examples);
    }
  }

  Dataset dataset_;
  detail::Passes passes_;
};

}  // namespace tapegrad::data
