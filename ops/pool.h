// Pooling over one to three spatial dims: x is [N, C, L], [N, C, H, W] or [N, C, D, H, W], or without N. float32 and float64; float32 for
// bfloat16. kernel_size, stride (by default kernel_size), padding and dilation are one number for all spatial dims or one for each. y has
// (x + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1 windows along a dim, rounded down, or up by ceil_mode as long as the last one
// begins inside x or the padding before it. ShapeError: other ranks, no window at all. ValueError: a kernel_size, stride or dilation
// below 1, a padding that is negative or more than half a window.
#pragma once

#include <optional>
#include <tuple>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y = the largest element of each window, dilation apart in it;  dx = dy at the first of the largest. NaN wins; padding never does.
TAPEGRAD_API Tensor max_pool1d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                               IntArrayRef padding = 0, IntArrayRef dilation = 1, bool ceil_mode = false);
TAPEGRAD_API Tensor max_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                               IntArrayRef padding = 0, IntArrayRef dilation = 1, bool ceil_mode = false);
TAPEGRAD_API Tensor max_pool3d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                               IntArrayRef padding = 0, IntArrayRef dilation = 1, bool ceil_mode = false);
// The same, and where each was: its place in the flattened spatial dims, int64.
TAPEGRAD_API std::tuple<Tensor, Tensor> max_pool1d_with_indices(const Tensor& x, IntArrayRef kernel_size,
                                                                IntArrayRef stride = {}, IntArrayRef padding = 0,
                                                                IntArrayRef dilation = 1, bool ceil_mode = false);
TAPEGRAD_API std::tuple<Tensor, Tensor> max_pool2d_with_indices(const Tensor& x, IntArrayRef kernel_size,
                                                                IntArrayRef stride = {}, IntArrayRef padding = 0,
                                                                IntArrayRef dilation = 1, bool ceil_mode = false);
TAPEGRAD_API std::tuple<Tensor, Tensor> max_pool3d_with_indices(const Tensor& x, IntArrayRef kernel_size,
                                                                IntArrayRef stride = {}, IntArrayRef padding = 0,
                                                                IntArrayRef dilation = 1, bool ceil_mode = false);

// y = the sum of each window / n;  dx = dy / n summed over the windows. n counts the window's elements, those of the padding only
// where count_include_pad; or is divisor_override. ValueError for a divisor_override of 0.
TAPEGRAD_API Tensor avg_pool1d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                               IntArrayRef padding = 0, bool ceil_mode = false, bool count_include_pad = true);
TAPEGRAD_API Tensor avg_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                               IntArrayRef padding = 0, bool ceil_mode = false, bool count_include_pad = true,
                               std::optional<int64_t> divisor_override = {});
TAPEGRAD_API Tensor avg_pool3d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                               IntArrayRef padding = 0, bool ceil_mode = false, bool count_include_pad = true,
                               std::optional<int64_t> divisor_override = {});

// The mean of as many windows as output_size says: window i of a dim goes from floor(i x / output_size) up to ceil((i + 1) x / output_size).
TAPEGRAD_API Tensor adaptive_avg_pool1d(const Tensor& x, IntArrayRef output_size);
TAPEGRAD_API Tensor adaptive_avg_pool2d(const Tensor& x, IntArrayRef output_size);
TAPEGRAD_API Tensor adaptive_avg_pool3d(const Tensor& x, IntArrayRef output_size);
// The largest elements of such windows, and where each was, as max_pool2d_with_indices.
TAPEGRAD_API std::tuple<Tensor, Tensor> adaptive_max_pool1d(const Tensor& x, IntArrayRef output_size);
TAPEGRAD_API std::tuple<Tensor, Tensor> adaptive_max_pool2d(const Tensor& x, IntArrayRef output_size);
TAPEGRAD_API std::tuple<Tensor, Tensor> adaptive_max_pool3d(const Tensor& x, IntArrayRef output_size);

// y = 0 with x put where indices, of max_pool1d_with_indices, say;  dx = dy there. Of several for one place the last stays and has the
// gradient. output_size: the spatial sizes of y, less than a stride from (x - 1) stride - 2 padding + kernel_size, the default. IndexError
// for an index outside y, ShapeError for indices of other sizes than x, ValueError for another output_size.
TAPEGRAD_API Tensor max_unpool1d(const Tensor& x, const Tensor& indices, IntArrayRef kernel_size,
                                 IntArrayRef stride = {}, IntArrayRef padding = 0, IntArrayRef output_size = {});
TAPEGRAD_API Tensor max_unpool2d(const Tensor& x, const Tensor& indices, IntArrayRef kernel_size,
                                 IntArrayRef stride = {}, IntArrayRef padding = 0, IntArrayRef output_size = {});
TAPEGRAD_API Tensor max_unpool3d(const Tensor& x, const Tensor& indices, IntArrayRef kernel_size,
                                 IntArrayRef stride = {}, IntArrayRef padding = 0, IntArrayRef output_size = {});

// y = (k mean of x^p over each window)^(1/p), where k is the product of kernel_size: the p-norm of windows of a positive x.
TAPEGRAD_API Tensor lp_pool1d(const Tensor& x, double norm_type, IntArrayRef kernel_size, IntArrayRef stride = {},
                              bool ceil_mode = false);
TAPEGRAD_API Tensor lp_pool2d(const Tensor& x, double norm_type, IntArrayRef kernel_size, IntArrayRef stride = {},
                              bool ceil_mode = false);

}  // namespace tapegrad
