// IDX files, the format of MNIST.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::data {

// The tensor in an IDX file, gzipped or not: two zero bytes, a byte for the type (8 uint8, 12 int32, 13 float32, 14
// float64), a byte for the number of dims, each dim as four bytes, then the elements; all big endian.
// http://yann.lecun.com/exdb/mnist
// IOError, naming the file: missing, empty, truncated, longer than its header says, another magic number, more than 8
// dims, sizes the file cannot hold. What follows the end of a gzip stream is ignored, as gzip itself does.
TAPEGRAD_API Tensor read_idx(const std::string& path);

}  // namespace tapegrad::data
