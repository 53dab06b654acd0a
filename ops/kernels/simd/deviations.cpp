// Deviations from a mean, along rows and down columns, and distances between rows of two matrices.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/deviations.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/columns-inl.h"
#include "tapegrad/ops/kernels/simd/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

template <class T> void deviations(const T* x, T mean, int64_t n, T* first, T* second) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  const Vec<T> m = hn::Set(d, mean);
  PairwiseSum<T> sum, squares;
  for (int64_t start = 0; start < n; start += kSumBlock) {
    const int64_t end = std::min(n, start + kSumBlock);
    Vec<T> s0 = hn::Zero(d), s1 = s0, q0 = s0, q1 = s0;
    int64_t i = start;
    for (; i + 2 * N <= end; i += 2 * N) {
      const Vec<T> a = hn::Sub(hn::LoadU(d, x + i), m), b = hn::Sub(hn::LoadU(d, x + i + N), m);
      s0 = hn::Add(s0, a);
      s1 = hn::Add(s1, b);
      q0 = hn::MulAdd(a, a, q0);
      q1 = hn::MulAdd(b, b, q1);
    }
    for (; i < end; i += N) {
      const int64_t count = std::min(N, end - i);
      const auto here = hn::FirstN(d, static_cast<size_t>(count));
      const Vec<T> v = count == N ? hn::LoadU(d, x + i) : load_few(x + i, count);
      const Vec<T> a = hn::IfThenElseZero(here, hn::Sub(v, m));
      s0 = hn::Add(s0, a);
      q0 = hn::MulAdd(a, a, q0);
    }
    sum.add(sum_lanes<T>(hn::Add(s0, s1)));
    squares.add(sum_lanes<T>(hn::Add(q0, q1)));
  }
  *first = sum.total();
  *second = squares.total();
}

template <class T>
void deviations_cols(const T* x, const T* mean, T* first, T* second, int64_t rows, int64_t cols, int64_t ld) {
  const Full<T> d;
  for (int64_t start = 0; start < cols; start += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, cols - start);
    HWY_ALIGN T m[kColumnBlock] = {};
    HWY_ALIGN T sum[kColumnBlock];
    HWY_ALIGN T squares[kColumnBlock];
    std::copy_n(mean + start, width, m);
    BlockedSums<T> s(sum), q(squares);
    for (int64_t r = 0; r < rows; ++r) {
      each_vector(x + r * ld + start, width, [&](int64_t c, Vec<T> v) HWY_ATTR {
        const Vec<T> a = hn::Sub(v, hn::Load(d, m + c));
        s.add(c, a);
        q.add(c, hn::Mul(a, a));
      });
      s.next_row(width);
      q.next_row(width);
    }
    s.finish(width);
    q.finish(width);
    std::copy_n(sum, width, first + start);
    std::copy_n(squares, width, second + start);
  }
}

enum class Power { count, sum, squares, max };

template <class T, Power kPower> HWY_INLINE Vec<T> taken(Vec<T> sum, Vec<T> a, Vec<T> b) {
  const Full<T> d;
  const Vec<T> v = hn::Sub(a, b);
  if constexpr (kPower == Power::count) {
    // Not Ne: of NaN it is true on SSE4 and false on AVX.
    return hn::Add(sum, hn::IfThenZeroElse(hn::Eq(v, hn::Zero(d)), hn::Set(d, T{1})));
  } else if constexpr (kPower == Power::sum) {
    return hn::Add(sum, hn::Abs(v));
  } else if constexpr (kPower == Power::squares) {
    return hn::MulAdd(v, v, sum);
  } else {
    const Vec<T> size = hn::Abs(v);
    return hn::IfThenElse(hn::Or(hn::Gt(size, sum), hn::IsNaN(size)), size, sum);
  }
}

// Four vectors of columns stay in registers while k runs; their part of y stays in the cache while the rows of x run.
template <class T, Power kPower>
void distances_of(const T* x, const T* y, T* dst, int64_t rows, int64_t n, int64_t cols) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  const auto finished = [&](Vec<T> s) HWY_ATTR { return kPower == Power::squares ? hn::Sqrt(s) : s; };
  int64_t c = 0;
  for (; c + 4 * N <= cols; c += 4 * N) {
    for (int64_t r = 0; r < rows; ++r) {
      Vec<T> s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      for (int64_t k = 0; k < n; ++k) {
        const Vec<T> a = hn::Set(d, x[r * n + k]);
        const T* b = y + k * cols + c;
        s0 = taken<T, kPower>(s0, a, hn::LoadU(d, b));
        s1 = taken<T, kPower>(s1, a, hn::LoadU(d, b + N));
        s2 = taken<T, kPower>(s2, a, hn::LoadU(d, b + 2 * N));
        s3 = taken<T, kPower>(s3, a, hn::LoadU(d, b + 3 * N));
      }
      T* out = dst + r * cols + c;
      hn::StoreU(finished(s0), d, out);
      hn::StoreU(finished(s1), d, out + N);
      hn::StoreU(finished(s2), d, out + 2 * N);
      hn::StoreU(finished(s3), d, out + 3 * N);
    }
  }
  for (; c < cols; c += N) {
    const int64_t count = std::min(N, cols - c);
    for (int64_t r = 0; r < rows; ++r) {
      Vec<T> s = hn::Zero(d);
      for (int64_t k = 0; k < n; ++k) {
        const T* b = y + k * cols + c;
        s = taken<T, kPower>(s, hn::Set(d, x[r * n + k]), count == N ? hn::LoadU(d, b) : load_few(b, count));
      }
      put(finished(s), dst + r * cols, c, cols);
    }
  }
}

template <class T> void distances(const T* x, const T* y, T* dst, int64_t rows, int64_t n, int64_t cols, double p) {
  if (p == 0) distances_of<T, Power::count>(x, y, dst, rows, n, cols);
  else if (p == 1) distances_of<T, Power::sum>(x, y, dst, rows, n, cols);
  else if (p == 2) distances_of<T, Power::squares>(x, y, dst, rows, n, cols);
  else distances_of<T, Power::max>(x, y, dst, rows, n, cols);
}

template <class T> void fill_floating(Floating<T>& f) {
  f.deviations = &deviations<T>;
  f.deviations_cols = &deviations_cols<T>;
  f.distances = &distances<T>;
}

}  // namespace

void fill_deviations(Table& t) {
  fill_floating(t.f32);
  fill_floating(t.f64);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
