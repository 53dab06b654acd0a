// Data sets over tensors, and how examples become batches.
#include "tapegrad/nn/data/dataset.h"

#include <cstring>

#include "tapegrad/core/copy.h"

namespace tapegrad::data {

void detail::check_index(const char* op, int64_t i, int64_t size) {
  if (i < 0 || i >= size)
    throw IndexError(std::string(op) + ": the index must be in [0, " + std::to_string(size) + "), got " +
                     std::to_string(i));
}

namespace {

const Tensor& defined(const char* op, const Tensor& x, const char* argument) {
  if (!x.defined())
    throw ValueError(std::string(op) + ": " + argument + " must be defined, got an undefined tensor (Tensor())");
  return x;
}

}  // namespace

Tensor take_rows(const Tensor& x, IntArrayRef indices) {
  (void)defined("take_rows", x, "x");
  if (x.dim() == 0) throw ShapeError("take_rows: x must have at least one dim, got shape []");
  for (int64_t i : indices) detail::check_index("take_rows", i, x.size(0));
  const Tensor src = contiguous_of(x);
  Shape sizes = x.sizes();
  sizes[0] = indices.size();
  Tensor out = new_tensor(sizes, x.dtype());
  if (out.numel() == 0) return out;
  const auto row = static_cast<size_t>(src.nbytes() / src.size(0));
  auto* to = static_cast<char*>(out.data_ptr());
  const auto* from = static_cast<const char*>(src.data_ptr());
  for (int64_t i : indices) {
    std::memcpy(to, from + static_cast<size_t>(i) * row, row);
    to += row;
  }
  return out;
}

namespace {

Tensor stack_copies(const std::vector<Example>& examples, Tensor Example::*part) {
  const Tensor& first = examples[0].*part;
  Shape sizes = first.sizes();
  sizes.insert(0, static_cast<int64_t>(examples.size()));
  Tensor out = new_tensor(sizes, first.dtype());
  Shape inner_strides = out.strides();
  inner_strides.erase(0);
  for (size_t i = 0; i < examples.size(); ++i) {
    const Tensor& one = examples[i].*part;
    if (!(IntArrayRef(one.sizes()) == IntArrayRef(first.sizes())) || one.dtype() != first.dtype())
      throw ShapeError("DataLoader: the examples of a batch must have one shape and dtype, got " +
                       to_string(first.sizes()) + " " + name_of(first.dtype()) + " and " + to_string(one.sizes()) +
                       " " + name_of(one.dtype()));
    copy(alias(out, first.sizes(), inner_strides, static_cast<int64_t>(i) * out.strides()[0]), one);
  }
  return out;
}

}  // namespace

Example detail::stacked(const std::vector<Example>& examples) {
  return {stack_copies(examples, &Example::data), stack_copies(examples, &Example::target)};
}

TensorDataset::TensorDataset(Tensor x, Tensor y)
    : x_(defined("TensorDataset", x, "x").detach()), y_(defined("TensorDataset", y, "y").detach()) {
  if (x_.dim() == 0 || y_.dim() == 0 || x_.size(0) != y_.size(0))
    throw ShapeError("TensorDataset: x and y must have the same number of rows, got " + to_string(x_.sizes()) +
                     " and " + to_string(y_.sizes()));
}

Example TensorDataset::get(int64_t i) const {
  detail::check_index("TensorDataset", i, size());
  const auto row = [i](const Tensor& t) {
    Shape sizes = t.sizes(), strides = t.strides();
    sizes.erase(0);
    strides.erase(0);
    return alias(t, sizes, strides, i * t.strides()[0]);
  };
  return {row(x_), row(y_)};
}

}  // namespace tapegrad::data
