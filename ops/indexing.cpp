// Indexing by tensors and masks: rows taken, overwritten and added up; what comes before are views (index_grammar.cpp).
#include "tapegrad/ops/indexing.h"

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/gather_parts.h"
#include "tapegrad/ops/index_grammar.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/gather.h"
#include "tapegrad/ops/kernels/rows.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/select.h"

namespace tapegrad {
namespace {

// y = zeros with x[j] added at row number[j];  dx = dy at the rows
struct AddRows {
  static constexpr const char* name = "index_backward";
  int64_t lead;
  Shape sizes;  // of y
  SavedInput number{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    number.save(at);
    const Tensor y = filled_tensor(sizes, x.dtype(), 0);
    kernels::put_rows(y, lead, at, contiguous_of(x), true);
    return y;
  }
  Grads backward(const Tensor& dy) const;
  Tensor tangent(const Grads& dx) const { return apply(AddRows{.lead = lead, .sizes = sizes}, dx[0], *number); }
};

// y[j] = x at row number[j], where the first `lead` dims of x count as one;  dx = dy added up at the rows
struct TakeRows {
  static constexpr const char* name = "index";
  static constexpr bool takes_bfloat16 = true;
  int64_t lead;
  Shape sizes{};  // of x
  SavedInput number{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    sizes = x.sizes();
    number.save(at);
    return kernels::take_rows(x, lead, at);
  }
  Grads backward(const Tensor& dy) const { return {apply(AddRows{.lead = lead, .sizes = sizes}, dy, *number)}; }
  Tensor tangent(const Grads& dx) const { return apply(TakeRows{.lead = lead}, dx[0], *number); }
};

Grads AddRows::backward(const Tensor& dy) const { return {apply(TakeRows{.lead = lead}, dy, *number)}; }

// y = x with zeros at the rows named;  dx = dy with zeros there
struct ClearRows {
  static constexpr const char* name = "index_put_backward";
  static constexpr bool takes_bfloat16 = true;
  int64_t lead;
  SavedInput number{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    number.save(at);
    Tensor y = clone_of(x);
    kernels::put_rows(y, lead, at, filled_tensor(IntArrayRef(), x.dtype(), 0));
    return y;
  }
  Grads backward(const Tensor& dy) const { return {apply(ClearRows{.lead = lead}, dy, *number)}; }
  Tensor tangent(const Grads& dx) const { return apply(ClearRows{.lead = lead}, dx[0], *number); }
};

// x at row number[j] = values[j];  dx = dy with zeros there, dvalues = dy at the rows where they stay.  Accumulated, +=:  dx = dy
struct PutRows {
  static constexpr const char* name = "index_put_";
  static constexpr bool takes_bfloat16 = true;
  int64_t lead;
  Shape sizes;  // of x
  bool accumulate;
  SavedInput number{"index"};
  Tensor forward(const Tensor&, const Tensor& values, const Tensor& at, const Tensor& out) {
    number.save(at);
    kernels::put_rows(out, lead, at, contiguous_of(values), accumulate);
    return out;
  }
  Grads backward(const Tensor& dy) const {
    Tensor dvalues;
    if (autograd::needs(1)) dvalues = accumulate ? taken(dy) : where(stays(dy.dim()), taken(dy), 0);
    if (accumulate) return {Tensor(dy), dvalues};
    return {autograd::needs(0) ? apply(ClearRows{.lead = lead}, dy, *number) : Tensor(), dvalues};
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor& any = dx[0].defined() ? dx[0] : dx[1];
    Tensor y = dx[0].defined() ? clone(dx[0]) : filled_tensor(sizes, any.dtype(), 0);
    const Tensor values = dx[1].defined() ? dx[1] : filled_tensor(IntArrayRef(), any.dtype(), 0);
    return apply_in_place(PutRows{.lead = lead, .sizes = sizes, .accumulate = accumulate}, y, values, *number);
  }
  Tensor taken(const Tensor& dy) const { return apply(TakeRows{.lead = lead}, dy, *number); }
  // Whether no later value went to the same row: [m, 1, ...].
  Tensor stays(int64_t rank) const {
    int64_t rows = 1;
    for (int64_t d = 0; d < lead; ++d) rows *= sizes[d];
    const Tensor last = kernels::stays(name, 0, *number, rows);
    Shape ones = Shape::filled(1 + rank - lead, 1);
    ones[0] = last.numel();
    return view(last, ones);
  }
};

Tensor taken(const Tensor& x, Indices indices) {
  const ParsedIndex parsed = parse_index("index", x, indices);
  const Tensor& view = parsed.view;
  if (parsed.advanced.empty()) return view.is_same(x) ? tapegrad::view(x, x.sizes()) : view;
  const IndexedRows rows = rows_of("index", parsed);
  if (!rows.adjacent) {
    const Tensor y = apply(TakeRows{.lead = rows.lead.size()}, permute(view, rows.order), rows.number);
    return reshape(y, rows.in_front(view));
  }
  // The indexed dims as one, in their place.
  Shape joined = view.sizes();
  for (int64_t k = 1; k < rows.lead.size(); ++k) joined.erase(rows.position + 1);
  joined[rows.position] = numel_of(rows.lead, "index");
  return reshape(indexed(reshape(view, joined), rows.position, rows.number), rows.result(view));
}

void check_values(const char* op, const Shape& wanted, const Tensor& values) {
  const Shape both = broadcast_shapes(wanted, values.sizes(), op);
  if (!(IntArrayRef(both) == IntArrayRef(wanted)))
    throw ShapeError(std::string(op) + ": values must broadcast to the indexed shape " + to_string(wanted) + ", got " +
                     to_string(values.sizes()));
}

// One number where a mask says: nothing has to be counted.
void fill_masked(const Tensor& view, const AdvancedIndex& mask, const Tensor& value) {
  Shape sizes = Shape::filled(view.dim() - mask.dim, 1);
  for (int64_t d = 0; d < mask.span; ++d) sizes[d] = mask.tensor.sizes()[d];
  masked_fill_(view, reshape(mask.tensor, sizes), reshape(value, IntArrayRef()));
}

Tensor& put(const char* op, const Tensor& x, Indices indices, const Tensor& values, bool accumulate) {
  check_defined(op, values, "values");
  const ParsedIndex parsed = parse_index(op, x, indices);
  const Tensor& view = parsed.view;
  autograd::detail::check_in_place(op, view);
  if (parsed.advanced.empty()) {
    check_values(op, view.sizes(), values);
    accumulate ? add_(view, to(values, x.dtype())) : copy_(view, values);
    return const_cast<Tensor&>(x);
  }
  const bool number = values.numel() == 1;
  const AdvancedIndex& first = parsed.advanced[0];
  if (number && !accumulate && parsed.advanced.size() == 1 && first.tensor.dtype() == kBool && values.dim() <= 1) {
    fill_masked(view, first, values);
    return const_cast<Tensor&>(x);
  }
  const IndexedRows rows = rows_of(op, parsed);
  const Shape result = rows.result(view);
  check_values(op, result, values);
  Tensor src = to(values, x.dtype());
  if (number && !(GradMode::is_enabled() && src.requires_grad())) {
    src = reshape(src, IntArrayRef());
  } else {
    Shape by_row = rows.in_front(view);
    src = permute(expand(src, result), rows.to_front(result.size()));
    for (int64_t d = 1; d < rows.index.size(); ++d) by_row.erase(0);
    if (rows.index.empty()) by_row.insert(0, 1);
    by_row[0] = rows.number.numel();
    src = reshape(src, by_row);
  }
  const Tensor at = permute(view, rows.order);
  apply_in_place(PutRows{.lead = rows.lead.size(), .sizes = at.sizes(), .accumulate = accumulate}, at, src,
                 rows.number);
  return const_cast<Tensor&>(x);
}

Tensor& put(const char* op, const Tensor& x, Indices indices, const Scalar& value, bool accumulate) {
  check_defined(op, x, "x");
  return put(op, x, indices, number_of(value, x.dtype(), op), accumulate);
}

template <class Value> Tensor put_apart(const Tensor& x, Indices indices, const Value& value, bool accumulate) {
  check_defined("index_put", x, "x");
  return put("index_put", clone(x), indices, value, accumulate);
}

Indices span_of(std::initializer_list<TensorIndex> list) { return {list.begin(), list.size()}; }

}  // namespace

Tensor index(const Tensor& x, std::initializer_list<TensorIndex> indices) { return taken(x, span_of(indices)); }
Tensor index(const Tensor& x, const std::vector<TensorIndex>& indices) { return taken(x, indices); }

Tensor index_put(const Tensor& x, std::initializer_list<TensorIndex> indices, const Tensor& values, bool accumulate) {
  return put_apart(x, span_of(indices), values, accumulate);
}
Tensor index_put(const Tensor& x, std::initializer_list<TensorIndex> indices, const Scalar& value, bool accumulate) {
  return put_apart(x, span_of(indices), value, accumulate);
}
Tensor index_put(const Tensor& x, const std::vector<TensorIndex>& indices, const Tensor& values, bool accumulate) {
  return put_apart(x, indices, values, accumulate);
}
Tensor index_put(const Tensor& x, const std::vector<TensorIndex>& indices, const Scalar& value, bool accumulate) {
  return put_apart(x, indices, value, accumulate);
}

Tensor& index_put_(const Tensor& x, std::initializer_list<TensorIndex> indices, const Tensor& values, bool accumulate) {
  return put("index_put_", x, span_of(indices), values, accumulate);
}
Tensor& index_put_(const Tensor& x, std::initializer_list<TensorIndex> indices, const Scalar& value, bool accumulate) {
  return put("index_put_", x, span_of(indices), value, accumulate);
}
Tensor& index_put_(const Tensor& x, const std::vector<TensorIndex>& indices, const Tensor& values, bool accumulate) {
  return put("index_put_", x, indices, values, accumulate);
}
Tensor& index_put_(const Tensor& x, const std::vector<TensorIndex>& indices, const Scalar& value, bool accumulate) {
  return put("index_put_", x, indices, value, accumulate);
}

}  // namespace tapegrad
