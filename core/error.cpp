// Out-of-line destructors give every error type one home for its type information, so catching works across libraries.
#include "tapegrad/core/error.h"

namespace tapegrad {

Error::~Error() = default;
ShapeError::~ShapeError() = default;
DTypeError::~DTypeError() = default;
IndexError::~IndexError() = default;
ValueError::~ValueError() = default;
AutogradError::~AutogradError() = default;
IOError::~IOError() = default;
OutOfMemoryError::~OutOfMemoryError() = default;

}  // namespace tapegrad
