// How a transform meets a data set: what each of them offers, and which way a batch takes.
#pragma once

#include <type_traits>

#include "tapegrad/nn/data/example.h"

namespace tapegrad::data::detail {

// D may be const: a data set whose get is not const is none to share between threads.
template <class D>
concept HasGet = requires(D& d) {
  d.get(int64_t{});
};
template <class D>
concept HasGetBatch = requires(D& d, IntArrayRef indices) {
  d.get_batch(indices);
};
template <class D>
concept Readable = HasGet<D> || HasGetBatch<D>;

template <class D> using ExampleOf = std::decay_t<decltype(std::declval<D&>().get(int64_t{}))>;

template <class T> inline constexpr bool is_vector = false;
template <class T> inline constexpr bool is_vector<std::vector<T>> = true;

// One get after the other.
template <HasGet D> std::vector<ExampleOf<D>> examples_of(D& dataset, IntArrayRef indices) {
  std::vector<ExampleOf<D>> out;
  out.reserve(static_cast<size_t>(indices.size()));
  start_examples();
  for (int64_t k = 0; k < indices.size(); ++k) {
    start_example(k);
    out.push_back(dataset.get(indices[k]));
  }
  return out;
}

// The examples as the data set gives them: by its own get_batch where it has one.
template <Readable D> auto batch_of(D& dataset, IntArrayRef indices) {
  if constexpr (HasGetBatch<D>) return dataset.get_batch(indices);
  else return examples_of(dataset, indices);
}
template <class D> using BatchOf = decltype(batch_of(std::declval<D&>(), IntArrayRef()));

// T makes one example from another: by apply, or by being called.
template <class T, class E>
concept TakesExample = requires(const T& t, E e) {
  t.apply(std::move(e));
}
|| std::is_invocable_v<const T&, E>;
template <class T, class B>
concept TakesBatch = requires(const T& t, B b) {
  t.apply_batch(std::move(b));
};
// T treats a stacked batch as it would each example of it, at once.
template <class T, class B>
concept TakesStacked = requires(const T& t, B b) {
  t.apply_stacked(std::move(b));
};

template <class T, class E> auto transformed(const T& transform, E example) {
  if constexpr (requires { transform.apply(std::move(example)); }) return transform.apply(std::move(example));
  else return transform(std::move(example));
}

template <class D, class T>
concept MapsGet = HasGet<D> && TakesExample<T, ExampleOf<D>>;
template <class D, class T>
concept MapsEach = HasGetBatch<D> && is_vector<BatchOf<D>> && TakesExample<T, typename BatchOf<D>::value_type>;
template <class D, class T>
concept MapsStacked = HasGetBatch<D> && TakesStacked<T, BatchOf<D>>;
template <class D, class T>
concept MapsWhole = !MapsGet<D, T> && !MapsEach<D, T> && TakesBatch<T, BatchOf<D>>;
// A collation of single examples over a data set whose own batches are already stacked.
template <class D, class T>
concept MapsExamples = !MapsGet<D, T> && HasGet<D> && TakesBatch<T, std::vector<ExampleOf<D>>>;
// Where none holds, a batch is one mapped get after the other.
template <class D, class T>
concept MapsBatch = Readable<D> &&(MapsStacked<D, T> || MapsEach<D, T> || MapsWhole<D, T> || MapsExamples<D, T>);

template <class D, class T>
  requires MapsBatch<D, T>
auto map_batch(D& dataset, const T& transform, IntArrayRef indices) {
  if constexpr (MapsStacked<D, T>) {
    return transform.apply_stacked(dataset.get_batch(indices));
  } else if constexpr (MapsEach<D, T>) {
    auto batch = dataset.get_batch(indices);
    std::vector<decltype(transformed(transform, std::move(batch[0])))> out;
    out.reserve(batch.size());
    start_examples();
    for (size_t k = 0; k < batch.size(); ++k) {
      start_example(static_cast<int64_t>(k));
      out.push_back(transformed(transform, std::move(batch[k])));
    }
    return out;
  } else if constexpr (MapsWhole<D, T>) {
    return transform.apply_batch(batch_of(dataset, indices));
  } else {
    return transform.apply_batch(examples_of(dataset, indices));
  }
}

}  // namespace tapegrad::data::detail
