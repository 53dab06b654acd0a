// The engine of a loader: batches in turn, made in the caller or ahead of it by threads.
#pragma once

#include <optional>

#include "tapegrad/nn/data/map.h"

namespace tapegrad::data::detail {

// A pointer to what it owns; can be moved. std::unique_ptr would cost every user of the headers its compile time.
template <class T> class Owned {
 public:
  Owned() = default;
  explicit Owned(T* p) : p_(p) {}
  Owned(Owned&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  Owned& operator=(Owned other) noexcept {
    std::swap(p_, other.p_);
    return *this;
  }
  ~Owned() { delete p_; }
  T& operator*() const { return *p_; }
  T* operator->() const { return p_; }
  T* get() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  T* p_ = nullptr;
};

// What makes the batches of a pass, without their type.
class TAPEGRAD_API BatchMaker {
 public:
  virtual ~BatchMaker();
  // The indices of the next batch, in the caller's thread.
  virtual std::optional<std::vector<int64_t>> request() = 0;
  // A new batch, in the thread of a worker, or in the caller's, which is then number 0.
  virtual void* make(IntArrayRef indices, int64_t worker) = 0;
  virtual void drop(void* batch) noexcept = 0;
};

struct PassOptions {
  uint64_t seed;  // of random transforms
  int64_t workers, max_jobs;
  bool enforce_ordering;
};

// One pass. Workers start with it and end with it: it waits for them when it dies.
class TAPEGRAD_API Pass {
 public:
  Pass(BatchMaker& maker, const PassOptions& options);
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  // The next batch, which the caller drops; null at the end. Throws what making it threw; the next call goes on behind it.
  void* next();

 private:
  struct State;
  State* state_;
};

// Seeds for parts of something that has a seed.
TAPEGRAD_API uint64_t mixed_seed(uint64_t seed, uint64_t part);

// Examples of tensors become one, others stay a list.
struct StackExamples {
  template <class B> auto operator()(B batch) const {
    if constexpr (std::is_same_v<B, std::vector<Example<>>> || std::is_same_v<B, std::vector<TensorExample>>)
      return stacked(batch);
    else return batch;
  }
};
struct KeepExamples {
  template <class B> B operator()(B batch) const { return batch; }
};

// Type and rules of a loader's batches, and one pass over them.
template <class Dataset, class BatchSampler, class Collate> class Maker final : public BatchMaker {
  static constexpr bool kShared = Readable<const Dataset>;
  using Used = std::conditional_t<kShared, const Dataset, Dataset>;

 public:
  using Batch = decltype(Collate()(batch_of(std::declval<Used&>(), IntArrayRef())));

  Maker(Dataset& dataset, const BatchSampler& batches, const PassOptions& options)
      : dataset_(dataset), batches_(batches) {
    if constexpr (!kShared) copy_for_each(options.workers);
    pass_.emplace(*this, options);
  }
  std::optional<std::vector<int64_t>> request() override { return batches_.next(); }
  void* make(IntArrayRef indices, int64_t worker) override {
    Used& source = copies_.empty() ? dataset_ : copies_[static_cast<size_t>(worker)];
    return new Batch(Collate()(batch_of(source, indices)));
  }
  void drop(void* batch) noexcept override { delete static_cast<Batch*>(batch); }
  Owned<Batch> next() { return Owned<Batch>(static_cast<Batch*>(pass_->next())); }

 private:
  void copy_for_each(int64_t workers) {
    if constexpr (std::is_copy_constructible_v<Dataset>) {
      copies_.reserve(static_cast<size_t>(workers));
      for (int64_t i = 0; i < workers; ++i) copies_.push_back(dataset_);  // may be one that cannot be assigned
    } else if (workers > 0) {
      throw ValueError("DataLoader: workers need a data set whose get() is const or which can be copied, got " +
                       std::to_string(workers) + " workers");
    }
  }

  Dataset& dataset_;
  std::vector<Dataset> copies_;
  BatchSampler batches_;
  std::optional<Pass> pass_;  // last: its threads use the rest
};

}  // namespace tapegrad::data::detail
