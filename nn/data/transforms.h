// What map() does to the examples of a data set.
#pragma once

#include <type_traits>

#include "tapegrad/nn/data/example.h"

// Transforms run in a loader's workers: their functions are const, and called from several threads. Random numbers they draw
// from the default generator depend on the loader's seed, the pass and the example's place in it, not on the workers.
namespace tapegrad::data::transforms {

namespace detail {

// A function kept for any number of threads to call. std::function would cost every user of the headers its compile time.
template <class R, class A> class SharedFunction {
  struct Held {
    RefCount refs;
    virtual ~Held() = default;
    virtual R call(A argument) const = 0;
    void retain() { refs.increment(); }
    void release() {
      if (refs.decrement()) delete this;
    }
  };
  template <class F> struct Holding final : Held {
    explicit Holding(F f) : function(std::move(f)) {}
    R call(A argument) const override { return function(std::move(argument)); }
    F function;
  };

 public:
  template <class F> explicit SharedFunction(F f) : held_(Ref<Held>::adopt(new Holding<F>(std::move(f)))) {}
  R operator()(A argument) const { return held_->call(std::move(argument)); }

 private:
  Ref<Held> held_;
};

template <class F, class R, class A>
concept Makes = std::is_invocable_r_v<R, const F&, A>;

}  // namespace detail

// Makes a batch from a batch.
template <class InputBatch, class OutputBatch> class BatchTransform {
 public:
  virtual ~BatchTransform() = default;
  virtual OutputBatch apply_batch(InputBatch input) const = 0;
};

// Makes an example from an example.
template <class Input, class Output> class Transform : public BatchTransform<std::vector<Input>, std::vector<Output>> {
 public:
  virtual Output apply(Input input) const = 0;
  std::vector<Output> apply_batch(std::vector<Input> input) const override {
    std::vector<Output> out;
    out.reserve(input.size());
    for (Input& one : input) out.push_back(apply(std::move(one)));
    return out;
  }
};

// Makes one batch of several examples.
template <class T, class Examples = std::vector<T>> using Collation = BatchTransform<Examples, T>;

// The examples' tensors along a new first dim: x[N, ...] of N examples x[...]. A batch that its data set has stacked
// already stays as it is. ShapeError unless all have one shape and dtype.
template <class E = Example<>> class Stack : public Collation<E> {
 public:
  E apply_batch(std::vector<E> examples) const override { return data::detail::stacked(examples); }
  E apply_batch(E stacked) const { return stacked; }
};

// y = f(x) for the data of an example; the target stays. Derive and write operator().
template <class Target = Tensor>
class TensorTransform : public Transform<Example<Tensor, Target>, Example<Tensor, Target>> {
 public:
  virtual Tensor operator()(Tensor input) const = 0;
  Example<Tensor, Target> apply(Example<Tensor, Target> input) const override {
    input.data = (*this)(std::move(input.data));
    return input;
  }
};

// The same from a function.
template <class Target = Tensor> class TensorLambda : public TensorTransform<Target> {
 public:
  template <detail::Makes<Tensor, Tensor> F> explicit TensorLambda(F function) : function_(std::move(function)) {}
  Tensor operator()(Tensor input) const override { return function_(std::move(input)); }

 private:
  detail::SharedFunction<Tensor, Tensor> function_;
};

// A function of a whole example.
template <class Input, class Output = Input> class Lambda : public Transform<Input, Output> {
 public:
  template <detail::Makes<Output, Input> F> explicit Lambda(F function) : function_(std::move(function)) {}
  Output apply(Input input) const override { return function_(std::move(input)); }

 private:
  detail::SharedFunction<Output, Input> function_;
};

// A function of a batch.
template <class InputBatch, class OutputBatch = InputBatch>
class BatchLambda : public BatchTransform<InputBatch, OutputBatch> {
 public:
  template <detail::Makes<OutputBatch, InputBatch> F>
  explicit BatchLambda(F function) : function_(std::move(function)) {}
  OutputBatch apply_batch(InputBatch input) const override { return function_(std::move(input)); }

 private:
  detail::SharedFunction<OutputBatch, InputBatch> function_;
};

// A function that makes one batch of several examples.
template <class T, class Examples = std::vector<T>> using Collate = BatchLambda<Examples, T>;

namespace detail {
class TAPEGRAD_API Normalization {
 public:
  Normalization(std::vector<double> mean, std::vector<double> std);
  Tensor operator()(const Tensor& x, int64_t channel_dim) const;

 private:
  std::vector<double> mean_, std_;
};
}  // namespace detail

// y = (x - mean) / std, with one mean and std for everything, or one for each channel, the first dim of an example.
// Integers become float32. ValueError unless each std is positive and all are finite; ShapeError for another number of
// channels. Where the data set gives stacked batches (TensorDataset, MNIST), it works on a batch at once.
template <class Target = Tensor> class Normalize : public TensorTransform<Target> {
 public:
  Normalize(double mean, double std) : normalization_({mean}, {std}) {}
  Normalize(std::vector<double> mean, std::vector<double> std) : normalization_(std::move(mean), std::move(std)) {}
  Tensor operator()(Tensor input) const override { return normalization_(input, 0); }
  Example<Tensor, Target> apply_stacked(Example<Tensor, Target> batch) const {
    batch.data = normalization_(batch.data, 1);
    return batch;
  }

 private:
  detail::Normalization normalization_;
};

}  // namespace tapegrad::data::transforms
