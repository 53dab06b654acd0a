// Patches of images as columns, and columns added up to images. float32 and float64; float32 for bfloat16. kernel_size, dilation, padding and
// stride are one number for height and width or one for each. ValueError: a kernel_size, dilation or stride below 1, a negative padding.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// y[n, (c i j), l] = the element at (i, j) of channel c of the patch at position l, zero in the padding, for x [N, C, H, W] or
// [C, H, W]; y is [N, C KH KW, L], positions and places of a patch counted row by row;  dx = col2im(dy). Tensor::unfold is another
// thing: windows along one dim. ShapeError: other ranks, a patch larger than the padded x.
TAPEGRAD_API Tensor im2col(const Tensor& x, IntArrayRef kernel_size, IntArrayRef dilation, IntArrayRef padding,
                           IntArrayRef stride);
// y[n, c, h, w] = the sum of the elements of all patches that lie there, for columns x [N, C KH KW, L] or [C KH KW, L] and y of
// output_size (one number, or height and width);  dx = im2col(dy). ShapeError: other ranks, KH KW that do not divide the columns, another
// number of positions than output_size has.
TAPEGRAD_API Tensor col2im(const Tensor& x, IntArrayRef output_size, IntArrayRef kernel_size, IntArrayRef dilation,
                           IntArrayRef padding, IntArrayRef stride);

}  // namespace tapegrad
