// Resizing along a dim: a table of elements and weights for each result, then sums of lines.
#include "tapegrad/ops/kernels/resize.h"

#include <algorithm>
#include <cmath>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 32768;

// What one result is made of.
struct Taps {
  int64_t at[4];
  double weight[4];
};

int64_t taps_of(Resampling by) { return by == Resampling::cubic ? 4 : by == Resampling::linear ? 2 : 1; }

// Where PyTorch computes in float32, whatever the dtype, so do we: the floor of it decides.
int64_t nearest(const Resize& r, int64_t i) {
  const auto scale = static_cast<float>(r.scale);
  const float at =
      r.by == Resampling::nearest_exact ? scale * (static_cast<float>(i) + 0.5F) : scale * static_cast<float>(i);
  return std::min(static_cast<int64_t>(std::floor(at)), r.from - 1);
}

// The cubic convolution of Keys (1981) with a = -3/4: its weights at distances 1 + t, t, 1 - t, 2 - t.
void cubic_weights(double t, double* w) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  w[0] = far(t + 1), w[1] = near(t), w[2] = near(1 - t), w[3] = far(2 - t);
}

Taps taps_at(const Resize& r, int64_t i) {
  Taps taps{};
  if (r.by == Resampling::nearest || r.by == Resampling::nearest_exact) {
    taps.at[0] = r.from == r.to && r.by == Resampling::nearest ? i : nearest(r, i);
    taps.weight[0] = 1;
    return taps;
  }
  const auto position = static_cast<double>(i);
  double at = r.align_corners ? r.scale * position : r.scale * (position + 0.5) - 0.5;
  if (r.by == Resampling::linear) at = r.from == r.to ? position : std::max(at, 0.0);
  const int64_t base = std::min(static_cast<int64_t>(std::floor(at)), r.from - 1);
  const double t = std::clamp(at - static_cast<double>(base), 0.0, 1.0);
  if (r.by == Resampling::linear) {
    taps = {{base, std::min(base + 1, r.from - 1)}, {1 - t, t}};
    return taps;
  }
  cubic_weights(t, taps.weight);
  for (int64_t k = 0; k < 4; ++k) taps.at[k] = std::clamp<int64_t>(base - 1 + k, 0, r.from - 1);
  return taps;
}

// The taps of all results, by tap.
template <class T> struct Table {
  int64_t count;
  Scratch<int32_t> place;
  Scratch<T> weights;
  explicit Table(const Resize& r) : count(taps_of(r.by)), place(count * r.to), weights(count * r.to) {
    for (int64_t i = 0; i < r.to; ++i) {
      const Taps taps = taps_at(r, i);
      for (int64_t k = 0; k < count; ++k) {
        place[k * r.to + i] = static_cast<int32_t>(taps.at[k]);
        weights[k * r.to + i] = static_cast<T>(taps.weight[k]);
      }
    }
  }
};

// f(o) for every `outer`, dealt out to threads.
template <class F> void for_outer(const Resize& r, const F& f) {
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, std::max(r.from, r.to) * r.inner));
  parallel_for(0, r.outer, grain, [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; ++o) f(o);
  });
}

// ---- the last dim: element by element ----

template <class T, int kCount> void gather_row(const int32_t* at, const T* w, int64_t to, const T* x, T* y) {
  for (int64_t i = 0; i < to; ++i) {
    if constexpr (kCount == 1) {
      y[i] = x[at[i]];
    } else {
      T sum = w[i] * x[at[i]];
      for (int k = 1; k < kCount; ++k) sum += w[k * to + i] * x[at[k * to + i]];
      y[i] = sum;
    }
  }
}

template <class T, int kCount> void scatter_row(const int32_t* at, const T* w, int64_t to, const T* dy, T* dx) {
  if constexpr (kCount == 1) {  // places do not fall, so what belongs to one is added up before it is written
    for (int64_t i = 0; i < to;) {
      const int32_t place = at[i];
      T sum = dy[i];
      for (++i; i < to && at[i] == place; ++i) sum += dy[i];
      dx[place] = sum;
    }
  } else {
    for (int64_t i = 0; i < to; ++i)
      for (int k = 0; k < kCount; ++k) dx[at[k * to + i]] += w[k * to + i] * dy[i];
  }
}

template <class T> using RowFn = void (*)(const int32_t* at, const T* w, int64_t to, const T* from, T* result);

// ---- other dims: line by line ----

template <class T> void gather_lines(const Resize& r, const Table<T>& t, const T* from, T* to) {
  for (int64_t i = 0; i < r.to; ++i, to += r.inner) {
    for (int64_t k = 0; k < t.count; ++k) {
      const T* line = from + t.place[k * r.to + i] * r.inner;
      const T w = t.weights[k * r.to + i];
      if (t.count == 1) std::copy_n(line, r.inner, to);
      else if (k == 0)
        for (int64_t j = 0; j < r.inner; ++j) to[j] = w * line[j];
      else
        for (int64_t j = 0; j < r.inner; ++j) to[j] += w * line[j];
    }
  }
}

template <class T> void scatter_lines(const Resize& r, const Table<T>& t, const T* from, T* to) {
  for (int64_t i = 0; i < r.to; ++i, from += r.inner) {
    for (int64_t k = 0; k < t.count; ++k) {
      T* line = to + t.place[k * r.to + i] * r.inner;
      const T w = t.weights[k * r.to + i];
      for (int64_t j = 0; j < r.inner; ++j) line[j] += w * from[j];
    }
  }
}

template <class T> void resize(const Resize& r, const T* x, T* y) {
  const Table<T> t(r);
  const RowFn<T> row = t.count == 1 ? gather_row<T, 1> : t.count == 2 ? gather_row<T, 2> : gather_row<T, 4>;
  for_outer(r, [&](int64_t o) {
    const T* from = x + o * r.from * r.inner;
    T* to = y + o * r.to * r.inner;
    if (r.inner == 1) row(t.place.data(), t.weights.data(), r.to, from, to);
    else gather_lines(r, t, from, to);
  });
}

template <class T> void resize_transpose(const Resize& r, const T* dy, T* dx) {
  const Table<T> t(r);
  const RowFn<T> row = t.count == 1 ? scatter_row<T, 1> : t.count == 2 ? scatter_row<T, 2> : scatter_row<T, 4>;
  for_outer(r, [&](int64_t o) {
    const T* from = dy + o * r.to * r.inner;
    T* to = dx + o * r.from * r.inner;
    std::fill_n(to, r.from * r.inner, T{0});
    if (r.inner == 1) row(t.place.data(), t.weights.data(), r.to, from, to);
    else scatter_lines(r, t, from, to);
  });
}

}  // namespace

Tensor resize(const char* name, const Resize& r, const Tensor& x, const Shape& sizes) {
  const Tensor from = contiguous_of(x), y = new_tensor(sizes, x.dtype(), name);
  if (y.numel() == 0) return y;
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from},
           [r, src = from.elements<T>(), dst = y.elements<T>()] { resize<T>(r, src, dst); });
  });
  return y;
}

Tensor resize_transpose(const char* name, const Resize& r, const Tensor& dy, const Shape& sizes) {
  const Tensor from = contiguous_of(dy), dx = new_tensor(sizes, dy.dtype(), name);
  if (dx.numel() == 0) return dx;
  dispatch_floating(name, dy.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&from},
           [r, src = from.elements<T>(), dst = dx.elements<T>()] { resize_transpose<T>(r, src, dst); });
  });
  return dx;
}

}  // namespace tapegrad::kernels
