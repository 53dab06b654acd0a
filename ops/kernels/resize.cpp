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

// f(line, taps of it) for every result of every `outer`, dealt out by outer.
template <class F> void for_outer(const Resize& r, const F& f) {
  const Scratch<Taps> taps(r.to);
  for (int64_t i = 0; i < r.to; ++i) taps[i] = taps_at(r, i);
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, std::max(r.from, r.to) * r.inner));
  parallel_for(0, r.outer, grain, [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; ++o) f(o, taps.data());
  });
}

template <class T> T sum_of(const Taps& taps, int64_t count, const T* x) {
  if (count == 1) return x[taps.at[0]];
  T sum = static_cast<T>(taps.weight[0]) * x[taps.at[0]];
  for (int64_t k = 1; k < count; ++k) sum += static_cast<T>(taps.weight[k]) * x[taps.at[k]];
  return sum;
}

template <class T> void gather_lines(const Resize& r, const T* x, T* y) {
  const int64_t count = taps_of(r.by);
  for_outer(r, [&](int64_t o, const Taps* taps) {
    const T* from = x + o * r.from * r.inner;
    T* to = y + o * r.to * r.inner;
    for (int64_t i = 0; i < r.to; ++i, to += r.inner) {
      if (r.inner == 1) {
        *to = sum_of(taps[i], count, from);
        continue;
      }
      for (int64_t k = 0; k < count; ++k) {
        const T* line = from + taps[i].at[k] * r.inner;
        const auto w = static_cast<T>(taps[i].weight[k]);
        if (count == 1) std::copy_n(line, r.inner, to);
        else if (k == 0)
          for (int64_t j = 0; j < r.inner; ++j) to[j] = w * line[j];
        else
          for (int64_t j = 0; j < r.inner; ++j) to[j] += w * line[j];
      }
    }
  });
}

template <class T> void scatter_lines(const Resize& r, const T* dy, T* dx) {
  const int64_t count = taps_of(r.by);
  for_outer(r, [&](int64_t o, const Taps* taps) {
    const T* from = dy + o * r.to * r.inner;
    T* to = dx + o * r.from * r.inner;
    std::fill_n(to, r.from * r.inner, T{0});
    for (int64_t i = 0; i < r.to; ++i, from += r.inner) {
      for (int64_t k = 0; k < count; ++k) {
        T* line = to + taps[i].at[k] * r.inner;
        const auto w = static_cast<T>(taps[i].weight[k]);
        for (int64_t j = 0; j < r.inner; ++j) line[j] += w * from[j];
      }
    }
  });
}

}  // namespace

Tensor resize(const char* name, const Resize& r, const Tensor& x, const Shape& sizes) {
  const Tensor from = contiguous_of(x), y = new_tensor(sizes, x.dtype(), name);
  if (y.numel() == 0) return y;
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from},
           [r, src = from.elements<T>(), dst = y.elements<T>()] { gather_lines(r, src, dst); });
  });
  return y;
}

Tensor resize_transpose(const char* name, const Resize& r, const Tensor& dy, const Shape& sizes) {
  const Tensor from = contiguous_of(dy), dx = new_tensor(sizes, dy.dtype(), name);
  if (dx.numel() == 0) return dx;
  dispatch_floating(name, dy.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&from},
           [r, src = from.elements<T>(), dst = dx.elements<T>()] { scatter_lines(r, src, dst); });
  });
  return dx;
}

}  // namespace tapegrad::kernels
