// Pooling of a plane, a vector of windows at a time: every window of the vector takes its element of one place, then of the next.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/pool.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/common-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

template <class T> using IndexTag = hn::RebindToSigned<Full<T>>;
template <class T> using Index = hn::Vec<IndexTag<T>>;

// take(elements, offset) for every place of the windows that begin at x, x + kStride, ...; reads kStride vectors from the last place on.
template <int kStride, class T, class Take>
HWY_INLINE void for_places(const T* x, int64_t places, int64_t dilation, const Take& take) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  int64_t t = 0;
  if constexpr (kStride == 2) {  // what is between the elements of one place are those of the next
    for (; dilation == 1 && t + 1 < places; t += 2) {
      const Vec<T> lo = hn::LoadU(d, x + t), hi = hn::LoadU(d, x + t + N);
      take(hn::ConcatEven(d, hi, lo), t);
      take(hn::ConcatOdd(d, hi, lo), t + 1);
    }
  }
  for (; t < places; ++t) {
    const T* from = x + t * dilation;
    if constexpr (kStride == 1) take(hn::LoadU(d, from), t);
    else take(hn::ConcatEven(d, hn::LoadU(d, from + N), hn::LoadU(d, from)), t * dilation);
  }
}

// The row of places (d, h), seen by the windows from `window` on.
template <int kStride, class T> HWY_INLINE const T* row_of(const PoolPlane<T>& p, int64_t row, int64_t window) {
  return p.x + row * p.pitch + window * kStride;
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

template <class T, int kStride> void max_rows(const PoolPlane<T>& p) {
  const Full<T> d;
  const IndexTag<T> di;
  const Index<T> count_up = hn::Iota(di, 0), lane = kStride == 1 ? count_up : hn::Add(count_up, count_up);
  const int64_t all = p.depth.y * p.height.y * p.width.y;
  T* y = p.y;
  PositionOf<T>* at = p.position;
  for (int64_t o = 0; o < p.depth.y; ++o) {
    const Window deep = p.depth[o];
    for (int64_t r = 0; r < p.height.y; ++r) {
      const Window high = p.height[r];
      for (int64_t window = 0; window < p.width.y; window += kLanes<T>) {
        Vec<T> best = hn::Set(d, -kInf<T>);
        Index<T> place = hn::Set(di, -1);
        for (int64_t e = deep.begin; e < deep.end; e += p.depth.dilation) {
          for (int64_t h = high.begin; h < high.end; h += p.height.dilation) {
            const int64_t row = e * p.height.x + h;
            const int64_t first = row * p.width.x + window * kStride - p.width.padding;
            for_places<kStride>(row_of<kStride>(p, row, window), p.width.kernel, p.width.dilation,
                                [&](Vec<T> v, int64_t offset) HWY_ATTR {
                                  const auto better = hn::Or(hn::Gt(v, best), hn::IsNaN(v));
                                  const auto here = hn::Set(di, static_cast<PositionOf<T>>(first + offset));
                                  best = hn::IfThenElse(better, v, best);
                                  place = hn::IfThenElse(hn::RebindMask(di, better), hn::Add(lane, here), place);
                                });
          }
        }
        const int64_t count = std::min(kLanes<T>, p.width.y - window);
        put_windows(best, y, p.y + all, count);
        y += count;
        if (!at) continue;
        if (!hn::AllFalse(di, hn::Lt(place, hn::Zero(di)))) place = first_places(p, place, deep, high, window);
        const Full<PositionOf<T>> full;
        put_windows(hn::BitCast(full, place), at, p.position + all, count);
        at += count;
      }
    }
  }
}

template <class T> HWY_INLINE T divisor_of(T given, const Window& deep, const Window& high) {
  return given != 0 ? given : static_cast<T>(deep.count * high.count);
}

template <class T, int kStride> void mean_rows(const PoolPlane<T>& p) {
  const Full<T> d;
  const T* end = p.y + p.depth.y * p.height.y * p.width.y;
  T* y = p.y;
  for (int64_t o = 0; o < p.depth.y; ++o) {
    const Window deep = p.depth[o];
    for (int64_t r = 0; r < p.height.y; ++r) {
      const Window high = p.height[r];
      const Vec<T> rows = hn::Set(d, divisor_of(p.divisor, deep, high));
      for (int64_t window = 0; window < p.width.y; window += kLanes<T>) {
        Vec<T> sum = hn::Zero(d);
        for (int64_t e = deep.begin; e < deep.end; e += p.depth.dilation) {
          for (int64_t h = high.begin; h < high.end; h += p.height.dilation) {
            for_places<kStride>(row_of<kStride>(p, e * p.height.x + h, window), p.width.kernel, p.width.dilation,
                                [&](Vec<T> v, int64_t) HWY_ATTR { sum = hn::Add(sum, v); });
          }
        }
        const int64_t count = std::min(kLanes<T>, p.width.y - window);
        put_windows(hn::Div(sum, hn::Mul(rows, hn::LoadU(d, p.counts + window))), y, end, count);
        y += count;
      }
    }
  }
}

// dx[i stride] += g[i]; the compiler makes vectors of it where the stride is known.
template <int kStride, class T>
HWY_INLINE void add_strided(T* HWY_RESTRICT dx, const T* HWY_RESTRICT g, int64_t n, int64_t stride) {
  if constexpr (kStride != 0) stride = kStride;
  for (int64_t i = 0; i < n; ++i) dx[i * stride] += g[i];
}

template <class T, int kStride> void spread_rows(const PoolSpread<T>& p) {
  const Windows& w = p.width;
  const int64_t stride = kStride != 0 ? kStride : w.stride;
  const T* dy = p.dy;
  for (int64_t o = 0; o < p.depth.y; ++o) {
    const Window deep = p.depth[o];
    for (int64_t r = 0; r < p.height.y; ++r, dy += w.y) {
      const Window high = p.height[r];
      const T rows = divisor_of(p.divisor, deep, high);
      for (int64_t i = 0; i < w.y; ++i) p.row[i] = dy[i] / (rows * p.counts[i]);
      for (int64_t e = deep.begin; e < deep.end; e += p.depth.dilation) {
        for (int64_t h = high.begin; h < high.end; h += p.height.dilation) {
          T* const dx = p.dx + (e * p.height.x + h) * w.x;
          for (int64_t t = 0; t < w.kernel; ++t) {
            // the windows whose place t lies in x
            const int64_t shift = t * w.dilation - w.padding, left = w.x - shift;
            const int64_t first = shift < 0 ? (-shift + stride - 1) / stride : 0;
            const int64_t last = left > 0 ? std::min(w.y, (left + stride - 1) / stride) : 0;
            if (first < last) add_strided<kStride>(dx + first * stride + shift, p.row + first, last - first, stride);
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
template <class T> void spread_plane(const PoolSpread<T>& p) {
  if (p.width.stride == 1) return spread_rows<T, 1>(p);
  p.width.stride == 2 ? spread_rows<T, 2>(p) : spread_rows<T, 0>(p);
}

template <class T> void fill(PoolKernels<T>& t) { t = {kLanes<T>, &max_plane<T>, &mean_plane<T>, &spread_plane<T>}; }

}  // namespace

void fill_pool(Table& t) {
  fill(t.f32.pool);
  fill(t.f64.pool);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
