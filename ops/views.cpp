// Splitting, moving dims, diagonals and windows: views made from sizes and strides.
#include "tapegrad/ops/views.h"

#include <algorithm>
#include <limits>

#include "tapegrad/ops/operands.h"

namespace tapegrad {
namespace {

// The gradients of the parts of a tensor, zeros for those that are absent.
std::vector<Tensor> parts_of(const Grads& dy, const Shape& sizes, int64_t dim, const std::vector<int64_t>& lengths) {
  DType dtype = kFloat32;
  for (const Tensor& part : dy) {
    if (part.defined()) dtype = part.dtype();
  }
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < dy.size(); ++i) {
    Shape part = sizes;
    if (lengths.empty()) part.erase(dim);
    else part[dim] = lengths[static_cast<size_t>(i)];
    parts.push_back(dy[i].defined() ? dy[i] : filled_tensor(part, dtype, 0));
  }
  return parts;
}

// y_i = x[start_i : start_i + length_i] along dim;  dx = the dy_i joined
struct Split {
  static constexpr const char* name = "split";
  static constexpr bool is_view = true;
  int64_t dim;
  std::vector<int64_t> lengths;
  Shape sizes{};
  std::vector<Tensor> forward(const Tensor& x) {
    sizes = x.sizes();
    std::vector<Tensor> parts;
    Shape part = sizes;
    int64_t at = 0;
    for (int64_t length : lengths) {
      part[dim] = length;
      parts.push_back(alias(x, part, x.strides(), at * x.strides()[dim]));
      at += length;
    }
    return parts;
  }
  Grads backward(const Grads& dy) const { return {cat(parts_of(dy, sizes, dim, lengths), dim)}; }
  std::vector<Tensor> tangent(const Tensor& dx) const { return split(dx, lengths, dim); }
};

// y_i = x[i] at dim, which goes away;  dx = the dy_i stacked
struct Unbind {
  static constexpr const char* name = "unbind";
  static constexpr bool is_view = true;
  int64_t dim;
  Shape sizes{};
  std::vector<Tensor> forward(const Tensor& x) {
    sizes = x.sizes();
    Shape part = sizes, strides = x.strides();
    part.erase(dim);
    strides.erase(dim);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < sizes[dim]; ++i) parts.push_back(alias(x, part, strides, i * x.strides()[dim]));
    return parts;
  }
  Grads backward(const Grads& dy) const { return {stack(parts_of(dy, sizes, dim, {}), dim)}; }
  std::vector<Tensor> tangent(const Tensor& dx) const { return unbind(dx, dim); }
};

// y = zeros of x's sizes with x added at the places the view shows; the adjoint of View
template <class View> struct Embedded {
  static constexpr const char* name = View::adjoint;
  static constexpr bool takes_bfloat16 = true;
  static constexpr bool linear = true;
  View view;
  Shape sizes;
  Tensor forward(const Tensor& x) {
    Tensor y = filled_tensor(sizes, x.dtype(), 0);
    add_into(view.of(y), x);
    return y;
  }
  Grads backward(const Tensor& dy) const { return {apply(View(view), dy)}; }
};

// y[..., i] = x[i, i + offset] over two dims;  dx = dy on that diagonal of zeros
struct Diagonal {
  static constexpr const char* name = "diagonal";
  static constexpr const char* adjoint = "diag_embed";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  int64_t offset, dim1, dim2;
  Shape from{};
  Tensor of(const Tensor& x) const {
    Shape sizes = x.sizes(), strides = x.strides();
    const int64_t rows = sizes[dim1], cols = sizes[dim2];
    const int64_t across = strides[dim1], along = strides[dim2];
    const int64_t length =
        std::max<int64_t>(0, offset >= 0 ? std::min(rows, cols - offset) : std::min(rows + offset, cols));
    for (int64_t d : {std::max(dim1, dim2), std::min(dim1, dim2)}) {
      sizes.erase(d);
      strides.erase(d);
    }
    sizes.push_back(length);
    strides.push_back(across + along);
    const int64_t first = length == 0 ? 0 : offset >= 0 ? offset * along : -offset * across;
    return alias(x, sizes, strides, first);
  }
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    return of(x);
  }
  Grads backward(const Tensor& dy) const { return {apply(Embedded<Diagonal>{*this, from}, dy)}; }
};

// y[..., i, ..., j] = x[..., i step + j, ...];  dx = dy summed where windows meet
struct Unfold {
  static constexpr const char* name = "unfold";
  static constexpr const char* adjoint = "unfold_backward";
  static constexpr bool is_view = true;
  static constexpr bool linear = true;
  int64_t dim, size, step;
  Shape from{};
  Tensor of(const Tensor& x) const {
    if (x.dim() == 0) return alias(x, {size}, {1}, 0);
    Shape sizes = x.sizes(), strides = x.strides();
    sizes.push_back(size);
    strides.push_back(strides[dim]);
    sizes[dim] = (sizes[dim] - size) / step + 1;
    strides[dim] *= sizes[dim] > 1 ? step : 1;  // a step beyond the only window may be any number
    return alias(x, sizes, strides, 0);
  }
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    return of(x);
  }
  Grads backward(const Tensor& dy) const { return {apply(Embedded<Unfold>{*this, from}, dy)}; }
};

void check_has_dim(const char* op, const Tensor& x) {
  check_defined(op, x, "x");
  if (x.dim() == 0) throw IndexError(std::string(op) + ": a 0-dim tensor has no dim to split");
}

std::vector<Tensor> split_into(const Tensor& x, std::vector<int64_t> lengths, int64_t dim) {
  if (lengths.empty()) return {};
  return apply(Split{.dim = dim, .lengths = std::move(lengths)}, x);
}

// Lengths of the pieces of a dim of `size`, all `piece` but the last.
std::vector<int64_t> even_lengths(int64_t size, int64_t piece) {
  const int64_t count = size == 0 ? 1 : (size - 1) / piece + 1;
  std::vector<int64_t> lengths(static_cast<size_t>(count), piece);
  lengths.back() = size - piece * (count - 1);
  return lengths;
}

void check_different(const char* op, int64_t a, int64_t b, int64_t dim1, int64_t dim2) {
  if (a == b)
    throw IndexError(std::string(op) + ": dim1 and dim2 must be different dims, got " + std::to_string(dim1) + " and " +
                     std::to_string(dim2));
}

}  // namespace

std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim) {
  check_has_dim("split", x);
  const int64_t d = x.dim_index(dim, "split");
  const int64_t size = x.sizes()[d];
  if (split_size < 0 || (split_size == 0 && size != 0))
    throw ValueError("split: split_size must be at least " + std::to_string(size != 0) + " for a dim of size " +
                     std::to_string(size) + ", got " + std::to_string(split_size));
  return split_into(x, even_lengths(size, split_size), d);
}

std::vector<Tensor> split(const Tensor& x, IntArrayRef split_sizes, int64_t dim) {
  check_has_dim("split", x);
  const int64_t d = x.dim_index(dim, "split");
  int64_t rest = x.sizes()[d];
  bool fits = true;
  for (int64_t length : split_sizes) {
    fits = fits && length >= 0 && length <= rest;
    if (fits) rest -= length;
  }
  if (!fits || rest != 0)
    throw ValueError("split: the sizes must not be negative and must sum to " + std::to_string(x.sizes()[d]) +
                     ", the size of dim " + std::to_string(d) + ", got " + to_string(split_sizes));
  return split_into(x, split_sizes.vec(), d);
}

std::vector<Tensor> split_with_sizes(const Tensor& x, IntArrayRef split_sizes, int64_t dim) {
  return split(x, split_sizes, dim);
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  check_has_dim("chunk", x);
  const int64_t d = x.dim_index(dim, "chunk");
  if (chunks < 1) throw ValueError("chunk: chunks must be at least 1, got " + std::to_string(chunks));
  const int64_t size = x.sizes()[d];
  if (size == 0) return split_into(x, std::vector<int64_t>(static_cast<size_t>(chunks), 0), d);
  return split_into(x, even_lengths(size, (size - 1) / chunks + 1), d);
}

std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim) {
  check_has_dim("tensor_split", x);
  const int64_t d = x.dim_index(dim, "tensor_split");
  if (sections < 1) throw ValueError("tensor_split: sections must be at least 1, got " + std::to_string(sections));
  const int64_t size = x.sizes()[d];
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < sections; ++i) lengths.push_back(size / sections + (i < size % sections));
  return split_into(x, std::move(lengths), d);
}

std::vector<Tensor> tensor_split(const Tensor& x, IntArrayRef indices, int64_t dim) {
  check_has_dim("tensor_split", x);
  const int64_t d = x.dim_index(dim, "tensor_split");
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (int64_t index : indices) {
    parts.push_back(slice(x, d, start, index));
    start = index;
  }
  parts.push_back(slice(x, d, start));
  return parts;
}

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
  check_has_dim("unbind", x);
  const int64_t d = x.dim_index(dim, "unbind");
  if (x.sizes()[d] == 0) return {};
  return apply(Unbind{.dim = d}, x);
}

Tensor unflatten(const Tensor& x, int64_t dim, IntArrayRef sizes) {
  check_has_dim("unflatten", x);
  const int64_t d = x.dim_index(dim, "unflatten"), size = x.sizes()[d];
  int64_t known = 1, open = 0;
  bool fits = !sizes.empty();
  for (int64_t part : sizes) {
    if (part == -1) ++open;
    else fits = fits && part >= 0 && !__builtin_mul_overflow(known, part, &known);
  }
  fits = fits && (open == 0 ? known == size : open == 1 && known > 0 && size % known == 0);
  if (!fits)
    throw ShapeError("unflatten: the product of the sizes must be " + std::to_string(size) + ", the size of dim " +
                     std::to_string(d) + ", got sizes " + to_string(sizes) + " for shape " + to_string(x.sizes()));
  check_rank(x.dim() - 1 + sizes.size(), "unflatten");
  Shape shape = x.sizes();
  shape.erase(d);
  for (int64_t i = sizes.size() - 1; i >= 0; --i) shape.insert(d, sizes[i] == -1 ? size / known : sizes[i]);
  return view(x, shape);
}

Tensor movedim(const Tensor& x, int64_t source, int64_t destination) {
  return movedim(x, IntArrayRef(source), IntArrayRef(destination));
}

Tensor movedim(const Tensor& x, IntArrayRef source, IntArrayRef destination) {
  check_defined("movedim", x, "x");
  if (source.size() != destination.size())
    throw ShapeError("movedim: source and destination must name as many dims, got " + to_string(source) + " and " +
                     to_string(destination));
  const uint32_t moved = source.empty() ? 0 : dim_mask(source, x.dim(), "movedim");  // no dims, not all of them
  (void)dim_mask(destination, x.dim(), "movedim");
  Shape order = Shape::filled(x.dim(), -1);
  for (int64_t i = 0; x.dim() > 0 && i < source.size(); ++i)
    order[x.dim_index(destination[i])] = x.dim_index(source[i]);
  int64_t next = 0;
  for (int64_t& d : order) {
    if (d >= 0) continue;
    while (moved >> next & 1) ++next;
    d = next++;
  }
  return permute(x, order);
}

Tensor swapaxes(const Tensor& x, int64_t dim0, int64_t dim1) {
  check_defined("swapaxes", x, "x");
  return transpose(x, x.dim_index(dim0, "swapaxes"), x.dim_index(dim1, "swapaxes"));
}

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  check_defined("diagonal", x, "x");
  if (x.dim() < 2) throw ShapeError("diagonal: at least 2 dims are needed, got shape " + to_string(x.sizes()));
  const int64_t a = x.dim_index(dim1, "diagonal");
  const int64_t b = x.dim_index(dim2, "diagonal");
  check_different("diagonal", a, b, dim1, dim2);
  return apply(Diagonal{.offset = offset, .dim1 = a, .dim2 = b}, x);
}

Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  check_defined("diag_embed", x, "x");
  if (x.dim() == 0) throw ShapeError("diag_embed: at least 1 dim is needed, got a 0-dim tensor");
  const int64_t a = wrap_dim(dim1, x.dim() + 1, "diag_embed");
  const int64_t b = wrap_dim(dim2, x.dim() + 1, "diag_embed");
  check_rank(x.dim() + 1, "diag_embed");
  check_different("diag_embed", a, b, dim1, dim2);
  Shape sizes = x.sizes();
  int64_t side = sizes.back();
  if (offset == std::numeric_limits<int64_t>::min() || __builtin_add_overflow(side, std::abs(offset), &side))
    throw ShapeError("diag_embed: the matrix is too large, got offset " + std::to_string(offset));
  sizes.erase(sizes.size() - 1);
  sizes.insert(std::min(a, b), side);
  sizes.insert(std::max(a, b), side);
  (void)numel_of(sizes, "diag_embed");
  return apply(Embedded<Diagonal>{{.offset = offset, .dim1 = a, .dim2 = b}, sizes}, x);
}

Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  check_defined("unfold", x, "x");
  const int64_t d = x.dim_index(dim, "unfold");
  const int64_t extent = x.dim() == 0 ? 1 : x.sizes()[d];
  if (size < 0 || size > extent)
    throw ValueError("unfold: size must lie in [0, " + std::to_string(extent) + "], the size of dim " +
                     std::to_string(d) + ", got " + std::to_string(size));
  if (step < 1) throw ValueError("unfold: step must be at least 1, got " + std::to_string(step));
  check_rank(x.dim() + 1, "unfold");
  return apply(Unfold{.dim = d, .size = size, .step = step}, x);
}

}  // namespace tapegrad
