// One dim of a contiguous tensor seen as the n of [outer, n, inner], and its lines brought to the rows that kernels want.
#pragma once

#include <algorithm>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/core/shape.h"

namespace tapegrad::kernels {

struct Axis {
  int64_t outer = 1, n = 1, inner = 1;

  Axis() = default;
  // A 0-dim tensor has one line of one element.
  Axis(const Shape& sizes, int64_t dim) {
    for (int64_t d = 0; d < sizes.size(); ++d) (d < dim ? outer : d == dim ? n : inner) *= sizes[d];
  }
  // The dims in `mask` joined into n; false when a dim of another size than 1 stands between them.
  bool join(const Shape& sizes, uint32_t mask) {
    *this = Axis();
    bool begun = false, ended = false;
    for (int64_t d = 0; d < sizes.size(); ++d) {
      if (sizes[d] == 1) continue;
      const bool named = mask >> d & 1;
      if (named && ended) return false;
      begun |= named;
      ended |= begun && !named;
      (named ? n : begun ? inner : outer) *= sizes[d];
    }
    return true;
  }
  int64_t lines() const { return outer * inner; }
};

inline constexpr int64_t kStrip = 16;  // lines packed together: a cache line of floats side by side

// Whether columns of T are wide enough side by side for kernels that go down them.
template <class T> bool wide_columns(const Axis& axis) { return axis.inner * static_cast<int64_t>(sizeof(T)) >= 32; }

// Columns taken together by a kernel that goes down them more than once: what of them fits the second-level cache.
template <class T> int64_t column_strip(const Axis& axis) {
  const int64_t fitting = (int64_t{1} << 19) / static_cast<int64_t>(sizeof(T)) / std::max<int64_t>(axis.n, 1);
  return std::clamp<int64_t>(fitting / kStrip * kStrip, 4 * kStrip, 512);
}

// dst[w, i] = src[i, w] for w < width
template <class T> void pack_lines(const T* src, T* dst, int64_t n, int64_t inner, int64_t width) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t w = 0; w < width; ++w) dst[w * n + i] = src[i * inner + w];
  }
}

// dst[i, w] = src[w, i]
template <class T> void unpack_lines(const T* src, T* dst, int64_t n, int64_t inner, int64_t width) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t w = 0; w < width; ++w) dst[i * inner + w] = src[w * n + i];
  }
}

// body(first element of a strip, index of its first line, lines in it) for all strips of `axis`, `width` lines in each.
template <class Body> void for_strips(const Axis& axis, int64_t grain, const Body& body, int64_t width = kStrip) {
  const int64_t strips = (axis.inner + width - 1) / width;
  const int64_t work = std::max<int64_t>(axis.n * std::min(width, axis.inner), 1);
  parallel_for(0, axis.outer * strips, std::max<int64_t>(1, grain / work), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t o = i / strips;
      const int64_t c = i % strips * width;
      body(o * axis.n * axis.inner + c, o * axis.inner + c, std::min(width, axis.inner - c));
    }
  });
}

// body(first row, number of rows) where inner is 1.
template <class Body> void for_rows(const Axis& axis, int64_t grain, const Body& body) {
  parallel_for(0, axis.outer, std::max<int64_t>(1, grain / std::max<int64_t>(axis.n, 1)),
               [&](int64_t first, int64_t last) { body(first, last - first); });
}

}  // namespace tapegrad::kernels
