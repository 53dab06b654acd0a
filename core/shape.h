// Sizes and strides: a borrowed list of integers for arguments, and the inline list of up to eight that tensors hold.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <vector>

#include "tapegrad/core/export.h"

namespace tapegrad {

// A tensor has at most this many dimensions; more is a ShapeError.
inline constexpr int64_t kMaxRank = 8;

class Shape;

// Integers lent for the length of a call: braces, a vector, an array or a Shape. Never store one.
class IntArrayRef {
 public:
  constexpr IntArrayRef() = default;
  constexpr IntArrayRef(const int64_t* data, int64_t size) : data_(data), size_(size) {}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winit-list-lifetime"  // lent for the full expression is what is meant
#endif
  constexpr IntArrayRef(std::initializer_list<int64_t> list)
      : data_(list.begin()), size_(static_cast<int64_t>(list.size())) {}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
  constexpr IntArrayRef(const int64_t& one)
      : data_(&one), size_(1) {}  // lives as long as the argument's full expression
  IntArrayRef(const std::vector<int64_t>& v) : data_(v.data()), size_(static_cast<int64_t>(v.size())) {}
  IntArrayRef(const Shape& shape);
  template <class R>  // std::span, std::array and the like
    requires requires(const R& r) {
      { r.data() } -> std::convertible_to<const int64_t*>;
      r.size();
    }
  constexpr IntArrayRef(const R& r) : data_(r.data()), size_(static_cast<int64_t>(r.size())) {}

  constexpr const int64_t* data() const { return data_; }
  constexpr int64_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const int64_t* begin() const { return data_; }
  constexpr const int64_t* end() const { return data_ + size_; }
  constexpr int64_t operator[](int64_t i) const { return data_[i]; }
  std::vector<int64_t> vec() const { return {begin(), end()}; }

 private:
  const int64_t* data_ = nullptr;
  int64_t size_ = 0;
};

constexpr bool operator==(IntArrayRef a, IntArrayRef b) {
  if (a.size() != b.size()) return false;
  for (int64_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

// Up to kMaxRank integers held inline; the sizes or the strides of a tensor.
class TAPEGRAD_API Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> list) : Shape(IntArrayRef(list)) {}
  Shape(IntArrayRef values);  // ShapeError above kMaxRank
  static Shape filled(int64_t rank, int64_t value);

  int64_t size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  const int64_t* data() const { return values_; }
  int64_t* begin() { return values_; }
  int64_t* end() { return values_ + rank_; }
  const int64_t* begin() const { return values_; }
  const int64_t* end() const { return values_ + rank_; }
  int64_t& operator[](int64_t i) { return values_[i]; }
  int64_t operator[](int64_t i) const { return values_[i]; }
  int64_t back() const { return values_[rank_ - 1]; }
  void push_back(int64_t value);  // ShapeError above kMaxRank
  void insert(int64_t position, int64_t value);
  void erase(int64_t position);
  void resize(int64_t rank, int64_t value = 0);
  std::vector<int64_t> vec() const { return {begin(), end()}; }

 private:
  int64_t rank_ = 0;
  int64_t values_[kMaxRank];
};

inline IntArrayRef::IntArrayRef(const Shape& shape) : data_(shape.data()), size_(shape.size()) {}

// ShapeError naming `op` for more than kMaxRank dims.
TAPEGRAD_API void check_rank(int64_t rank, const char* op);
// Number of elements; ShapeError (naming `op`) for too many dims, a negative size or a product beyond 2^63 - 1.
TAPEGRAD_API int64_t numel_of(IntArrayRef sizes, const char* op);
// Row-major strides.
TAPEGRAD_API Shape contiguous_strides(IntArrayRef sizes);
// The shape both broadcast to; ShapeError naming `op` and both shapes where a pair of sizes differs and none is 1.
TAPEGRAD_API Shape broadcast_shapes(IntArrayRef a, IntArrayRef b, const char* op);
// Dim in [-rank, rank) to [0, rank); IndexError naming `op`. A 0-dim tensor takes 0 and -1, as one-dim ones do.
TAPEGRAD_API int64_t wrap_dim(int64_t dim, int64_t rank, const char* op);
// The same for a dim that is yet to be put in: [-(rank + 1), rank] to [0, rank].
TAPEGRAD_API int64_t wrap_new_dim(int64_t dim, int64_t rank, const char* op);
// One flag per dimension for a list of dims (empty list: all); IndexError for a dim out of range or named twice.
TAPEGRAD_API uint32_t dim_mask(IntArrayRef dims, int64_t rank, const char* op);
// "[2, 3]"
TAPEGRAD_API std::string to_string(IntArrayRef values);
TAPEGRAD_API std::ostream& operator<<(std::ostream& out, IntArrayRef values);

}  // namespace tapegrad
