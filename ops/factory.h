// Making tensors: filled, ranged, random, from C++ data.
#pragma once

#include <initializer_list>

#include "tapegrad/core/random.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Filled with 0, 1, a value, or nothing (uninitialised). dtype float32 unless the options say otherwise.
// ShapeError for a negative size or a product beyond 63 bits; DTypeError for integer options that require grad.
TAPEGRAD_API Tensor zeros(IntArrayRef sizes, const TensorOptions& options = {});
TAPEGRAD_API Tensor ones(IntArrayRef sizes, const TensorOptions& options = {});
TAPEGRAD_API Tensor empty(IntArrayRef sizes, const TensorOptions& options = {});
// dtype of the value's kind (bool, int64, float32) unless the options say otherwise. ValueError for a value that an integer
// dtype does not hold.
TAPEGRAD_API Tensor full(IntArrayRef sizes, const Scalar& value, const TensorOptions& options = {});

// The same with the sizes, and by default the dtype, of x.
TAPEGRAD_API Tensor zeros_like(const Tensor& x, const TensorOptions& options = {});
TAPEGRAD_API Tensor ones_like(const Tensor& x, const TensorOptions& options = {});
TAPEGRAD_API Tensor empty_like(const Tensor& x, const TensorOptions& options = {});
TAPEGRAD_API Tensor full_like(const Tensor& x, const Scalar& value, const TensorOptions& options = {});
TAPEGRAD_API Tensor rand_like(const Tensor& x, const TensorOptions& options = {});
TAPEGRAD_API Tensor randn_like(const Tensor& x, const TensorOptions& options = {});
TAPEGRAD_API Tensor randint_like(const Tensor& x, int64_t high, const TensorOptions& options = {});
TAPEGRAD_API Tensor randint_like(const Tensor& x, int64_t low, int64_t high, const TensorOptions& options = {});

// start, start + step, ... below end (above it for a negative step). int64 when all are integers, else float32.
// ValueError for a step of 0 or of the wrong sign, a number that is not finite, or values that the dtype does not hold.
TAPEGRAD_API Tensor arange(const Scalar& end, const TensorOptions& options = {});
TAPEGRAD_API Tensor arange(const Scalar& start, const Scalar& end, const TensorOptions& options = {});
TAPEGRAD_API Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step,
                           const TensorOptions& options = {});
// `steps` values evenly from start to end, both included. ValueError for negative steps.
TAPEGRAD_API Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, const TensorOptions& options = {});
// Ones on the diagonal of an n x m (default n x n) matrix.
TAPEGRAD_API Tensor eye(int64_t n, const TensorOptions& options = {});
TAPEGRAD_API Tensor eye(int64_t n, int64_t m, const TensorOptions& options = {});

// Uniform in [0, 1); standard normal; integers in [low, high), int64 by default; a random order of 0 ... n-1.
TAPEGRAD_API Tensor rand(IntArrayRef sizes, const TensorOptions& options = {});
TAPEGRAD_API Tensor rand(IntArrayRef sizes, Generator& generator, const TensorOptions& options = {});
TAPEGRAD_API Tensor randn(IntArrayRef sizes, const TensorOptions& options = {});
TAPEGRAD_API Tensor randn(IntArrayRef sizes, Generator& generator, const TensorOptions& options = {});
TAPEGRAD_API Tensor randint(int64_t high, IntArrayRef sizes, const TensorOptions& options = {});
TAPEGRAD_API Tensor randint(int64_t low, int64_t high, IntArrayRef sizes, const TensorOptions& options = {});
TAPEGRAD_API Tensor randperm(int64_t n, const TensorOptions& options = {});
TAPEGRAD_API Tensor randperm(int64_t n, Generator& generator, const TensorOptions& options = {});

// Wraps memory of the caller's, who keeps it alive as long as the tensor and its views; no copy. Strides count elements.
// ValueError for null data or negative strides.
TAPEGRAD_API Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& options = {});
TAPEGRAD_API Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides, const TensorOptions& options = {});
// The same, and deleter(data) runs when the last tensor lets go; not when from_blob itself fails.
TAPEGRAD_API Tensor from_blob(void* data, IntArrayRef sizes, void (*deleter)(void*), const TensorOptions& options = {});

namespace detail {
// give_back(context) runs when the last tensor lets go.
TAPEGRAD_API Tensor lent_tensor(void* data, IntArrayRef sizes, IntArrayRef strides, void (*give_back)(void* context),
                                void* context, const TensorOptions& options);
}  // namespace detail

// The same for any callable, a lambda with captures among them.
template <class F>
  requires std::is_invocable_v<F&, void*> Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                                                           F deleter, const TensorOptions& options = {}) {
    struct Lease {
      F deleter;
      void* data;
    };
    auto* lease = new Lease{std::move(deleter), data};
    const auto give_back = [](void* context) {
      auto* held = static_cast<Lease*>(context);
      held->deleter(held->data);
      delete held;
    };
    try {
      return detail::lent_tensor(data, sizes, strides, give_back, lease, options);
    } catch (...) {
      delete lease;
      throw;
    }
  }
template <class F>
  requires std::is_invocable_v<F&, void*> Tensor from_blob(void* data, IntArrayRef sizes, F deleter,
                                                           const TensorOptions& options = {}) {
    check_rank(sizes.size(), "from_blob");
    return from_blob(data, sizes, contiguous_strides(sizes), std::move(deleter), options);
  }

// Numbers in nested braces; see tensor().
class TAPEGRAD_API TensorData {
 public:
  template <class T>
    requires std::is_arithmetic_v<T> TensorData(T value) : dtype_(Scalar(value).dtype()), value_(value) {
      if constexpr (std::is_same_v<T, uint8_t>) dtype_ = kUInt8;
    }
    TensorData(std::initializer_list<TensorData> list);
    template <class T>
      requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
    TensorData(const std::vector<T>& list)
        : sizes_{static_cast<int64_t>(list.size())}, dtype_(natural<T>()), scalar_(false) {
      for (T value : list) values_.push_back(Scalar(value));
    }

    const Shape& sizes() const { return sizes_; }
    DType dtype() const { return dtype_; }
    bool is_scalar() const { return scalar_; }
    Scalar value(int64_t i) const { return scalar_ ? value_ : values_[static_cast<size_t>(i)]; }

   private:
    template <class T> static constexpr DType natural() {
      return std::is_floating_point_v<T> ? kFloat64 : std::is_same_v<T, uint8_t> ? kUInt8 : kInt64;
    }
    Shape sizes_;
    DType dtype_;
    bool scalar_ = true;
    Scalar value_;
    std::vector<Scalar> values_;
};

// A tensor of the numbers given: tensor(3.0), tensor({1, 2, 3}), tensor({{1., 2.}, {3., 4.}}), tensor(std::vector<float>).
// Integers give int64 (uint8_t stays uint8), bools bool, floating point float32 (the default dtype), whatever its width, unless the options say otherwise.
// ShapeError for ragged braces, ValueError for a number that an integer dtype does not hold.
TAPEGRAD_API Tensor tensor(const TensorData& data, const TensorOptions& options = {});

}  // namespace tapegrad
