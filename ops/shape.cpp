// Views: the same memory under other sizes and strides.
#include "tapegrad/ops/shape.h"

#include <algorithm>

#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {
namespace {

// y = x under other sizes and strides with the same elements in the same order;  dx = dy under x's sizes
struct Relabel {
  static constexpr const char* name = "view";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  Shape sizes, strides, from{};
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    return alias(x, sizes, strides, 0);
  }
  Grads backward(const Tensor& dy) const { return {reshape(dy, from)}; }
  Tensor tangent(const Tensor& dx) const { return reshape(dx, sizes); }
};

// y = x with two dims exchanged;  dx = dy with them exchanged back
struct Transpose {
  static constexpr const char* name = "transpose";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  int64_t dim0, dim1;
  Tensor forward(const Tensor& x) {
    Shape sizes = x.sizes();
    Shape strides = x.strides();
    std::swap(sizes[dim0], sizes[dim1]);
    std::swap(strides[dim0], strides[dim1]);
    return alias(x, sizes, strides, 0);
  }
  Grads backward(const Tensor& dy) const { return {transpose(dy, dim0, dim1)}; }
};

// y.size(i) = x.size(dims[i]);  dx = dy under the inverse order
struct Permute {
  static constexpr const char* name = "permute";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  Shape dims;
  Tensor forward(const Tensor& x) {
    Shape sizes = x.sizes();
    Shape strides = x.strides();
    for (int64_t i = 0; i < dims.size(); ++i) {
      sizes[i] = x.sizes()[dims[i]];
      strides[i] = x.strides()[dims[i]];
    }
    return alias(x, sizes, strides, 0);
  }
  Grads backward(const Tensor& dy) const {
    Shape inverse = dims;
    for (int64_t i = 0; i < dims.size(); ++i) inverse[dims[i]] = i;
    return {permute(dy, inverse)};
  }
};

// dy summed over the dims that were expanded, back to `sizes`.
Tensor sum_to(const Tensor& dy, const Shape& sizes) {
  const int64_t added = dy.dim() - sizes.size();
  Shape dims;
  for (int64_t d = 0; d < dy.dim(); ++d) {
    if (d < added || (sizes[d - added] == 1 && dy.sizes()[d] != 1)) dims.push_back(d);
  }
  const Tensor summed = dims.empty() ? dy : sum(dy, dims, true);
  return same_sizes(summed, dy) && added == 0 ? summed : view(summed, sizes);
}

// y = x with dims of size 1 repeated;  dx = dy summed over the repeats
struct Expand {
  static constexpr const char* name = "expand";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  Shape sizes, from{};
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    const int64_t added = sizes.size() - from.size();
    Shape strides = Shape::filled(sizes.size(), 0);
    for (int64_t d = added; d < sizes.size(); ++d) {
      if (from[d - added] == sizes[d]) strides[d] = x.strides()[d - added];
    }
    return alias(x, sizes, strides, 0);
  }
  Grads backward(const Tensor& dy) const { return {sum_to(dy, from)}; }
};

Tensor sliced(const Tensor& x, int64_t dim, int64_t start, int64_t step, int64_t length) {
  Shape sizes = x.sizes();
  Shape strides = x.strides();
  const int64_t offset = start * strides[dim];
  sizes[dim] = length;
  strides[dim] *= step;
  return alias(x, sizes, strides, offset);
}

struct Slice;

// y = zeros of size `extent` at dim, with x at start, start + step, ...;  the adjoint of Slice
struct SliceAdjoint {
  static constexpr const char* name = "slice_backward";
  static constexpr bool takes_bfloat16 = true;
  static constexpr bool linear = true;
  int64_t dim, start, step, extent;
  int64_t length = 0;
  Tensor forward(const Tensor& x) {
    Shape sizes = x.sizes();
    length = std::exchange(sizes[dim], extent);
    Tensor y = filled_tensor(sizes, x.dtype(), 0);
    copy(sliced(y, dim, start, step, length), x, name);
    return y;
  }
  Grads backward(const Tensor& dy) const;
};

// y = x[start : start + length * step : step] along dim;  dx = dy in zeros
struct Slice {
  static constexpr const char* name = "slice";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  int64_t dim, start, step, length;
  int64_t extent = 0;
  Tensor forward(const Tensor& x) {
    extent = x.sizes()[dim];
    return sliced(x, dim, start, step, length);
  }
  Grads backward(const Tensor& dy) const { return {apply(SliceAdjoint{dim, start, step, extent}, dy)}; }
};

Grads SliceAdjoint::backward(const Tensor& dy) const {
  return {apply(Slice{.dim = dim, .start = start, .step = step, .length = length}, dy)};
}

struct SelectAdjoint {
  static constexpr const char* name = "select_backward";
  static constexpr bool takes_bfloat16 = true;
  static constexpr bool linear = true;
  int64_t dim, index, extent;
  Tensor forward(const Tensor& x) {
    Shape sizes = x.sizes();
    sizes.insert(dim, extent);
    Tensor y = filled_tensor(sizes, x.dtype(), 0);
    Shape strides = y.strides();
    const int64_t offset = index * strides[dim];
    strides.erase(dim);
    copy(alias(y, x.sizes(), strides, offset), x, name);
    return y;
  }
  Grads backward(const Tensor& dy) const { return {select(dy, dim, index)}; }
};

// y = x[index] at dim, which goes away;  dx = dy in zeros
struct Select {
  static constexpr const char* name = "select";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  int64_t dim, index;
  int64_t extent = 0;
  Tensor forward(const Tensor& x) {
    Shape sizes = x.sizes();
    Shape strides = x.strides();
    extent = sizes[dim];
    const int64_t offset = index * strides[dim];
    sizes.erase(dim);
    strides.erase(dim);
    return alias(x, sizes, strides, offset);
  }
  Grads backward(const Tensor& dy) const { return {apply(SelectAdjoint{dim, index, extent}, dy)}; }
};

// `wanted` with its -1, if any, worked out from the number of elements.
Shape resolved(const char* op, const Tensor& x, IntArrayRef wanted) {
  check_rank(wanted.size(), op);
  Shape sizes(wanted);
  int64_t known = 1;
  int64_t unknown = -1;
  const auto fail = [&](const std::string& why) {
    throw ShapeError(std::string(op) + ": " + why + ", got sizes " + to_string(wanted) + " for " +
                     std::to_string(x.numel()) + " elements of shape " + to_string(x.sizes()));
  };
  for (int64_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == -1) {
      if (unknown >= 0) fail("only one size may be -1");
      unknown = d;
    } else if (sizes[d] < 0) {
      fail("sizes must not be negative");
    } else if (__builtin_mul_overflow(known, sizes[d], &known)) {
      fail("the number of elements must stay the same");
    }
  }
  if (unknown >= 0) {
    if (known == 0) fail("-1 cannot be worked out beside a size of 0");
    if (x.numel() % known != 0) fail("the number of elements must stay the same");
    sizes[unknown] = x.numel() / known;
  } else if (known != x.numel()) {
    fail("the number of elements must stay the same");
  }
  return sizes;
}

// Strides that show x's elements under `sizes` without moving them; false where there are none. Walks both shapes from
// the back, group by group of dims with equal products.
bool view_strides(const Tensor& x, const Shape& sizes, Shape& strides) {
  strides = contiguous_strides(sizes);
  if (x.is_contiguous() || x.numel() == 0) return true;
  int64_t d = sizes.size() - 1;
  int64_t in_group = 1;  // elements of the new dims placed in the current group
  int64_t of_group = 1;  // elements of the old dims in it
  int64_t base_stride = x.dim() > 0 ? x.strides()[x.dim() - 1] : 1;
  for (int64_t i = x.dim() - 1; i >= 0; --i) {
    of_group *= x.sizes()[i];
    const bool ends = i == 0 || (x.sizes()[i - 1] != 1 && x.strides()[i - 1] != of_group * base_stride);
    if (!ends) continue;
    while (d >= 0 && (in_group < of_group || sizes[d] == 1)) {
      strides[d] = in_group * base_stride;
      in_group *= sizes[d];
      --d;
    }
    if (in_group != of_group) return false;
    if (i > 0) {
      base_stride = x.strides()[i - 1];
      in_group = of_group = 1;
    }
  }
  return d == -1;
}

}  // namespace

Tensor view(const Tensor& x, IntArrayRef sizes) {
  check_defined("view", x, "x");
  const Shape shape = resolved("view", x, sizes);
  Shape strides;
  if (!view_strides(x, shape, strides))
    throw ShapeError("view: the strides do not allow sizes " + to_string(shape) + " without a copy, got shape " +
                     to_string(x.sizes()) + " with strides " + to_string(x.strides()) + " (use reshape())");
  return apply(Relabel{.sizes = shape, .strides = strides}, x);
}

Tensor view_as(const Tensor& x, const Tensor& other) {
  check_defined("view_as", x, "x");
  check_defined("view_as", other, "other");
  return view(x, other.sizes());
}

Tensor reshape(const Tensor& x, IntArrayRef sizes) {
  check_defined("reshape", x, "x");
  const Shape shape = resolved("reshape", x, sizes);
  if (IntArrayRef(shape) == IntArrayRef(x.sizes())) return x;
  Shape strides;
  if (view_strides(x, shape, strides)) return apply(Relabel{.sizes = shape, .strides = strides}, x);
  return apply(Relabel{.sizes = shape, .strides = contiguous_strides(shape)}, contiguous(x));
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  check_defined("flatten", x, "x");
  const int64_t first = x.dim_index(start_dim, "flatten");
  const int64_t last = x.dim_index(end_dim, "flatten");
  if (first > last)
    throw IndexError("flatten: start_dim must not come after end_dim, got " + std::to_string(start_dim) + " and " +
                     std::to_string(end_dim));
  if (x.dim() == 0) return reshape(x, 1);
  Shape sizes;
  int64_t joined = 1;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d < first || d > last) sizes.push_back(x.sizes()[d]);
    else joined *= x.sizes()[d];
    if (d == last) sizes.push_back(joined);
  }
  return reshape(x, sizes);
}

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  check_defined("transpose", x, "x");
  const int64_t a = x.dim_index(dim0, "transpose");
  const int64_t b = x.dim_index(dim1, "transpose");
  return x.dim() == 0 ? x : apply(Transpose{a, b}, x);
}

Tensor permute(const Tensor& x, IntArrayRef dims) {
  check_defined("permute", x, "x");
  if (dims.size() != x.dim())
    throw ShapeError("permute: every dim must be named once, got " + to_string(dims) + " for shape " +
                     to_string(x.sizes()));
  (void)dim_mask(dims, x.dim(), "permute");
  Shape wrapped(dims);
  for (int64_t& d : wrapped) d = x.dim_index(d, "permute");
  return apply(Permute{wrapped}, x);
}

Tensor t(const Tensor& x) {
  check_defined("t", x, "x");
  if (x.dim() > 2)
    throw ShapeError("t: at most 2 dims can be transposed, got shape " + to_string(x.sizes()) +
                     " (use transpose() or permute())");
  return x.dim() < 2 ? x : transpose(x, 0, 1);
}

Tensor squeeze(const Tensor& x) {
  check_defined("squeeze", x, "x");
  Shape sizes, strides;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (x.sizes()[d] == 1) continue;
    sizes.push_back(x.sizes()[d]);
    strides.push_back(x.strides()[d]);
  }
  return apply(Relabel{.sizes = sizes, .strides = strides}, x);
}

Tensor squeeze(const Tensor& x, int64_t dim) {
  check_defined("squeeze", x, "x");
  const int64_t d = x.dim_index(dim, "squeeze");
  Shape sizes = x.sizes();
  Shape strides = x.strides();
  if (x.dim() > 0 && sizes[d] == 1) {
    sizes.erase(d);
    strides.erase(d);
  }
  return apply(Relabel{.sizes = sizes, .strides = strides}, x);
}

Tensor squeeze(const Tensor& x, IntArrayRef dims) {
  check_defined("squeeze", x, "x");
  const uint32_t mask = dims.empty() ? 0 : dim_mask(dims, x.dim(), "squeeze");
  Shape sizes, strides;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (x.sizes()[d] == 1 && (mask >> d & 1)) continue;
    sizes.push_back(x.sizes()[d]);
    strides.push_back(x.strides()[d]);
  }
  return apply(Relabel{.sizes = sizes, .strides = strides}, x);
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  check_defined("unsqueeze", x, "x");
  const int64_t d = wrap_new_dim(dim, x.dim(), "unsqueeze");
  Shape sizes = x.sizes();
  Shape strides = x.strides();
  const int64_t stride = d < x.dim() ? sizes[d] * strides[d] : 1;
  sizes.insert(d, 1);
  strides.insert(d, stride);
  return apply(Relabel{.sizes = sizes, .strides = strides}, x);
}

Tensor expand(const Tensor& x, IntArrayRef sizes) {
  check_defined("expand", x, "x");
  const auto fail = [&](const std::string& why) {
    throw ShapeError("expand: " + why + ", got sizes " + to_string(sizes) + " for shape " + to_string(x.sizes()));
  };
  check_rank(sizes.size(), "expand");
  const int64_t added = sizes.size() - x.dim();
  if (added < 0) fail("there must be at least as many sizes as dims");
  Shape shape(sizes);
  for (int64_t d = 0; d < shape.size(); ++d) {
    if (d < added) {
      if (shape[d] < 0) fail("a new dim needs a size, not -1");
      continue;
    }
    const int64_t size = x.sizes()[d - added];
    if (shape[d] == -1) shape[d] = size;
    if (shape[d] != size && (size != 1 || shape[d] < 0)) fail("only dims of size 1 can be expanded");
  }
  (void)numel_of(shape, "expand");
  return apply(Expand{.sizes = shape}, x);
}

Tensor expand_as(const Tensor& x, const Tensor& other) {
  check_defined("expand_as", other, "other");
  return expand(x, other.sizes());
}

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  check_defined("select", x, "x");
  if (x.dim() == 0) throw IndexError("select: a 0-dim tensor has no dims to select from (use item())");
  const int64_t d = x.dim_index(dim, "select");
  const int64_t size = x.sizes()[d];
  if (size == 0)
    throw IndexError("select: there must be an element at dim " + std::to_string(d) + " of shape " +
                     to_string(x.sizes()) + ", got index " + std::to_string(index));
  if (index < -size || index >= size)
    throw IndexError("select: index must lie in [" + std::to_string(-size) + ", " + std::to_string(size - 1) +
                     "] at dim " + std::to_string(d) + " of shape " + to_string(x.sizes()) + ", got " +
                     std::to_string(index));
  return apply(Select{.dim = d, .index = index < 0 ? index + size : index}, x);
}

Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  check_defined("slice", x, "x");
  if (x.dim() == 0) throw IndexError("slice: a 0-dim tensor has no dims to slice");
  if (step < 1) throw ValueError("slice: step must be at least 1, got " + std::to_string(step));
  const int64_t d = x.dim_index(dim, "slice");
  const int64_t size = x.sizes()[d];
  const auto clamped = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamped(start.value_or(0));
  const int64_t last = std::max(first, clamped(end.value_or(size)));
  return apply(
      Slice{.dim = d, .start = first, .step = step, .length = (last - first) / step + ((last - first) % step != 0)}, x);
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  check_defined("narrow", x, "x");
  if (x.dim() == 0) throw IndexError("narrow: a 0-dim tensor has no dims to narrow");
  const int64_t d = x.dim_index(dim, "narrow");
  const int64_t size = x.sizes()[d];
  const int64_t first = start < 0 ? start + size : start;
  if (first < 0 || length < 0 || first > size - length)
    throw IndexError("narrow: start and length must stay within size " + std::to_string(size) + " of dim " +
                     std::to_string(d) + ", got start " + std::to_string(start) + " and length " +
                     std::to_string(length));
  return apply(Slice{.dim = d, .start = first, .step = 1, .length = length}, x);
}

}  // namespace tapegrad
