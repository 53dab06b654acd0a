// Random operations. Each call takes one draw of its generator, and the same seed and draw give the same result at any
// number of threads; see core/random.h. DTypeError for integers where floats are needed.
#pragma once

#include "tapegrad/core/random.h"

namespace tapegrad {

// y = x m, m = 0 with probability p, else 1 / (1 - p), for every element anew;  dx = dy m. x itself when not training or
// where p = 0. ValueError for p outside [0, 1]. Srivastava et al., "Dropout", 2014.
TAPEGRAD_API Tensor dropout(const Tensor& x, double p = 0.5, bool training = true,
                            Generator& generator = default_generator());
TAPEGRAD_API Tensor& dropout_(const Tensor& x, double p = 0.5, bool training = true,
                              Generator& generator = default_generator());

// As dropout with one m for all elements of x[n, c], for x [N, C, ...]: whole channels. ShapeError for fewer than two dims.
// Tompson et al., "Efficient object localization using convolutional networks", 2015.
TAPEGRAD_API Tensor feature_dropout(const Tensor& x, double p = 0.5, bool training = true,
                                    Generator& generator = default_generator());
TAPEGRAD_API Tensor& feature_dropout_(const Tensor& x, double p = 0.5, bool training = true,
                                      Generator& generator = default_generator());
// y = a x + b, or with probability p a k + b, where k = -1.7580993408473766 is what selu tends to, and a and b keep mean 0 and
// variance 1: a = 1 / sqrt((1 - p) (1 + p k^2)), b = -a k p;  dx = dy a, or 0 there. 0 where p = 1. Klambauer et al.,
// "Self-normalizing neural networks", 2017.
TAPEGRAD_API Tensor alpha_dropout(const Tensor& x, double p = 0.5, bool training = false,
                                  Generator& generator = default_generator());
TAPEGRAD_API Tensor& alpha_dropout_(const Tensor& x, double p = 0.5, bool training = false,
                                    Generator& generator = default_generator());
// The same for whole channels of x [N, C, ...].
TAPEGRAD_API Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, bool training = false,
                                          Generator& generator = default_generator());
TAPEGRAD_API Tensor& feature_alpha_dropout_(const Tensor& x, double p = 0.5, bool training = false,
                                            Generator& generator = default_generator());

// The rest is not differentiable: results do not require grad.

// y[i] = 1 with probability p[i], else 0, of the shape and dtype of p; of x for one p. ValueError for a p outside [0, 1].
TAPEGRAD_API Tensor bernoulli(const Tensor& p, Generator& generator = default_generator());
TAPEGRAD_API Tensor bernoulli(const Tensor& x, double p, Generator& generator = default_generator());
// The same into x of any dtype, whose gradient becomes 0. A tensor p broadcasts to x.
TAPEGRAD_API Tensor& bernoulli_(const Tensor& x, double p = 0.5, Generator& generator = default_generator());
TAPEGRAD_API Tensor& bernoulli_(const Tensor& x, const Tensor& p, Generator& generator = default_generator());

// num_samples indices of categories (int64), [n] from weights [C], [N, n] from weights [N, C], in the order they are
// drawn: each with probability weight / sum of the weights that are left, all of them with replacement. ValueError for
// weights that are negative, not finite, all 0 in a row, or, without replacement, too few above 0.
TAPEGRAD_API Tensor multinomial(const Tensor& weights, int64_t num_samples, bool replacement = false,
                                Generator& generator = default_generator());

// y = mean + std z, z standard normal; tensors broadcast and promote. ValueError for a negative std.
TAPEGRAD_API Tensor normal(const Tensor& mean, const Tensor& std, Generator& generator = default_generator());
TAPEGRAD_API Tensor normal(const Tensor& mean, double std = 1, Generator& generator = default_generator());
TAPEGRAD_API Tensor normal(double mean, const Tensor& std, Generator& generator = default_generator());
TAPEGRAD_API Tensor normal(double mean, double std, IntArrayRef sizes, const TensorOptions& options = {});
TAPEGRAD_API Tensor normal(double mean, double std, IntArrayRef sizes, Generator& generator,
                           const TensorOptions& options = {});

}  // namespace tapegrad
