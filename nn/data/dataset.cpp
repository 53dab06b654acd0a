// Data sets over tensors, and how examples become batches.
#include "tapegrad/nn/data/dataset.h"

#include <cstring>

#include "tapegrad/core/copy.h"

namespace tapegrad::data {
namespace {

void check_index(const char* op, int64_t i, int64_t size) {
  if (i < 0 || i >= size)
    throw IndexError(std::string(op) + ": the index must be in [0, " + std::to_string(size) + "), got " +
                     std::to_string(i));
}

const Tensor& defined(const char* op, const Tensor& x, const char* argument) {
  if (!x.defined())
    throw ValueError(std::string(op) + ": " + argument + " must be defined, got an undefined tensor (Tensor())");
  return x;
}

// Row i of x, the same memory.
Tensor row_of(const Tensor& x, int64_t i) {
  Shape sizes = x.sizes(), strides = x.strides();
  sizes.erase(0);
  strides.erase(0);
  return alias(x, sizes, strides, i * x.strides()[0]);
}

}  // namespace

Tensor take_rows(const Tensor& x, IntArrayRef indices) {
  (void)defined("take_rows", x, "x");
  if (x.dim() == 0) throw ShapeError("take_rows: x must have at least one dim, got shape []");
  for (int64_t i : indices) check_index("take_rows", i, x.size(0));
  Shape sizes = x.sizes();
  sizes[0] = indices.size();
  Tensor out = new_tensor(sizes, x.dtype());
  if (out.numel() == 0) return out;
  if (row_of(x, 0).is_contiguous()) {
    const auto bytes = static_cast<size_t>(out.nbytes() / indices.size());
    const int64_t pitch = x.strides()[0] * x.element_size();
    auto* to = static_cast<char*>(out.data_ptr());
    const auto* from = static_cast<const char*>(x.data_ptr());
    for (int64_t i : indices) {
      std::memcpy(to, from + i * pitch, bytes);
      to += bytes;
    }
    return out;
  }
  for (int64_t k = 0; k < indices.size(); ++k) copy(row_of(out, k), row_of(x, indices[k]));
  return out;
}

namespace {

template <class E> Tensor stack_copies(const std::vector<E>& examples, Tensor E::*part) {
  if (examples.empty()) throw ValueError("DataLoader: a batch must have at least one example, got none");
  for (const E& one : examples) (void)defined("DataLoader", one.*part, "every tensor of an example");
  const Tensor& first = examples[0].*part;
  Shape sizes = first.sizes();
  sizes.insert(0, static_cast<int64_t>(examples.size()));
  Tensor out = new_tensor(sizes, first.dtype());
  for (size_t i = 0; i < examples.size(); ++i) {
    const Tensor& one = examples[i].*part;
    if (!(IntArrayRef(one.sizes()) == IntArrayRef(first.sizes())) || one.dtype() != first.dtype())
      throw ShapeError("DataLoader: the examples of a batch must have one shape and dtype, got " +
                       to_string(first.sizes()) + " " + name_of(first.dtype()) + " and " + to_string(one.sizes()) +
                       " " + name_of(one.dtype()));
    copy(row_of(out, static_cast<int64_t>(i)), one);
  }
  return out;
}

}  // namespace

Example<> detail::stacked(const std::vector<Example<>>& examples) {
  return {stack_copies(examples, &Example<>::data), stack_copies(examples, &Example<>::target)};
}

TensorExample detail::stacked(const std::vector<TensorExample>& examples) {
  return {stack_copies(examples, &TensorExample::data)};
}

TensorDataset::TensorDataset(Tensor x, Tensor y)
    : x_(defined("TensorDataset", x, "x").detach()), y_(defined("TensorDataset", y, "y").detach()) {
  if (x_.dim() == 0 || y_.dim() == 0 || x_.size(0) != y_.size(0))
    throw ShapeError("TensorDataset: x and y must have the same number of rows, got " + to_string(x_.sizes()) +
                     " and " + to_string(y_.sizes()));
}

Example<> TensorDataset::get(int64_t i) const {
  check_index("TensorDataset", i, size());
  return {row_of(x_, i), row_of(y_, i)};
}

}  // namespace tapegrad::data
