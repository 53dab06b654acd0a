// Pooling: deals planes out to threads and lays their rows out for the vector kernels; other windows go one by one.
#include "tapegrad/ops/kernels/pool.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels {
namespace {

using simd::PositionOf;

constexpr int64_t kGrain = 32768;  // elements read that are worth a thread

int64_t places(const PoolShape& s) {
  int64_t n = 1;
  for (const Windows& w : s.dim) n *= w.stride == 0 ? w.x / std::max<int64_t>(w.y, 1) + 1 : w.kernel;
  return n;
}

int64_t grain_of(const PoolShape& s) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, std::max(s.x_plane(), s.y_plane() * places(s))));
}

KernelNote note_of(const PoolShape& s) {
  KernelNote note = simd_note();
  note.flops = s.planes * s.y_plane() * places(s);
  return note;
}

// Whether the vector kernels take these windows.
bool goes_by_vectors(const PoolShape& s) {
  const Windows& w = s.dim[2];
  return (w.stride == 1 || w.stride == 2) && w.y > 1;
}

// run(first plane, how many, their rows, the pitch) for all planes of x, as the vector kernels want them: where they lie, or copied with `outside` around them.
template <class T, class Run> void for_laid_out(const PoolShape& s, const T* x, T outside, const Run& run) {
  const Windows& w = s.dim[2];
  const int64_t lanes = simd::floating<T>(simd::table()).pool.lanes;
  const int64_t read = (w.y - 1) / lanes * lanes * w.stride + (w.kernel - 1) * w.dilation + lanes * w.stride;
  const int64_t rows = s.dim[0].x * s.dim[1].x, plane = rows * w.x, all = s.planes * plane;
  const bool fits = w.padding == 0 && w.reach() <= w.x;
  const int64_t pitch = std::max(w.padding + w.x, read);
  const auto stays = [=](int64_t i) { return fits && (i + 1) * plane - w.x + read <= all; };
  parallel_for(0, s.planes, grain_of(s), [&](int64_t first, int64_t last) {
    const Scratch<T> copy(stays(last - 1) ? 0 : rows * pitch);
    if (!stays(last - 1)) std::fill_n(copy.data(), rows * pitch, outside);
    int64_t i = first;
    while (i < last && stays(i)) ++i;
    if (i > first) run(first, i - first, x + first * plane, w.x);
    for (; i < last; ++i) {
      for (int64_t r = 0; r < rows; ++r)
        std::memcpy(copy.data() + r * pitch + w.padding, x + i * plane + r * w.x, static_cast<size_t>(w.x) * sizeof(T));
      run(i, 1, copy.data(), pitch);
    }
  });
}

// The windows of the three dims one by one.
class Tables {
 public:
  explicit Tables(const PoolShape& s) : all_(s.dim[0].y + s.dim[1].y + s.dim[2].y) {
    Window* to = all_.data();
    for (const Windows& w : s.dim)
      for (int64_t i = 0; i < w.y; ++i) *to++ = w[i];
    high_ = all_.data() + s.dim[0].y, wide_ = high_ + s.dim[1].y;
  }
  const Window* deep() const { return all_.data(); }
  const Window* high() const { return high_; }
  const Window* wide() const { return wide_; }

 private:
  Scratch<Window> all_;
  const Window *high_, *wide_;
};

// f(number of the window in its plane, its part of each dim).
template <class F> void for_windows(const PoolShape& s, const Tables& t, const F& f) {
  int64_t o = 0;
  for (int64_t d = 0; d < s.dim[0].y; ++d)
    for (int64_t h = 0; h < s.dim[1].y; ++h)
      for (int64_t w = 0; w < s.dim[2].y; ++w) f(o++, t.deep()[d], t.high()[h], t.wide()[w]);
}

// f(place in the plane) for the elements of a window, in order.
template <class F>
void for_elements(const PoolShape& s, const Window& deep, const Window& high, const Window& wide, const F& f) {
  for (int64_t d = deep.begin; d < deep.end; d += s.dim[0].dilation)
    for (int64_t h = high.begin; h < high.end; h += s.dim[1].dilation)
      for (int64_t w = wide.begin; w < wide.end; w += s.dim[2].dilation) f((d * s.dim[1].x + h) * s.dim[2].x + w);
}

template <class F> void for_planes(const PoolShape& s, const F& f) {
  parallel_for(0, s.planes, grain_of(s), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) f(i);
  });
}

template <class T> struct MaxPool {
  PoolShape s;
  const T* x;
  T* y;
  PositionOf<T>* position;

  void one_by_one(const Tables& t, const T* from, T* to, PositionOf<T>* at) const {
    for_windows(s, t, [&](int64_t o, const Window& deep, const Window& high, const Window& wide) {
      T best = -std::numeric_limits<T>::infinity();
      int64_t place = (deep.begin * s.dim[1].x + high.begin) * s.dim[2].x + wide.begin;
      for_elements(s, deep, high, wide, [&](int64_t i) {
        if (from[i] > best || std::isnan(from[i])) best = from[i], place = i;
      });
      to[o] = best;
      if (at) at[o] = static_cast<PositionOf<T>>(place);
    });
  }
  void operator()() const {
    const int64_t size = s.y_plane();
    const Tables t(s);
    const auto at = [&](int64_t i) { return position ? position + i * size : nullptr; };
    if (!goes_by_vectors(s))
      return for_planes(s, [&](int64_t i) { one_by_one(t, x + i * s.x_plane(), y + i * size, at(i)); });
    const auto kernel = simd::floating<T>(simd::table()).pool.max;
    for_laid_out(
        s, x, -std::numeric_limits<T>::infinity(), [&](int64_t i, int64_t count, const T* rows, int64_t pitch) {
          kernel(
              {s.dim[0], s.dim[1], s.dim[2], t.deep(), t.high(), count, rows, pitch, y + i * size, at(i), nullptr, 0});
        });
  }
  KernelNote note() const { return note_of(s); }
};

template <class T> struct MaxPoolBackward {
  PoolShape s;
  const T* dy;
  const PositionOf<T>* position;
  T* dx;

  void operator()() const {
    const int64_t size = s.y_plane(), plane = s.x_plane();
    for_planes(s, [&](int64_t i) {
      const T* from = dy + i * size;
      const PositionOf<T>* at = position + i * size;
      T* to = dx + i * plane;
      std::memset(to, 0, static_cast<size_t>(plane) * sizeof(T));
      for (int64_t o = 0; o < size; ++o) to[at[o]] += from[o];
    });
  }
};

// What the windows of a row divide by, beside what depth and height do.
template <class T> void fill_counts(const PoolShape& s, const Tables& t, T* counts, int64_t length) {
  for (int64_t i = 0; i < length; ++i)
    counts[i] = i < s.dim[2].y && s.divisor == 0 ? static_cast<T>(t.wide()[i].count) : T{1};
}

template <class T> T divisor_of(const PoolShape& s, const Window& deep, const Window& high, const Window& wide) {
  return static_cast<T>(s.divisor != 0 ? s.divisor : deep.count * high.count * wide.count);
}

// Whether there is one window, which has every element.
bool is_whole(const PoolShape& s) {
  const auto all = [](const Windows& w) { return w.y == 1 && w.padding == 0 && w.kernel == w.x; };
  return s.divisor == 0 && all(s.dim[0]) && all(s.dim[1]) && all(s.dim[2]);
}

template <class T> struct AvgPool {
  PoolShape s;
  const T* x;
  T* y;

  void one_by_one(const Tables& t, const T* from, T* to) const {
    for_windows(s, t, [&](int64_t o, const Window& deep, const Window& high, const Window& wide) {
      T sum = 0;
      for_elements(s, deep, high, wide, [&](int64_t i) { sum += from[i]; });
      to[o] = sum / divisor_of<T>(s, deep, high, wide);
    });
  }
  // The mean of whole planes.
  void sums() const {
    const auto sum = simd::table().reduce_rows[static_cast<int>(simd::Reduce::sum)][static_cast<int>(dtype_of<T>())];
    const int64_t plane = s.x_plane();
    parallel_for(0, s.planes, grain_of(s), [&](int64_t first, int64_t last) {
      sum(x + first * plane, y + first, last - first, plane, plane);
      for (int64_t i = first; i < last; ++i) y[i] /= static_cast<T>(plane);
    });
  }
  void operator()() const {
    const int64_t size = s.y_plane();
    if (is_whole(s)) return sums();
    const Tables t(s);
    if (!goes_by_vectors(s)) return for_planes(s, [&](int64_t i) { one_by_one(t, x + i * s.x_plane(), y + i * size); });
    const auto& kernels = simd::floating<T>(simd::table()).pool;
    const int64_t length = s.dim[2].y + kernels.lanes;
    const Scratch<T> counts(length);
    fill_counts(s, t, counts.data(), length);
    for_laid_out(s, x, T{0}, [&](int64_t i, int64_t count, const T* rows, int64_t pitch) {
      kernels.mean({s.dim[0], s.dim[1], s.dim[2], t.deep(), t.high(), count, rows, pitch, y + i * size, nullptr,
                    counts.data(), static_cast<T>(s.divisor)});
    });
  }
  KernelNote note() const { return note_of(s); }
};

template <class T> struct AvgPoolTranspose {
  PoolShape s;
  const T* dy;
  T* dx;

  void one_by_one(const Tables& t, const T* from, T* to) const {
    for_windows(s, t, [&](int64_t o, const Window& deep, const Window& high, const Window& wide) {
      const T share = from[o] / divisor_of<T>(s, deep, high, wide);
      for_elements(s, deep, high, wide, [&](int64_t i) { to[i] += share; });
    });
  }
  void operator()() const {
    const int64_t size = s.y_plane(), plane = s.x_plane(), width = s.dim[2].y;
    const Tables t(s);
    const bool by_rows = s.dim[2].stride != 0, whole = is_whole(s);
    const auto kernel = simd::floating<T>(simd::table()).pool.spread;
    parallel_for(0, s.planes, grain_of(s), [&](int64_t first, int64_t last) {
      const Scratch<T> counts(width), row(width);
      if (by_rows) fill_counts(s, t, counts.data(), width);
      for (int64_t i = first; i < last; ++i) {
        T* to = dx + i * plane;
        if (whole) {
          std::fill_n(to, plane, dy[i] / static_cast<T>(plane));
          continue;
        }
        std::memset(to, 0, static_cast<size_t>(plane) * sizeof(T));
        if (by_rows)
          kernel({s.dim[0], s.dim[1], s.dim[2], t.deep(), t.high(), dy + i * size, to, counts.data(),
                  static_cast<T>(s.divisor), row.data()});
        else one_by_one(t, dy + i * size, to);
      }
    });
  }
  KernelNote note() const { return note_of(s); }
};

}  // namespace

Tensor max_pool(const char* name, const PoolShape& s, const Tensor& x, const Shape& sizes, Tensor* position) {
  const Tensor from = contiguous_of(x), y = new_tensor(sizes, x.dtype());
  const Tensor at = position ? new_tensor(sizes, position_type(x.dtype())) : Tensor();
  if (position) *position = at;
  if (y.numel() == 0) return y;
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    if (!position)
      return launch(name, LaunchKind::other, {&y}, {&from},
                    MaxPool<T>{s, from.elements<T>(), y.elements<T>(), nullptr});
    launch(name, LaunchKind::other, {&y, &at}, {&from},
           MaxPool<T>{s, from.elements<T>(), y.elements<T>(), at.elements<PositionOf<T>>()});
  });
  return y;
}

Tensor max_pool_backward(const char* name, const PoolShape& s, const Tensor& dy, const Tensor& position,
                         const Shape& sizes) {
  const Tensor from = contiguous_of(dy), dx = new_tensor(sizes, dy.dtype());
  if (dx.numel() == 0) return dx;
  dispatch_floating(name, dy.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&from, &position},
           MaxPoolBackward<T>{s, from.elements<T>(), position.elements<PositionOf<T>>(), dx.elements<T>()});
  });
  return dx;
}

Tensor avg_pool(const char* name, const PoolShape& s, const Tensor& x, const Shape& sizes) {
  const Tensor from = contiguous_of(x), y = new_tensor(sizes, x.dtype());
  if (y.numel() == 0) return y;
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from}, AvgPool<T>{s, from.elements<T>(), y.elements<T>()});
  });
  return y;
}

Tensor avg_pool_transpose(const char* name, const PoolShape& s, const Tensor& dy, const Shape& sizes) {
  const Tensor from = contiguous_of(dy), dx = new_tensor(sizes, dy.dtype());
  if (dx.numel() == 0) return dx;
  dispatch_floating(name, dy.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&from}, AvgPoolTranspose<T>{s, from.elements<T>(), dx.elements<T>()});
  });
  return dx;
}

}  // namespace tapegrad::kernels
