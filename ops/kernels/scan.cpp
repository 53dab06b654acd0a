// Scans: rows four at a time, which hides the latency of the chain, and columns side by side.
#include "tapegrad/ops/kernels/scan.h"

#include <cmath>
#include <limits>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/lines.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 32768;
constexpr int64_t kColumns = 256;  // columns whose states stay in the first-level cache

// What integers run in: unsigned, so that running over wraps around.
template <class T> using Running = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;

// The state of one line: take() adds the next element (of two operands) and gives the result there.
template <class T> struct RunningSum {
  Running<T> v = 0;
  T take(T x, T) {
    v += static_cast<Running<T>>(x);
    return static_cast<T>(v);
  }
};
template <class T> struct RunningProduct {
  Running<T> v = 1;
  T take(T x, T) {
    v *= static_cast<Running<T>>(x);
    return static_cast<T>(v);
  }
};
// The sum of exp(x - max), rescaled when the maximum moves. NaN makes the sum, and so all that follows, NaN.
template <class T> struct RunningLogSumExp {
  double max = -std::numeric_limits<double>::infinity(), sum = 0;
  T take(T element, T) {
    const double x = element;
    if (x > max) {
      sum = sum * std::exp(max - x) + 1;
      max = x;
    } else if (x == max) {
      sum += std::isinf(x) && x < 0 ? 0 : 1;
    } else {
      sum += std::exp(x - max);
    }
    return static_cast<T>(max + std::log(sum));
  }
};
template <class T> struct Recurrence {
  double v = 0;
  T take(T a, T b) {
    v = static_cast<double>(b) + static_cast<double>(a) * v;
    return static_cast<T>(v);
  }
};

// kRows rows of n elements that lie one behind the other, together.
template <class State, int kRows, class T> void scan_rows(const T* a, const T* b, T* y, int64_t n, bool reverse) {
  State state[kRows];
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = reverse ? n - 1 - i : i;
    for (int r = 0; r < kRows; ++r) y[r * n + at] = state[r].take(a[r * n + at], b[r * n + at]);
  }
}

template <class State, class T>
void scan_columns(const T* a, const T* b, T* y, int64_t n, int64_t width, int64_t ld, bool reverse) {
  State state[kColumns];
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = (reverse ? n - 1 - i : i) * ld;
    for (int64_t c = 0; c < width; ++c) y[at + c] = state[c].take(a[at + c], b[at + c]);
  }
}

template <template <class> class State, class T>
void scan_lines(const T* a, const T* b, T* y, const Axis& axis, bool reverse) {
  const int64_t n = axis.n;
  if (axis.inner == 1) {
    return for_rows(axis, kGrain, [=](int64_t row, int64_t rows) {
      const int64_t last = row + rows;
      for (; row + 4 <= last; row += 4) scan_rows<State<T>, 4>(a + row * n, b + row * n, y + row * n, n, reverse);
      for (; row < last; ++row) scan_rows<State<T>, 1>(a + row * n, b + row * n, y + row * n, n, reverse);
    });
  }
  const auto strip = [=, &axis](int64_t at, int64_t, int64_t width) {
    scan_columns<State<T>>(a + at, b + at, y + at, n, width, axis.inner, reverse);
  };
  for_strips(axis, kGrain, strip, kColumns);
}

// Both operands are contiguous and of y's sizes.
template <template <class> class State, class T>
void launch_scan(const char* name, const Tensor& a, const Tensor& b, const Tensor& y, int64_t dim, bool reverse) {
  launch(name, LaunchKind::other, {&y}, {&a, &b},
         [axis = Axis(y.sizes(), dim), reverse, pa = a.elements<T>(), pb = b.elements<T>(), dst = y.elements<T>()] {
           scan_lines<State>(pa, pb, dst, axis, reverse);
         });
}

template <class T>
void scan_of(const char* name, Scan kind, const Tensor& x, const Tensor& y, int64_t dim, bool reverse) {
  if (kind == Scan::sum) launch_scan<RunningSum, T>(name, x, x, y, dim, reverse);
  else if (kind == Scan::prod) launch_scan<RunningProduct, T>(name, x, x, y, dim, reverse);
  else if constexpr (std::is_floating_point_v<T>) launch_scan<RunningLogSumExp, T>(name, x, x, y, dim, reverse);
}

// The products before each element, then times those behind it.
template <class T> void others_of(const T* dy, const T* x, T* y, int64_t n, int64_t width, int64_t ld) {
  double product[kColumns];
  std::fill_n(product, width, 1.0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t c = 0; c < width; ++c) {
      y[i * ld + c] = static_cast<T>(product[c]);
      product[c] *= x[i * ld + c];
    }
  }
  for (int64_t c = 0; c < width; ++c) product[c] = dy[c];
  for (int64_t i = n - 1; i >= 0; --i) {
    for (int64_t c = 0; c < width; ++c) {
      y[i * ld + c] = static_cast<T>(y[i * ld + c] * product[c]);
      product[c] *= x[i * ld + c];
    }
  }
}

}  // namespace

Tensor scan(const char* name, Scan kind, const Tensor& x, int64_t dim, bool reverse, const Tensor& out) {
  const Tensor from = contiguous_of(x);
  const bool direct = out.defined() && out.is_contiguous();
  const Tensor y = direct ? out : new_like(from);
  if (x.dtype() == kInt64) scan_of<int64_t>(name, kind, from, y, dim, reverse);
  else dispatch_floating(name, x.dtype(), [&]<class T>() { scan_of<T>(name, kind, from, y, dim, reverse); });
  if (!out.defined() || direct) return y;
  copy(out, y, name);
  return out;
}

Tensor recurrence(const char* name, const Tensor& a, const Tensor& b, int64_t dim, bool reverse) {
  const Tensor factor = contiguous_of(a);
  const Tensor term = contiguous_of(b);
  const Tensor y = new_like(term);
  dispatch_floating(name, b.dtype(),
                    [&]<class T>() { launch_scan<Recurrence, T>(name, factor, term, y, dim, reverse); });
  return y;
}

Tensor products_of_others(const char* name, const Tensor& dy, const Tensor& x, int64_t dim) {
  const Tensor from = contiguous_of(x);
  const Tensor cotangent = contiguous_of(dy);
  const Tensor y = new_like(from);
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from, &cotangent},
           [axis = Axis(x.sizes(), dim), g = cotangent.elements<T>(), src = from.elements<T>(), dst = y.elements<T>()] {
             const auto strip = [&](int64_t at, int64_t line, int64_t width) {
               others_of(g + line, src + at, dst + at, axis.n, width, axis.inner);
             };
             for_strips(axis, kGrain, strip, kColumns);
           });
  });
  return y;
}

}  // namespace tapegrad::kernels
