// Copies in another arrangement: repeating, turning, shifting, triangles and grids.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// x laid side by side repeats[d] times along dim d; more repeats than dims add dims in front;  dx = dy summed over the repeats.
// ShapeError for fewer repeats than dims (tile takes them for the last ones), ValueError for a negative one.
TAPEGRAD_API Tensor repeat(const Tensor& x, IntArrayRef repeats);
TAPEGRAD_API Tensor tile(const Tensor& x, IntArrayRef dims);
// Every element (row) repeated in place along dim, or of the flattened tensor;  dx = dy summed over the repeats. repeats as a
// tensor (int64 or int32, one-dim or a single number) says how often for each. output_size, where given, must be their sum.
// ValueError: a negative repeat, another output_size. ShapeError: not as many repeats as the dim is long.
TAPEGRAD_API Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim = {},
                                      std::optional<int64_t> output_size = {});
TAPEGRAD_API Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim = {},
                                      std::optional<int64_t> output_size = {});
// 0, ..., 0, 1, ..., 1, ...: each i repeats[i] times, in the dtype of repeats.
TAPEGRAD_API Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> output_size = {});

// The order along dims turned round;  dx = flip(dy). IndexError for a dim named twice.
TAPEGRAD_API Tensor flip(const Tensor& x, IntArrayRef dims);
// y[i] = x[(i - shift) mod size] along each dim, or of the flattened tensor without dims;  dx = roll(dy) by -shift.
// ShapeError unless there is one shift per dim.
TAPEGRAD_API Tensor roll(const Tensor& x, IntArrayRef shifts, IntArrayRef dims = {});
// Turned by k quarters from dims[0] towards dims[1];  dx = dy turned back. ShapeError unless two different dims are named.
TAPEGRAD_API Tensor rot90(const Tensor& x, int64_t k = 1, IntArrayRef dims = {0, 1});

// y[..., i, j] = x[..., i, j] where j - i <= diagonal (tril), >= diagonal (triu), else 0, whatever x is there;  dx = the same of dy.
TAPEGRAD_API Tensor tril(const Tensor& x, int64_t diagonal = 0);
TAPEGRAD_API Tensor triu(const Tensor& x, int64_t diagonal = 0);
TAPEGRAD_API Tensor& tril_(const Tensor& x, int64_t diagonal = 0);
TAPEGRAD_API Tensor& triu_(const Tensor& x, int64_t diagonal = 0);
// A vector on the diagonal of a matrix, or a copy of a matrix's diagonal. ShapeError for other numbers of dims.
TAPEGRAD_API Tensor diag(const Tensor& x, int64_t diagonal = 0);
// y = sum x[i, i] of a matrix;  dx = dy on the diagonal. Integers sum in int64.
TAPEGRAD_API Tensor trace(const Tensor& x);

// y_k[i_0, ..., i_n] = x_k[i_k] for vectors (or numbers) x_k, as expanded views;  dx_k = dy_k summed over the other dims.
// indexing "xy" exchanges the first two dims. ShapeError above one dim, DTypeError for mixed dtypes.
TAPEGRAD_API std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, std::string_view indexing = "ij");
// Every combination of one element each as a row of a matrix, in order; one vector alone as it is.
TAPEGRAD_API Tensor cartesian_prod(const std::vector<Tensor>& tensors);

}  // namespace tapegrad
