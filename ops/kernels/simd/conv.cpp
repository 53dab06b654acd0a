// Convolutions as matrix products whose B is the image itself, read at an offset for each term: nothing is unfolded.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/conv.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/gemm-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

constexpr int R =
    HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 ? 6 : 4;  // with two vectors each, enough to keep the units busy
template <class T> constexpr int64_t kWidth = 2 * kLanes<T>;
constexpr int64_t kDepth = 288;  // terms at a stretch: what they read of an image stays in the first-level cache

// ---- C[i, position] ----

// A block of rows of the tile: acc = sum over p of a[i * lda + p] b[offset[p]]; the first call of a tile adds the bias instead of the tile.
template <class T, int Rows, int V, bool kTail>
HWY_NOINLINE void block(int64_t k, const T* a, int64_t lda, const T* b, const int64_t* offset, int64_t last, T* tile,
                        const T* bias, bool first) {
  constexpr int64_t N = kLanes<T>, W = kWidth<T>;
  const Full<T> d;
  Block<T, Terms::one, Rows, V> acc;
  using All = std::make_index_sequence<Rows>;
  acc.clear(All());
  for (int64_t p = 0; p < k; ++p, ++a) {
    const T* const y = b + offset[p];
    const Vec<T> b0 = kTail && V == 1 ? load_few(y, last) : hn::LoadU(d, y);
    const Vec<T> b1 = V == 1 ? b0 : kTail ? load_few(y + N, last) : hn::LoadU(d, y + N);
    acc.outer(a, lda, b0, b1, All());
  }
  for (int i = 0; i < Rows; ++i) {
    for (int v = 0; v < V; ++v) {
      T* const to = tile + i * W + v * N;
      const Vec<T> before = !first ? hn::Load(d, to) : hn::Set(d, bias ? bias[i] : T{0});
      hn::Store(hn::Add(acc.acc[i][v], before), d, to);
    }
  }
}

template <class T>
using BlockFn = void (*)(int64_t, const T*, int64_t, const T*, const int64_t*, int64_t, T*, const T*, bool);

template <class T, int V, bool kTail, int... Rows>
BlockFn<T> block_of(int64_t rows, std::integer_sequence<int, Rows...>) {
  static constexpr BlockFn<T> all[] = {&block<T, Rows + 1, V, kTail>...};
  return all[rows - 1];
}
template <class T> BlockFn<T> block_of(int64_t rows, int64_t cols) {
  constexpr int64_t N = kLanes<T>;
  using Rows = std::make_integer_sequence<int, R>;
  if constexpr (HWY_TARGET != HWY_AVX3) {  // where whole vectors do not pass for masked ones
    if (cols == 2 * N) return block_of<T, 2, false>(rows, Rows());
    if (cols == N) return block_of<T, 1, false>(rows, Rows());
  }
  return cols > N ? block_of<T, 2, true>(rows, Rows()) : block_of<T, 1, true>(rows, Rows());
}

// From the tile, which holds positions `first` .. `first + cols`, to where they belong, row of the grid by row.
template <class T> void write_back(const ConvTile<T>& g, const T* tile, int64_t first, int64_t cols) {
  constexpr int64_t W = kWidth<T>;
  const int64_t end = std::min(first + cols, g.grid.last());
  int64_t r = first / g.grid.pitch, q = first % g.grid.pitch;
  for (int64_t at = first; at < end; ++r, q = 0) {
    const int64_t run = std::min(g.grid.width - q, end - at);
    const T* from = tile + (at - first);
    T* to = g.c + r * g.row_step + q * g.step;
    for (int64_t i = 0; run > 0 && i < g.m; ++i, from += W, to += g.ldc) {
      if (g.step != 1) {
        for (int64_t c = 0; c < run; ++c) to[c * g.step] = from[c];
        continue;
      }
      int64_t c = 0;
      for (; c + kLanes<T> <= run; c += kLanes<T>) hn::StoreU(hn::LoadU(Full<T>(), from + c), Full<T>(), to + c);
      if (c < run) store_few(hn::LoadU(Full<T>(), from + c), to + c, run - c);
    }
    at += g.grid.pitch - q;
  }
}

// One row of C, as a channel of its own makes: rows of the grid take the place of rows of C, and are written where they belong. Of fewer than
// kGridRows the last is computed again.
constexpr bool kSingles = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2;
constexpr int64_t kGridRows = 6;
template <class T, int V> struct SingleBlock : Block<T, Terms::one, kGridRows, V> {
  const T* from[kGridRows];
  template <size_t... I> HWY_INLINE void term(Vec<T> w, int64_t offset, int64_t last, std::index_sequence<I...>) {
    const auto load = [&](const T* b, int v) HWY_ATTR {
      return v == V - 1 ? load_few(b + v * kLanes<T>, last) : hn::LoadU(Full<T>(), b + v * kLanes<T>);
    };
    (this->step(I, w, load(from[I] + offset, 0), load(from[I] + offset, V - 1)), ...);
  }
  template <size_t... I> HWY_INLINE void put(Vec<T> bias, T* const* to, int64_t last, std::index_sequence<I...>) const {
    if constexpr (V == 2) (hn::StoreU(hn::Add(this->acc[I][0], bias), Full<T>(), to[I]), ...);
    (store_few(hn::Add(this->acc[I][V - 1], bias), to[I] + (V - 1) * kLanes<T>, last), ...);
  }
};
template <class T, int V>
HWY_NOINLINE void single_block(const ConvTile<T>& g, int64_t row, int64_t last_row, int64_t q, int64_t last) {
  using Rows = std::make_index_sequence<kGridRows>;
  SingleBlock<T, V> block;
  T* to[kGridRows];
  for (int64_t r = 0; r < kGridRows; ++r) {
    const int64_t at = std::min(row + r, last_row);
    block.from[r] = g.b + at * g.grid.pitch + q;
    to[r] = g.c + at * g.row_step + q;
  }
  block.clear(Rows());
  for (int64_t p = 0; p < g.k; ++p) block.term(hn::Set(Full<T>(), g.a[p]), g.offset[p], last, Rows());
  block.put(hn::Set(Full<T>(), g.bias ? *g.bias : T{0}), to, last, Rows());
}

// A piece has the rows that begin in it.
template <class T> void conv_single(const ConvTile<T>& g) {
  constexpr int64_t W = kWidth<T>, N = kLanes<T>;
  const auto row_from = [&](int64_t position) {
    return std::min(g.grid.rows, (position + g.grid.pitch - 1) / g.grid.pitch);
  };
  const int64_t end = row_from(g.first + g.count);
  for (int64_t row = row_from(g.first); row < end; row += kGridRows) {
    for (int64_t q = 0; q < g.grid.width; q += W) {
      const int64_t cols = std::min(W, g.grid.width - q);
      if (cols > N) single_block<T, 2>(g, row, end - 1, q, cols - N);
      else single_block<T, 1>(g, row, end - 1, q, cols);
    }
  }
}

template <class T> int64_t tile_workspace(int64_t m) { return m * kWidth<T> + kLanes<T>; }

template <class T> void conv_tile(const ConvTile<T>& g, T* tile) {
  constexpr int64_t W = kWidth<T>, N = kLanes<T>;
  if (kSingles && g.m == 1 && g.step == 1) return conv_single(g);
  const int64_t strips = (g.m + R - 1) / R, tall = g.m % strips == 0 ? strips : g.m % strips,
                height = (g.m + strips - 1) / strips;
  const int64_t end = std::min(g.first + g.count, g.grid.last());
  for (int64_t at = g.first; at < end; at += W) {
    const int64_t cols = std::min(W, end - at), last = cols > N ? cols - N : cols;
    for (int64_t p = 0; p == 0 || p < g.k; p += kDepth) {
      const int64_t k = std::min(kDepth, g.k - p);
      for (int64_t s = 0, i = 0; s < strips; ++s) {
        const int64_t rows = s < tall ? height : height - 1;
        block_of<T>(rows, cols)(k, g.a + i * g.lda + p, g.lda, g.b + at, g.offset + p, last, tile + i * W,
                                g.bias ? g.bias + i : nullptr, p == 0);
        i += rows;
      }
    }
    write_back(g, tile, at, cols);
  }
}

// ---- dW[i, p] ----

// A row of dy by some terms, each sum a vector of partial sums: enough of them to keep the units busy.
constexpr int kTermsTogether = 9;

// By pack expansion, so that the sums stay in registers from row to row.
template <class T, int Terms> struct WeightSums {
  Vec<T> sum[Terms];
  const T* from[Terms];
  template <class Load, size_t... I>
  HWY_INLINE void add(const Load& load, Vec<T> dy, int64_t at, std::index_sequence<I...>) {
    ((sum[I] = hn::MulAdd(dy, load(from[I] + at), sum[I])), ...);
  }
  template <size_t... I> HWY_INLINE void clear(std::index_sequence<I...>) { ((sum[I] = hn::Zero(Full<T>())), ...); }
  template <size_t... I> HWY_INLINE void put(T* dw, std::index_sequence<I...>) const {
    ((dw[I] += sum_lanes<T>(sum[I])), ...);
  }
};

template <class T, int Terms> void weight_block(const ConvWeightTile<T>& g, int64_t i, int64_t p) {
  constexpr int64_t N = kLanes<T>;
  using All = std::make_index_sequence<Terms>;
  const int64_t whole = g.grid.width / N * N, rest = g.grid.width - whole;
  const auto load = [](const T* x) HWY_ATTR { return hn::LoadU(Full<T>(), x); };
  const auto load_rest = [rest](const T* x) HWY_ATTR { return load_few(x, rest); };
  WeightSums<T, Terms> sums;
  sums.clear(All());
  for (int64_t image = 0; image < g.segments; ++image) {
    for (int w = 0; w < Terms; ++w) sums.from[w] = g.x + image * g.x_step + g.offset[p + w];
    const T* dy = g.dy + image * g.dy_step + i * g.ldy;
    for (int64_t r = 0; r < g.grid.rows; ++r, dy += g.dy_pitch) {
      const int64_t at = r * g.grid.pitch;
      for (int64_t q = 0; q < whole; q += N) sums.add(load, load(dy + q), at + q, All());
      if (rest > 0) sums.add(load_rest, load_rest(dy + whole), at + whole, All());
    }
  }
  sums.put(g.dw + i * g.lddw + p, All());
}

template <class T> void conv_weight(const ConvWeightTile<T>& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    int64_t p = 0;
    for (; p + kTermsTogether <= g.k; p += kTermsTogether) weight_block<T, kTermsTogether>(g, i, p);
    for (; p + 3 <= g.k; p += 3) weight_block<T, 3>(g, i, p);
    for (; p < g.k; ++p) weight_block<T, 1>(g, i, p);
  }
}

template <class T> void fill(ConvKernels<T>& t) {
  t.tile = &conv_tile<T>;
  t.tile_workspace = &tile_workspace<T>;
  t.width = kWidth<T>;
  t.weight = &conv_weight<T>;
}

}  // namespace

void fill_conv(Table& t) {
  fill(t.f32.conv);
  fill(t.f64.conv);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
