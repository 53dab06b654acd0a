// What the files of the gather family share. Internal.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// An index tensor as int64. ValueError for an undefined one, DTypeError unless it is int64 or int32.
Tensor index_of(const char* op, const Tensor& index);

}  // namespace tapegrad
