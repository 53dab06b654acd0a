// Random choices, each from one draw of a generator: element i depends on the seed, the draw and i alone.
#pragma once

#include "tapegrad/core/random.h"

namespace tapegrad::kernels {

// m[i] = 0 with probability p, else `kept`, in contiguous floating m: one word each, so p counts in steps of 2^-32.
void keep_mask(const char* name, const Tensor& m, double p, double kept, Generator& generator);
// y[i] = u[i] < p (p[i]) for 53-bit uniform u, in contiguous bool y; p floating, contiguous, of y's size. ValueError for a
// probability outside [0, 1], before anything is drawn.
void bernoulli(const char* name, const Tensor& y, double p, Generator& generator);
void bernoulli(const char* name, const Tensor& y, const Tensor& p, Generator& generator);
// y[r, j] = the index of a category, by the weights of row r of contiguous float64 [N, C], into contiguous int64 [N, n].
// ValueError, before anything is drawn, for weights that are negative, not finite, all zero, or too few above zero to be
// drawn without replacement.
void multinomial(const char* name, const Tensor& weights, const Tensor& y, bool replacement, Generator& generator);
// ValueError where an element is below 0 or NaN.
void check_not_negative(const char* name, const char* argument, const Tensor& x);

}  // namespace tapegrad::kernels
