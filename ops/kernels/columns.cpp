// im2col and col2im: rows of positions, each a piece of a row of the image.
#include "tapegrad/ops/kernels/columns.h"

#include <algorithm>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 65536;

// f(row of x or -1, run, row of positions) for all rows of one channel.
template <class F> void for_rows(const Patches& s, const F& f) {
  int64_t row = 0;
  for (int64_t i = 0; i < s.height.kernel; ++i)
    for (int64_t j = 0; j < s.width.kernel; ++j) {
      const Run run(s.width, j);
      for (int64_t p = 0; p < s.height.y; ++p) {
        const int64_t h = p * s.height.stride + i * s.height.dilation - s.height.padding;
        f(h < s.height.x ? std::max<int64_t>(h, -1) : -1, run, row++);
      }
    }
}

template <class F> void for_channels(const Patches& s, const F& f) {
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.places() * s.positions()));
  parallel_for(0, s.channels, grain, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) f(c);
  });
}

template <class T> void take(const Patches& s, const T* x, T* y) {
  const int64_t width = s.width.y, stride = s.width.stride;
  for_rows(s, [&](int64_t h, const Run& run, int64_t row) {
    T* to = y + row * width;
    if (h < 0) {
      std::fill_n(to, width, T{0});
      return;
    }
    const T* from = x + h * s.width.x + run.shift;
    std::fill(to, to + run.first, T{0});
    if (stride == 1) std::copy(from + run.first, from + run.last, to + run.first);
    else
      for (int64_t q = run.first; q < run.last; ++q) to[q] = from[q * stride];
    std::fill(to + run.last, to + width, T{0});
  });
}

template <class T> void add(const Patches& s, const T* y, T* x) {
  const int64_t width = s.width.y, stride = s.width.stride;
  std::fill_n(x, s.plane(), T{0});
  for_rows(s, [&](int64_t h, const Run& run, int64_t row) {
    if (h < 0) return;
    const T* from = y + row * width;
    T* to = x + h * s.width.x + run.shift;
    for (int64_t q = run.first; q < run.last; ++q) to[q * stride] += from[q];
  });
}

}  // namespace

Tensor im2col(const char* name, const Patches& s, const Tensor& x, const Shape& sizes) {
  const Tensor from = contiguous_of(x), y = new_tensor(sizes, x.dtype(), name);
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::copy, {&y}, {&from}, [s, src = from.elements<T>(), dst = y.elements<T>()] {
      for_channels(s, [&](int64_t c) { take(s, src + c * s.plane(), dst + c * s.places() * s.positions()); });
    });
  });
  return y;
}

Tensor col2im(const char* name, const Patches& s, const Tensor& y, const Shape& sizes) {
  const Tensor from = contiguous_of(y), x = new_tensor(sizes, y.dtype(), name);
  dispatch_floating(name, y.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&x}, {&from}, [s, src = from.elements<T>(), dst = x.elements<T>()] {
      for_channels(s, [&](int64_t c) { add(s, src + c * s.places() * s.positions(), dst + c * s.plane()); });
    });
  });
  return x;
}

}  // namespace tapegrad::kernels
