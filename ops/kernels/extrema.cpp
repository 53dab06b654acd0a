// Indices of extremes, shares of ties, and taking and putting elements by index.
#include "tapegrad/ops/kernels/extrema.h"

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/lines.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/reduce.h"
#include "tapegrad/ops/kernels/simd/note.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 65536;

using ArgFn = void (*)(const void* src, int64_t* dst, int64_t rows, int64_t cols, int64_t ld, bool smallest);

struct ArgFns {
  ArgFn rows, cols;
};

template <class T> void arg_lines(const ArgFns& fns, const T* x, int64_t* y, const Axis& axis, bool smallest) {
  if (axis.inner == 1) {
    return for_rows(axis, kGrain, [&](int64_t row, int64_t rows) {
      fns.rows(x + row * axis.n, y + row, rows, axis.n, axis.n, smallest);
    });
  }
  if (wide_columns<T>(axis)) {
    const auto strip = [&](int64_t at, int64_t line, int64_t width) {
      fns.cols(x + at, y + line, axis.n, width, axis.inner, smallest);
    };
    return for_strips(axis, kGrain, strip, 512);
  }
  for_strips(axis, kGrain, [&](int64_t at, int64_t line, int64_t width) {
    const Scratch<T> packed(axis.n * width);
    pack_lines(x + at, packed.data(), axis.n, axis.inner, width);
    fns.rows(packed.data(), y + line, width, axis.n, axis.n, smallest);
  });
}

// fn(line, offset of the element that its index names) for every line whose index is not `skip`.
template <class Fn>
void for_indexed(const char* name, const int64_t* index, const Axis& axis, int64_t skip, const Fn& fn) {
  for (int64_t line = 0; line < axis.lines(); ++line) {
    const int64_t i = index[line];
    if (i == skip) continue;
    if (i < 0 || i >= axis.n) index_out_of_range(name, i, line, axis.n);
    fn(line, (line / axis.inner * axis.n + i) * axis.inner + line % axis.inner);
  }
}

}  // namespace

void index_out_of_range(const char* name, int64_t index, int64_t position, int64_t size) {
  throw IndexError(std::string(name) + ": class indices must lie in [0, " + std::to_string(size) + "), got " +
                   std::to_string(index) + " at position " + std::to_string(position));
}

Tensor arg_extreme(const char* name, const Tensor& x, int64_t dim, bool keepdim, bool smallest) {
  const Tensor from = contiguous_of(x.dtype() == kBFloat16 ? converted(x, kFloat32) : x);
  const uint32_t mask = x.dim() == 0 ? 0 : uint32_t{1} << dim;
  Tensor y = new_tensor(reduced_sizes(x.sizes(), mask, keepdim), kInt64);
  const Axis axis(x.sizes(), dim);
  const auto type = static_cast<int>(from.dtype());
  const ArgFns fns{simd::table().argmax_rows[type], simd::table().argmax_cols[type]};
  dispatch(from.dtype(), [&]<class T>() {
    using Element = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    launch(name, LaunchKind::reduce, {&y}, {&from},
           BySimd{[fns, axis, smallest, src = reinterpret_cast<const Element*>(from.impl()->data),
                   dst = y.elements<int64_t>()] { arg_lines(fns, src, dst, axis, smallest); }});
  });
  return y;
}

Tensor extreme_share(const char* name, const Tensor& x, const Tensor& y, uint32_t mask) {
  const Tensor extreme = spread(y, x.sizes(), mask);
  Tensor hit = test(name, Map::eq, x, extreme);
  const Tensor both_nan = test(name, Map::logical_and, test(name, Map::isnan, x), test(name, Map::isnan, extreme));
  hit = binary(name, Map::add, hit, both_nan);
  const Tensor share = converted(hit, x.dtype());
  const Tensor count = sum(name, share, mask, true);
  return binary(name, Map::div, share, spread(count, x.sizes(), mask), share);
}

Tensor take_along(const char* name, const Tensor& x, const Tensor& index, int64_t dim, int64_t skip) {
  const Tensor from = contiguous_of(x);
  const Tensor at = contiguous_of(index);
  Tensor y = new_like(at, x.dtype());
  const Axis axis(x.sizes(), dim);
  dispatch(x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from, &at},
           [name, axis, skip, src = from.elements<T>(), indices = at.elements<int64_t>(), dst = y.elements<T>()] {
             std::fill_n(dst, axis.lines(), T{});
             for_indexed(name, indices, axis, skip, [&](int64_t line, int64_t element) { dst[line] = src[element]; });
           });
  });
  return y;
}

Tensor put_along(const char* name, const Tensor& dy, const Tensor& index, const Shape& sizes, int64_t dim,
                 int64_t skip) {
  const Tensor from = contiguous_of(dy);
  const Tensor at = contiguous_of(index);
  Tensor dx = new_tensor(sizes, dy.dtype());
  const Axis axis(sizes, dim);
  dispatch(dy.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&from, &at},
           [name, axis, skip, src = from.elements<T>(), indices = at.elements<int64_t>(), dst = dx.elements<T>()] {
             std::fill_n(dst, axis.lines() * axis.n, T{});
             for_indexed(name, indices, axis, skip, [&](int64_t line, int64_t element) { dst[element] = src[line]; });
           });
  });
  return dx;
}

}  // namespace tapegrad::kernels
