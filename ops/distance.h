// How far apart, or how alike, rows are. Operands broadcast and must be floating (DTypeError).
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = sum over dim of x1 x2 / (max(|x1|, eps) max(|x2|, eps)), norms along dim, which y lacks;
// dx1 = dy (x2 / |x2| - y x1 / |x1|) / |x1|, dx2 likewise, without the second term where a norm is below eps.
TAPEGRAD_API Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim = 1, double eps = 1e-8);

// y = (sum over the last dim of |x1 - x2 + eps|^p)^(1/p), that dim left at size 1 with keepdim;
// dx1 = dy sign(d) |d|^(p-1) y^(1-p) with d = x1 - x2 + eps, dx2 = -dx1. ShapeError for operands without dims.
TAPEGRAD_API Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2, double eps = 1e-6,
                                      bool keepdim = false);

}  // namespace tapegrad
