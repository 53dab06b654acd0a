// Data sets: numbered examples, made anew by transforms; and the one over tensors.
#pragma once

#include "tapegrad/nn/data/map.h"

namespace tapegrad::data {

template <class Source, class Transform> class MapDataset;

// A data set is anything with `int64_t size() const` and `get(int64_t i)`, or with get_batch(IntArrayRef) in its place or
// beside it, which may give a std::vector of examples or a batch already stacked. Derived from this it also has map().
//   struct Squares : data::Dataset<Squares> {
//     int64_t size() const { return 100; }
//     data::Example<> get(int64_t i) const { return {full({1}, i), tensor(i * i)}; }
//   };
// A loader's workers share a data set whose get (get_batch) is const: it must then be safe to call from several threads,
// as reading tensors is. Otherwise every worker has a copy.
template <class Self, class SingleExample = Example<>> class Dataset {
 public:
  using ExampleType = SingleExample;

  // The same examples, each made anew by the transform: one of data::transforms, or a function of an example.
  template <class Transform> MapDataset<Self, Transform> map(Transform transform) const& {
    return {static_cast<const Self&>(*this), std::move(transform)};
  }
  template <class Transform> MapDataset<Self, Transform> map(Transform transform) && {
    return {static_cast<Self&&>(*this), std::move(transform)};
  }
};

// What map() gives. Transforms are shared between threads, so their functions are const.
template <class Source, class Transform> class MapDataset : public Dataset<MapDataset<Source, Transform>> {
  using Const = const Source;
  static_assert(detail::MapsGet<Source, Transform> || detail::MapsBatch<Source, Transform>,
                "the transform takes neither the examples nor the batches of this data set");

 public:
  MapDataset(Source source, Transform transform) : source_(std::move(source)), transform_(std::move(transform)) {}
  auto size() const { return source_.size(); }

  auto get(int64_t i) const requires detail::MapsGet<Const, Transform> {
    return detail::transformed(transform_, source_.get(i));
  }
  auto get(int64_t i) requires(!detail::MapsGet<Const, Transform> && detail::MapsGet<Source, Transform>) {
    return detail::transformed(transform_, source_.get(i));
  }
  auto get_batch(IntArrayRef indices) const requires detail::MapsBatch<Const, Transform> {
    return detail::map_batch(source_, transform_, indices);
  }
  auto get_batch(IntArrayRef indices) requires(!detail::MapsBatch<Const, Transform> &&
                                               detail::MapsBatch<Source, Transform>) {
    return detail::map_batch(source_, transform_, indices);
  }
  const Source& dataset() const { return source_; }
  const Transform& transform() const { return transform_; }

 private:
  Source source_;
  Transform transform_;
};

// For a data set that does not derive from Dataset.
template <class Source, class Transform> MapDataset<Source, Transform> map(Source dataset, Transform transform) {
  return {std::move(dataset), std::move(transform)};
}

// Copies of the rows x[indices[0]], x[indices[1]], ... along dim 0. IndexError for an index outside [0, x.size(0)).
TAPEGRAD_API Tensor take_rows(const Tensor& x, IntArrayRef indices);

// Rows of x with rows of y. ShapeError unless both have the same number of rows, and at least one dim.
class TAPEGRAD_API TensorDataset : public Dataset<TensorDataset> {
 public:
  TensorDataset(Tensor x, Tensor y);
  int64_t size() const { return x_.size(0); }
  // Views of row i. IndexError out of range.
  Example<> get(int64_t i) const;
  // Copies, stacked.
  Example<> get_batch(IntArrayRef indices) const { return {take_rows(x_, indices), take_rows(y_, indices)}; }
  const Tensor& data() const { return x_; }
  const Tensor& targets() const { return y_; }

 private:
  Tensor x_, y_;
};

namespace datasets {
using data::Dataset;
using data::map;
using data::MapDataset;
using data::TensorDataset;
}  // namespace datasets

}  // namespace tapegrad::data
