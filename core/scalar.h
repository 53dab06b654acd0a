// A single number of any element type, as an argument.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tapegrad/core/dtype.h"

namespace tapegrad {

// Keeps integers exact: 64-bit integers do not pass through double. Its category (bool, integer, float) takes part in
// promotion, its width does not: an int64 tensor plus 0.5 is float32, a float32 tensor plus 1 stays float32.
// ValueError for an unsigned integer of 2^63 or more.
class TAPEGRAD_API Scalar {
 public:
  Scalar() : Scalar(0) {}
  template <class T>
    requires std::is_arithmetic_v<T> Scalar(
        T value) {  // constrained template: any arithmetic type without ambiguity, nothing else
      if constexpr (std::same_as<T, bool>) {
        dtype_ = kBool, integer_ = value;
      } else if constexpr (std::integral<T>) {
        if constexpr (std::unsigned_integral<T> && sizeof(T) >= sizeof(int64_t)) {
          if (value > static_cast<T>(std::numeric_limits<int64_t>::max())) too_large(value);
        }
        dtype_ = kInt64, integer_ = static_cast<int64_t>(value);
      } else {
        dtype_ = kFloat64, real_ = static_cast<double>(value);
      }
    }

  Scalar(BFloat16 value) : Scalar(static_cast<float>(value)) {}

  // kBool, kInt64 or kFloat64.
  DType dtype() const { return dtype_; }
  bool is_floating_point() const { return dtype_ == kFloat64; }
  // Whether T holds the number once its fraction is dropped; bool and floating types hold all.
  template <class T> bool fits() const {
    if constexpr (!std::integral<T> || std::same_as<T, bool>) {
      return true;
    } else {
      using Limits = std::numeric_limits<T>;
      if (dtype_ == kFloat64) {
        // Where double cannot tell the neighbours from the limits, no number lies between them.
        constexpr double lowest = static_cast<double>(Limits::min()), beyond = static_cast<double>(Limits::max()) + 1;
        return (real_ >= lowest || real_ > lowest - 1) && real_ < beyond;
      }
      if constexpr (std::unsigned_integral<T>) return integer_ >= 0 && static_cast<uint64_t>(integer_) <= Limits::max();
      else return integer_ >= Limits::min() && integer_ <= Limits::max();
    }
  }
  bool fits(DType dtype) const { return !is_integral(dtype) || fits_integers(dtype); }
  // ValueError where T does not hold the number; in an unsigned T small negative integers wrap, as in PyTorch.
  template <class T> T to() const {
    if constexpr (std::same_as<T, bool>) {
      return dtype_ == kFloat64 ? real_ != 0 : integer_ != 0;
    } else {
      if (!fits<T>() && !wraps<T>()) overflow(std::is_signed_v<T>, 8 * sizeof(T));
      return dtype_ == kFloat64 ? static_cast<T>(real_) : static_cast<T>(integer_);
    }
  }
  double toDouble() const { return to<double>(); }
  float toFloat() const { return to<float>(); }
  int toInt() const { return to<int>(); }
  int64_t toLong() const { return to<int64_t>(); }
  bool toBool() const { return to<bool>(); }

 private:
  template <class T> bool wraps() const {
    if constexpr (!std::unsigned_integral<T>) return false;
    else
      return dtype_ != kFloat64 && integer_ < 0 && 0 - static_cast<uint64_t>(integer_) <= std::numeric_limits<T>::max();
  }
  bool fits_integers(DType dtype) const;
  [[noreturn]] static void too_large(uint64_t value);
  [[noreturn]] void overflow(bool is_signed, size_t bits) const;

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

// ValueError naming `op` where the dtype does not hold the number.
[[noreturn]] TAPEGRAD_API void does_not_fit(const char* op, const Scalar& value, DType dtype);
inline void check_fits(const char* op, const Scalar& value, DType dtype) {
  if (!value.fits(dtype)) does_not_fit(op, value, dtype);
}

}  // namespace tapegrad
