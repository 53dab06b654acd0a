// What is done to all gradients, or all parameters, at once.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::nn::utils {

// Scales the gradients together so that their norm, all of them taken as one vector, is at most max_norm: g = g min(1,
// max_norm / (norm + 1e-6)). Returns the norm before, as a tensor of one element: whether to read it is the caller's choice.
// Parameters without a gradient are passed over; without any the norm is 0. ValueError: max_norm negative, norm_type not
// positive (it may be infinite); with error_if_nonfinite, which reads it, a norm that is NaN or infinite. The norm is float64
// where a gradient is, else float32, also that of bfloat16.
// Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (ICML 2013).
TAPEGRAD_API Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type = 2,
                                    bool error_if_nonfinite = false);
inline Tensor clip_grad_norm_(const Tensor& parameter, double max_norm, double norm_type = 2,
                              bool error_if_nonfinite = false) {
  return clip_grad_norm_(std::vector<Tensor>{parameter}, max_norm, norm_type, error_if_nonfinite);
}

// Every element of every gradient into [-clip_value, clip_value]. ValueError for a negative one.
TAPEGRAD_API void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value);
inline void clip_grad_value_(const Tensor& parameter, double clip_value) {
  clip_grad_value_(std::vector<Tensor>{parameter}, clip_value);
}

// All elements in one vector, differentiable; DTypeError unless they have one dtype, ValueError for an empty list.
TAPEGRAD_API Tensor parameters_to_vector(const std::vector<Tensor>& parameters);
// The elements of a vector into the parameters, in order. ShapeError unless it has as many as they.
TAPEGRAD_API void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters);

}  // namespace tapegrad::nn::utils
