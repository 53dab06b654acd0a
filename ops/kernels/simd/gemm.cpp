// Blocked matrix products (after Goto and van de Geijn, 2008): A is read where it lies, B in panels, packed where that pays.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/gemm.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/gemm-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// R rows by two vectors fill the registers: 32 in AVX-512, 16 below it (where SSE4 needs some for the products).
constexpr int R = HWY_TARGET == HWY_AVX3 ? 12 : HWY_TARGET == HWY_AVX2 ? 6 : 4;
template <class T> constexpr int64_t kWidth = 2 * kLanes<T>;
constexpr int64_t kDepth = 256;         // a panel of B, 32 KB, stays in the first-level cache
constexpr int64_t kRows = 96;           // so many rows of A in the second
constexpr int64_t kColumns = 512;       // and B's panels: 512 KB (float), 1 MB
constexpr int64_t kDeep = 1024;         // so many terms of a row are added before the next rows
constexpr int64_t kTurnedDepth = 2048;  // few columns, so all of a long sum in one go
// Up to so many rows, B is not read often enough to pay for packing, unless its rows share a few sets of the cache.
constexpr int64_t kFewRows = 400, kAliasingBytes = 4096;
constexpr int64_t kFewProducts = 128, kWide = 256;
constexpr int64_t kStreamedBytes = int64_t{1} << 20;  // what a second-level cache holds
constexpr int64_t kDistantBytes = 12'000'000;         // and what a share of the third one does not

constexpr int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// A strip of rows of A, element (i, p) at a[i * row + p * col], and a panel of B.
template <class T> struct Operands {
  const T* a;
  int64_t row, col;
  const T* b;
  int64_t ldb;
};

// Everything by value: a struct written field by field and read back in one vector is a stalled load for every block.
template <class T, class C>
using BlockFn = void (*)(int64_t k, const T* a, int64_t row, int64_t col, const T* b, int64_t ldb, int64_t last, C* c,
                         int64_t ldc, const T* bias, bool overwrite);

template <class T, class C, Terms terms, int Rows, int V, bool kTail>
HWY_NOINLINE void block(int64_t k, const T* a, int64_t row, int64_t col, const T* b, int64_t ldb, int64_t last, C* c,
                        int64_t ldc, const T* bias, bool overwrite) {
  const Target<T, C> t{c, ldc, bias, overwrite};
  Block<T, terms, Rows, V> acc;
  if (k >= 64) acc.prefetch(t);
  acc.template product<kTail>(k, a, row, col, b, ldb, last);
  acc.template store<kTail>(t, last);
}

// The blocks of 1 to R rows.
template <class T, class C, Terms terms, int V, bool kTail, int... Rows>
const BlockFn<T, C>* blocks_of(std::integer_sequence<int, Rows...>) {
  static constexpr BlockFn<T, C> all[] = {&block<T, C, terms, Rows + 1, V, kTail>...};
  return all;
}
template <class T, class C, Terms terms> const BlockFn<T, C>* blocks(int64_t cols) {
  constexpr int64_t N = kLanes<T>;
  using Rows = std::make_integer_sequence<int, R>;
  if constexpr (HWY_TARGET != HWY_AVX3) {  // where a masked load or store costs more than a whole one
    if (cols == 2 * N) return blocks_of<T, C, terms, 2, false>(Rows());
    if (cols == N) return blocks_of<T, C, terms, 1, false>(Rows());
  }
  return cols > N ? blocks_of<T, C, terms, 2, true>(Rows()) : blocks_of<T, C, terms, 1, true>(Rows());
}

// Rows of a matrix that are read before long: some are asked for between two blocks of what is multiplied now.
struct Rows {
  uintptr_t at = 0;  // no pointer: past the end it is only asked for
  int64_t rows = 0, stride = 0, bytes = 0, share = 0;

  Rows() = default;
  // From x[first] on; `times` between blocks.
  template <class T>
  Rows(const T* x, int64_t first, int64_t ld, int64_t height, int64_t width, int64_t times)
      : at(reinterpret_cast<uintptr_t>(x) + static_cast<uintptr_t>(first) * sizeof(T)),
        rows(height),
        stride(ld * static_cast<int64_t>(sizeof(T))),
        bytes(width * static_cast<int64_t>(sizeof(T))),
        share(times > 0 ? (height + times - 1) / times : 0) {}
  void ask() {
    for (const int64_t left = std::max<int64_t>(0, rows - share); rows > left;
         --rows, at += static_cast<uintptr_t>(stride)) {
      for (int64_t c = 0; c < bytes; c += 64)
        __builtin_prefetch(reinterpret_cast<void*>(at + static_cast<uintptr_t>(c)), 0, 2);
    }
  }
};
struct Ahead {
  Rows a, b;
  bool wanted = false;
  HWY_NOINLINE void ask() {
    a.ask();
    b.ask();
  }
};
struct Nothing {};  // to be asked for: small products feel the question

// b_panel: from one panel of columns of B to the next. Rows are dealt out evenly: a strip of few leaves the units waiting.
// Few products each: C, written row by row, is what takes the time. Else a panel of B is read from the first-level cache.
template <Terms terms, class T, class C, class Next = Nothing>
void multiply(int64_t m, int64_t n, int64_t k, const Operands<T>& x, int64_t b_panel, const Target<T, C>& t,
              [[maybe_unused]] Next* next = nullptr) {
  constexpr int64_t W = kWidth<T>, N = kLanes<T>;
  if (m == 0) return;
  const int64_t strips = (m + R - 1) / R, tall = m % strips == 0 ? strips : m % strips,
                height = (m + strips - 1) / strips;
  const auto panel = [&](int64_t j, int64_t from, int64_t to) HWY_ATTR {
    const int64_t cols = std::min(W, n - j), last = cols > N ? cols - N : cols;
    const BlockFn<T, C>* fn = blocks<T, C, terms>(cols);
    const T* b = x.b + j / W * b_panel;
    const T* bias = t.bias ? t.bias + j : nullptr;
    for (int64_t s = from; s < to; ++s) {
      const int64_t rows = s < tall ? height : height - 1, i = s * height - std::max<int64_t>(0, s - tall);
      if constexpr (std::is_same_v<Next, Ahead>) {
        if (next->wanted) next->ask();
      }
      fn[rows - 1](k, x.a + i * x.row, x.row, x.col, b, x.ldb, last, t.c + i * t.ldc + j, t.ldc, bias, t.overwrite);
    }
  };
  if (k <= kFewProducts) {
    for (int64_t s = 0; s < strips; ++s)
      for (int64_t j = 0; j < n; j += W) panel(j, s, s + 1);
  } else {
    for (int64_t j = 0; j < n; j += W) panel(j, 0, strips);
  }
}

// dst[j/W][p][j%W]: W columns of op(B) at a time; what is right of the last is never used. Transposed: b[j * ldb + p].
template <class T> void pack_b(const T* b, int64_t ldb, bool trans, int64_t k, int64_t n, T* dst) {
  constexpr int64_t W = kWidth<T>;
  for (int64_t j = 0; j < n; j += W, dst += W * k) {
    const int64_t cols = std::min(W, n - j);
    if (trans) {
      transpose_panel(b + j * ldb, ldb, cols, k, dst);
    } else if (cols == W) {
      for (int64_t p = 0; p < k; ++p) std::memcpy(dst + p * W, b + p * ldb + j, W * sizeof(T));
    } else {
      for (int64_t p = 0; p < k; ++p) {
        for (int64_t c = 0; c < W; ++c) dst[p * W + c] = c < cols ? b[p * ldb + j + c] : T{0};
      }
    }
  }
}

// For few rows, to which B is a long stream: a panel is used as soon as it is packed, and between strips the next is asked for.
template <class T, Terms terms, class C> void gemm_streamed(const Gemm<T, C>& g, T* workspace) {
  constexpr int64_t W = kWidth<T>;
  const int64_t a_row = g.trans_a ? 1 : g.lda, a_col = g.trans_a ? g.lda : 1;
  const int64_t strips = (g.m + R - 1) / R, height = (g.m + strips - 1) / strips;
  for (int64_t p = 0; p == 0 || p < g.k; p += kDepth) {
    const int64_t k = std::min(kDepth, g.k - p), share = (k + strips - 1) / strips;
    const bool first = p == 0;
    for (int64_t j = 0; j < g.n; j += W) {
      const int64_t n = std::min(W, g.n - j);
      const T* const b = g.b + p * g.ldb + j;
      pack_b(b, g.ldb, false, k, n, workspace);
      auto next = reinterpret_cast<uintptr_t>(b + n);  // no pointer: past the end it is only asked for
      for (int64_t i = 0; i < g.m; i += height) {
        for (int64_t r = 0; r < share; ++r, next += static_cast<uintptr_t>(g.ldb) * sizeof(T))
          for (uintptr_t c = 0; c < W * sizeof(T); c += 64) __builtin_prefetch(reinterpret_cast<void*>(next + c), 0, 2);
        const T* const bias = first && g.bias ? g.bias + j : nullptr;
        const Target<T, C> t{g.c + i * g.ldc + j, g.ldc, bias, first && !g.accumulate};
        const Operands<T> x{g.a + p * a_col + i * a_row, a_row, a_col, workspace, W};
        multiply<terms>(std::min(height, g.m - i), n, k, x, W, t);
      }
    }
  }
}

template <class T, class C> bool packs_b(const Gemm<T, C>& g) {
  const bool aliases = g.ldb * static_cast<int64_t>(sizeof(T)) % kAliasingBytes == 0 && g.m >= 2 * R;
  return g.trans_b || g.m > kFewRows || aliases;
}

template <class T, class C> bool streams_b(const Gemm<T, C>& g) { return packs_b(g) && !g.trans_b && g.m <= kRows; }

template <class T, class C = T> int64_t gemm_workspace(const Gemm<T, C>& g) {
  if (!packs_b(g)) return 0;
  if (streams_b(g)) return std::min(g.k, kDepth) * kWidth<T>;
  return std::min(g.k, kDeep) * std::min(round_up(g.n, kWidth<T>), kColumns);
}

// Whether A and B are so large that the caches lose part of them before it is read. Rows of A, and of a B that is packed, the
// processor sees coming; columns of A and panels of B it does not, and wide products read those of A once a panel.
template <class T, class C> bool is_distant(const Gemm<T, C>& g) {
  if (!g.trans_a && packs_b(g)) return false;
  const int64_t bytes = (g.m + g.n) * g.k * static_cast<int64_t>(sizeof(T));
  return bytes > (g.trans_a && g.n >= kWide ? kDistantBytes / 2 : kDistantBytes);
}

// What gemm() multiplies with after rows i and terms p, of those in [from, to).
template <class T, class C>
HWY_NOINLINE Rows next_of_a(const Gemm<T, C>& g, int64_t i, int64_t p, int64_t from, int64_t to, int64_t times) {
  p += kDepth;
  if (p >= to) p = from, i += kRows;
  if (i >= g.m) i = 0, p = to;
  const int64_t m = std::min(kRows, g.m - i), k = std::min(kDepth, g.k - p);
  return g.trans_a ? Rows(g.a, p * g.lda + i, g.lda, k, m, times) : Rows(g.a, i * g.lda + p, g.lda, m, k, times);
}
template <class T, class C>
HWY_NOINLINE Rows next_of_b(const Gemm<T, C>& g, int64_t j, int64_t n, int64_t from, int64_t to, int64_t times) {
  const int64_t k = std::min(to - from, g.k - to);
  return g.trans_b ? Rows(g.b, j * g.ldb + to, g.ldb, n, k, times) : Rows(g.b, to * g.ldb + j, g.ldb, k, n, times);
}

// Of C and A some rows at a time. Where B is packed they stay in the cache for all terms of so much depth; where it is not, it is
// B that is read once.
template <class T, Terms terms = Terms::one, class C = T> void gemm(const Gemm<T, C>& g, T* workspace) {
  constexpr int64_t W = kWidth<T>;
  const int64_t a_row = g.trans_a ? 1 : g.lda, a_col = g.trans_a ? g.lda : 1;
  const bool pack = packs_b(g);
  if (streams_b(g)) return gemm_streamed<T, terms>(g, workspace);
  const int64_t depth = pack ? kDeep : kDepth;
  Ahead ahead;
  const bool distant = ahead.wanted = is_distant(g);
  for (int64_t j = 0; j < g.n; j += kColumns) {
    const int64_t n = std::min(kColumns, g.n - j), width = round_up(n, W);
    const auto b_at = [&](int64_t p) { return g.trans_b ? g.b + j * g.ldb + p : g.b + p * g.ldb + j; };
    for (int64_t from = 0; from == 0 || from < g.k; from += depth) {
      const int64_t to = std::min(from + depth, g.k);
      for (int64_t p = from; pack && p < to; p += kDepth)
        pack_b(b_at(p), g.ldb, g.trans_b, std::min(kDepth, to - p), n, workspace + (p - from) * width);
      const int64_t panels = width / W, blocks = (g.m + R - 1) / R * panels * ((to - from + kDepth - 1) / kDepth);
      if (distant) ahead.b = next_of_b(g, j, n, from, to, blocks);
      for (int64_t i = 0; i < g.m; i += kRows) {
        const int64_t m = std::min(kRows, g.m - i);
        for (int64_t p = from; p == 0 || p < to; p += kDepth) {
          if (distant) ahead.a = next_of_a(g, i, p, from, to, (m + R - 1) / R * panels);
          const int64_t k = std::min(kDepth, to - p);
          const T* b = pack ? workspace + (p - from) * width : b_at(p);
          const bool first = p == 0;
          const Target<T, C> t{g.c + i * g.ldc + j, g.ldc, first && g.bias ? g.bias + j : nullptr,
                               first && !g.accumulate};
          const Operands<T> x{g.a + i * a_row + p * a_col, a_row, a_col, b, pack ? W : g.ldb};
          multiply<terms>(m, n, k, x, pack ? W * k : W, t, &ahead);
        }
      }
    }
  }
}

template <class T, Terms terms = Terms::one, class C = T> void gemm_small(const Gemm<T, C>& g) {
  constexpr int64_t W = kWidth<T>;
  const int64_t a_row = g.trans_a ? 1 : g.lda, a_col = g.trans_a ? g.lda : 1;
  if (!g.trans_b) {
    const Target<T, C> t{g.c, g.ldc, g.bias, !g.accumulate};
    return multiply<terms>(g.m, g.n, g.k, Operands<T>{g.a, a_row, a_col, g.b, g.ldb}, W, t);
  }
  HWY_ALIGN T panel[kDepth * W];
  for (int64_t j = 0; j < g.n; j += W) {
    const int64_t n = std::min(W, g.n - j);
    for (int64_t p = 0; p == 0 || p < g.k; p += kDepth) {
      const int64_t k = std::min(kDepth, g.k - p);
      transpose_panel(g.b + j * g.ldb + p, g.ldb, n, k, panel);
      const bool first = p == 0;
      const Target<T, C> t{g.c + j, g.ldc, first && g.bias ? g.bias + j : nullptr, first && !g.accumulate};
      multiply<terms>(g.m, n, k, Operands<T>{g.a + p * a_col, a_row, a_col, panel, W}, W, t);
    }
  }
}

// ---- C^T = B A^T: B, stored [n, k], takes A's place ----

// Writes the block of C^T at `tile` back as columns of C.
template <class T> void turn_back(T* tile, int64_t rows, int64_t cols, const Target<T, T>& t) {
  constexpr int64_t W = kWidth<T>;
  for (int64_t r = 0; t.bias && r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) tile[r * W + c] += t.bias[r];
  if (t.overwrite) return transpose(tile, W, rows, cols, t.c, t.ldc);
  HWY_ALIGN T turned[W * R];
  transpose(tile, W, rows, cols, turned, R);
  for (int64_t c = 0; c < cols; ++c)
    for (int64_t r = 0; r < rows; ++r) t.c[c * t.ldc + r] += turned[c * R + r];
}

template <class T> int64_t gemm_turned_workspace(int64_t m, int64_t, int64_t k) {
  return std::min(k, kTurnedDepth) * round_up(m, kWidth<T>);
}

template <class T, Terms terms = Terms::one> void gemm_turned(const Gemm<T>& g, T* workspace) {
  constexpr int64_t W = kWidth<T>;
  HWY_ALIGN T tile[R * W];
  for (int64_t p = 0; p == 0 || p < g.k; p += kTurnedDepth) {
    const int64_t k = std::min(kTurnedDepth, g.k - p);
    const bool first = p == 0;
    pack_b(g.a + (g.trans_a ? p * g.lda : p), g.lda, !g.trans_a, k, g.m, workspace);
    for (int64_t i = 0; i < g.n; i += R) {
      const int64_t rows = std::min<int64_t>(R, g.n - i);
      for (int64_t j = 0; j < g.m; j += W) {
        const int64_t cols = std::min(W, g.m - j);
        const Operands<T> x{g.b + p + i * g.ldb, g.ldb, 1, workspace + j * k, W};
        multiply<terms>(rows, cols, k, x, W, Target<T, T>{tile, W, nullptr, true});
        const Target<T, T> t{g.c + j * g.ldc + i, g.ldc, first && g.bias ? g.bias + i : nullptr,
                             first && !g.accumulate};
        turn_back(tile, rows, cols, t);
      }
    }
  }
}

// ---- B packed beforehand, for products that share it ----

template <class T> int64_t packed_size(int64_t k, int64_t n) { return k * round_up(n, kWidth<T>); }

// Where B is a long stream, the next panel is asked for between the strips of this one; both are in the first-level cache then.
template <class T> void gemm_packed(const Gemm<T>& g) {
  constexpr int64_t W = kWidth<T>, kLine = 64 / sizeof(T);
  const bool streamed = g.k * g.n * static_cast<int64_t>(sizeof(T)) > kStreamedBytes;
  const int64_t depth = streamed ? kDepth / 2 : kDepth;
  for (int64_t i = 0; i < g.m; i += kRows) {
    const int64_t rows = std::min(kRows, g.m - i), strips = (rows + R - 1) / R, height = (rows + strips - 1) / strips;
    for (int64_t p = 0; p == 0 || p < g.k; p += depth) {
      const int64_t k = std::min(depth, g.k - p), share = k * W / strips;
      const bool first = p == 0;
      for (int64_t j = 0; j < g.n; j += W) {
        const T* const b = g.b + j * g.k + p * W;
        auto next = reinterpret_cast<uintptr_t>(b + g.k * W);  // no pointer: past the end it is only asked for
        for (int64_t r = 0; r < rows; r += height) {
          for (int64_t e = 0; streamed && e < share; e += kLine, next += 64)
            __builtin_prefetch(reinterpret_cast<void*>(next), 0, 3);
          const Target<T, T> t{g.c + (i + r) * g.ldc + j, g.ldc, first && g.bias ? g.bias + j : nullptr,
                               first && !g.accumulate};
          const Operands<T> x{g.a + (i + r) * g.lda + p, g.lda, 1, b, W};
          multiply<Terms::one>(std::min(height, rows - r), std::min(W, g.n - j), k, x, W * g.k, t);
        }
      }
    }
  }
}

template <class T> void fill(Floating<T>& t) {
  t.packed_size = &packed_size<T>;
  t.pack = &pack_b<T>;
  t.gemm_packed = &gemm_packed<T>;
  t.gemm_small = &gemm_small<T>;
  t.gemm = &gemm<T>;
  t.gemm_workspace = &gemm_workspace<T>;
  t.gemm_turned = &gemm_turned<T>;
  t.gemm_turned_workspace = &gemm_turned_workspace<T>;
}

}  // namespace

void fill_gemm(Table& t) {
  fill(t.f32);
  fill(t.f64);
#if HWY_TARGET == HWY_AVX3
  static_assert(kPairDepth <= kDepth);
  if (!has_pairs()) return;
  t.pairs.gemm_small = &gemm_small<float, Terms::pair>;
  t.pairs.gemm = &gemm<float, Terms::pair>;
  t.pairs.gemm_turned = &gemm_turned<float, Terms::pair>;
  t.pairs.gemm_small_rounded = &gemm_small<float, Terms::pair, BFloat16>;
  t.pairs.gemm_rounded_workspace = &gemm_workspace<float, BFloat16>;
  t.pairs.gemm_rounded = &gemm<float, Terms::pair, BFloat16>;
#endif
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
