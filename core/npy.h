// NumPy's .npy files.
#pragma once

#include <string>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// The array in a .npy file (format 1.0, 2.0 or 3.0; float32, float64, int32, int64, uint8, bool; either byte order; C or
// Fortran order), as a contiguous tensor. IOError for a file that is missing, malformed, truncated or too long, or holds
// another dtype; it names the file, what was expected and what was found. A header is never believed beyond the file's size,
// and has at most 10,000 bytes, as in NumPy.
TAPEGRAD_API Tensor load_npy(const std::string& path);

// Writes x as format 1.0, in C order. The file appears whole or not at all: it is written beside `path` and then renamed.
// IOError when it cannot be written; an earlier file stays as it was.
TAPEGRAD_API void save_npy(const std::string& path, const Tensor& x);

}  // namespace tapegrad
