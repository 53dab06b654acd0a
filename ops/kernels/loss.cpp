// Losses in one pass, block by block so that temporaries stay in the first-level cache and sums have a fixed tree.
#include "tapegrad/ops/kernels/loss.h"

#include <algorithm>
#include <cmath>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/extrema.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/reduce.h"
#include "tapegrad/ops/kernels/simd/note.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kBlock = 1024;
constexpr int64_t kGrain = 16384;

template <class T> void run_tile(Map op, T* y, const T* x, int64_t n, const double* attr = nullptr) {
  char* const at[] = {reinterpret_cast<char*>(y), const_cast<char*>(reinterpret_cast<const char*>(x))};
  const int64_t stride[] = {sizeof(T), sizeof(T)};
  simd::table().map[static_cast<int>(op)][static_cast<int>(dtype_of<T>())](at, stride, n, attr);
}

template <class T> void sum_row(const T* x, T* y, int64_t n) {
  simd::table().reduce_rows[static_cast<int>(Reduce::sum)][static_cast<int>(dtype_of<T>())](x, y, 1, n, n);
}

// Raw operands of a pair loss.
template <class T> struct Operands {
  const char* name;
  const T* x;
  const T* t;
  int64_t n;
  Bend bend;
};

// -1, 0, 1, or NaN.
template <class T> T sign_of(T d) { return d > 0 ? T{1} : d < 0 ? T{-1} : d; }

template <class T> void check_probabilities(const Operands<T>& in, int64_t first, int64_t count) {
  for (int64_t i = first; i < first + count; ++i) {
    if (!(in.x[i] >= 0 && in.x[i] <= 1))
      throw ValueError(std::string(in.name) + ": input must lie in [0, 1], got " + std::to_string(in.x[i]) +
                       " at position " + std::to_string(i) + " (did you mean binary_cross_entropy_with_logits?)");
  }
}

// y[i] = l(x[first + i], t[first + i]) for i < count <= kBlock
template <class T, Pair kind> void losses(const Operands<T>& in, int64_t first, int64_t count, T* y) {
  const T* x = in.x + first;
  const T* t = in.t + first;
  if constexpr (kind == Pair::squared_error) {
    for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - t[i]) * (x[i] - t[i]);
  } else if constexpr (kind == Pair::absolute_error) {
    for (int64_t i = 0; i < count; ++i) y[i] = std::abs(x[i] - t[i]);
  } else if constexpr (kind == Pair::smooth_error) {
    const auto width = static_cast<T>(in.bend.width), scale = static_cast<T>(in.bend.scale);
    for (int64_t i = 0; i < count; ++i) {
      const T d = std::abs(x[i] - t[i]);
      const T bent = d < width ? d : width;
      y[i] = bent * (d - bent / 2) / width * scale;
    }
  } else if constexpr (kind == Pair::cross_entropy) {
    check_probabilities(in, first, count);
    alignas(64) T log_x[kBlock], log_rest[kBlock];
    for (int64_t i = 0; i < count; ++i) log_rest[i] = 1 - x[i];
    run_tile(Map::log, log_x, x, count);
    run_tile(Map::log, log_rest, log_rest, count);
    for (int64_t i = 0; i < count; ++i) {
      const T rest = 1 - x[i];  // what its rounding lost comes back with the factor x / (1 - rest)
      const T exact = rest == 1 ? -x[i] : log_rest[i] * (x[i] / (1 - rest));
      y[i] = (t[i] - 1) * std::max(exact, T{-100}) - t[i] * std::max(log_x[i], T{-100});
    }
  } else {
    alignas(64) T tail[kBlock];
    constexpr double attr[] = {1, 1};  // softplus of what is never positive
    for (int64_t i = 0; i < count; ++i) tail[i] = -std::abs(x[i]);
    run_tile(Map::softplus, tail, tail, count, attr);
    for (int64_t i = 0; i < count; ++i) y[i] = (std::max(x[i], T{0}) - x[i] * t[i]) + tail[i];
  }
}

// dx[i] = l'(x, t) scale, with one scale for all (stride 0) or one each
template <class T, Pair kind>
void slopes(const Operands<T>& in, int64_t first, int64_t count, const T* scale, int64_t stride, T* dx) {
  const T* x = in.x + first;
  const T* t = in.t + first;
  if constexpr (kind == Pair::squared_error) {
    for (int64_t i = 0; i < count; ++i) dx[i] = 2 * (x[i] - t[i]) * scale[i * stride];
  } else if constexpr (kind == Pair::absolute_error) {
    for (int64_t i = 0; i < count; ++i) dx[i] = sign_of(x[i] - t[i]) * scale[i * stride];
  } else if constexpr (kind == Pair::smooth_error) {
    const auto width = static_cast<T>(in.bend.width), straight = static_cast<T>(in.bend.scale);
    for (int64_t i = 0; i < count; ++i) {
      const T d = x[i] - t[i];
      const T low = width < d ? width : d;  // NaN stays
      dx[i] = (-width > low ? -width : low) / width * straight * scale[i * stride];
    }
  } else if constexpr (kind == Pair::cross_entropy) {
    for (int64_t i = 0; i < count; ++i)
      dx[i] = (x[i] - t[i]) / std::max((1 - x[i]) * x[i], static_cast<T>(1e-12)) * scale[i * stride];
  } else {
    run_tile(Map::sigmoid, dx, x, count);
    for (int64_t i = 0; i < count; ++i) dx[i] = (dx[i] - t[i]) * scale[i * stride];
  }
}

template <class F> void for_blocks(int64_t n, const F& f) {
  parallel_for(0, (n + kBlock - 1) / kBlock, kGrain / kBlock, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b) f(b, b * kBlock, std::min(kBlock, n - b * kBlock));
  });
}

template <class T, Pair kind> void total_losses(const Operands<T>& in, T* y, bool mean) {
  alignas(64) T few[kBlock];
  if (in.n <= kBlock) {
    losses<T, kind>(in, 0, in.n, few);
    sum_row(few, y, in.n);
  } else {
    const int64_t blocks = (in.n + kBlock - 1) / kBlock;
    const Scratch<T> partial(blocks);
    for_blocks(in.n, [&](int64_t block, int64_t first, int64_t count) {
      alignas(64) T values[kBlock];
      losses<T, kind>(in, first, count, values);
      sum_row(values, partial.data() + block, count);
    });
    sum_row(partial.data(), y, blocks);
  }
  if (mean) *y /= static_cast<T>(in.n);
}

template <class F> Tensor with_kind(DType dtype, Pair kind, const F& f) {
  return dispatch_floating(dtype, [&]<class T>() {
    if (kind == Pair::squared_error) return f.template operator()<T, Pair::squared_error>();
    if (kind == Pair::cross_entropy) return f.template operator()<T, Pair::cross_entropy>();
    if (kind == Pair::absolute_error) return f.template operator()<T, Pair::absolute_error>();
    if (kind == Pair::smooth_error) return f.template operator()<T, Pair::smooth_error>();
    return f.template operator()<T, Pair::logistic>();
  });
}

// The number of rows that take part; IndexError for a target that is no class.
int64_t count_rows(const char* name, const int64_t* target, int64_t rows, int64_t classes, int64_t ignored) {
  int64_t count = 0;
  for (int64_t r = 0; r < rows; ++r) {
    if (target[r] == ignored) continue;
    if (target[r] < 0 || target[r] >= classes) index_out_of_range(name, target[r], r, classes);
    ++count;
  }
  return count;
}

int64_t row_grain(int64_t classes) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(classes, 1)); }

}  // namespace

Tensor pair_loss(const char* name, Pair kind, const Tensor& x, const Tensor& t, Total total, const Bend& bend) {
  const Tensor from = contiguous_of(x);
  const Tensor target = contiguous_of(t);
  return with_kind(x.dtype(), kind, [&]<class T, Pair k>() {
    const Operands<T> in{name, from.elements<T>(), target.elements<T>(), x.numel(), bend};
    if (total == Total::each) {
      Tensor y = new_like(from);
      launch(name, LaunchKind::map, {&y}, {&from, &target}, [in, at = y.elements<T>()] {
        for_blocks(in.n, [&](int64_t, int64_t first, int64_t count) { losses<T, k>(in, first, count, at + first); });
      });
      return y;
    }
    Tensor y = new_tensor(IntArrayRef(), x.dtype());
    const bool mean = total == Total::mean;
    launch(name, LaunchKind::reduce, {&y}, {&from, &target},
           [in, mean, at = y.elements<T>()] { total_losses<T, k>(in, at, mean); });
    return y;
  });
}

Tensor pair_loss_backward(const char* name, Pair kind, const Tensor& dl, const Tensor& x, const Tensor& t, Total total,
                          const Bend& bend) {
  const Tensor cotangent = contiguous_of(dl);
  const Tensor from = contiguous_of(x);
  const Tensor target = contiguous_of(t);
  Tensor dx = new_like(from);
  return with_kind(x.dtype(), kind, [&]<class T, Pair k>() {
    const Operands<T> in{name, from.elements<T>(), target.elements<T>(), x.numel(), bend};
    launch(name, LaunchKind::map, {&dx}, {&cotangent, &from, &target},
           [in, total, pdl = cotangent.elements<T>(), at = dx.elements<T>()] {
             const bool each = total == Total::each;
             const T one = each ? T{0} : total == Total::mean ? *pdl / static_cast<T>(in.n) : *pdl;
             for_blocks(in.n, [&](int64_t, int64_t first, int64_t count) {
               slopes<T, k>(in, first, count, each ? pdl + first : &one, each, at + first);
             });
           });
    return dx;
  });
}

Tensor cross_entropy(const char* name, const Tensor& x, const Tensor& target, int64_t ignored, Total total,
                     Tensor& kept) {
  const Tensor from = contiguous_of(x);
  const Tensor classes = contiguous_of(target);
  const int64_t rows = x.sizes()[0];
  const int64_t cols = x.sizes()[1];
  kept = new_tensor(rows + 1, x.dtype());
  Tensor y = total == Total::each ? new_tensor(rows, x.dtype()) : new_tensor(IntArrayRef(), x.dtype());
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::reduce, {&y, &kept}, {&from, &classes},
           BySimd{[=, src = from.elements<T>(), t = classes.elements<int64_t>(), l = y.elements<T>(),
                   lse = kept.elements<T>()] {
             lse[rows] = static_cast<T>(count_rows(name, t, rows, cols, ignored));
             const Scratch<T> scratch(total == Total::each ? 0 : rows);
             T* each = total == Total::each ? l : scratch.data();
             const auto fn = simd::floating<T>(simd::table()).cross_entropy;
             parallel_for(0, rows, row_grain(cols), [&](int64_t first, int64_t last) {
               fn(src + first * cols, t + first, each + first, lse + first, last - first, cols);
             });
             for (int64_t r = 0; r < rows; ++r) {
               if (t[r] == ignored) each[r] = 0;
             }
             if (total == Total::each) return;
             sum_row(each, l, rows);
             if (total == Total::mean) *l /= lse[rows];
           }});
  });
  return y;
}

Tensor cross_entropy_backward(const char* name, const Tensor& dl, const Tensor& x, const Tensor& target,
                              const Tensor& kept, int64_t ignored, Total total) {
  const Tensor cotangent = contiguous_of(dl);
  const Tensor from = contiguous_of(x);
  const Tensor classes = contiguous_of(target);
  const int64_t rows = x.sizes()[0];
  const int64_t cols = x.sizes()[1];
  Tensor dx = new_like(from);
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&cotangent, &from, &classes, &kept},
           BySimd{[=, pdl = cotangent.elements<T>(), src = from.elements<T>(), t = classes.elements<int64_t>(),
                   lse = kept.elements<T>(), dst = dx.elements<T>()] {
             const Scratch<T> scale(rows);
             for (int64_t r = 0; r < rows; ++r) {
               const T s = total == Total::each ? pdl[r] : total == Total::mean ? *pdl / lse[rows] : *pdl;
               scale[r] = t[r] == ignored ? T{0} : s;
             }
             const auto fn = simd::floating<T>(simd::table()).cross_entropy_backward;
             parallel_for(0, rows, row_grain(cols), [&](int64_t first, int64_t last) {
               fn(src + first * cols, lse + first, t + first, scale.data() + first, dst + first * cols, last - first,
                  cols);
             });
           }});
  });
  return dx;
}

Tensor nll_loss(const char* name, const Tensor& x, const Tensor& target, int64_t ignored, Total total) {
  const Tensor from = contiguous_of(x);
  const Tensor classes = contiguous_of(target);
  const int64_t rows = x.sizes()[0], cols = x.sizes()[1];
  Tensor y = total == Total::each ? new_tensor(rows, x.dtype()) : new_tensor(IntArrayRef(), x.dtype());
  dispatch_floating(x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::reduce, {&y}, {&from, &classes},
           BySimd{[=, src = from.elements<T>(), t = classes.elements<int64_t>(), l = y.elements<T>()] {
             const int64_t count = count_rows(name, t, rows, cols, ignored);
             const Scratch<T> scratch(total == Total::each ? 0 : rows);
             T* each = total == Total::each ? l : scratch.data();
             for (int64_t r = 0; r < rows; ++r) each[r] = t[r] == ignored ? T{0} : -src[r * cols + t[r]];
             if (total == Total::each) return;
             sum_row(each, l, rows);
             if (total == Total::mean) *l /= static_cast<T>(count);
           }});
  });
  return y;
}

Tensor nll_loss_backward(const char* name, const Tensor& dl, const Tensor& target, const Shape& sizes, int64_t ignored,
                         Total total) {
  const Tensor cotangent = contiguous_of(dl);
  const Tensor classes = contiguous_of(target);
  const int64_t rows = sizes[0], cols = sizes[1];
  Tensor dx = new_tensor(sizes, dl.dtype());
  dispatch_floating(dl.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&cotangent, &classes},
           [=, pdl = cotangent.elements<T>(), t = classes.elements<int64_t>(), dst = dx.elements<T>()] {
             const int64_t count = total == Total::mean ? count_rows(name, t, rows, cols, ignored) : 1;
             std::fill_n(dst, rows * cols, T{0});
             for (int64_t r = 0; r < rows; ++r) {
               const T s = total == Total::each ? pdl[r] : total == Total::mean ? *pdl / static_cast<T>(count) : *pdl;
               if (t[r] != ignored) dst[r * cols + t[r]] = -s;
             }
           });
  });
  return dx;
}

Tensor row_shares(const char* name, const Tensor& target, int64_t ignored, Total total, DType dtype) {
  const Tensor valid = converted(test_scalar(name, Map::ne, target, ignored), dtype);
  if (total != Total::mean) return valid;
  const Tensor count = sum(name, valid, (uint32_t{1} << valid.dim()) - 1, false);
  return binary(name, Map::div, valid, binary_scalar(name, Map::maximum, count, 1));
}

}  // namespace tapegrad::kernels
