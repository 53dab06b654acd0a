// A single number of any element type, as an argument.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "tapegrad/core/dtype.h"

namespace tapegrad {

// Keeps integers exact: 64-bit integers do not pass through double. Its category (bool, integer, float) takes part in
// promotion, its width does not: an int64 tensor plus 0.5 is float32, a float32 tensor plus 1 stays float32.
class Scalar {
 public:
  Scalar() : Scalar(0) {}
  template <class T>
    requires std::is_arithmetic_v<T> Scalar(
        T value) {  // constrained template: any arithmetic type without ambiguity, nothing else
      if constexpr (std::same_as<T, bool>) {
        dtype_ = kBool, integer_ = value;
      } else if constexpr (std::integral<T>) {
        dtype_ = kInt64, integer_ = static_cast<int64_t>(value);
      } else {
        dtype_ = kFloat64, real_ = static_cast<double>(value);
      }
    }

  // kBool, kInt64 or kFloat64.
  DType dtype() const { return dtype_; }
  bool is_floating_point() const { return dtype_ == kFloat64; }
  template <class T> T to() const {
    if constexpr (std::same_as<T, bool>) return dtype_ == kFloat64 ? real_ != 0 : integer_ != 0;
    else return dtype_ == kFloat64 ? static_cast<T>(real_) : static_cast<T>(integer_);
  }

 private:
  DType dtype_;
  union {
    int64_t integer_;
    double real_;
  };
};

// dtype of an operation between a tensor of `dtype` and a Scalar.
inline DType promote_types(DType dtype, const Scalar& scalar) {
  if (scalar.is_floating_point()) return is_floating_point(dtype) ? dtype : kFloat32;
  if (scalar.dtype() == kInt64) return dtype == kBool ? kInt64 : dtype;
  return dtype;
}

}  // namespace tapegrad
