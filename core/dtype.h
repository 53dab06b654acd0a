// Element types: names, sizes, promotion, and the switch from a run-time dtype to a C++ type.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <utility>

#include "tapegrad/core/bfloat16.h"
#include "tapegrad/core/export.h"

namespace tapegrad {

// The order is the promotion order within a category: bool < uint8 < int32 < int64 < bfloat16 < float32 < float64.
enum class DType : uint8_t { Bool, UInt8, Int32, Int64, BFloat16, Float32, Float64 };
inline constexpr int kDTypes = 7;

inline constexpr DType kBool = DType::Bool;
inline constexpr DType kUInt8 = DType::UInt8;
inline constexpr DType kInt32 = DType::Int32;
inline constexpr DType kInt = DType::Int32;
inline constexpr DType kInt64 = DType::Int64;
inline constexpr DType kLong = DType::Int64;
inline constexpr DType kBFloat16 = DType::BFloat16;
inline constexpr DType kFloat32 = DType::Float32;
inline constexpr DType kFloat = DType::Float32;
inline constexpr DType kFloat64 = DType::Float64;
inline constexpr DType kDouble = DType::Float64;

namespace detail {
inline constexpr int64_t item_sizes[] = {1, 1, 4, 8, 2, 4, 8};
}
// Bytes of one element.
constexpr int64_t item_size(DType dtype) { return detail::item_sizes[static_cast<int>(dtype)]; }

constexpr bool is_floating_point(DType dtype) { return dtype >= DType::BFloat16; }
constexpr bool is_integral(DType dtype) { return dtype > DType::Bool && dtype < DType::BFloat16; }

// "float32", "int64", ...
TAPEGRAD_API const char* name_of(DType dtype);
TAPEGRAD_API std::ostream& operator<<(std::ostream& out, DType dtype);

// The dtype that holds both, as PyTorch's torch.promote_types: a float wins over an integer, an integer over bool,
// else the wider one (uint8 with int32 is int32).
constexpr DType promote_types(DType a, DType b) { return a > b ? a : b; }

// Whether a result of dtype `from` may be written into `to`: float to integer and number to bool lose and are refused.
constexpr bool can_cast(DType from, DType to) {
  if (is_floating_point(from) && !is_floating_point(to)) return false;
  return !(from != DType::Bool && to == DType::Bool);
}

// C++ type to dtype: dtype_of<float>() is kFloat32.
template <class T> struct dtype_of_type;
template <> struct dtype_of_type<bool> { static constexpr DType value = DType::Bool; };
template <> struct dtype_of_type<uint8_t> { static constexpr DType value = DType::UInt8; };
template <> struct dtype_of_type<int32_t> { static constexpr DType value = DType::Int32; };
template <> struct dtype_of_type<int64_t> { static constexpr DType value = DType::Int64; };
template <> struct dtype_of_type<long long> { static constexpr DType value = DType::Int64; };
template <> struct dtype_of_type<BFloat16> { static constexpr DType value = DType::BFloat16; };
template <> struct dtype_of_type<float> { static constexpr DType value = DType::Float32; };
template <> struct dtype_of_type<double> { static constexpr DType value = DType::Float64; };
template <class T> constexpr DType dtype_of() { return dtype_of_type<T>::value; }

// Calls f, a lambda with one template parameter, with the C++ type of dtype as its argument.
template <class F> decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Bool: return f.template operator()<bool>();
    case DType::UInt8: return f.template operator()<uint8_t>();
    case DType::Int32: return f.template operator()<int32_t>();
    case DType::Int64: return f.template operator()<int64_t>();
    case DType::BFloat16: return f.template operator()<BFloat16>();
    case DType::Float32: return f.template operator()<float>();
    default: return f.template operator()<double>();
  }
}

// DTypeError: `op` computes in float32 and float64 only.
[[noreturn]] TAPEGRAD_API void not_supported(const char* op, DType dtype);

// The same over float32 and float64 only, for kernels; bfloat16 is turned away in the name of `op` before it gets there.
template <class F> decltype(auto) dispatch_floating(const char* op, DType dtype, F&& f) {
  if (dtype == DType::Float32) return f.template operator()<float>();
  if (dtype != DType::Float64) [[unlikely]]
    not_supported(op, dtype);
  return f.template operator()<double>();
}
template <class F> decltype(auto) dispatch_floating(DType dtype, F&& f) {
  return dispatch_floating("kernel", dtype, std::forward<F>(f));
}

}  // namespace tapegrad
