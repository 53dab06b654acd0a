// The register block of matrix products: R rows by one or two vectors of columns, and its write-back.
#if defined(TAPEGRAD_SIMD_GEMM_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_GEMM_INL
#undef TAPEGRAD_SIMD_GEMM_INL
#else
#define TAPEGRAD_SIMD_GEMM_INL
#endif

#include "hwy/cache_control.h"
#include "tapegrad/ops/kernels/simd/pairs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// Where a block of C goes: `overwrite` ignores what is there; `bias` (or null) belongs to the block's first column.
template <class T, class C> struct Target {
  C* c;
  int64_t ldc;
  const T* bias;
  bool overwrite;
};

template <class T, Terms terms, int R, int V> struct Block {
  using Rows = std::make_index_sequence<static_cast<size_t>(R)>;
  Vec<T> acc[R][V];

  // Pack expansion instead of loops: every index is a constant from the start, so the accumulators live in registers.
  template <size_t... I> HWY_INLINE void clear(std::index_sequence<I...>) {
    ((acc[I][0] = hn::Zero(Full<T>()), acc[I][V - 1] = hn::Zero(Full<T>())), ...);
  }
  HWY_INLINE void step(size_t i, Vec<T> a, Vec<T> b0, Vec<T> b1) {
    acc[i][0] = multiply_add<terms, T>(a, b0, acc[i][0]);
    if constexpr (V == 2) acc[i][1] = multiply_add<terms, T>(a, b1, acc[i][1]);
  }
  template <size_t... I>
  HWY_INLINE void outer(const T* a, int64_t row, Vec<T> b0, Vec<T> b1, std::index_sequence<I...>) {
    (step(I, hn::Set(Full<T>(), element(a + static_cast<int64_t>(I) * row)), b0, b1), ...);
  }

  // acc = sum over p of a[i * row + p * col] b[p * ldb + j]. `last` > 0: the last vector has only so many columns.
  template <bool kTail>
  HWY_INLINE void product(int64_t k, const T* a, int64_t row, int64_t col, const T* b, int64_t ldb, int64_t last) {
    constexpr int64_t N = kLanes<T>;
    const auto term = [&](const T* x, const T* y) HWY_ATTR {
      const Full<T> d;
      const Vec<T> b0 = kTail && V == 1 ? load_few(y, last) : hn::LoadU(d, y);
      const Vec<T> b1 = V == 1 ? b0 : kTail ? load_few(y + N, last) : hn::LoadU(d, y + N);
      outer(x, row, b0, b1, Rows());
    };
    clear(Rows());
    for (int64_t p = 0; p < k; ++p, a += col, b += ldb) term(a, b);
  }

  template <class C> HWY_INLINE void prefetch(const Target<T, C>& t) const {
    for (int64_t r = 0; r < R; ++r) {
      hwy::Prefetch(t.c + r * t.ldc);
      if (V == 2) hwy::Prefetch(t.c + r * t.ldc + kLanes<T>);
    }
  }

  template <bool kTail, class C>
  HWY_INLINE void put(Vec<T> v, const Target<T, C>& t, C* c, int64_t j, int64_t last) const {
    const Full<T> d;
    if (t.bias) v = hn::Add(v, kTail ? load_few(t.bias + j, last) : hn::LoadU(d, t.bias + j));
    if constexpr (std::is_same_v<C, T>) {
      if (!t.overwrite) v = hn::Add(v, kTail ? load_few(c + j, last) : hn::LoadU(d, c + j));
      if constexpr (kTail) store_few(v, c + j, last);
      else hn::StoreU(v, d, c + j);
    } else {
      if constexpr (kTail) store_narrow_few(v, c + j, last);
      else store_narrow(v, c + j);
    }
  }
  template <bool kTail, class C, size_t... I>
  HWY_INLINE void store_rows(const Target<T, C>& t, int64_t last, std::index_sequence<I...>) const {
    if constexpr (V == 2) (put<false>(acc[I][0], t, t.c + static_cast<int64_t>(I) * t.ldc, 0, 0), ...);
    (put<kTail>(acc[I][V - 1], t, t.c + static_cast<int64_t>(I) * t.ldc, (V - 1) * kLanes<T>, last), ...);
  }
  template <bool kTail, class C> HWY_INLINE void store(const Target<T, C>& target, int64_t last) const {
    const Target<T, C> t = target;  // a copy no store can alias
    store_rows<kTail>(t, last, Rows());
  }
};

// dst[c * dst_ld + r] = src[r * ld + c]: 128-bit blocks, rows left over one by one.
template <class T>
HWY_INLINE void transpose(const T* src, int64_t ld, int64_t rows, int64_t cols, T* dst, int64_t dst_ld) {
  const hn::CappedTag<T, 16 / sizeof(T)> d;
  constexpr int64_t B = 16 / sizeof(T);
  int64_t r = 0;
  while (HWY_MAX_BYTES >= 16 && rows - r > 0 && rows >= B) {
    if (rows - r < B) r = rows - B;  // the last block overlaps the one before
    const T* s = src + r * ld;
    T* t = dst + r;
    int64_t c = 0;
    for (; c + B <= cols; c += B, s += B, t += B * dst_ld) {
      const auto a0 = hn::LoadU(d, s), a1 = hn::LoadU(d, s + ld);
      if constexpr (B == 4) {
        const auto a2 = hn::LoadU(d, s + 2 * ld), a3 = hn::LoadU(d, s + 3 * ld);
        const auto l0 = hn::InterleaveLower(d, a0, a1), u0 = hn::InterleaveUpper(d, a0, a1);
        const auto l1 = hn::InterleaveLower(d, a2, a3), u1 = hn::InterleaveUpper(d, a2, a3);
        hn::StoreU(hn::ConcatLowerLower(d, l1, l0), d, t);
        hn::StoreU(hn::ConcatUpperUpper(d, l1, l0), d, t + dst_ld);
        hn::StoreU(hn::ConcatLowerLower(d, u1, u0), d, t + 2 * dst_ld);
        hn::StoreU(hn::ConcatUpperUpper(d, u1, u0), d, t + 3 * dst_ld);
      } else {
        hn::StoreU(hn::InterleaveLower(d, a0, a1), d, t);
        hn::StoreU(hn::InterleaveUpper(d, a0, a1), d, t + dst_ld);
      }
    }
    for (; c < cols; ++c, ++s, t += dst_ld) {
      for (int64_t i = 0; i < B; ++i) t[i] = s[i * ld];
    }
    r += B;
  }
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) dst[c * dst_ld + r] = src[r * ld + c];
  }
}

// 128 bits from p on of every so many-th row, from rows[0] on: one block of the vector each.
template <class T> HWY_INLINE Vec<T> blocks_of_rows(const T* const* rows, int64_t p) {
  const Full<T> d;
  constexpr int64_t B = 16 / sizeof(T);
  if constexpr (kLanes<T> == B) {
    return hn::LoadU(d, rows[0] + p);
  } else {
    const hn::CappedTag<T, B> d1;
    const hn::CappedTag<T, 2 * B> d2;
    const auto half = [&](int64_t at) {
      return hn::Combine(d2, hn::LoadU(d1, rows[at + B] + p), hn::LoadU(d1, rows[at] + p));
    };
    if constexpr (kLanes<T> == 2 * B) return half(0);
    else return hn::Combine(d, half(2 * B), half(0));
  }
}

// dst[p * 2N + c] = src[c * ld + p] for N = lanes, columns from `cols` on repeating the last: in blocks of 128 bits, of which
// each load puts one where it belongs, so that what is left to shuffle stays within them.
template <class T> void transpose_panel(const T* src, int64_t ld, int64_t cols, int64_t k, T* dst) {
  const Full<T> d;
  constexpr int64_t B = 16 / sizeof(T), N = kLanes<T>;
  const T* rows[2 * N];
  for (int64_t c = 0; c < 2 * N; ++c) rows[c] = src + std::min(c, cols - 1) * ld;
  int64_t p = 0;
  for (; p + B <= k; p += B) {
    for (int64_t v = 0; v < 2; ++v) {
      const T* const* r = rows + v * N;
      T* to = dst + p * 2 * N + v * N;
      const auto a0 = blocks_of_rows<T>(r, p), a1 = blocks_of_rows<T>(r + 1, p);
      if constexpr (B == 4) {
        const hn::Repartition<double, decltype(d)> w;
        const auto a2 = blocks_of_rows<T>(r + 2, p), a3 = blocks_of_rows<T>(r + 3, p);
        const auto l0 = hn::BitCast(w, hn::InterleaveLower(d, a0, a1)),
                   u0 = hn::BitCast(w, hn::InterleaveUpper(d, a0, a1));
        const auto l1 = hn::BitCast(w, hn::InterleaveLower(d, a2, a3)),
                   u1 = hn::BitCast(w, hn::InterleaveUpper(d, a2, a3));
        hn::StoreU(hn::BitCast(d, hn::InterleaveLower(w, l0, l1)), d, to);
        hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(w, l0, l1)), d, to + 2 * N);
        hn::StoreU(hn::BitCast(d, hn::InterleaveLower(w, u0, u1)), d, to + 4 * N);
        hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(w, u0, u1)), d, to + 6 * N);
      } else {
        hn::StoreU(hn::InterleaveLower(d, a0, a1), d, to);
        hn::StoreU(hn::InterleaveUpper(d, a0, a1), d, to + 2 * N);
      }
    }
  }
  for (; p < k; ++p)
    for (int64_t c = 0; c < 2 * N; ++c) dst[p * 2 * N + c] = element(rows[c] + p);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
