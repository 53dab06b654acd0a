// What a .npy file holds, wherever its bytes are. Internal.
#pragma once

#include "tapegrad/core/file.h"
#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Bytes that come one after the other.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // How many were read: fewer than asked for at the end, or on an error, then with errno set.
  virtual size_t read(void* to, size_t bytes) = 0;
};

// The array that these `size` bytes are; the errors are those of load_npy.
Tensor read_npy(ByteSource& source, uint64_t size, const FilePlace& place);

// What lies in front of the elements of x, which follow in C order. DTypeError naming `op` where NumPy has no such dtype.
std::string npy_header(const char* op, const Tensor& x);

}  // namespace tapegrad
