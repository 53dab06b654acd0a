// What a number says when a type does not hold it.
#include "tapegrad/core/scalar.h"

#include <charconv>
#include <string>

#include "tapegrad/core/error.h"

namespace tapegrad {
namespace {

std::string text_of(const Scalar& value) {
  if (!value.is_floating_point()) return std::to_string(value.to<int64_t>());
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value.to<double>()).ptr};
}

template <class T> std::string range_of() {
  return "[" + std::to_string(std::numeric_limits<T>::min()) + ", " + std::to_string(std::numeric_limits<T>::max()) +
         "]";
}

}  // namespace

void does_not_fit(const char* op, const Scalar& value, DType dtype) {
  const std::string range = dtype == kUInt8   ? range_of<uint8_t>()
                            : dtype == kInt32 ? range_of<int32_t>()
                                              : range_of<int64_t>();
  throw ValueError(std::string(op) + ": a number must lie in the range of " + name_of(dtype) + ", " + range + ", got " +
                   text_of(value));
}

bool Scalar::fits_integers(DType dtype) const {
  if (dtype == kUInt8) return fits<uint8_t>();
  return dtype == kInt32 ? fits<int32_t>() : fits<int64_t>();
}

void Scalar::too_large(uint64_t value) {
  throw ValueError("scalar: an integer must be below 2^63, got " + std::to_string(value));
}

void Scalar::overflow(bool is_signed, size_t bits) const {
  throw ValueError(std::string("scalar: the number must fit ") + (is_signed ? "a signed" : "an unsigned") +
                   " integer of " + std::to_string(bits) + " bits, got " + text_of(*this));
}

}  // namespace tapegrad
