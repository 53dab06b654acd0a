// The error types. Every message reads `op: rule, got <values>` and, where one is likely, ends in a hint.
#pragma once

#include <stdexcept>
#include <string>

#include "tapegrad/core/export.h"

namespace tapegrad {

// Base of everything the library throws.
class TAPEGRAD_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~Error() override;
};

#define TAPEGRAD_ERROR_TYPE(Name)          \
  class TAPEGRAD_API Name : public Error { \
   public:                                 \
    using Error::Error;                    \
    ~Name() override;                      \
  }

TAPEGRAD_ERROR_TYPE(ShapeError);        // sizes that do not fit each other
TAPEGRAD_ERROR_TYPE(DTypeError);        // an element type the operation does not take
TAPEGRAD_ERROR_TYPE(IndexError);        // an index or a dim out of range
TAPEGRAD_ERROR_TYPE(ValueError);        // an argument whose value makes no sense
TAPEGRAD_ERROR_TYPE(AutogradError);     // a broken rule of the tape
TAPEGRAD_ERROR_TYPE(IOError);           // a file that is missing, truncated or malformed
TAPEGRAD_ERROR_TYPE(OutOfMemoryError);  // the system has no memory left for this size
#undef TAPEGRAD_ERROR_TYPE

}  // namespace tapegrad
