// gather, scatter and index_select with their kin: each one's gradient is another of them.
#include "tapegrad/ops/gather.h"

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/gather_parts.h"
#include "tapegrad/ops/kernels/gather.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

Tensor index_of(const char* op, const Tensor& index) {
  check_defined(op, index, "index");
  if (index.dtype() != kInt64 && index.dtype() != kInt32)
    throw DTypeError(std::string(op) + ": index must be int64 or int32, got " + name_of(index.dtype()));
  return converted(index, kInt64);
}

namespace {

Tensor zeros_of(const Shape& sizes, DType dtype) { return filled_tensor(sizes, dtype, 0); }

// How an index names places along a dim: an element each, in a tensor of x's rank; or a row each, in a vector.
struct Elements {
  static constexpr const char* take_name = "gather";
  static constexpr const char* add_name = "scatter_add";
  static constexpr auto take = kernels::gather;
  static constexpr auto add = kernels::scatter_add;
};
struct Rows {
  static constexpr const char* take_name = "index_select";
  static constexpr const char* add_name = "index_add";
  static constexpr auto take = kernels::index_select;
  static void add(const char* op, const Tensor& y, int64_t dim, const Tensor& index, const Tensor& src) {
    kernels::scatter_add(op, y, dim, kernels::along(index, src.sizes(), dim), src);
  }
};
struct IndexedRows : Rows {
  static constexpr const char* take_name = "index";
};

template <class Places> struct Add;

// y = x at the index;  dx = dy added up there
template <class Places> struct Take {
  static constexpr const char* name = Places::take_name;
  static constexpr bool takes_bfloat16 = true;
  int64_t dim;
  Shape sizes{};
  SavedInput index{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    sizes = x.sizes();
    return Places::take(name, x, dim, index.save(at));
  }
  Grads backward(const Tensor& dy) const {
    const Tensor zeros = zeros_of(sizes, dy.dtype());
    if (dy.dtype() == kBFloat16) return {apply(Add<Places>{.dim = dim}, zeros, *index, dy)};  // added up in float32
    return {apply_in_place(Add<Places>{.dim = dim}, zeros, *index, dy)};
  }
  Tensor tangent(const Grads& dx) const { return apply(Take{.dim = dim}, dx[0], *index); }
};
using Gather = Take<Elements>;   // y[i, j, k] = x[i, index[i, j, k], k]
using IndexSelect = Take<Rows>;  // y[..., j, ...] = x[..., index[j], ...]

// y = x with src added at the index;  dx = dy, dsrc = dy at the index
template <class Places> struct Add {
  static constexpr const char* name = Places::add_name;
  int64_t dim;
  Shape sizes{};
  SavedInput index{"index"};
  Tensor forward(const Tensor& x, const Tensor& at, const Tensor& src, const Tensor& out = {}) {
    sizes = x.sizes();
    Tensor y = out.defined() ? out : clone_of(x);
    Places::add(name, y, dim, index.save(at), src);
    return y;
  }
  Grads backward(const Tensor& dy) const {
    return {autograd::needs(0) ? Tensor(dy) : Tensor(), Tensor(),
            autograd::needs(2) ? apply(Take<Places>{.dim = dim}, dy, *index) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    if (!dx[2].defined()) return dx[0];
    const Tensor base = dx[0].defined() ? dx[0] : zeros_of(sizes, dx[2].dtype());
    return apply(Add{.dim = dim}, base, *index, dx[2]);
  }
};
using ScatterAdd = Add<Elements>;  // y[i, index[i, j, k], k] += src[i, j, k]
using IndexAdd = Add<Rows>;        // y[..., index[j], ...] += src[..., j, ...]

struct AsScatter {
  static constexpr const char* name = "scatter";
};
struct AsIndexCopy {
  static constexpr const char* name = "index_copy";
};
struct AsIndexFill {
  static constexpr const char* name = "index_fill";
};

// y = x, y[i, index[i, j, k], k] = src[i, j, k] or one number;  dx = dy with zeros there, dsrc = dy at the index where it stays
template <class Which> struct Scatter {
  static constexpr const char* name = Which::name;
  static constexpr bool takes_bfloat16 = true;
  int64_t dim;
  Shape sizes{};
  SavedInput index{"index"};
  Tensor forward(const Tensor& x, const Tensor& at, const Tensor& src, const Tensor& out = {}) {
    sizes = x.sizes();
    Tensor y = out.defined() ? out : clone_of(x);
    kernels::scatter(name, y, dim, index.save(at), src);
    return y;
  }
  Grads backward(const Tensor& dy) const {
    Tensor dx, dsrc;
    if (autograd::needs(0)) dx = apply(Scatter{.dim = dim}, dy, *index, number_of(0, dy.dtype()));
    if (autograd::needs(2)) {
      const Tensor stays = kernels::stays(name, dim, *index, sizes[dim]);
      dsrc = where(stays, apply(Gather{.dim = dim}, dy, *index), 0);
    }
    return {dx, Tensor(), dsrc};
  }
  Tensor tangent(const Grads& dx) const {
    const DType dtype = dx[dx[0].defined() ? 0 : 2].dtype();
    const Tensor base = dx[0].defined() ? dx[0] : zeros_of(sizes, dtype);
    return apply(Scatter{.dim = dim}, base, *index, dx[2].defined() ? dx[2] : number_of(0, dtype));
  }
};

// 0-dim tensors take part as vectors of one element.
Tensor lifted(const Tensor& x) { return x.dim() == 0 ? view(x, 1) : x; }
Tensor lowered(const Tensor& y, const Tensor& like) { return like.dim() == 0 ? view(y, IntArrayRef()) : y; }

// Operands that fit each other, with a checked index.
struct Operands {
  Tensor x, index, src;
  int64_t dim;
};

Operands operands_of(const char* op, const Tensor& x, int64_t dim, const Tensor& index) {
  check_defined(op, x, "x");
  Operands in{lifted(x), lifted(index_of(op, index)), {}, 0};
  in.dim = wrap_dim(dim, in.x.dim(), op);
  const auto fail = [&](const std::string& why) {
    throw ShapeError(std::string(op) + ": " + why + ", got index " + to_string(index.sizes()) + " and x " +
                     to_string(x.sizes()));
  };
  if (in.x.dim() != in.index.dim()) fail("index must have as many dims as x");
  for (int64_t d = 0; d < in.x.dim(); ++d) {
    if (d != in.dim && in.index.sizes()[d] > in.x.sizes()[d])
      fail("index must not be larger than x apart from dim " + std::to_string(in.dim));
  }
  kernels::check_index(op, in.index, in.x.sizes()[in.dim], in.dim);
  return in;
}

void check_same_dtype(const char* op, const Tensor& x, const Tensor& src, const char* argument) {
  check_defined(op, src, argument);
  if (x.dtype() != src.dtype())
    throw DTypeError(std::string(op) + ": " + argument + " must have x's dtype, which is " + name_of(x.dtype()) +
                     ", got " + name_of(src.dtype()));
}

Operands operands_of(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  check_defined(op, x, "x");
  check_same_dtype(op, x, src, "src");
  check_defined(op, index, "index");
  Tensor part = lifted(src);
  const Shape& sizes = index.dim() == 0 ? Shape{1} : index.sizes();
  bool fits = part.dim() == sizes.size();
  for (int64_t d = 0; fits && d < sizes.size(); ++d) fits = sizes[d] <= part.sizes()[d];
  if (!fits)
    throw ShapeError(std::string(op) + ": src must have index's number of dims and be no smaller, got index " +
                     to_string(index.sizes()) + " and src " + to_string(src.sizes()));
  Operands in = operands_of(op, x, dim, index);
  for (int64_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] < part.sizes()[d]) part = narrow(part, d, 0, sizes[d]);
  }
  in.src = part;
  return in;
}

// The same for a vector of indices.
Operands rows_of(const char* op, const Tensor& x, int64_t dim, const Tensor& index, bool negative = false) {
  check_defined(op, x, "x");
  Operands in{lifted(x), index_of(op, index), {}, 0};
  in.dim = wrap_dim(dim, in.x.dim(), op);
  if (index.dim() > 1)
    throw ShapeError(std::string(op) + ": index must have at most 1 dim, got shape " + to_string(index.sizes()));
  in.index = lifted(in.index);
  kernels::check_index(op, in.index, in.x.sizes()[in.dim], in.dim, negative);
  return in;
}

Operands rows_of(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  Operands in = rows_of(op, x, dim, index);
  check_same_dtype(op, x, source, "source");
  in.src = lifted(source);
  Shape expected = in.x.sizes();
  expected[in.dim] = in.index.numel();
  if (!(IntArrayRef(in.src.sizes()) == IntArrayRef(expected)))
    throw ShapeError(std::string(op) + ": source must have shape " + to_string(expected) + " for x " +
                     to_string(x.sizes()) + ", dim " + std::to_string(in.dim) + " and " +
                     std::to_string(in.index.numel()) + " indices, got " + to_string(source.sizes()));
  return in;
}

// The vector of indices for every line, and one number for every element there.
Operands filled_rows(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  check_defined(op, value, "value");
  if (value.dim() != 0)
    throw ShapeError(std::string(op) + ": value must be a number or a 0-dim tensor, got shape " +
                     to_string(value.sizes()));
  Operands in = rows_of(op, x, dim, index, true);
  const Tensor rows = kernels::wrapped_index(op, in.index, in.x.sizes()[in.dim]);
  in.index = kernels::along(rows, in.x.sizes(), in.dim);
  in.src = value.dtype() == x.dtype() ? value : to(value, x.dtype());
  if (GradMode::is_enabled() && in.src.requires_grad()) in.src = expand(in.src, in.index.sizes());
  return in;
}

Operands copied_rows(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  Operands in = rows_of(op, x, dim, index, source);
  in.index = kernels::along(in.index, in.src.sizes(), in.dim);
  return in;
}

template <class Op> Tensor apart(Op op, const Operands& in, const Tensor& x) {
  return lowered(apply(std::move(op), in.x, in.index, in.src), x);
}
template <class Op> Tensor& into(Op op, const Operands& in, const Tensor& x) {
  apply_in_place(std::move(op), in.x, in.index, in.src);
  return const_cast<Tensor&>(x);
}

Tensor times(const Tensor& source, const Scalar& alpha) {
  const bool one = alpha.to<double>() == 1;
  return one || !source.defined() ? source : to(mul(source, alpha), source.dtype());
}

void check_alpha(const char* op, const Tensor& x, const Scalar& alpha) {
  check_defined(op, x, "x");
  if (alpha.is_floating_point() && !x.is_floating_point())
    throw DTypeError(std::string(op) + ": alpha must be an integer for " + name_of(x.dtype()) + ", got " +
                     std::to_string(alpha.to<double>()));
}

}  // namespace

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  const Operands in = operands_of("gather", x, dim, index);
  return lowered(apply(Gather{.dim = in.dim}, in.x, in.index), index);
}

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  const Operands in = operands_of("scatter", x, dim, index, src);
  return apart(Scatter<AsScatter>{.dim = in.dim}, in, x);
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  Operands in = operands_of("scatter", x, dim, index);
  in.src = number_of(value, x.dtype(), "scatter");
  return apart(Scatter<AsScatter>{.dim = in.dim}, in, x);
}
Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  const Operands in = operands_of("scatter_", x, dim, index, src);
  return into(Scatter<AsScatter>{.dim = in.dim}, in, x);
}
Tensor& scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  Operands in = operands_of("scatter_", x, dim, index);
  in.src = number_of(value, x.dtype(), "scatter_");
  return into(Scatter<AsScatter>{.dim = in.dim}, in, x);
}

Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  const Operands in = operands_of("scatter_add", x, dim, index, src);
  return apart(ScatterAdd{.dim = in.dim}, in, x);
}
Tensor& scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  const Operands in = operands_of("scatter_add_", x, dim, index, src);
  return into(ScatterAdd{.dim = in.dim}, in, x);
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  const Operands in = rows_of("index_select", x, dim, index);
  if (x.dim() == 0 && index.numel() != 1)
    throw ShapeError("index_select: a 0-dim tensor takes one index, got " + std::to_string(index.numel()));
  return lowered(apply(IndexSelect{.dim = in.dim}, in.x, in.index), x);
}

Tensor indexed(const Tensor& x, int64_t dim, const Tensor& rows) {
  return apply(Take<IndexedRows>{.dim = dim}, x, rows);
}

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
  check_alpha("index_add", x, alpha);
  const Operands in = rows_of("index_add", x, dim, index, times(source, alpha));
  return apart(IndexAdd{.dim = in.dim}, in, x);
}
Tensor& index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
  check_alpha("index_add_", x, alpha);
  const Operands in = rows_of("index_add_", x, dim, index, times(source, alpha));
  return into(IndexAdd{.dim = in.dim}, in, x);
}

Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  const Operands in = copied_rows("index_copy", x, dim, index, source);
  return apart(Scatter<AsIndexCopy>{.dim = in.dim}, in, x);
}
Tensor& index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  const Operands in = copied_rows("index_copy_", x, dim, index, source);
  return into(Scatter<AsIndexCopy>{.dim = in.dim}, in, x);
}

Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  const Operands in = filled_rows("index_fill", x, dim, index, value);
  return apart(Scatter<AsIndexFill>{.dim = in.dim}, in, x);
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  check_defined("index_fill", x, "x");
  return index_fill(x, dim, index, number_of(value, x.dtype(), "index_fill"));
}
Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  const Operands in = filled_rows("index_fill_", x, dim, index, value);
  return into(Scatter<AsIndexFill>{.dim = in.dim}, in, x);
}
Tensor& index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  check_defined("index_fill_", x, "x");
  return index_fill_(x, dim, index, number_of(value, x.dtype(), "index_fill_"));
}

Tensor take(const Tensor& x, const Tensor& index) {
  check_defined("take", x, "x");
  const Tensor at = index_of("take", index);
  kernels::check_index("take", at, x.numel(), 0, true);
  const Tensor flat = reshape(kernels::wrapped_index("take", at, x.numel()), -1);
  return view(apply(IndexSelect{.dim = 0}, reshape(x, -1), flat), index.sizes());
}

}  // namespace tapegrad
