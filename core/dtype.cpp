// Names of element types.
#include "tapegrad/core/dtype.h"

#include <ostream>
#include <string>

#include "tapegrad/core/error.h"

namespace tapegrad {

const char* name_of(DType dtype) {
  constexpr const char* names[] = {"bool", "uint8", "int32", "int64", "bfloat16", "float32", "float64"};
  return names[static_cast<int>(dtype)];
}

void not_supported(const char* op, DType dtype) {
  throw DTypeError(std::string(op) + ": " + name_of(dtype) + " is not supported here (did you mean to(kFloat32)?)");
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

}  // namespace tapegrad
