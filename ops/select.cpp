// Masks, the places that are not zero, and distinct values.
#include "tapegrad/ops/select.h"

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/select.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/views.h"

namespace tapegrad {
namespace {

// y = value where mask, else x;  dx = dy elsewhere, dvalue = dy there
struct MaskedFill {
  static constexpr const char* name = "masked_fill";
  static constexpr bool takes_bfloat16 = true;
  SavedInput mask{"mask"};
  Tensor forward(const Tensor& x, const Tensor& where_to, const Tensor& value, const Tensor& out = {}) {
    return kernels::ternary(name, kernels::Map::where, mask.save(where_to), value, x, out);
  }
  Grads backward(const Tensor& dy) const {
    return {autograd::needs(0) ? where(*mask, 0, dy) : Tensor(), Tensor(),
            autograd::needs(2) ? where(*mask, dy, 0) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    if (!dx[2].defined()) return where(*mask, 0, dx[0]);
    return dx[0].defined() ? where(*mask, dx[2], dx[0]) : where(*mask, dx[2], 0);
  }
};

void check_mask(const char* op, const Tensor& x, const Tensor& mask) {
  check_defined(op, x, "x");
  check_defined(op, mask, "mask");
  if (mask.dtype() != kBool)
    throw DTypeError(std::string(op) + ": mask must be bool, got " + name_of(mask.dtype()) +
                     " (did you mean mask != 0?)");
}

void check_number(const char* op, const Tensor& value) {
  check_defined(op, value, "value");
  if (value.dim() != 0)
    throw ShapeError(std::string(op) + ": value must be a number or a 0-dim tensor, got shape " +
                     to_string(value.sizes()));
}

// x written to, so mask must broadcast to it.
void check_fits(const char* op, const Tensor& x, const Tensor& mask) {
  if (!(IntArrayRef(broadcast_shapes(x.sizes(), mask.sizes(), op)) == IntArrayRef(x.sizes())))
    throw ShapeError(std::string(op) + ": mask must broadcast to x, got mask " + to_string(mask.sizes()) + " and x " +
                     to_string(x.sizes()));
}

// The elements of source for the places where mask, and these places.
std::pair<Tensor, Tensor> placed(const char* op, const Tensor& x, const Tensor& mask, const Tensor& source) {
  check_defined(op, source, "source");
  if (source.dtype() != x.dtype())
    throw DTypeError(std::string(op) + ": source must have x's dtype, which is " + name_of(x.dtype()) + ", got " +
                     name_of(source.dtype()));
  const Shape shape = broadcast_shapes(x.sizes(), mask.sizes(), op);
  const Tensor at = kernels::positions(op, expand(mask, shape));
  if (source.numel() < at.numel())
    throw ValueError(std::string(op) + ": source must have an element for every true of the mask, got " +
                     std::to_string(source.numel()) + " for " + std::to_string(at.numel()));
  return {narrow(reshape(source, -1), 0, 0, at.numel()), at};
}

}  // namespace

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  check_mask("masked_fill", x, mask);
  check_number("masked_fill", value);
  const Shape shape = broadcast_shapes(x.sizes(), mask.sizes(), "masked_fill");
  return apply(MaskedFill{}, operand(x, x.dtype(), shape), mask, operand(value, x.dtype(), shape));
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value) {
  check_mask("masked_fill", x, mask);
  return masked_fill(x, mask, number_of(value, x.dtype(), "masked_fill"));
}
Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value) {
  check_mask("masked_fill_", x, mask);
  check_number("masked_fill_", value);
  check_fits("masked_fill_", x, mask);
  return apply_in_place(MaskedFill{}, x, mask, operand(value, x.dtype(), x.sizes()));
}
Tensor& masked_fill_(const Tensor& x, const Tensor& mask, const Scalar& value) {
  check_mask("masked_fill_", x, mask);
  return masked_fill_(x, mask, number_of(value, x.dtype(), "masked_fill_"));
}

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  check_mask("masked_scatter", x, mask);
  const auto [part, at] = placed("masked_scatter", x, mask, source);
  const Shape shape = broadcast_shapes(x.sizes(), mask.sizes(), "masked_scatter");
  return view(index_copy(reshape(expand(x, shape), -1), 0, at, part), shape);
}

Tensor& masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source) {
  check_mask("masked_scatter_", x, mask);
  check_fits("masked_scatter_", x, mask);
  autograd::detail::check_in_place("masked_scatter_", x);
  if (!x.is_contiguous()) return copy_(x, masked_scatter(x, mask, source));
  const auto [part, at] = placed("masked_scatter_", x, mask, source);
  index_copy_(view(x, -1), 0, at, part);
  return const_cast<Tensor&>(x);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  check_mask("masked_select", x, mask);
  const Shape shape = broadcast_shapes(x.sizes(), mask.sizes(), "masked_select");
  return index_select(reshape(expand(x, shape), -1), 0, kernels::positions("masked_select", expand(mask, shape)));
}

Tensor nonzero(const Tensor& x) {
  check_defined("nonzero", x, "x");
  return kernels::nonzero("nonzero", x);
}
Tensor argwhere(const Tensor& x) {
  check_defined("argwhere", x, "x");
  return kernels::nonzero("argwhere", x);
}
std::vector<Tensor> nonzero_numpy(const Tensor& x) {
  check_defined("nonzero_numpy", x, "x");
  return unbind(nonzero(x.dim() == 0 ? view(x.detach(), 1) : x), 1);
}

std::tuple<Tensor, Tensor, Tensor> unique(const Tensor& x, bool, bool return_inverse, bool return_counts) {
  check_defined("unique", x, "x");
  return kernels::unique("unique", x, return_inverse, return_counts);
}

}  // namespace tapegrad
