// Sums over products of elements named by letters. Gradients follow from the products, sums and views they are made of.
#pragma once

#include <string_view>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// einsum("ij,jk->ik", {a, b}): one letter per dim of each operand; letters behind "->" are the dims of the result, the others
// are summed over. A letter twice in an operand takes its diagonal; "..." stands for any dims, which broadcast, as dims of
// size 1 do. Without "->" the result has the dims of "..." and then the letters that occur once, in alphabetical order
// (capitals first). Operands meet from left to right. Spaces are ignored.
// Errors quote the equation: ValueError for its grammar and the number of operands, ShapeError for sizes, DTypeError for
// operands of several dtypes.
TAPEGRAD_API Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

// a and b multiplied and summed over pairs of dims, dims_a[i] with dims_b[i]; the result has the other dims of a, then those
// of b. A dim of size 1 broadcasts.
TAPEGRAD_API Tensor tensordot(const Tensor& a, const Tensor& b, IntArrayRef dims_a, IntArrayRef dims_b);
// The same over the last `dims` of a and the first of b.
TAPEGRAD_API Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims = 2);

}  // namespace tapegrad
