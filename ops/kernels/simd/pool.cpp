// Pooling of planes, a vector of windows at a time: every window of the vector takes its element of one place, then of the next.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/pool.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/common-inl.h"

#include <algorithm>
#include <memory>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

template <class T> using IndexTag = hn::RebindToSigned<Full<T>>;
template <class T> using Index = hn::Vec<IndexTag<T>>;

// take(elements, their places) for every place of the windows that begin at x, x + kStride, ..., whose first places are `at`; take_two for two of
// them. Reads kStride vectors from the last place on.
template <int kStride, class T, class Take, class TakeTwo>
HWY_INLINE void for_places(const T* x, int64_t places, int64_t dilation, Index<T> at, const Take& take,
                           const TakeTwo& take_two) {
  const Full<T> d;
  const IndexTag<T> di;
  constexpr int64_t N = kLanes<T>;
  int64_t t = 0;
  if constexpr (kStride == 2) {  // what is between the elements of one place are those of the next
    for (; dilation == 1 && t + 1 < places; t += 2) {
      const Vec<T> lo = hn::LoadU(d, x + t), hi = hn::LoadU(d, x + t + N);
      take_two(hn::ConcatEven(d, hi, lo), hn::ConcatOdd(d, hi, lo), at, hn::Add(at, hn::Set(di, 1)));
      at = hn::Add(at, hn::Set(di, 2));
    }
  }
  const Index<T> step = hn::Set(di, static_cast<PositionOf<T>>(dilation));
  for (; t < places; ++t, at = hn::Add(at, step)) {
    const T* from = x + t * dilation;
    const Vec<T> v = hn::LoadU(d, from);
    if constexpr (kStride == 1) take(v, at);
    else take(hn::ConcatEven(d, hn::LoadU(d, from + N), v), at);
  }
}

// The rows of a plane that a window has, counted from its first: the same list for all windows but those at the edges.
class WindowRows {
 public:
  HWY_NOINLINE WindowRows(const Windows& depth, const Windows& height) : depth_(depth), height_(height) {
    const int64_t most = longest(depth) * longest(height);
    if (most > kFew) many_.reset(new int64_t[static_cast<size_t>(most)]);
    row_ = many_ ? many_.get() : few_;
  }
  HWY_INLINE void follow(const Window& deep, const Window& high) {
    if (deep.end - deep.begin != deep_ || high.end - high.begin != high_)
      list(deep.end - deep.begin, high.end - high.begin);
  }
  int64_t count() const { return count_; }
  int64_t operator[](int64_t i) const { return row_[i]; }

 private:
  static constexpr int64_t kFew = 64;
  static int64_t longest(const Windows& w) {
    return std::min(w.x, w.stride == 0 ? (w.x + w.y - 1) / w.y + 1 : w.kernel);
  }
  HWY_NOINLINE void list(int64_t deep, int64_t high) {
    deep_ = deep, high_ = high, count_ = 0;
    for (int64_t e = 0; e < deep; e += depth_.dilation)
      for (int64_t h = 0; h < high; h += height_.dilation) row_[count_++] = e * height_.x + h;
  }
  const Windows &depth_, &height_;
  int64_t deep_ = -1, high_ = -1, count_ = 0;
  int64_t* row_;
  std::unique_ptr<int64_t[]> many_;
  int64_t few_[kFew];
};

// row(rows of a window, x of the plane, deep, high) for every row of y, in their order.
template <class T, class Row> HWY_INLINE void for_rows(const PoolPlane<T>& p, const Row& row) {
  WindowRows rows(p.depth, p.height);
  const T* x = p.x;
  for (int64_t o = 0; o < p.planes * p.depth.y; ++o) {
    if (o > 0 && o % p.depth.y == 0) x += p.depth.x * p.height.x * p.pitch;
    const Window& deep = p.deep[o % p.depth.y];
    for (int64_t r = 0; r < p.height.y; ++r) {
      const Window& high = p.high[r];
      rows.follow(deep, high);
      row(rows, x, deep, high);
    }
  }
}

// Writes a vector of which `count` lanes count; where more of the plane follows, that is written later.
template <class V, class P> HWY_INLINE void put_windows(V v, P* to, const P* end, int64_t count) {
  const Full<P> d;
  if (to + kLanes<P> <= end) hn::StoreU(v, d, to);
  else store_few<P>(v, to, count);
}

// Where nothing was larger than -inf, the first element of the window.
template <class T>
HWY_NOINLINE Index<T> first_places(const PoolPlane<T>& p, Index<T> at, const Window& deep, const Window& high,
                                   int64_t window) {
  const IndexTag<T> di;
  HWY_ALIGN PositionOf<T> place[kLanes<T>];
  hn::Store(at, di, place);
  for (int64_t i = 0; i < kLanes<T> && window + i < p.width.y; ++i) {
    if (place[i] < 0)
      place[i] =
          static_cast<PositionOf<T>>((deep.begin * p.height.x + high.begin) * p.width.x + p.width[window + i].begin);
  }
  return hn::Load(di, place);
}

// best = v where that is larger, or NaN; place = where it is.
template <class T, class V, class I> HWY_INLINE void take_if_larger(V v, I here, V& best, I& place) {
  const auto better = hn::Or(hn::Gt(v, best), hn::IsNaN(v));
  best = hn::IfThenElse(better, v, best);
  place = hn::IfThenElse(hn::RebindMask(IndexTag<T>(), better), here, place);
}

template <class T, int kStride> void max_rows(const PoolPlane<T>& p) {
  const Full<T> d;
  const IndexTag<T> di;
  const Full<PositionOf<T>> full;
  const Index<T> count_up = hn::Iota(di, 0), lane = kStride == 1 ? count_up : hn::Add(count_up, count_up);
  const int64_t width = p.width.y, pitch = p.pitch, row_x = p.width.x, all = p.planes * p.depth.y * p.height.y * width;
  const int64_t kernel = p.width.kernel, dilation = p.width.dilation;
  T* y = p.y;
  PositionOf<T>* at = p.position;
  const T* const y_end = y + all;
  const PositionOf<T>* const at_end = at + (at ? all : 0);
  for_rows(p, [&](const WindowRows& rows, const T* x, const Window& deep, const Window& high) HWY_ATTR {
    const int64_t top = deep.begin * p.height.x + high.begin;
    for (int64_t window = 0; window < width; window += kLanes<T>) {
      const T* const from = x + top * pitch + window * kStride;
      const int64_t first = top * row_x + window * kStride - p.width.padding;
      Vec<T> best = hn::Set(d, -kInf<T>);
      Index<T> place = hn::Set(di, -1);
      for (int64_t i = 0; i < rows.count(); ++i) {
        const int64_t row = rows[i], start = first + row * row_x;
        const Index<T> places = hn::Add(lane, hn::Set(di, static_cast<PositionOf<T>>(start)));
        for_places<kStride>(
            from + row * pitch, kernel, dilation, places,
            [&](Vec<T> v, Index<T> here) HWY_ATTR { take_if_larger<T>(v, here, best, place); },
            [&](Vec<T> v, Vec<T> next, Index<T> here, Index<T> there) HWY_ATTR {
              take_if_larger<T>(next, there, v, here);
              take_if_larger<T>(v, here, best, place);
            });
      }
      const int64_t count = std::min(kLanes<T>, width - window);
      put_windows(best, y, y_end, count);
      y += count;
      if (!at) continue;
      if (!hn::AllFalse(di, hn::Lt(place, hn::Zero(di)))) place = first_places(p, place, deep, high, window);
      put_windows(hn::BitCast(full, place), at, at_end, count);
      at += count;
    }
  });
}

template <class T> HWY_INLINE T divisor_of(T given, const Window& deep, const Window& high) {
  return given != 0 ? given : static_cast<T>(deep.count * high.count);
}

template <class T, int kStride> void mean_rows(const PoolPlane<T>& p) {
  const Full<T> d;
  const int64_t width = p.width.y, pitch = p.pitch, kernel = p.width.kernel, dilation = p.width.dilation;
  T* y = p.y;
  const T* const end = y + p.planes * p.depth.y * p.height.y * width;
  for_rows(p, [&](const WindowRows& rows, const T* x, const Window& deep, const Window& high) HWY_ATTR {
    const Vec<T> divisor = hn::Set(d, divisor_of(p.divisor, deep, high));
    const T* const top = x + (deep.begin * p.height.x + high.begin) * pitch;
    for (int64_t window = 0; window < width; window += kLanes<T>) {
      Vec<T> sum = hn::Zero(d);
      for (int64_t i = 0; i < rows.count(); ++i)
        for_places<kStride>(
            top + rows[i] * pitch + window * kStride, kernel, dilation, hn::Zero(IndexTag<T>()),
            [&](Vec<T> v, Index<T>) HWY_ATTR { sum = hn::Add(sum, v); },
            [&](Vec<T> v, Vec<T> next, Index<T>, Index<T>) HWY_ATTR { sum = hn::Add(hn::Add(sum, v), next); });
      const int64_t count = std::min(kLanes<T>, width - window);
      put_windows(hn::Div(sum, hn::Mul(divisor, hn::LoadU(d, p.counts + window))), y, end, count);
      y += count;
    }
  });
}

// dx[i stride] += g[i]
template <class T> HWY_INLINE void add_strided(T* dx, const T* g, int64_t n, int64_t stride) {
  const Full<T> d;
  int64_t i = 0;
  for (; stride == 1 && i + kLanes<T> <= n; i += kLanes<T>)
    hn::StoreU(hn::Add(hn::LoadU(d, dx + i), hn::LoadU(d, g + i)), d, dx + i);
  for (; i < n; ++i) dx[i * stride] += g[i];
}

template <class T> void spread_rows(const PoolSpread<T>& p) {
  const Windows& w = p.width;
  const T* dy = p.dy;
  for (int64_t o = 0; o < p.depth.y; ++o) {
    const Window& deep = p.deep[o];
    for (int64_t r = 0; r < p.height.y; ++r, dy += w.y) {
      const Window& high = p.high[r];
      const T rows = divisor_of(p.divisor, deep, high);
      for (int64_t i = 0; i < w.y; ++i) p.row[i] = dy[i] / (rows * p.counts[i]);
      for (int64_t e = deep.begin; e < deep.end; e += p.depth.dilation) {
        for (int64_t h = high.begin; h < high.end; h += p.height.dilation) {
          T* const dx = p.dx + (e * p.height.x + h) * w.x;
          for (int64_t t = 0; t < w.kernel; ++t) {
            const Run run(w, t);
            if (run.first < run.last)
              add_strided(dx + run.first * w.stride + run.shift, p.row + run.first, run.last - run.first, w.stride);
          }
        }
      }
    }
  }
}

template <class T> void max_plane(const PoolPlane<T>& p) {
  p.width.stride == 1 ? max_rows<T, 1>(p) : max_rows<T, 2>(p);
}
template <class T> void mean_plane(const PoolPlane<T>& p) {
  p.width.stride == 1 ? mean_rows<T, 1>(p) : mean_rows<T, 2>(p);
}
template <class T> void fill(PoolKernels<T>& t) { t = {kLanes<T>, &max_plane<T>, &mean_plane<T>, &spread_rows<T>}; }

}  // namespace

void fill_pool(Table& t) {
  fill(t.f32.pool);
  fill(t.f64.pool);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
