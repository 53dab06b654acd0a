// Start values of parameters. Each writes its tensor in place, outside the tape, and returns it; random ones draw from
// the default generator.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

enum class FanMode : uint8_t { FanIn, FanOut };
inline constexpr FanMode kFanIn = FanMode::FanIn;
inline constexpr FanMode kFanOut = FanMode::FanOut;

enum class Nonlinearity : uint8_t { Linear, Sigmoid, Tanh, ReLU, LeakyReLU, SELU };
inline constexpr Nonlinearity kLinear = Nonlinearity::Linear;
inline constexpr Nonlinearity kSigmoid = Nonlinearity::Sigmoid;
inline constexpr Nonlinearity kTanh = Nonlinearity::Tanh;
inline constexpr Nonlinearity kReLU = Nonlinearity::ReLU;
inline constexpr Nonlinearity kLeakyReLU = Nonlinearity::LeakyReLU;
inline constexpr Nonlinearity kSELU = Nonlinearity::SELU;

namespace nn::init {

// Standard deviation that keeps the size of a signal behind a nonlinearity: linear and sigmoid 1, tanh 5/3, relu
// sqrt(2), leaky_relu sqrt(2 / (1 + param^2)) where param is its negative slope, selu 3/4. As torch.nn.init.calculate_gain.
TAPEGRAD_API double calculate_gain(Nonlinearity nonlinearity, double param = 0.01);

// All elements from U[low, high); from N(mean, std^2); the value; 0; 1.
TAPEGRAD_API Tensor uniform_(Tensor t, double low = 0, double high = 1);
TAPEGRAD_API Tensor normal_(Tensor t, double mean = 0, double std = 1);
TAPEGRAD_API Tensor constant_(Tensor t, const Scalar& value);
TAPEGRAD_API Tensor zeros_(Tensor t);
TAPEGRAD_API Tensor ones_(Tensor t);

// For t of [out, in, kernel...]: fan_in = in * kernel, fan_out = out * kernel. ValueError below two dims.
// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (AISTATS 2010):
// U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out));  N(0, s^2) with s = gain sqrt(2 / (fan_in + fan_out)).
TAPEGRAD_API Tensor xavier_uniform_(Tensor t, double gain = 1);
TAPEGRAD_API Tensor xavier_normal_(Tensor t, double gain = 1);

// He et al., "Delving deep into rectifiers" (ICCV 2015), with gain = calculate_gain(nonlinearity, a), fan as the mode says:
// U(-b, b) with b = gain sqrt(3 / fan);  N(0, s^2) with s = gain / sqrt(fan).
TAPEGRAD_API Tensor kaiming_uniform_(Tensor t, double a = 0, FanMode mode = kFanIn,
                                     Nonlinearity nonlinearity = kLeakyReLU);
TAPEGRAD_API Tensor kaiming_normal_(Tensor t, double a = 0, FanMode mode = kFanIn,
                                    Nonlinearity nonlinearity = kLeakyReLU);

// N(mean, std^2) without what lies outside [a, b] (not in units of std): the inverse of the distribution function at uniform
// numbers. ValueError unless std > 0, a < b, and some of the distribution lies there.
TAPEGRAD_API Tensor trunc_normal_(Tensor t, double mean = 0, double std = 1, double a = -2, double b = 2);

// A matrix [t.size(0), the rest] of orthonormal rows, or columns where there are more rows, times gain: the orthogonal factor
// of a normal matrix, its triangular factor's diagonal positive. ValueError below two dims.
// Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear networks" (ICLR 2014).
TAPEGRAD_API Tensor orthogonal_(Tensor t, double gain = 1);

// N(0, std^2), and in every column ceil(sparsity rows) elements, drawn at random, are 0. ValueError unless t has two dims and
// 0 <= sparsity <= 1. Martens, "Deep learning via Hessian-free optimization" (ICML 2010).
TAPEGRAD_API Tensor sparse_(Tensor t, double sparsity, double std = 0.01);

// The identity; ValueError unless t has two dims.
TAPEGRAD_API Tensor eye_(Tensor t);
// For t of [out, in, kernel...] with one to three kernel dims: each of the first min(out / groups, in) channels of a group is
// passed on by the middle of its kernel, all else is 0. ValueError for other ranks, or where out is no multiple of groups.
TAPEGRAD_API Tensor dirac_(Tensor t, int64_t groups = 1);

}  // namespace nn::init
}  // namespace tapegrad
