// What a list of indices means: first views, then rows by number. Internal.
#pragma once

#include <span>
#include <vector>

#include "tapegrad/ops/indexing.h"

namespace tapegrad {

using Indices = std::span<const TensorIndex>;

// An index tensor (int64) or a mask (bool), and the dims of the view it stands for.
struct AdvancedIndex {
  Tensor tensor;
  int64_t dim, span;
};

// x after its integers, slices, None and "..." were applied, and what is left to do.
struct ParsedIndex {
  Tensor view;
  std::vector<AdvancedIndex> advanced;  // by dim
};

// IndexError, DTypeError, ValueError, see indexing.h; index tensors are checked for their range.
ParsedIndex parse_index(const char* op, const Tensor& x, Indices indices);

// The indexed dims as one dim of rows, and the numbers of the rows.
struct IndexedRows {
  Shape lead;     // sizes of the indexed dims
  Shape order;    // the dims of the view, indexed ones first
  Shape index;    // the shape that the index tensors broadcast to
  Tensor number;  // int64, one-dim, contiguous: row-major in lead
  bool adjacent;  // whether the indexed dims lie side by side
  int64_t
      position;  // where the index's dims stand in the result: at the first indexed dim, or in front where they are apart

  // The shape of what is indexed, dims of the index in front or where they belong.
  Shape in_front(const Tensor& view) const;
  Shape result(const Tensor& view) const;
  // The order of dims that takes the former to the latter; and back.
  Shape to_result(int64_t rank) const;
  Shape to_front(int64_t rank) const;
};

// `parsed` has at least one index tensor or mask. ShapeError where they do not broadcast.
IndexedRows rows_of(const char* op, const ParsedIndex& parsed);

}  // namespace tapegrad
