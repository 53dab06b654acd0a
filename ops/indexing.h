// NumPy-like indexing: x.index({1, Slice(None, 3), "...", mask}).
#pragma once

#include <optional>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

namespace indexing {
struct NoneType {};
struct EllipsisType {};
inline constexpr NoneType None{};
inline constexpr EllipsisType Ellipsis{};

// start:stop:step, each may be None. Negative bounds count from the end; step >= 1.
struct Slice {
  std::optional<int64_t> start = {}, stop = {}, step = {};

  Slice() = default;
  Slice(int64_t end) : stop(end) {}
  template <class A, class B> Slice(A first, B last) : start(bound(first)), stop(bound(last)) {}
  template <class A, class B, class C>
  Slice(A first, B last, C by) : start(bound(first)), stop(bound(last)), step(bound(by)) {}

 private:
  static std::optional<int64_t> bound(NoneType) { return {}; }
  static std::optional<int64_t> bound(int64_t i) { return i; }
};
}  // namespace indexing

// One entry of an index: an integer, a Slice, None (a new dim), "..." or Ellipsis, a bool, or a tensor (int64 indices, or a bool mask).
class TAPEGRAD_API TensorIndex {
 public:
  enum class Kind : uint8_t { Integer, Slice, None, Ellipsis, Boolean, Tensor };
  template <class T>
    requires std::is_integral_v<T> TensorIndex(T value)
        : kind(std::is_same_v<T, bool> ? Kind::Boolean : Kind::Integer), integer(static_cast<int64_t>(value)) {}
    TensorIndex(indexing::Slice s) : kind(Kind::Slice), slice(s) {}
    TensorIndex(indexing::NoneType) : kind(Kind::None) {}
    TensorIndex(indexing::EllipsisType) : kind(Kind::Ellipsis) {}
    TensorIndex(const char* dots);  // "..."; ValueError otherwise
    TensorIndex(Tensor t) : kind(Kind::Tensor), tensor(std::move(t)) {}

    Kind kind;
    int64_t integer = 0;
    indexing::Slice slice;
    Tensor tensor;
};

// Integers (also as 0-dim tensors), slices, None and "..." give a view. Index tensors and masks give a copy: index tensors
// broadcast to one shape, whose dims stand where the indexed ones did if these lie side by side, else in front; a mask stands for
// the indices of what is true in it (uint8 too, as in PyTorch), a bool or 0-dim mask for a new dim of size 1 or 0.
// y = x[indices];  dx = dy added up there. IndexError: too many indices, one out of range, a mask of another shape. DTypeError:
// an index tensor of floats. ShapeError: index tensors that do not broadcast.
TAPEGRAD_API Tensor index(const Tensor& x, std::initializer_list<TensorIndex> indices);
TAPEGRAD_API Tensor index(const Tensor& x, const std::vector<TensorIndex>& indices);
// x with values (broadcast) at the indices; where an element is named twice, the last of its values stays and has the gradient.
// With accumulate they are added to what is there, all values of an element named twice.
// dx = dy with zeros there (accumulated: dy), dvalues = dy at the indices. ShapeError: values that do not broadcast.
TAPEGRAD_API Tensor index_put(const Tensor& x, std::initializer_list<TensorIndex> indices, const Tensor& values,
                              bool accumulate = false);
TAPEGRAD_API Tensor index_put(const Tensor& x, std::initializer_list<TensorIndex> indices, const Scalar& value,
                              bool accumulate = false);
TAPEGRAD_API Tensor index_put(const Tensor& x, const std::vector<TensorIndex>& indices, const Tensor& values,
                              bool accumulate = false);
TAPEGRAD_API Tensor index_put(const Tensor& x, const std::vector<TensorIndex>& indices, const Scalar& value,
                              bool accumulate = false);
TAPEGRAD_API Tensor& index_put_(const Tensor& x, std::initializer_list<TensorIndex> indices, const Tensor& values,
                                bool accumulate = false);
TAPEGRAD_API Tensor& index_put_(const Tensor& x, std::initializer_list<TensorIndex> indices, const Scalar& value,
                                bool accumulate = false);
TAPEGRAD_API Tensor& index_put_(const Tensor& x, const std::vector<TensorIndex>& indices, const Tensor& values,
                                bool accumulate = false);
TAPEGRAD_API Tensor& index_put_(const Tensor& x, const std::vector<TensorIndex>& indices, const Scalar& value,
                                bool accumulate = false);

}  // namespace tapegrad
