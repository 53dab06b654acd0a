// Softmax, log-softmax, logsumexp and indices of extremes down columns that lie side by side, a vector of columns at a time.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/columns.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/columns-inl.h"
#include "tapegrad/ops/kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// The largest element of each column, NaN left out: it comes back through exp(NaN - max).
template <class T> HWY_INLINE void column_max(const T* x, T* max, int64_t rows, int64_t cols, int64_t ld) {
  const Full<T> d;
  std::fill_n(max, kColumnBlock, -kInf<T>);
  for (int64_t r = 0; r < rows; ++r) {
    each_vector(x + r * ld, cols,
                [&](int64_t c, Vec<T> v) HWY_ATTR { hn::Store(hn::Max(v, hn::Load(d, max + c)), d, max + c); });
  }
}

// The sum of exp(x - max) down each column, and the terms themselves in y unless it is null.
template <class T, bool kKeep>
HWY_INLINE void exp_sums(const T* x, T* y, const T* max, T* sum, int64_t rows, int64_t cols, int64_t ld) {
  const Full<T> d;
  BlockedSums<T> total(sum);
  for (int64_t r = 0; r < rows; ++r) {
    each_vector(x + r * ld, cols, [&](int64_t c, Vec<T> v) HWY_ATTR {
      const Vec<T> e = exp_of_negative(d, hn::Sub(v, hn::Load(d, max + c)));
      if constexpr (kKeep) put(e, y + r * ld, c, cols);
      total.add(c, e);
    });
    total.next_row(cols);
  }
  total.finish(cols);
}

template <class T, bool kLog> void softmax_block(const T* x, T* y, int64_t rows, int64_t cols, int64_t ld) {
  const Full<T> d;
  HWY_ALIGN T max[kColumnBlock];
  HWY_ALIGN T sum[kColumnBlock];
  column_max(x, max, rows, cols, ld);
  exp_sums<T, !kLog>(x, y, max, sum, rows, cols, ld);
  for (int64_t c = 0; c < cols; c += kLanes<T>) {
    const Vec<T> s = hn::Load(d, sum + c);
    if constexpr (kLog) hn::Store(log(d, s), d, sum + c);
    else hn::Store(hn::Div(hn::Set(d, T{1}), s), d, sum + c);
  }
  for (int64_t r = 0; r < rows; ++r) {
    each_vector((kLog ? x : y) + r * ld, cols, [&](int64_t c, Vec<T> v) HWY_ATTR {
      const Vec<T> s = hn::Load(d, sum + c);
      put(kLog ? hn::Sub(hn::Sub(v, hn::Load(d, max + c)), s) : hn::Mul(v, s), y + r * ld, c, cols);
    });
  }
}

template <class T, bool kLog>
void softmax_backward_block(const T* dy, const T* y, T* dx, int64_t rows, int64_t cols, int64_t ld) {
  const Full<T> d;
  HWY_ALIGN T sum[kColumnBlock];
  BlockedSums<T> total(sum);
  for (int64_t r = 0; r < rows; ++r) {
    each_vectors(dy + r * ld, y + r * ld, cols,
                 [&](int64_t c, Vec<T> g, Vec<T> v) HWY_ATTR { total.add(c, kLog ? g : hn::Mul(g, v)); });
    total.next_row(cols);
  }
  total.finish(cols);
  for (int64_t r = 0; r < rows; ++r) {
    each_vectors(dy + r * ld, y + r * ld, cols, [&](int64_t c, Vec<T> g, Vec<T> v) HWY_ATTR {
      const Vec<T> s = hn::Load(d, sum + c);
      put(kLog ? hn::NegMulAdd(exp_of_negative(d, v), s, g) : hn::Mul(v, hn::Sub(g, s)), dx + r * ld, c, cols);
    });
  }
}

template <class T> void logsumexp_block(const T* x, T* y, int64_t rows, int64_t cols, int64_t ld) {
  const Full<T> d;
  HWY_ALIGN T max[kColumnBlock];
  HWY_ALIGN T sum[kColumnBlock];
  HWY_ALIGN T nan[kColumnBlock] = {};
  column_max(x, max, rows, cols, ld);
  for (int64_t r = 0; r < rows; ++r) {
    each_vector(x + r * ld, cols, [&](int64_t c, Vec<T> v) HWY_ATTR {
      hn::Store(hn::IfThenElse(hn::IsNaN(v), v, hn::Load(d, nan + c)), d, nan + c);
    });
  }
  exp_sums<T, false>(x, nullptr, max, sum, rows, cols, ld);
  for (int64_t c = 0; c < cols; c += kLanes<T>) {
    const Vec<T> m = hn::Load(d, max + c), none = hn::Load(d, nan + c);
    // inf - inf would be NaN where the limit is the infinity
    const auto infinite = hn::Eq(hn::Abs(m), hn::Set(d, kInf<T>));
    const Vec<T> finite = hn::Add(m, log(d, hn::Load(d, sum + c)));
    put(hn::IfThenElse(infinite, hn::IfThenElse(hn::IsNaN(none), none, m), finite), y, c, cols);
  }
}

// For integers, and for more rows than the lanes of a float can count.
template <class T, bool kSmallest>
void arg_block_scalar(const T* x, int64_t* dst, int64_t rows, int64_t cols, int64_t ld) {
  T best[kColumnBlock];
  std::copy_n(x, cols, best);
  std::fill_n(dst, cols, 0);
  for (int64_t r = 1; r < rows; ++r) {
    const T* row = x + r * ld;
    for (int64_t c = 0; c < cols; ++c) {
      const bool better = (kSmallest ? row[c] < best[c] : row[c] > best[c]) || (row[c] != row[c] && best[c] == best[c]);
      best[c] = better ? row[c] : best[c];
      dst[c] = better ? r : dst[c];
    }
  }
}

template <class T, bool kSmallest> void arg_block(const T* x, int64_t* dst, int64_t rows, int64_t cols, int64_t ld) {
  if constexpr (!std::is_floating_point_v<T>) {
    arg_block_scalar<T, kSmallest>(x, dst, rows, cols, ld);
  } else {
    const Full<T> d;
    const hn::RebindToSigned<decltype(d)> di;
    using I = hn::TFromD<decltype(di)>;
    if (rows > std::numeric_limits<I>::max()) return arg_block_scalar<T, kSmallest>(x, dst, rows, cols, ld);
    HWY_ALIGN T best[kColumnBlock] = {};
    HWY_ALIGN I at[kColumnBlock] = {};
    std::copy_n(x, cols, best);
    for (int64_t r = 1; r < rows; ++r) {
      const auto here = hn::Set(di, static_cast<I>(r));
      each_vector(x + r * ld, cols, [&](int64_t c, Vec<T> v) HWY_ATTR {
        const Vec<T> b = hn::Load(d, best + c);
        const auto first_nan = hn::AndNot(hn::IsNaN(b), hn::IsNaN(v));
        const auto better = hn::Or(kSmallest ? hn::Lt(v, b) : hn::Gt(v, b), first_nan);
        hn::Store(hn::IfThenElse(better, v, b), d, best + c);
        hn::Store(hn::IfThenElse(hn::RebindMask(di, better), here, hn::Load(di, at + c)), di, at + c);
      });
    }
    for (int64_t c = 0; c < cols; ++c) dst[c] = at[c];
  }
}

// body(first column, number of columns) for blocks whose accumulators are on the stack.
template <class Body> HWY_INLINE void blocks(int64_t cols, const Body& body) {
  for (int64_t c = 0; c < cols; c += kColumnBlock) body(c, std::min(kColumnBlock, cols - c));
}

template <class T>
void argmax_cols(const void* src, int64_t* dst, int64_t rows, int64_t cols, int64_t ld, bool smallest) {
  const T* x = static_cast<const T*>(src);
  blocks(cols, [&](int64_t c, int64_t width) {
    smallest ? arg_block<T, true>(x + c, dst + c, rows, width, ld)
             : arg_block<T, false>(x + c, dst + c, rows, width, ld);
  });
}

template <class T> void softmax_cols(const T* x, T* y, int64_t rows, int64_t cols, int64_t ld, bool log) {
  blocks(cols, [&](int64_t c, int64_t width) {
    log ? softmax_block<T, true>(x + c, y + c, rows, width, ld)
        : softmax_block<T, false>(x + c, y + c, rows, width, ld);
  });
}

template <class T>
void softmax_backward_cols(const T* dy, const T* y, T* dx, int64_t rows, int64_t cols, int64_t ld, bool log) {
  blocks(cols, [&](int64_t c, int64_t width) {
    log ? softmax_backward_block<T, true>(dy + c, y + c, dx + c, rows, width, ld)
        : softmax_backward_block<T, false>(dy + c, y + c, dx + c, rows, width, ld);
  });
}

template <class T> void logsumexp_cols(const T* x, T* y, int64_t rows, int64_t cols, int64_t ld) {
  blocks(cols, [&](int64_t c, int64_t width) { logsumexp_block(x + c, y + c, rows, width, ld); });
}

template <class T> void fill_floating(Floating<T>& f) {
  f.softmax_cols = &softmax_cols<T>;
  f.softmax_backward_cols = &softmax_backward_cols<T>;
  f.logsumexp_cols = &logsumexp_cols<T>;
}

template <class T> void offer_argmax(Table& t, DType dtype) {
  t.argmax_cols[static_cast<int>(dtype)] = &argmax_cols<T>;
}

}  // namespace

void fill_columns(Table& t) {
  fill_floating(t.f32);
  fill_floating(t.f64);
  offer_argmax<uint8_t>(t, kBool);
  offer_argmax<uint8_t>(t, kUInt8);
  offer_argmax<int32_t>(t, kInt32);
  offer_argmax<int64_t>(t, kInt64);
  offer_argmax<float>(t, kFloat32);
  offer_argmax<double>(t, kFloat64);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
