// as_strided: any layout of a tensor's memory, and the way back.
#include <algorithm>

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/views.h"

namespace tapegrad {
namespace {

// Two layouts of one block of memory: that of x, and the one it is shown under. Offsets count from the lower of the two.
struct Layouts {
  Shape sizes, strides;  // of x
  Shape shown_sizes, shown_strides;
  int64_t offset, shown_offset;

  static int64_t end_of(const Shape& sizes, const Shape& strides, int64_t offset) {
    int64_t end = offset + 1;
    for (int64_t d = 0; d < sizes.size(); ++d) {
      if (sizes[d] == 0) return offset;
      end += (sizes[d] - 1) * strides[d];
    }
    return end;
  }
  int64_t extent() const {
    return std::max(end_of(sizes, strides, offset), end_of(shown_sizes, shown_strides, shown_offset));
  }
  Tensor own(const Tensor& memory) const { return alias(memory, sizes, strides, offset); }
  Tensor shown(const Tensor& memory) const { return alias(memory, shown_sizes, shown_strides, shown_offset); }
  // Where several elements of x are one place of the memory, each counts for its share.
  Tensor shared_out(const Tensor& memory) const {
    if (!has_overlap(own(memory))) return memory;
    const Tensor count = filled_tensor(memory.sizes(), memory.dtype(), 0);
    add_into(own(count), filled_tensor(sizes, memory.dtype(), 1));
    return div(memory, clamp(count, 1));
  }
};

// y = x as if its memory were shown, with zeros where it has no elements; and back, its adjoint: zeros of x's sizes with dy
// added at the elements that were shown
template <bool kBack> struct Strided {
  static constexpr const char* name = kBack ? "as_strided_backward" : "as_strided_copy";
  static constexpr bool linear = true;
  Layouts at;
  Tensor forward(const Tensor& x) {
    const Tensor memory = filled_tensor(at.extent(), x.dtype(), 0);
    add_into(kBack ? at.shown(memory) : at.own(memory), x);
    const Tensor result = at.shared_out(memory);
    return clone_of(kBack ? at.own(result) : at.shown(result));
  }
  Grads backward(const Tensor& dy) const { return {apply(Strided<!kBack>{at}, dy)}; }
};

// y = x's memory under another layout;  dx = dy summed at the elements that were shown
struct AsStrided {
  static constexpr const char* name = "as_strided";
  static constexpr bool is_view = true;
  Layouts at;
  Tensor forward(const Tensor& x) { return alias(x, at.shown_sizes, at.shown_strides, at.shown_offset - at.offset); }
  Grads backward(const Tensor& dy) const { return {apply(Strided<true>{at}, dy)}; }
  Tensor tangent(const Tensor& dx) const { return apply(Strided<false>{at}, dx); }
};

void check_layout(const Tensor& x, IntArrayRef size, IntArrayRef stride, int64_t offset) {
  const std::string got =
      "got size " + to_string(size) + ", stride " + to_string(stride) + ", storage_offset " + std::to_string(offset);
  if (size.size() != stride.size()) throw ShapeError("as_strided: one stride per size is needed, " + got);
  const int64_t count = numel_of(size, "as_strided");
  const auto negative = [](int64_t v) { return v < 0; };
  if (offset < 0 || std::any_of(stride.begin(), stride.end(), negative))
    throw ValueError("as_strided: strides and storage_offset must not be negative, " + got);
  const auto available = static_cast<int64_t>(x.impl()->storage->bytes()) / x.element_size();
  int64_t last = offset;
  bool fits = true;
  for (int64_t d = 0; d < size.size() && count > 0; ++d) {
    int64_t reach;
    fits =
        fits && !__builtin_mul_overflow(size[d] - 1, stride[d], &reach) && !__builtin_add_overflow(last, reach, &last);
  }
  if (count > 0 && (!fits || last >= available))
    throw ShapeError("as_strided: the elements must lie within the memory, which holds " + std::to_string(available) +
                     ", " + got);
}

}  // namespace

Tensor as_strided(const Tensor& x, IntArrayRef size, IntArrayRef stride, std::optional<int64_t> storage_offset) {
  check_defined("as_strided", x, "x");
  const int64_t own = x.storage_offset();
  const int64_t shown = storage_offset.value_or(own);
  check_layout(x, size, stride, shown);
  const int64_t low = std::min(own, shown);
  return apply(AsStrided{{.sizes = x.sizes(),
                          .strides = x.strides(),
                          .shown_sizes = size,
                          .shown_strides = stride,
                          .offset = own - low,
                          .shown_offset = shown - low}},
               x);
}

}  // namespace tapegrad
