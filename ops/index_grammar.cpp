// Parsing of index lists, and the numbers of the rows that index tensors and masks name.
#include "tapegrad/ops/index_grammar.h"

#include <cstring>

#include "tapegrad/ops/kernels/gather.h"
#include "tapegrad/ops/kernels/rows.h"
#include "tapegrad/ops/kernels/select.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/views.h"

namespace tapegrad {

TensorIndex::TensorIndex(const char* dots) : kind(Kind::Ellipsis) {
  if (std::strcmp(dots, "...") != 0)
    throw ValueError(std::string("index: the only text an index may hold is \"...\", got \"") + dots + "\"");
}

namespace {

// uint8 tensors are masks, as in PyTorch.
bool is_mask(const Tensor& t) { return t.dtype() == kBool || t.dtype() == kUInt8; }

int64_t dims_taken(const TensorIndex& index) {
  switch (index.kind) {
    case TensorIndex::Kind::Integer:
    case TensorIndex::Kind::Slice: return 1;
    case TensorIndex::Kind::Tensor: return index.tensor.defined() && is_mask(index.tensor) ? index.tensor.dim() : 1;
    default: return 0;
  }
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

// Applies the indices one by one to the dims of a view.
struct Parser {
  const char* op;
  int64_t rest;  // dims that "..." stands for
  ParsedIndex out;
  int64_t dim = 0;

  void take(const TensorIndex& index) {
    switch (index.kind) {
      case TensorIndex::Kind::Integer: return integer(index.integer);
      case TensorIndex::Kind::Slice: return slices(index.slice);
      case TensorIndex::Kind::None: out.view = unsqueeze(out.view, dim++); return;
      case TensorIndex::Kind::Boolean: return flag(index.integer != 0);
      case TensorIndex::Kind::Ellipsis: dim += rest; return;
      case TensorIndex::Kind::Tensor: return tensor(index.tensor);
    }
  }

  void integer(int64_t i) {
    const int64_t size = out.view.sizes()[dim];
    if (i < -size || i >= size) kernels::index_outside(op, i, size, dim, true);
    out.view = select(out.view, dim, i);
  }

  void slices(const indexing::Slice& s) {
    const int64_t step = s.step.value_or(1);
    if (step < 1) throw ValueError(std::string(op) + ": step must be at least 1, got " + std::to_string(step));
    out.view = slice(out.view, dim++, s.start, s.stop, step);
  }

  // A new dim, of which it takes the one element or none.
  void flag(bool value) {
    out.view = unsqueeze(out.view, dim);
    advanced(filled_tensor(value ? 1 : 0, kInt64, 0), 1);
  }

  void tensor(const Tensor& t) {
    check_defined(op, t, "an index tensor");
    if (is_floating_point(t.dtype()))
      throw DTypeError(std::string(op) + ": an index tensor must be int64, an integer or a bool mask, got " +
                       name_of(t.dtype()));
    if (is_mask(t)) return mask(converted(t.detach(), kBool));
    if (t.dim() == 0) return integer(t.item<int64_t>());
    const Tensor index = converted(t, kInt64);
    kernels::check_index(op, index, out.view.sizes()[dim], dim, true);
    advanced(index, 1);
  }

  void mask(const Tensor& t) {
    if (t.dim() == 0) return flag(t.item<bool>());
    for (int64_t d = 0; d < t.dim(); ++d) {
      if (t.sizes()[d] == out.view.sizes()[dim + d]) continue;
      throw IndexError(std::string(op) + ": a mask must have the shape of the dims it covers, mask is " +
                       to_string(t.sizes()) + " from dim " + std::to_string(dim) + " of " +
                       to_string(out.view.sizes()));
    }
    advanced(t, t.dim());
  }

  void advanced(const Tensor& t, int64_t span) {
    out.advanced.push_back({t, dim, span});
    dim += span;
  }
};

// The rows of each index tensor, masks as the indices of what is true, one per dim.
std::vector<Tensor> by_dim(const char* op, const ParsedIndex& parsed) {
  std::vector<Tensor> indices;
  for (const AdvancedIndex& index : parsed.advanced) {
    if (index.tensor.dtype() != kBool) {
      indices.push_back(index.tensor);
      continue;
    }
    for (Tensor& column : unbind(kernels::nonzero(op, index.tensor), 1)) indices.push_back(std::move(column));
  }
  return indices;
}

Shape with_rest(const Shape& front, const Shape& order, int64_t lead, const Tensor& view) {
  Shape sizes = front;
  for (int64_t d = lead; d < order.size(); ++d) sizes.push_back(view.sizes()[order[d]]);
  return sizes;
}

}  // namespace

ParsedIndex parse_index(const char* op, const Tensor& x, Indices indices) {
  check_defined(op, x, "x");
  Parser parser{op, x.dim() - count_taken(op, x, indices), {x, {}}};
  for (const TensorIndex& index : indices) parser.take(index);
  return std::move(parser.out);
}

IndexedRows rows_of(const char* op, const ParsedIndex& parsed) {
  IndexedRows rows{};
  uint32_t indexed = 0;
  for (const AdvancedIndex& index : parsed.advanced) {
    for (int64_t d = index.dim; d < index.dim + index.span; ++d) {
      indexed |= uint32_t{1} << d;
      rows.order.push_back(d);
      rows.lead.push_back(parsed.view.sizes()[d]);
    }
  }
  for (int64_t d = 0; d < parsed.view.dim(); ++d) {
    if (!(indexed >> d & 1)) rows.order.push_back(d);
  }
  const int64_t first = rows.order[0], last = rows.order[rows.lead.size() - 1];
  rows.adjacent = last - first + 1 == rows.lead.size();
  rows.position = rows.adjacent ? first : 0;
  if (parsed.advanced.size() == 1 && parsed.advanced[0].tensor.dtype() == kBool) {
    rows.number = kernels::positions(op, parsed.advanced[0].tensor);
    rows.index = rows.number.sizes();
    return rows;
  }
  const std::vector<Tensor> indices = by_dim(op, parsed);
  for (const Tensor& index : indices) rows.index = broadcast_shapes(rows.index, index.sizes(), op);
  const Tensor number = filled_tensor(rows.index, kInt64, 0);
  for (size_t d = 0; d < indices.size(); ++d) kernels::count_on(number, indices[d], rows.lead[static_cast<int64_t>(d)]);
  rows.number = alias(number, {number.numel()}, {1}, 0);
  return rows;
}

Shape IndexedRows::in_front(const Tensor& view) const { return with_rest(index, order, lead.size(), view); }

Shape IndexedRows::result(const Tensor& view) const {
  const Shape front = in_front(view), places = to_result(front.size());
  Shape sizes = front;
  for (int64_t d = 0; d < front.size(); ++d) sizes[d] = front[places[d]];
  return sizes;
}

Shape IndexedRows::to_result(int64_t rank) const {
  const int64_t k = index.size();
  Shape places;
  for (int64_t d = 0; d < rank; ++d) {
    const bool before = d < position, inside = !before && d < position + k;
    places.push_back(before ? d + k : inside ? d - position : d);
  }
  return places;
}

Shape IndexedRows::to_front(int64_t rank) const {
  const Shape places = to_result(rank);
  Shape inverse = places;
  for (int64_t d = 0; d < rank; ++d) inverse[places[d]] = d;
  return inverse;
}

}  // namespace tapegrad
