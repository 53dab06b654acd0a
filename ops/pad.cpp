// pad: a crop by slices, then a filled frame, or rows taken by an index that runs over the edge.
#include "tapegrad/ops/pad.h"

#include <algorithm>

#include "tapegrad/ops/gather.h"
#include "tapegrad/ops/operands.h"

namespace tapegrad {
namespace {

// y = x within a frame of one value;  dx = dy within the frame
struct ConstantPad {
  static constexpr const char* name = "pad";
  static constexpr bool takes_bfloat16 = true;
  Shape before, sizes;  // where x begins, and the sizes of y
  Scalar value;
  Shape from{};
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    Tensor y = filled_tensor(sizes, x.dtype(), value, name);
    int64_t offset = 0;
    for (int64_t d = 0; d < x.dim(); ++d) offset += before[d] * y.strides()[d];
    copy(alias(y, from, y.strides(), offset), x, name);
    return y;
  }
  Grads backward(const Tensor& dy) const {
    Tensor dx = dy;
    for (int64_t d = 0; d < dx.dim(); ++d) {
      if (from[d] != sizes[d]) dx = narrow(dx, d, before[d], from[d]);
    }
    return {std::move(dx)};
  }
  Tensor tangent(const Tensor& dx) const {
    return apply(ConstantPad{.before = before, .sizes = sizes, .value = 0}, dx);
  }
};

enum class Mode { Constant, Reflect, Replicate, Circular };

Mode mode_of(std::string_view mode) {
  if (mode == "constant") return Mode::Constant;
  if (mode == "reflect") return Mode::Reflect;
  if (mode == "replicate") return Mode::Replicate;
  if (mode == "circular") return Mode::Circular;
  throw ValueError("pad: mode must be \"constant\", \"reflect\", \"replicate\" or \"circular\", got \"" +
                   std::string(mode) + "\"");
}

// x without the elements that negative numbers crop.
Tensor cropped(const Tensor& x, IntArrayRef pad) {
  Tensor y = x;
  for (int64_t k = 0; k < pad.size() / 2; ++k) {
    const int64_t dim = x.dim() - 1 - k, size = x.sizes()[dim];
    if (pad[2 * k] >= 0 && pad[2 * k + 1] >= 0) continue;
    if (pad[2 * k] < -size || pad[2 * k + 1] < -size ||
        -std::min<int64_t>(pad[2 * k], 0) - std::min<int64_t>(pad[2 * k + 1], 0) > size)
      throw ValueError("pad: at most the " + std::to_string(size) + " elements of dim " + std::to_string(dim) +
                       " can be cropped, got pad " + to_string(pad) + " for shape " + to_string(x.sizes()));
    const int64_t first = std::max<int64_t>(0, -pad[2 * k]);
    y = narrow(y, dim, first, size - first - std::max<int64_t>(0, -pad[2 * k + 1]));
  }
  return y;
}

// Which element stands at i, counted from the first one of a dim of `size`.
int64_t source_of(Mode mode, int64_t i, int64_t size) {
  switch (mode) {
    case Mode::Reflect: return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
    case Mode::Circular: return i < 0 ? i + size : i >= size ? i - size : i;
    default: return std::clamp<int64_t>(i, 0, size - 1);
  }
}

void check_frame(Mode mode, int64_t before, int64_t after, const Shape& sizes, int64_t dim, IntArrayRef pad) {
  const int64_t size = sizes[dim];
  const int64_t most = mode == Mode::Reflect ? size - 1 : size;
  const bool fits = mode == Mode::Replicate ? size > 0 : before <= most && after <= most;
  if (fits) return;
  const std::string rule = mode == Mode::Replicate ? "there must be an edge to replicate"
                                                   : std::string(mode == Mode::Reflect ? "reflect" : "circular") +
                                                         " takes at most " + std::to_string(std::max<int64_t>(most, 0));
  throw ValueError("pad: " + rule + " at dim " + std::to_string(dim) + " of size " + std::to_string(size) +
                   ", got pad " + to_string(pad));
}

Tensor framed(const Tensor& x, int64_t dim, Mode mode, int64_t before, int64_t after) {
  Tensor index = new_tensor(before + x.sizes()[dim] + after, kInt64);
  int64_t* at = index.elements<int64_t>();
  for (int64_t i = 0; i < index.numel(); ++i) at[i] = source_of(mode, i - before, x.sizes()[dim]);
  return index_select(x, dim, index);
}

}  // namespace

Tensor pad(const Tensor& x, IntArrayRef pad, std::string_view mode, const std::optional<Scalar>& value) {
  check_defined("pad", x, "x");
  const Mode kind = mode_of(mode);
  if (pad.size() % 2 != 0)
    throw ValueError("pad: one number before and one behind every dim are needed, got " + to_string(pad));
  if (pad.size() / 2 > x.dim())
    throw ShapeError("pad: at most one pair per dim can be given, got " + to_string(pad) + " for shape " +
                     to_string(x.sizes()));
  if (value && kind != Mode::Constant)
    throw ValueError("pad: only mode \"constant\" takes a value, got one for \"" + std::string(mode) + "\"");
  Tensor y = cropped(x, pad);
  Shape before = Shape::filled(x.dim(), 0), after = before, sizes = y.sizes();
  for (int64_t k = 0; k < pad.size() / 2; ++k) {
    const int64_t d = x.dim() - 1 - k;
    before[d] = std::max<int64_t>(0, pad[2 * k]);
    after[d] = std::max<int64_t>(0, pad[2 * k + 1]);
    if (__builtin_add_overflow(sizes[d], before[d], &sizes[d]) || __builtin_add_overflow(sizes[d], after[d], &sizes[d]))
      throw ShapeError("pad: the size of dim " + std::to_string(d) + " overflows 63 bits, got pad " + to_string(pad));
    if (kind != Mode::Constant && (before[d] > 0 || after[d] > 0))
      check_frame(kind, before[d], after[d], y.sizes(), d, pad);
  }
  (void)numel_of(sizes, "pad");
  if (kind == Mode::Constant) return apply(ConstantPad{before, sizes, value.value_or(0)}, y);
  for (int64_t d = x.dim() - 1; d >= 0; --d) {
    if (before[d] > 0 || after[d] > 0) y = framed(y, d, kind, before[d], after[d]);
  }
  return y.state().storage.get() == x.state().storage.get() ? clone(y) : y;
}

}  // namespace tapegrad
