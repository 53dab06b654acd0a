// Indexing: integers, slices, None and "..." as views, then index tensors and masks by rows.
#include "tapegrad/ops/indexing.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/rows.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {

TensorIndex::TensorIndex(const char* dots) : kind(Kind::Ellipsis) {
  if (std::strcmp(dots, "...") != 0)
    throw ValueError(std::string("index: the only text an index may hold is \"...\", got \"") + dots + "\"");
}

namespace {

using Indices = std::span<const TensorIndex>;

struct TakeRows;

// y [rows, ...] zeros plus x[j] at y[index[j]];  dx = dy[index]
struct AddRows {
  static constexpr const char* name = "index_backward";
  int64_t rows;
  SavedInput index{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    index.save(at);
    return kernels::add_rows(contiguous_of(x), at, rows);
  }
  Grads backward(const Tensor& dy) const;
  Tensor tangent(const Grads& dx) const { return apply(AddRows{.rows = rows}, dx[0], *index); }
};

// y[j] = x[index[j]];  dx = dy added up at index
struct TakeRows {
  static constexpr const char* name = "index";
  int64_t rows = 0;
  SavedInput index{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    rows = x.sizes()[0];
    index.save(at);
    return kernels::take_rows(contiguous_of(x), at);
  }
  Grads backward(const Tensor& dy) const { return {apply(AddRows{.rows = rows}, dy, *index)}; }
  Tensor tangent(const Grads& dx) const { return apply(TakeRows{}, dx[0], *index); }
};

Grads AddRows::backward(const Tensor& dy) const { return {apply(TakeRows{}, dy, *index)}; }

// y = x with zeros at the rows named;  dx = dy with zeros there
struct ClearRows {
  static constexpr const char* name = "index_put_backward";
  int64_t lead;
  SavedInput index{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    index.save(at);
    Tensor y = clone_of(x);
    kernels::put_rows(y, lead, at, filled_tensor(IntArrayRef(), x.dtype(), 0));
    return y;
  }
  Grads backward(const Tensor& dy) const { return {apply(ClearRows{.lead = lead}, dy, *index)}; }
  Tensor tangent(const Grads& dx) const { return apply(ClearRows{.lead = lead}, dx[0], *index); }
};

// x[index[j]] = values[j];  dx = dy with zeros there, dvalues = dy at the index.  Accumulated, +=:  dx = dy
struct PutRows {
  static constexpr const char* name = "index_put_";
  int64_t lead;
  Shape sizes;  // of x
  bool accumulate;
  SavedInput index{"index"};
  Tensor forward(const Tensor&, const Tensor& values, const Tensor& at, const Tensor& out) {
    index.save(at);
    kernels::put_rows(out, lead, at, contiguous_of(values), accumulate);
    return out;
  }
  Grads backward(const Tensor& dy) const {
    Tensor dvalues;
    if (autograd::needs(1)) dvalues = apply(TakeRows{}, rows_of(dy), *index);
    if (accumulate) return {Tensor(dy), dvalues};
    return {autograd::needs(0) ? apply(ClearRows{.lead = lead}, dy, *index) : Tensor(), dvalues};
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor& any = dx[0].defined() ? dx[0] : dx[1];
    Tensor y = dx[0].defined() ? clone(dx[0]) : filled_tensor(sizes, any.dtype(), 0);
    const Tensor values = dx[1].defined() ? dx[1] : filled_tensor(IntArrayRef(), any.dtype(), 0);
    return apply_in_place(PutRows{.lead = lead, .sizes = sizes, .accumulate = accumulate}, y, values, *index);
  }
  // The lead dims joined into one.
  Tensor rows_of(const Tensor& x) const {
    Shape joined{1};
    for (int64_t d = 0; d < lead; ++d) joined[0] *= x.sizes()[d];
    for (int64_t d = lead; d < x.dim(); ++d) joined.push_back(x.sizes()[d]);
    return reshape(x, joined);
  }
};

// What is left after the views: a tensor, and for some of its dims an index tensor.
struct Basic {
  Tensor view;
  std::vector<Tensor> advanced;  // one per dim of view; undefined: the whole dim
  bool any() const {
    for (const Tensor& t : advanced) {
      if (t.defined()) return true;
    }
    return false;
  }
};

int64_t dims_taken(const TensorIndex& index) {
  switch (index.kind) {
    case TensorIndex::Kind::Integer:
    case TensorIndex::Kind::Slice: return 1;
    case TensorIndex::Kind::Tensor:
      return index.tensor.defined() && index.tensor.dtype() == kBool ? index.tensor.dim() : 1;
    default: return 0;
  }
}

// The positions of true, one int64 tensor per dim of the mask.
std::vector<Tensor> positions(const Tensor& mask) {
  const Tensor flat = contiguous_of(mask);
  const bool* v = flat.data_ptr<bool>();
  const int64_t count = std::count(v, v + flat.numel(), true);
  std::vector<Tensor> result;
  std::vector<int64_t*> out;
  for (int64_t d = 0; d < mask.dim(); ++d) {
    result.push_back(new_tensor(count, kInt64));
    out.push_back(result.back().data_ptr<int64_t>());
  }
  const Shape strides = contiguous_strides(mask.sizes());
  for (int64_t i = 0, found = 0; i < flat.numel(); ++i) {
    if (!v[i]) continue;
    for (int64_t d = 0; d < mask.dim(); ++d) out[static_cast<size_t>(d)][found] = i / strides[d] % mask.sizes()[d];
    ++found;
  }
  return result;
}

void check_mask(const char* op, const Tensor& mask, const Tensor& x, int64_t dim) {
  for (int64_t d = 0; d < mask.dim(); ++d) {
    if (mask.sizes()[d] == x.sizes()[dim + d]) continue;
    throw IndexError(std::string(op) + ": a mask must have the shape of the dims it covers, mask is " +
                     to_string(mask.sizes()) + " from dim " + std::to_string(dim) + " of " + to_string(x.sizes()));
  }
}

// Takes one index tensor or mask at `dim` of basic.view; returns the next dim.
int64_t take_tensor(const char* op, Basic& basic, const Tensor& index, int64_t dim) {
  check_defined(op, index, "an index tensor");
  if (is_floating_point(index.dtype()))
    throw DTypeError(std::string(op) + ": an index tensor must be int64, an integer or a bool mask, got " +
                     name_of(index.dtype()));
  if (index.dtype() != kBool) {
    basic.advanced[static_cast<size_t>(dim)] = converted(index, kInt64);
    return dim + 1;
  }
  if (index.dim() == 0) {  // a new dim, of which it takes the one element or none
    basic.view = unsqueeze(basic.view, dim);
    basic.advanced.insert(basic.advanced.begin() + dim, filled_tensor(index.item<bool>() ? 1 : 0, kInt64, 0));
    return dim + 1;
  }
  check_mask(op, index, basic.view, dim);
  for (const Tensor& t : positions(index)) basic.advanced[static_cast<size_t>(dim++)] = t;
  return dim;
}

int64_t checked(const char* op, int64_t i, int64_t size, int64_t dim) {
  if (size == 0)
    throw IndexError(std::string(op) + ": there must be an element at dim " + std::to_string(dim) +
                     ", which has size 0, got index " + std::to_string(i));
  if (i < -size || i >= size)
    throw IndexError(std::string(op) + ": an index must lie in [" + std::to_string(-size) + ", " +
                     std::to_string(size - 1) + "] at dim " + std::to_string(dim) + ", got " + std::to_string(i));
  return i < 0 ? i + size : i;
}

// Dims of x that the indices take; IndexError where there are more than x has.
int64_t count_taken(const char* op, const Tensor& x, Indices indices) {
  int64_t taken = 0, ellipses = 0;
  for (const TensorIndex& index : indices) {
    taken += dims_taken(index);
    ellipses += index.kind == TensorIndex::Kind::Ellipsis;
  }
  if (ellipses > 1)
    throw IndexError(std::string(op) + ": \"...\" may stand once, got it " + std::to_string(ellipses) + " times");
  if (taken > x.dim())
    throw IndexError(std::string(op) + ": at most " + std::to_string(x.dim()) + " dims can be indexed in shape " +
                     to_string(x.sizes()) + ", got " + std::to_string(taken));
  return taken;
}

Tensor sliced(const char* op, const Tensor& x, int64_t dim, const indexing::Slice& s) {
  const int64_t step = s.step.value_or(1);
  if (step < 1) throw ValueError(std::string(op) + ": step must be at least 1, got " + std::to_string(step));
  return slice(x, dim, s.start, s.stop, step);
}

Basic basic_of(const char* op, const Tensor& x, Indices indices) {
  check_defined(op, x, "x");
  const int64_t taken = count_taken(op, x, indices);
  Basic basic{x, std::vector<Tensor>(static_cast<size_t>(x.dim()))};
  int64_t dim = 0;
  for (const TensorIndex& index : indices) {
    const auto at = basic.advanced.begin() + dim;
    switch (index.kind) {
      case TensorIndex::Kind::Integer:
        basic.view = select(basic.view, dim, checked(op, index.integer, basic.view.sizes()[dim], dim));
        basic.advanced.erase(at);
        break;
      case TensorIndex::Kind::Slice: basic.view = sliced(op, basic.view, dim++, index.slice); break;
      case TensorIndex::Kind::None:
        basic.view = unsqueeze(basic.view, dim++);
        basic.advanced.insert(at, Tensor());
        break;
      case TensorIndex::Kind::Boolean:
        basic.view = narrow(unsqueeze(basic.view, dim), dim, 0, index.integer);
        basic.advanced.insert(at, Tensor());
        ++dim;
        break;
      case TensorIndex::Kind::Ellipsis: dim += x.dim() - taken; break;
      case TensorIndex::Kind::Tensor: dim = take_tensor(op, basic, index.tensor, dim); break;
    }
  }
  return basic;
}

// The indexed dims brought to the front, and one row number per element of the broadcast index.
struct Rows {
  Tensor view;   // [indexed dims..., rest...]
  int64_t lead;  // how many dims are indexed
  Tensor index;  // int64, one-dim, contiguous
  Shape index_shape;
  int64_t position;  // where the index's dims go in the result
};

Rows rows_of(const char* op, const Basic& basic) {
  Rows rows{};
  std::vector<int64_t> indexed;
  Shape order;
  for (int64_t d = 0; d < basic.view.dim(); ++d) {
    const Tensor& index = basic.advanced[static_cast<size_t>(d)];
    if (!index.defined()) continue;
    indexed.push_back(d);
    order.push_back(d);
    rows.index_shape = broadcast_shapes(rows.index_shape, index.sizes(), op);
  }
  rows.lead = static_cast<int64_t>(indexed.size());
  const bool adjacent = indexed.back() - indexed.front() + 1 == rows.lead;
  rows.position = adjacent ? indexed.front() : 0;
  for (int64_t d = 0; d < basic.view.dim(); ++d) {
    if (!basic.advanced[static_cast<size_t>(d)].defined()) order.push_back(d);
  }
  rows.index = filled_tensor(numel_of(rows.index_shape, op), kInt64, 0);
  int64_t* row = rows.index.data_ptr<int64_t>();
  for (int64_t d : indexed) {
    const int64_t size = basic.view.sizes()[d];
    const Tensor flat = contiguous_of(expand(basic.advanced[static_cast<size_t>(d)], rows.index_shape));
    const int64_t* i = flat.data_ptr<int64_t>();
    for (int64_t j = 0; j < rows.index.numel(); ++j) row[j] = row[j] * size + checked(op, i[j], size, d);
  }
  rows.view = permute(basic.view, order);
  return rows;
}

// The order of dims that takes [index dims..., rest...] to the place the index stood in; and back.
Shape result_order(const Rows& rows, int64_t rank, bool back) {
  const int64_t k = rows.index_shape.size();
  Shape order;
  for (int64_t d = 0; d < rank; ++d) {
    const bool before = d < rows.position, inside = !before && d < rows.position + k;
    order.push_back(before ? d + k : inside ? d - rows.position : d);
  }
  if (!back) return order;
  Shape inverse = order;
  for (int64_t d = 0; d < rank; ++d) inverse[order[d]] = d;
  return inverse;
}

Shape rest_of(const Rows& rows, const Shape& front) {
  Shape sizes = front;
  for (int64_t d = rows.lead; d < rows.view.dim(); ++d) sizes.push_back(rows.view.sizes()[d]);
  return sizes;
}

// The shape of what the indices name, in the result's order of dims.
Shape indexed_shape(const Rows& rows, const Shape& front) {
  Shape result = front;
  const Shape order = result_order(rows, front.size(), false);
  for (int64_t d = 0; d < front.size(); ++d) result[d] = front[order[d]];
  return result;
}

Tensor index_of(const Tensor& x, Indices indices) {
  const Basic basic = basic_of("index", x, indices);
  if (!basic.any()) return basic.view.is_same(x) ? view(x, x.sizes()) : basic.view;
  const Rows rows = rows_of("index", basic);
  int64_t count = 1;
  for (int64_t d = 0; d < rows.lead; ++d) count *= rows.view.sizes()[d];
  const Tensor taken = apply(TakeRows{}, reshape(rows.view, rest_of(rows, Shape{count})), rows.index);
  const Tensor shaped = reshape(taken, rest_of(rows, rows.index_shape));
  return rows.position == 0 ? shaped : permute(shaped, result_order(rows, shaped.dim(), false));
}

void check_values(const Shape& wanted, const Tensor& values) {
  const Shape both = broadcast_shapes(wanted, values.sizes(), PutRows::name);
  if (!(IntArrayRef(both) == IntArrayRef(wanted)))
    throw ShapeError("index_put_: values must broadcast to the indexed shape " + to_string(wanted) + ", got " +
                     to_string(values.sizes()));
}

Tensor& put(const Tensor& x, Indices indices, const Tensor& values, bool accumulate) {
  constexpr const char* name = PutRows::name;
  check_defined(name, values, "values");
  const Basic basic = basic_of(name, x, indices);
  if (!basic.any()) {
    const Tensor& at = basic.view.is_same(x) ? x : basic.view;
    check_values(at.sizes(), values);
    accumulate ? add_(at, to(values, x.dtype())) : copy_(at, values);
    return const_cast<Tensor&>(x);
  }
  const Rows rows = rows_of(name, basic);
  const Shape front = rest_of(rows, rows.index_shape);
  const Shape result = indexed_shape(rows, front);
  check_values(result, values);
  const Tensor spread = permute(expand(to(values, x.dtype()), result), result_order(rows, front.size(), true));
  const Tensor by_row = reshape(spread, rest_of(rows, Shape{rows.index.numel()}));
  const PutRows op{.lead = rows.lead, .sizes = rows.view.sizes(), .accumulate = accumulate};
  apply_in_place(op, rows.view, by_row, rows.index);
  return const_cast<Tensor&>(x);
}

Tensor& put(const Tensor& x, Indices indices, const Scalar& value, bool accumulate) {
  check_defined(PutRows::name, x, "x");
  return put(x, indices, number_of(value, x.dtype(), PutRows::name), accumulate);
}

Indices span_of(std::initializer_list<TensorIndex> list) { return {list.begin(), list.size()}; }

}  // namespace

Tensor index(const Tensor& x, std::initializer_list<TensorIndex> indices) { return index_of(x, span_of(indices)); }
Tensor index(const Tensor& x, const std::vector<TensorIndex>& indices) { return index_of(x, indices); }

Tensor& index_put_(const Tensor& x, std::initializer_list<TensorIndex> indices, const Tensor& values, bool accumulate) {
  return put(x, span_of(indices), values, accumulate);
}
Tensor& index_put_(const Tensor& x, std::initializer_list<TensorIndex> indices, const Scalar& value, bool accumulate) {
  return put(x, span_of(indices), value, accumulate);
}
Tensor& index_put_(const Tensor& x, const std::vector<TensorIndex>& indices, const Tensor& values, bool accumulate) {
  return put(x, indices, values, accumulate);
}
Tensor& index_put_(const Tensor& x, const std::vector<TensorIndex>& indices, const Scalar& value, bool accumulate) {
  return put(x, indices, value, accumulate);
}

}  // namespace tapegrad
