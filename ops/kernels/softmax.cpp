// Softmax and log-softmax along any dim: rows and wide columns go straight to the SIMD kernels, narrow columns are packed to rows in strips.
#include "tapegrad/ops/kernels/softmax.h"

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/lines.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 16384;

// Softmax reads back what it has just written, which a vector of a few columns makes slow unless the lines are short.
template <class T> bool goes_down_columns(const Axis& axis, bool log) {
  const int64_t bytes = axis.inner * static_cast<int64_t>(sizeof(T));
  return axis.inner > 1 && wide_columns<T>(axis) && (log || axis.n <= 128 || bytes == 64 || bytes >= 128);
}

template <class T> void softmax_lines(const T* x, T* y, const Axis& axis, bool log) {
  if (goes_down_columns<T>(axis, log)) {
    const auto columns = simd::floating<T>(simd::table()).softmax_cols;
    const auto strip = [&](int64_t at, int64_t, int64_t width) {
      columns(x + at, y + at, axis.n, width, axis.inner, log);
    };
    return for_strips(axis, kGrain, strip, column_strip<T>(axis));
  }
  const auto fn = simd::floating<T>(simd::table()).softmax;
  if (axis.inner == 1) {
    return for_rows(axis, kGrain,
                    [&](int64_t row, int64_t rows) { fn(x + row * axis.n, y + row * axis.n, rows, axis.n, log); });
  }
  for_strips(axis, kGrain, [&](int64_t at, int64_t, int64_t width) {
    const Scratch<T> rows(2 * axis.n * width);
    T* out = rows.data() + axis.n * width;
    pack_lines(x + at, rows.data(), axis.n, axis.inner, width);
    fn(rows.data(), out, width, axis.n, log);
    unpack_lines(out, y + at, axis.n, axis.inner, width);
  });
}

template <class T> void backward_lines(const T* dy, const T* y, T* dx, const Axis& axis, bool log) {
  if (axis.inner > 1 && wide_columns<T>(axis)) {
    const auto columns = simd::floating<T>(simd::table()).softmax_backward_cols;
    const auto strip = [&](int64_t at, int64_t, int64_t width) {
      columns(dy + at, y + at, dx + at, axis.n, width, axis.inner, log);
    };
    return for_strips(axis, kGrain, strip, column_strip<T>(axis));
  }
  const auto fn = simd::floating<T>(simd::table()).softmax_backward;
  if (axis.inner == 1) {
    return for_rows(axis, kGrain, [&](int64_t row, int64_t rows) {
      const int64_t at = row * axis.n;
      fn(dy + at, y + at, dx + at, rows, axis.n, log);
    });
  }
  for_strips(axis, kGrain, [&](int64_t at, int64_t, int64_t width) {
    const int64_t size = axis.n * width;
    const Scratch<T> rows(3 * size);
    pack_lines(dy + at, rows.data(), axis.n, axis.inner, width);
    pack_lines(y + at, rows.data() + size, axis.n, axis.inner, width);
    fn(rows.data(), rows.data() + size, rows.data() + 2 * size, width, axis.n, log);
    unpack_lines(rows.data() + 2 * size, dx + at, axis.n, axis.inner, width);
  });
}

}  // namespace

Tensor softmax(const char* name, const Tensor& x, int64_t dim, bool log) {
  const Tensor from = contiguous_of(x);
  Tensor y = new_like(from);
  const Axis axis(x.sizes(), dim);
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from}, BySimd{[axis, log, src = from.elements<T>(), dst = y.elements<T>()] {
             softmax_lines(src, dst, axis, log);
           }});
  });
  return y;
}

Tensor softmax_backward(const char* name, const Tensor& dy, const Tensor& y, int64_t dim, bool log) {
  const Tensor cotangent = contiguous_of(dy);
  const Tensor value = contiguous_of(y);
  Tensor dx = new_like(value);
  const Axis axis(y.sizes(), dim);
  dispatch_floating(name, y.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&cotangent, &value},
           BySimd{[axis, log, pdy = cotangent.elements<T>(), py = value.elements<T>(), pdx = dx.elements<T>()] {
             backward_lines(pdy, py, pdx, axis, log);
           }});
  });
  return dx;
}

}  // namespace tapegrad::kernels
