// Names of element types.
#include "tapegrad/core/dtype.h"

#include <ostream>

namespace tapegrad {

const char* name_of(DType dtype) {
  constexpr const char* names[] = {"bool", "uint8", "int32", "int64", "float32", "float64"};
  return names[static_cast<int>(dtype)];
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

}  // namespace tapegrad
