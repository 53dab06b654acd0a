// Distances by the SIMD kernel for p = 0, 1, 2 and infinity, by powers for any other p, and their gradients.
#include "tapegrad/ops/kernels/distance.h"

#include <algorithm>
#include <cmath>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kWork = 65536;  // elements worth a second thread
constexpr int64_t kRows = 32;     // rows of a taken together while a part of c stays in the cache

struct Problem {
  int64_t batch, rows, others, n;  // a [batch, rows, n], c [batch, others, n]
  double p;

  Problem(const Tensor& a, const Tensor& c, double power)
      : batch(a.sizes()[0]), rows(a.sizes()[1]), others(c.sizes()[1]), n(a.sizes()[2]), p(power) {}
  bool vectors() const { return p == 0 || p == 1 || p == 2 || std::isinf(p); }
  // fn(matrix of the batch, first row, rows) over blocks of rows
  template <class Fn> void blocks(const Fn& fn) const {
    const int64_t count = (rows + kRows - 1) / kRows;
    const int64_t grain = std::max<int64_t>(1, kWork / std::max<int64_t>(1, kRows * others * n));
    parallel_for(0, batch * count, grain, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t row = i % count * kRows;
        fn(i / count, row, std::min(kRows, rows - row));
      }
    });
  }
};

template <class T> void power_distances(const T* a, const T* c, T* y, int64_t rows, const Problem& g) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < g.others; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < g.n; ++k)
        sum += std::pow(std::abs(static_cast<double>(a[i * g.n + k]) - static_cast<double>(c[j * g.n + k])), g.p);
      y[i * g.others + j] = static_cast<T>(std::pow(sum, 1 / g.p));
    }
  }
}

// da[k] += w slope(a[k] - c[k]) for one pair of rows.
template <class T, class Slope> void add_slope(const T* a, const T* c, T* da, int64_t n, const Slope& slope) {
  for (int64_t k = 0; k < n; ++k) da[k] += slope(a[k] - c[k]);
}

template <class T> T sign_of(T d) { return d == d ? static_cast<T>((d > 0) - (d < 0)) : d; }

template <class T> void pair_backward(T dy, T y, const T* a, const T* c, T* da, int64_t n, double p) {
  if (p == 0 || y == 0) return;
  if (p == 1) return add_slope(a, c, da, n, [dy](T d) { return dy * sign_of(d); });
  if (p == 2) return add_slope(a, c, da, n, [w = dy / y](T d) { return w * d; });
  if (std::isinf(p)) {
    const auto largest = [y](T d) { return std::abs(d) == y || (d != d && y != y); };
    int64_t ties = 0;
    for (int64_t k = 0; k < n; ++k) ties += largest(a[k] - c[k]);
    const T w = dy / static_cast<T>(ties);
    return add_slope(a, c, da, n, [w, largest](T d) { return largest(d) ? w * sign_of(d) : T{0}; });
  }
  const double w = static_cast<double>(dy) * std::pow(static_cast<double>(y), 1 - p);
  add_slope(a, c, da, n, [w, p](T d) {
    return d == 0 ? T{0} : static_cast<T>(w * std::pow(std::abs(static_cast<double>(d)), p - 1)) * sign_of(d);
  });
}

}  // namespace

Tensor distances(const char* name, const Tensor& a, const Tensor& c, double p) {
  const Problem g(a, c, p);
  const Tensor from = contiguous_of(a);
  const Shape turned{c.strides()[0], c.strides()[2], c.strides()[1]};
  const Tensor to = g.vectors() ? contiguous_of(alias(c, {g.batch, g.n, g.others}, turned, 0)) : contiguous_of(c);
  const Tensor y = new_tensor({g.batch, g.rows, g.others}, a.dtype());
  dispatch_floating(name, a.dtype(), [&]<class T>() {
    const auto fn = simd::floating<T>(simd::table()).distances;
    launch(name, LaunchKind::other, {&y}, {&from, &to},
           BySimd{[fn, g, pa = from.elements<T>(), pc = to.elements<T>(), dst = y.elements<T>()] {
             g.blocks([&](int64_t b, int64_t row, int64_t rows) {
               const T* x = pa + (b * g.rows + row) * g.n;
               const T* other = pc + b * g.others * g.n;
               T* out = dst + (b * g.rows + row) * g.others;
               if (g.vectors()) fn(x, other, out, rows, g.n, g.others, g.p);
               else power_distances(x, other, out, rows, g);
             });
           }});
  });
  return y;
}

Tensor distances_backward(const char* name, const Tensor& dy, const Tensor& y, const Tensor& a, const Tensor& c,
                          double p) {
  const Problem g(a, c, p);
  const Tensor cotangent = contiguous_of(dy), value = contiguous_of(y);
  const Tensor from = contiguous_of(a), to = contiguous_of(c);
  const Tensor da = filled_tensor(a.sizes(), a.dtype(), 0);
  dispatch_floating(name, a.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&da}, {&cotangent, &value, &from, &to, &da},
           [g, pdy = cotangent.elements<T>(), py = value.elements<T>(), pa = from.elements<T>(), pc = to.elements<T>(),
            dst = da.elements<T>()] {
             g.blocks([&](int64_t b, int64_t row, int64_t rows) {
               for (int64_t i = b * g.rows + row; i < b * g.rows + row + rows; ++i) {
                 for (int64_t j = 0; j < g.others; ++j) {
                   const int64_t pair = i * g.others + j;
                   pair_backward(pdy[pair], py[pair], pa + i * g.n, pc + (b * g.others + j) * g.n, dst + i * g.n, g.n,
                                 g.p);
                 }
               }
             });
           });
  });
  return da;
}

}  // namespace tapegrad::kernels
