// Repeating, turning, shifting, triangles and grids.
#include "tapegrad/ops/rearrange.h"

#include <algorithm>

#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/kernels/triangle.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/views.h"

namespace tapegrad {
namespace {

// y = x with the order along some dims turned round;  dx = dy turned back
struct Flip {
  static constexpr const char* name = "flip";
  static constexpr bool takes_bfloat16 = true;
  static constexpr bool linear = true;
  uint32_t mask;
  Tensor forward(const Tensor& x) {
    Shape strides = x.strides();
    int64_t last = 0;
    for (int64_t d = 0; d < x.dim() && x.numel() > 0; ++d) {
      if (!(mask >> d & 1)) continue;
      last += (x.sizes()[d] - 1) * strides[d];
      strides[d] = -strides[d];
    }
    Tensor y = new_tensor(x.sizes(), x.dtype());
    copy(y, alias(x, x.sizes(), strides, last), name);
    return y;
  }
  Grads backward(const Tensor& dy) const { return {apply(Flip{mask}, dy)}; }
};

// y[i] = x[(i - shift) mod size] along dim, 0 < shift < size;  dx = dy shifted back
struct Roll {
  static constexpr const char* name = "roll";
  static constexpr bool takes_bfloat16 = true;
  static constexpr bool linear = true;
  int64_t dim, shift, size;
  Tensor forward(const Tensor& x) {
    Tensor y = new_tensor(x.sizes(), x.dtype());
    move(y, shift, x, 0, size - shift);
    move(y, 0, x, size - shift, shift);
    return y;
  }
  Grads backward(const Tensor& dy) const { return {apply(Roll{dim, size - shift, size}, dy)}; }
  void move(const Tensor& y, int64_t to, const Tensor& x, int64_t from, int64_t length) const {
    Shape sizes = x.sizes();
    sizes[dim] = length;
    copy(alias(y, sizes, y.strides(), to * y.strides()[dim]), alias(x, sizes, x.strides(), from * x.strides()[dim]),
         name);
  }
};

// y = x where j - i <= diagonal, upper: >= diagonal, else 0;  dx = the same of dy
struct Tril {
  static constexpr const char* name = "tril";
  static constexpr bool upper = false;
};
struct Triu {
  static constexpr const char* name = "triu";
  static constexpr bool upper = true;
};
template <class Which> struct Triangle {
  static constexpr const char* name = Which::name;
  static constexpr bool takes_bfloat16 = true;
  static constexpr bool linear = true;
  int64_t diagonal;
  Tensor forward(const Tensor& x, const Tensor& out = {}) {
    if (!out.defined()) return kernels::triangle(name, x, diagonal, Which::upper);
    kernels::clear_triangle(name, out, diagonal, Which::upper);
    return out;
  }
  Grads backward(const Tensor& dy) const { return {apply(Triangle{diagonal}, dy)}; }
};

void check_matrices(const char* op, const Tensor& x) {
  check_defined(op, x, "x");
  if (x.dim() < 2)
    throw ShapeError(std::string(op) + ": at least 2 dims are needed, got shape " + to_string(x.sizes()));
}

void check_repeat(const char* op, int64_t repeats) {
  if (repeats < 0) throw ValueError(std::string(op) + ": repeats must not be negative, got " + std::to_string(repeats));
}

// Sizes of x before, at and behind a dim: three dims are enough to repeat one, whatever the rank.
struct Around {
  int64_t outer = 1, size = 1, inner = 1;
  Around(const Tensor& x, int64_t dim) {
    for (int64_t d = 0; d < x.dim(); ++d) (d < dim ? outer : d == dim ? size : inner) *= x.sizes()[d];
  }
};

// y contiguous in memory of its own.
Tensor own(const Tensor& y, const Tensor& x) {
  const Tensor flat = contiguous(y);
  return flat.state().storage.get() == x.state().storage.get() ? clone(flat) : flat;
}

// Dim d laid side by side `count` times.
Tensor side_by_side(const Tensor& x, int64_t dim, int64_t count) {
  const Around at(x, dim);
  Shape sizes = x.sizes();
  sizes[dim] *= count;
  return reshape(expand(reshape(x, {at.outer, 1, at.size * at.inner}), {at.outer, count, at.size * at.inner}), sizes);
}

Tensor repeated(const char* op, const Tensor& x, IntArrayRef repeats) {
  for (int64_t count : repeats) check_repeat(op, count);
  if (repeats.size() > kMaxRank)
    throw ShapeError(std::string(op) + ": at most 8 dims are possible, got repeats " + to_string(repeats));
  Shape sizes(repeats);
  for (int64_t d = 1; d <= sizes.size(); ++d) {
    int64_t& size = sizes[sizes.size() - d];
    if (__builtin_mul_overflow(size, d <= x.dim() ? x.sizes()[x.dim() - d] : 1, &size))
      throw ShapeError(std::string(op) + ": the number of elements overflows 63 bits, got repeats " +
                       to_string(repeats) + " for shape " + to_string(x.sizes()));
  }
  (void)numel_of(sizes, op);
  Shape from = x.sizes();
  while (from.size() < repeats.size()) from.insert(0, 1);
  Tensor y = reshape(x, from);
  // From the last dim on, so that what is copied again stays small; what leaves nothing first.
  for (const bool none : {true, false}) {
    for (int64_t d = repeats.size() - 1; d >= 0; --d) {
      if (repeats[d] != 1 && (repeats[d] == 0) == none) y = side_by_side(y, d, repeats[d]);
    }
  }
  return own(y, x);
}

void check_output_size(std::optional<int64_t> output_size, int64_t total) {
  if (output_size && *output_size != total)
    throw ValueError("repeat_interleave: output_size must be the sum of the repeats, which is " +
                     std::to_string(total) + ", got " + std::to_string(*output_size));
}

// i, repeats[i] times each.
Tensor interleaved(const Tensor& repeats, std::optional<int64_t> output_size) {
  const Tensor counts = contiguous_of(converted(repeats, kInt64));
  detail::check_host_read("the shape of repeat_interleave's result depends on the repeats, and a replay keeps shapes");
  const int64_t* count = counts.elements<int64_t>();
  int64_t total = 0;
  for (int64_t i = 0; i < counts.numel(); ++i) {
    check_repeat("repeat_interleave", count[i]);
    if (__builtin_add_overflow(total, count[i], &total))
      throw ValueError("repeat_interleave: the sum of the repeats overflows 63 bits");
  }
  check_output_size(output_size, total);
  Tensor index = new_tensor(total, kInt64);
  int64_t* at = index.elements<int64_t>();
  for (int64_t i = 0; i < counts.numel(); ++i) at = std::fill_n(at, count[i], i);
  return index;
}

void check_repeats(const Tensor& repeats) {
  check_defined("repeat_interleave", repeats, "repeats");
  if (repeats.dtype() != kInt64 && repeats.dtype() != kInt32)
    throw DTypeError(std::string("repeat_interleave: repeats must be int64 or int32, got ") + name_of(repeats.dtype()));
  if (repeats.dim() > 1)
    throw ShapeError("repeat_interleave: repeats must have at most 1 dim, got shape " + to_string(repeats.sizes()));
}

}  // namespace

Tensor repeat(const Tensor& x, IntArrayRef repeats) {
  check_defined("repeat", x, "x");
  if (repeats.size() < x.dim())
    throw ShapeError("repeat: at least one count per dim is needed, got " + to_string(repeats) + " for shape " +
                     to_string(x.sizes()) + " (use tile())");
  return repeated("repeat", x, repeats);
}

Tensor tile(const Tensor& x, IntArrayRef dims) {
  check_defined("tile", x, "x");
  check_rank(dims.size(), "tile");
  Shape repeats(dims);
  while (repeats.size() < x.dim()) repeats.insert(0, 1);
  return repeated("tile", x, repeats);
}

Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
  check_defined("repeat_interleave", x, "x");
  check_repeat("repeat_interleave", repeats);
  const Tensor from = dim && x.dim() > 0 ? x : reshape(x, -1);
  const int64_t d = dim ? wrap_dim(*dim, from.dim(), "repeat_interleave") : 0;
  const Around at(from, d);
  Shape sizes = from.sizes();
  if (__builtin_mul_overflow(sizes[d], repeats, &sizes[d]))
    throw ShapeError("repeat_interleave: the number of elements overflows 63 bits, got " + std::to_string(repeats) +
                     " repeats for shape " + to_string(x.sizes()));
  (void)numel_of(sizes, "repeat_interleave");
  check_output_size(output_size, sizes[d]);
  const int64_t rows = at.outer * at.size;
  return own(reshape(expand(reshape(from, {rows, 1, at.inner}), {rows, repeats, at.inner}), sizes), x);
}

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
  check_defined("repeat_interleave", x, "x");
  check_repeats(repeats);
  const Tensor from = dim && x.dim() > 0 ? x : reshape(x, -1);
  const int64_t d = dim ? wrap_dim(*dim, from.dim(), "repeat_interleave") : 0;
  if (repeats.numel() != 1 && repeats.numel() != from.sizes()[d])
    throw ShapeError("repeat_interleave: one count per element of dim " + std::to_string(d) + " is needed, got " +
                     std::to_string(repeats.numel()) + " for size " + std::to_string(from.sizes()[d]));
  const Tensor counts = expand(reshape(repeats.detach(), repeats.numel()), from.sizes()[d]);
  return index_select(from, d, interleaved(counts, output_size));
}

Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> output_size) {
  check_repeats(repeats);
  if (repeats.dim() != 1)
    throw ShapeError("repeat_interleave: repeats alone must have 1 dim, got shape " + to_string(repeats.sizes()));
  return converted(interleaved(repeats, output_size), repeats.dtype());
}

Tensor flip(const Tensor& x, IntArrayRef dims) {
  check_defined("flip", x, "x");
  return apply(Flip{dims.empty() ? 0 : dim_mask(dims, x.dim(), "flip")}, x);
}

Tensor roll(const Tensor& x, IntArrayRef shifts, IntArrayRef dims) {
  check_defined("roll", x, "x");
  if (shifts.size() != std::max<int64_t>(dims.size(), 1))
    throw ShapeError("roll: one shift per dim is needed, got shifts " + to_string(shifts) + " and dims " +
                     to_string(dims));
  if (dims.empty() && x.dim() != 1) return view(roll(reshape(x, -1), shifts, 0), x.sizes());
  Tensor y = x;
  for (int64_t i = 0; i < shifts.size(); ++i) {
    const int64_t d = dims.empty() ? 0 : x.dim_index(dims[i], "roll");
    const int64_t size = x.dim() == 0 ? 1 : x.sizes()[d];
    const int64_t shift = size == 0 ? 0 : (shifts[i] % size + size) % size;
    if (shift != 0) y = apply(Roll{.dim = d, .shift = shift, .size = size}, y);
  }
  return y.is_same(x) ? clone(x) : y;
}

Tensor rot90(const Tensor& x, int64_t k, IntArrayRef dims) {
  check_defined("rot90", x, "x");
  if (dims.size() != 2 || x.dim() < 2)
    throw ShapeError("rot90: two dims of a tensor with at least 2 are needed, got dims " + to_string(dims) +
                     " and shape " + to_string(x.sizes()));
  (void)dim_mask(dims, x.dim(), "rot90");
  const int64_t a = x.dim_index(dims[0], "rot90"), b = x.dim_index(dims[1], "rot90");
  switch ((k % 4 + 4) % 4) {
    case 1: return transpose(flip(x, b), a, b);
    case 2: return flip(x, {a, b});
    case 3: return transpose(flip(x, a), a, b);
    default: return clone(x);
  }
}

Tensor tril(const Tensor& x, int64_t diagonal) {
  check_matrices("tril", x);
  return apply(Triangle<Tril>{diagonal}, x);
}
Tensor triu(const Tensor& x, int64_t diagonal) {
  check_matrices("triu", x);
  return apply(Triangle<Triu>{diagonal}, x);
}
Tensor& tril_(const Tensor& x, int64_t diagonal) {
  check_matrices("tril_", x);
  return apply_in_place(Triangle<Tril>{diagonal}, x);
}
Tensor& triu_(const Tensor& x, int64_t diagonal) {
  check_matrices("triu_", x);
  return apply_in_place(Triangle<Triu>{diagonal}, x);
}

Tensor diag(const Tensor& x, int64_t diagonal) {
  check_defined("diag", x, "x");
  if (x.dim() != 1 && x.dim() != 2)
    throw ShapeError("diag: a vector or a matrix is needed, got shape " + to_string(x.sizes()) +
                     " (use diagonal() or diag_embed())");
  return x.dim() == 1 ? diag_embed(x, diagonal) : clone(tapegrad::diagonal(x, diagonal));
}

Tensor trace(const Tensor& x) {
  check_defined("trace", x, "x");
  if (x.dim() != 2) throw ShapeError("trace: a matrix is needed, got shape " + to_string(x.sizes()));
  return sum(diagonal(x));
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, std::string_view indexing) {
  if (tensors.empty()) throw ValueError("meshgrid: at least one tensor is needed, got none");
  if (indexing != "ij" && indexing != "xy")
    throw ValueError("meshgrid: indexing must be \"ij\" or \"xy\", got \"" + std::string(indexing) + "\"");
  Shape grid;
  for (const Tensor& x : tensors) {
    check_defined("meshgrid", x, "every tensor");
    if (x.dim() > 1)
      throw ShapeError("meshgrid: every tensor must be a vector or a number, got shape " + to_string(x.sizes()));
    if (x.dtype() != tensors[0].dtype())
      throw DTypeError(std::string("meshgrid: all tensors must have one dtype, got ") + name_of(tensors[0].dtype()) +
                       " and " + name_of(x.dtype()));
    grid.push_back(x.numel());
  }
  const bool swapped = indexing == "xy" && tensors.size() > 1;
  std::vector<Tensor> result;
  for (size_t k = 0; k < tensors.size(); ++k) {
    Shape place = Shape::filled(grid.size(), 1);
    place[static_cast<int64_t>(k)] = tensors[k].numel();
    const Tensor y = expand(view(tensors[k], place), grid);
    result.push_back(swapped ? transpose(y, 0, 1) : y);
  }
  return result;
}

Tensor cartesian_prod(const std::vector<Tensor>& tensors) {
  if (tensors.empty()) throw ValueError("cartesian_prod: at least one tensor is needed, got none");
  for (const Tensor& x : tensors) {
    check_defined("cartesian_prod", x, "every tensor");
    if (x.dim() != 1)
      throw ShapeError("cartesian_prod: every tensor must be a vector, got shape " + to_string(x.sizes()));
  }
  if (tensors.size() == 1) return tensors[0];
  std::vector<Tensor> columns = meshgrid(tensors);
  for (Tensor& column : columns) column = reshape(column, -1);
  return stack(columns, 1);
}

}  // namespace tapegrad
