// The variance in two passes: the mean, then deviations from it. Their own sum, which would be 0 if the mean were exact,
// takes the error of the mean out again, so that float32 stays accurate far from 0.
#include "tapegrad/ops/kernels/moments.h"

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/lines.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/reduce.h"
#include "tapegrad/ops/kernels/simd/note.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kPiece = 1 << 16;  // elements of a row taken at a stretch, whatever the number of threads
constexpr int64_t kGrain = 4 * kPiece;

template <class T> struct Deviations { T first, second; };

// The sums over a row of several pieces: of the pieces in pairs, of these in pairs, and so on.
template <class T> Deviations<T> met(Deviations<T>* part, int64_t count) {
  for (; count > 1; count = (count + 1) / 2) {
    for (int64_t i = 0; 2 * i < count; ++i) {
      const Deviations<T>& a = part[2 * i];
      part[i] =
          2 * i + 1 == count ? a : Deviations<T>{a.first + part[2 * i + 1].first, a.second + part[2 * i + 1].second};
    }
  }
  return part[0];
}

template <class T> T finished(const Deviations<T>& d, int64_t n, double freedom) {
  return (d.second - d.first * d.first / static_cast<T>(n)) / static_cast<T>(freedom);
}

template <class T> void rows_of(const T* x, const T* mean, T* y, const Axis& axis, double freedom) {
  const auto fn = simd::floating<T>(simd::table()).deviations;
  const int64_t pieces = (axis.n + kPiece - 1) / kPiece;
  const Scratch<Deviations<T>> part(axis.outer * pieces);
  const int64_t work = std::min(axis.n, kPiece);
  parallel_for(0, axis.outer * pieces, std::max<int64_t>(1, kGrain / work), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t row = i / pieces, start = i % pieces * kPiece;
      Deviations<T>& d = part[i];
      fn(x + row * axis.n + start, mean[row], std::min(kPiece, axis.n - start), &d.first, &d.second);
    }
  });
  for (int64_t row = 0; row < axis.outer; ++row)
    y[row] = finished(met(part.data() + row * pieces, pieces), axis.n, freedom);
}

template <class T> void columns_of(const T* x, const T* mean, T* y, const Axis& axis, double freedom) {
  const auto fn = simd::floating<T>(simd::table()).deviations_cols;
  const auto strip = [&](int64_t at, int64_t line, int64_t width) {
    const Scratch<T> sums(2 * width);
    fn(x + at, mean + line, sums.data(), sums.data() + width, axis.n, width, axis.inner);
    for (int64_t c = 0; c < width; ++c)
      y[line + c] = finished(Deviations<T>{sums[c], sums[width + c]}, axis.n, freedom);
  };
  for_strips(axis, kGrain, strip, 512);
}

// By whole-tensor kernels, for dims that are no neighbours.
Tensor of_scattered(const char* name, const Tensor& x, const Tensor& mean, uint32_t mask, bool keepdim,
                    double freedom) {
  Tensor d = binary(name, Map::sub, x, spread(mean, x.sizes(), mask));
  Tensor first = sum(name, d, mask, keepdim);
  d = unary(name, Map::square, d, d);
  Tensor y = sum(name, d, mask, keepdim);
  first = unary(name, Map::square, first, first);
  first = binary_scalar(name, Map::div, first, reduced_count(x.sizes(), mask), first);
  y = binary(name, Map::sub, y, first, y);
  return binary_scalar(name, Map::div, y, freedom, y);
}

}  // namespace

Tensor variance(const char* name, const Tensor& x, uint32_t mask, bool keepdim, double freedom) {
  const Tensor m = mean(name, x, mask, true);
  Axis axis;
  const bool joined = axis.join(x.sizes(), mask);
  if (!joined || x.numel() == 0) return of_scattered(name, x, m, mask, keepdim, freedom);
  const Tensor from = contiguous_of(x);
  Tensor y = new_tensor(reduced_sizes(x.sizes(), mask, keepdim), x.dtype());
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::reduce, {&y}, {&from, &m},
           BySimd{[axis, freedom, src = from.elements<T>(), at = m.elements<T>(), dst = y.elements<T>()] {
             if (axis.inner == 1) rows_of(src, at, dst, axis, freedom);
             else columns_of(src, at, dst, axis, freedom);
           }});
  });
  return y;
}

}  // namespace tapegrad::kernels
