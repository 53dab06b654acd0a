// One example of a data set, and how several become a batch.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::data {

// What an example without a target has in its place.
struct NoTarget {};

// One example, or a batch of them stacked along a new first dim: `auto [x, y] = example`.
template <class Data = Tensor, class Target = Tensor> struct Example {
  using DataType = Data;
  using TargetType = Target;
  Example() = default;
  Example(Data data, Target target) : data(std::move(data)), target(std::move(target)) {}
  Data data;
  Target target;
};

template <class Data> struct Example<Data, NoTarget> {
  using DataType = Data;
  using TargetType = NoTarget;
  Example() = default;
  Example(Data data) : data(std::move(data)) {}
  operator Data&() { return data; }
  operator const Data&() const { return data; }
  Data data;
};
using TensorExample = Example<Tensor, NoTarget>;

namespace detail {

// Copies of the examples in one tensor (data and target each), along a new first dim. ShapeError unless they have one
// shape and dtype; ValueError for none.
TAPEGRAD_API Example<> stacked(const std::vector<Example<>>& examples);
TAPEGRAD_API TensorExample stacked(const std::vector<TensorExample>& examples);

// Whoever makes the examples of a batch one by one says so before the first and before each. In a loader's pass example k
// then has random numbers of its own, by seed and place in the pass; elsewhere nothing happens.
TAPEGRAD_API void start_examples();
TAPEGRAD_API void start_example(int64_t k);

}  // namespace detail
}  // namespace tapegrad::data
