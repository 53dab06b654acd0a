// Data sets: numbered examples, each a data tensor and a target tensor.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::data {

// One example, or a batch of them stacked along a new first dim.
struct Example {
  Tensor data, target;
};

// Copies of the rows x[indices[0]], x[indices[1]], ... along dim 0. IndexError for an index outside [0, x.size(0)).
TAPEGRAD_API Tensor take_rows(const Tensor& x, IntArrayRef indices);

// A data set of one's own offers `int64_t size() const` and `Example get(int64_t i) const`, or, faster, get_batch.
namespace detail {
TAPEGRAD_API Example stacked(const std::vector<Example>& examples);
TAPEGRAD_API void check_index(const char* op, int64_t i, int64_t size);
}  // namespace detail

// Rows of x with rows of y. ShapeError unless both have the same number of rows, and at least one dim.
class TAPEGRAD_API TensorDataset {
 public:
  TensorDataset(Tensor x, Tensor y);
  int64_t size() const { return x_.size(0); }
  // Views of row i. IndexError out of range.
  Example get(int64_t i) const;
  Example get_batch(IntArrayRef indices) const { return {take_rows(x_, indices), take_rows(y_, indices)}; }
  const Tensor& data() const { return x_; }
  const Tensor& targets() const { return y_; }

 private:
  Tensor x_, y_;
};

}  // namespace tapegrad::data
