// What the files of the gather family share. Internal.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// An index tensor as int64. ValueError for an undefined one, DTypeError unless it is int64 or int32.
Tensor index_of(const char* op, const Tensor& index);

// index_select of checked rows, under the name of index.
Tensor indexed(const Tensor& x, int64_t dim, const Tensor& rows);

}  // namespace tapegrad
