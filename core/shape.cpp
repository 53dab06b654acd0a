// Shape arithmetic: counting, strides, broadcasting, and the wrapping of negative dims.
#include "tapegrad/core/shape.h"

#include <algorithm>
#include <ostream>

#include "tapegrad/core/error.h"

namespace tapegrad {

Shape::Shape(IntArrayRef values) {
  if (values.size() > kMaxRank)
    throw ShapeError("shape: at most 8 dimensions, got " + std::to_string(values.size()) + " in " + to_string(values));
  rank_ = values.size();
  for (int64_t i = 0; i < rank_; ++i) values_[i] = values[i];
}

Shape Shape::filled(int64_t rank, int64_t value) {
  Shape shape;
  shape.resize(rank, value);
  return shape;
}

void Shape::push_back(int64_t value) { insert(rank_, value); }

void Shape::insert(int64_t position, int64_t value) {
  if (rank_ == kMaxRank) throw ShapeError("shape: at most 8 dimensions, got a ninth for " + to_string(*this));
  for (int64_t i = rank_; i > position; --i) values_[i] = values_[i - 1];
  values_[position] = value;
  ++rank_;
}

void Shape::erase(int64_t position) {
  for (int64_t i = position; i + 1 < rank_; ++i) values_[i] = values_[i + 1];
  --rank_;
}

void Shape::resize(int64_t rank, int64_t value) {
  if (rank > kMaxRank) throw ShapeError("shape: at most 8 dimensions, got " + std::to_string(rank));
  for (int64_t i = rank_; i < rank; ++i) values_[i] = value;
  rank_ = rank;
}

void check_rank(int64_t rank, const char* op) {
  if (rank > kMaxRank) throw ShapeError(std::string(op) + ": at most 8 dimensions, got " + std::to_string(rank));
}

int64_t numel_of(IntArrayRef sizes, const char* op) {
  check_rank(sizes.size(), op);
  int64_t count = 1;
  bool overflow = false;
  bool zero = false;
  for (int64_t size : sizes) {
    if (size < 0)
      throw ShapeError(std::string(op) + ": sizes must not be negative, got " + std::to_string(size) + " in " +
                       to_string(sizes));
    zero |= size == 0;
    overflow |= __builtin_mul_overflow(count, std::max<int64_t>(size, 1), &count);
  }
  if (overflow && !zero)
    throw ShapeError(std::string(op) + ": the number of elements overflows 63 bits, got sizes " + to_string(sizes));
  return zero ? 0 : count;
}

Shape contiguous_strides(IntArrayRef sizes) {
  Shape strides = Shape::filled(sizes.size(), 1);
  // Beside a size of 0 the others may be anything; their strides are never used and may wrap.
  for (int64_t i = sizes.size() - 2; i >= 0; --i)
    (void)__builtin_mul_overflow(strides[i + 1], std::max<int64_t>(sizes[i + 1], 1), &strides[i]);
  return strides;
}

Shape broadcast_shapes(IntArrayRef a, IntArrayRef b, const char* op) {
  const int64_t rank = std::max(a.size(), b.size());
  Shape result = Shape::filled(rank, 1);
  for (int64_t i = 1; i <= rank; ++i) {
    const int64_t size_a = i <= a.size() ? a[a.size() - i] : 1;
    const int64_t size_b = i <= b.size() ? b[b.size() - i] : 1;
    if (size_a != size_b && size_a != 1 && size_b != 1)
      throw ShapeError(std::string(op) + ": shapes " + to_string(a) + " and " + to_string(b) +
                       " do not broadcast: sizes " + std::to_string(size_a) + " and " + std::to_string(size_b) +
                       " at dim -" + std::to_string(i) + " differ and neither is 1");
    result[rank - i] = size_a == 1 ? size_b : size_a;
  }
  return result;
}

int64_t wrap_dim(int64_t dim, int64_t rank, const char* op) {
  const int64_t bound = std::max<int64_t>(rank, 1);
  if (dim < -bound || dim >= bound)
    throw IndexError(std::string(op) + ": dim must lie in [" + std::to_string(-bound) + ", " +
                     std::to_string(bound - 1) + "] for a " + std::to_string(rank) + "-dim tensor, got " +
                     std::to_string(dim));
  return dim < 0 ? dim + bound : dim;
}

int64_t wrap_new_dim(int64_t dim, int64_t rank, const char* op) {
  check_rank(rank + 1, op);
  if (dim < -rank - 1 || dim > rank)
    throw IndexError(std::string(op) + ": the new dim of a " + std::to_string(rank) + "-dim tensor must lie in [" +
                     std::to_string(-rank - 1) + ", " + std::to_string(rank) + "], got " + std::to_string(dim));
  return dim < 0 ? dim + rank + 1 : dim;
}

uint32_t dim_mask(IntArrayRef dims, int64_t rank, const char* op) {
  if (dims.empty()) return (1u << rank) - 1;
  uint32_t mask = 0;
  for (int64_t dim : dims) {
    const uint32_t bit = 1u << wrap_dim(dim, rank, op);
    if (mask & bit)
      throw IndexError(std::string(op) + ": each dim may be named once, got " + std::to_string(dim) + " twice in " +
                       to_string(dims));
    mask |= bit;
  }
  return mask;
}

std::string to_string(IntArrayRef values) {
  std::string text = "[";
  for (int64_t i = 0; i < values.size(); ++i) text += (i ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, IntArrayRef values) { return out << to_string(values); }

}  // namespace tapegrad
