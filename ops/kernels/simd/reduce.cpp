// Sums, extrema and their indices along rows and columns.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/reduce.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/bfloat16-inl.h"
#include "tapegrad/ops/kernels/simd/reduce-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

constexpr int64_t kColumnBlock = 512;  // accumulators that stay in the first-level cache
constexpr int64_t kRowBlock = 64;      // rows summed before they join the next level
constexpr int kLevels = 4;             // 64^3 rows fill three levels; the last takes any number

template <class T> HWY_INLINE T plus(T a, T b) {
  if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else return a + b;
}

template <class T> struct Sum {
  static HWY_INLINE T combine(T a, T b) { return plus(a, b); }
  template <class D, class V> static HWY_INLINE V combine(D, V a, V b) { return hn::Add(a, b); }
  static HWY_INLINE T row(const T* x, int64_t n) {
    if constexpr (std::is_floating_point_v<T>) return row_sum(x, n);
    T sum = 0;
    for (int64_t i = 0; i < n; ++i) sum = plus(sum, x[i]);
    return sum;
  }
};
template <class T> struct Max {
  static HWY_INLINE T combine(T a, T b) { return ((b > a) | (b != b)) ? b : a; }
  template <class D, class V> static HWY_INLINE V combine(D, V a, V b) {
    return hn::IfThenElse(hn::Or(hn::Gt(b, a), hn::IsNaN(b)), b, a);
  }
  static HWY_INLINE T row(const T* x, int64_t n) { return row_extreme<T, false>(x, n); }
};
template <class T> struct Min {
  static HWY_INLINE T combine(T a, T b) { return ((b < a) | (b != b)) ? b : a; }
  template <class D, class V> static HWY_INLINE V combine(D, V a, V b) {
    return hn::IfThenElse(hn::Or(hn::Lt(b, a), hn::IsNaN(b)), b, a);
  }
  static HWY_INLINE T row(const T* x, int64_t n) { return row_extreme<T, true>(x, n); }
};

template <class T> struct Prod {
  static HWY_INLINE T combine(T a, T b) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else return a * b;
  }
  template <class D, class V> static HWY_INLINE V combine(D, V a, V b) { return hn::Mul(a, b); }
  static HWY_INLINE T row(const T* x, int64_t n) {
    constexpr int64_t kChains = 32;  // independent products: as many as keep the multiplier busy
    T chain[kChains];
    std::fill_n(chain, kChains, T{1});
    int64_t i = 0;
    if constexpr (std::is_floating_point_v<T> && kLanes<T> >= 4) {
      constexpr int64_t N = kLanes<T>;
      const Full<T> d;
      Vec<T> vectors[kChains / N];
      for (Vec<T>& v : vectors) v = hn::Set(d, T{1});
      for (; i + kChains <= n; i += kChains) {
#pragma GCC unroll 8
        for (int64_t j = 0; j < kChains / N; ++j) vectors[j] = hn::Mul(vectors[j], hn::LoadU(d, x + i + j * N));
      }
      for (int64_t j = 0; j < kChains / N; ++j) hn::StoreU(vectors[j], d, chain + j * N);
    } else {
      for (; i + kChains <= n; i += kChains) {
        for (int64_t j = 0; j < kChains; ++j) chain[j] = combine(chain[j], x[i + j]);
      }
    }
    T product = 1;
    for (; i < n; ++i) product = combine(product, x[i]);
    for (int64_t j = 0; j < kChains && n >= kChains; ++j) product = combine(product, chain[j]);
    return product;
  }
};

template <class T, class Op> void reduce_rows(const void* src, void* dst, int64_t rows, int64_t cols, int64_t ld) {
  const T* x = static_cast<const T*>(src);
  for (int64_t r = 0; r < rows; ++r) static_cast<T*>(dst)[r] = Op::row(x + r * ld, cols);
}

template <class T> HWY_INLINE Vec<T> load_as(const T* x) { return hn::LoadU(Full<T>(), x); }
template <class T> HWY_INLINE Vec<T> load_as(const BFloat16* x) { return load_as_float(x); }

// acc = acc op rows; four rows at a time touch the accumulators once. S: what is stored, T or bfloat16.
template <class T, class Op, class S>
HWY_INLINE void take_rows(const S* x, int64_t rows, int64_t cols, int64_t ld, T* HWY_RESTRICT acc) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * ld) {
    const S *x0 = x, *x1 = x + ld, *x2 = x + 2 * ld, *x3 = x + 3 * ld;
    int64_t c = 0;
    if constexpr (std::is_floating_point_v<T>) {
      const Full<T> d;
      for (; c + kLanes<T> <= cols; c += kLanes<T>) {
        const Vec<T> low = Op::combine(d, load_as<T>(x0 + c), load_as<T>(x1 + c));
        const Vec<T> high = Op::combine(d, load_as<T>(x2 + c), load_as<T>(x3 + c));
        hn::StoreU(Op::combine(d, hn::LoadU(d, acc + c), Op::combine(d, low, high)), d, acc + c);
      }
    }
    for (; c < cols; ++c)
      acc[c] = Op::combine(acc[c], Op::combine(Op::combine(x0[c], x1[c]), Op::combine(x2[c], x3[c])));
  }
  for (; r < rows; ++r, x += ld) {
    for (int64_t c = 0; c < cols; ++c) acc[c] = Op::combine(acc[c], x[c]);
  }
}

// before(first row, count) runs before rows are read.
template <class T, class S, class Before>
HWY_INLINE void sum_column_block(const S* x, T* dst, int64_t rows, int64_t cols, int64_t ld, const Before& before) {
  HWY_ALIGN T level[kLevels][kColumnBlock];
  int used = 1;
  std::fill_n(level[0], cols, T{0});
  for (int64_t start = 0, blocks = 1; start < rows; start += kRowBlock, ++blocks) {
    const int64_t count = std::min(kRowBlock, rows - start);
    before(start, count);
    take_rows<T, Sum<T>>(x + start * ld, count, cols, ld, level[0]);
    int64_t filled = blocks;
    for (int l = 0; l + 1 < kLevels && (l == 0 || filled % kRowBlock == 0); ++l) {
      if (l > 0) filled /= kRowBlock;
      if (l + 1 == used) std::fill_n(level[used++], cols, T{0});
      take_rows<T, Sum<T>>(level[l], 1, cols, 0, level[l + 1]);
      std::fill_n(level[l], cols, T{0});
    }
  }
  for (int l = used - 1; l > 0; --l) take_rows<T, Sum<T>>(level[l], 1, cols, 0, level[l - 1]);
  std::copy_n(level[0], cols, dst);
}

void sum_cols_of_bfloat16(const void* src, void* dst, int64_t rows, int64_t cols, int64_t ld) {
  for (int64_t c = 0; c < cols; c += kColumnBlock)
    sum_column_block(static_cast<const BFloat16*>(src) + c, static_cast<float*>(dst) + c, rows,
                     std::min(kColumnBlock, cols - c), ld, [](int64_t, int64_t) {});
}

template <class T, class Op> void reduce_cols(const void* src, void* dst, int64_t rows, int64_t cols, int64_t ld) {
  const T* x = static_cast<const T*>(src);
  T* y = static_cast<T*>(dst);
  for (int64_t c = 0; c < cols; c += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, cols - c);
    if constexpr (std::is_same_v<Op, Sum<T>>) {
      sum_column_block(x + c, y + c, rows, width, ld, [](int64_t, int64_t) {});
    } else {
      HWY_ALIGN T acc[kColumnBlock];
      std::fill_n(acc, width, Op::row(x, 0));
      take_rows<T, Op>(x + c, rows, width, ld, acc);
      std::copy_n(acc, width, y + c);
    }
  }
}

// Block by block, so that the search vectorises.
template <class T, class Wanted> HWY_INLINE int64_t first_of(const T* x, int64_t n, const Wanted& wanted) {
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    unsigned hit = 0;
    for (int64_t j = 0; j < 64; ++j) hit |= wanted(x[i + j]);
    if (hit) break;
  }
  for (; i < n; ++i) {
    if (wanted(x[i])) return i;
  }
  return 0;
}

// The extreme first, by vectors; then where it is.
template <class T, bool kSmallest> HWY_INLINE int64_t row_index(const T* x, int64_t n) {
  const T best = row_extreme<T, kSmallest>(x, n);
  if (best != best) return first_of(x, n, [](T v) { return v != v; });
  return first_of(x, n, [best](T v) { return v == best; });
}

// Rows go through the tile and into the sums while they are in the cache.
template <class T> void map_sum_cols(Tile tile, char* const* ptr, void* sums, int64_t rows, int64_t cols, int64_t ld) {
  constexpr int64_t item = sizeof(T), stride[] = {item, item, item};
  for (int64_t c = 0; c < cols; c += kColumnBlock) {
    const int64_t width = std::min(kColumnBlock, cols - c);
    const bool joined = width == ld;
    const auto map = [&](int64_t first, int64_t count) {
      for (int64_t r = first; r < first + count; r += joined ? count : 1) {
        const int64_t at = (r * ld + c) * item;
        char* const run[] = {ptr[0] + at, ptr[1] + at, ptr[2] + at};
        tile(run, stride, joined ? count * width : width, nullptr);
      }
    };
    sum_column_block(reinterpret_cast<const T*>(ptr[0]) + c, static_cast<T*>(sums) + c, rows, width, ld, map);
  }
}

template <class T>
void argmax_rows(const void* src, int64_t* dst, int64_t rows, int64_t cols, int64_t ld, bool smallest) {
  const T* x = static_cast<const T*>(src);
  for (int64_t r = 0; r < rows; ++r)
    dst[r] = smallest ? row_index<T, true>(x + r * ld, cols) : row_index<T, false>(x + r * ld, cols);
}

template <class T, template <class> class Op> void offer(Table& t, Reduce reduce, DType dtype) {
  t.reduce_rows[static_cast<int>(reduce)][static_cast<int>(dtype)] = &reduce_rows<T, Op<T>>;
  t.reduce_cols[static_cast<int>(reduce)][static_cast<int>(dtype)] = &reduce_cols<T, Op<T>>;
}

template <class T> void join_sums(const void* sums, void* dst, int64_t n) {
  PairwiseSum<T> sum;
  for (int64_t i = 0; i < n; ++i) sum.add(static_cast<const T*>(sums)[i]);
  *static_cast<T*>(dst) = sum.total();
}

template <class T> void offer_extremes(Table& t, DType dtype) {
  offer<T, Max>(t, Reduce::amax, dtype);
  offer<T, Min>(t, Reduce::amin, dtype);
  t.argmax_rows[static_cast<int>(dtype)] = &argmax_rows<T>;
}

}  // namespace

void fill_reduce(Table& t) {
  offer<int64_t, Prod>(t, Reduce::prod, kInt64);
  offer<float, Prod>(t, Reduce::prod, kFloat32);
  offer<double, Prod>(t, Reduce::prod, kFloat64);
  offer<int64_t, Sum>(t, Reduce::sum, kInt64);
  t.reduce_cols[static_cast<int>(Reduce::sum)][static_cast<int>(kBFloat16)] = &sum_cols_of_bfloat16;
  offer<float, Sum>(t, Reduce::sum, kFloat32);
  offer<double, Sum>(t, Reduce::sum, kFloat64);
  t.join_sums[static_cast<int>(kFloat32)] = &join_sums<float>;
  t.join_sums[static_cast<int>(kFloat64)] = &join_sums<double>;
  t.f32.map_sum_cols = &map_sum_cols<float>;
  t.f64.map_sum_cols = &map_sum_cols<double>;
  offer_extremes<uint8_t>(t, kBool);
  offer_extremes<uint8_t>(t, kUInt8);
  offer_extremes<int32_t>(t, kInt32);
  offer_extremes<int64_t>(t, kInt64);
  offer_extremes<float>(t, kFloat32);
  offer_extremes<double>(t, kFloat64);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
