// bfloat16 as a type: the upper half of a float32, with its range and 8 bits of precision.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>

namespace tapegrad {

// Converts to float exactly, and from any number by rounding to nearest, ties to even; NaN stays NaN. Arithmetic is float's.
struct BFloat16 {
  uint16_t bits;

  BFloat16() = default;
  constexpr BFloat16(float value) : bits(rounded(__builtin_bit_cast(uint32_t, value))) {}
  constexpr BFloat16(double value) : bits(rounded(nearest(value))) {}
  template <std::integral T> constexpr BFloat16(T value) : BFloat16(static_cast<double>(value)) {}
  static constexpr BFloat16 from_bits(uint16_t bits) {
    BFloat16 x{0.f};
    x.bits = bits;
    return x;
  }
  constexpr operator float() const { return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16); }

  constexpr BFloat16& operator+=(float x) { return *this = BFloat16(*this + x); }
  constexpr BFloat16& operator-=(float x) { return *this = BFloat16(*this - x); }
  constexpr BFloat16& operator*=(float x) { return *this = BFloat16(*this * x); }
  constexpr BFloat16& operator/=(float x) { return *this = BFloat16(*this / x); }

 private:
  static constexpr uint16_t rounded(uint32_t b) {
    const bool nan = (b & 0x7FFFFFFF) > 0x7F800000;
    const uint32_t up = b + 0x7FFF + (b >> 16 & 1);
    return static_cast<uint16_t>(nan ? b >> 16 | 0x40 : up >> 16);
  }
  // The float32 next to value, moved off a tie between two bfloat16 that value itself is not.
  static constexpr uint32_t nearest(double value) {
    const auto f = static_cast<float>(value);
    const auto b = __builtin_bit_cast(uint32_t, f);
    if ((b & 0xFFFF) != 0x8000 || static_cast<double>(f) == value) return b;
    return (f < value) == (f > 0) ? b + 1 : b - 1;
  }
};

}  // namespace tapegrad

template <> struct std::numeric_limits<tapegrad::BFloat16> : std::numeric_limits<float> {
  using T = tapegrad::BFloat16;
  static constexpr int digits = 8, digits10 = 2, max_digits10 = 4;
  static constexpr T min() noexcept { return T::from_bits(0x0080); }
  static constexpr T max() noexcept { return T::from_bits(0x7F7F); }
  static constexpr T lowest() noexcept { return T::from_bits(0xFF7F); }
  static constexpr T epsilon() noexcept { return T::from_bits(0x3C00); }
  static constexpr T round_error() noexcept { return T::from_bits(0x3F00); }
  static constexpr T infinity() noexcept { return T::from_bits(0x7F80); }
  static constexpr T quiet_NaN() noexcept { return T::from_bits(0x7FC0); }
  static constexpr T signaling_NaN() noexcept { return T::from_bits(0x7FA0); }
  static constexpr T denorm_min() noexcept { return T::from_bits(0x0001); }
};
