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

template <class T> int64_t tile_workspace(int64_t m) { return m * kWidth<T> + kLanes<T>; }

template <class T> void conv_tile(const ConvTile<T>& g, T* tile) {
  constexpr int64_t W = kWidth<T>, N = kLanes<T>;
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

template <class T, int Terms> void weight_block(const ConvWeightTile<T>& g, int64_t i, int64_t p) {
  constexpr int64_t N = kLanes<T>;
  const Full<T> d;
  Vec<T> sum[Terms];
  for (int w = 0; w < Terms; ++w) sum[w] = hn::Zero(d);
  const T* from[Terms];
  const auto step = [&](const T* dy, int64_t at, int64_t count) HWY_ATTR {
    const auto load = [&](const T* v) HWY_ATTR { return count == N ? hn::LoadU(d, v) : load_few(v, count); };
    const Vec<T> v = load(dy);
    for (int w = 0; w < Terms; ++w) sum[w] = hn::MulAdd(v, load(from[w] + at), sum[w]);
  };
  for (int64_t image = 0; image < g.segments; ++image) {
    for (int w = 0; w < Terms; ++w) from[w] = g.x + image * g.x_step + g.offset[p + w];
    const T* dy = g.dy + image * g.dy_step + i * g.ldy;
    for (int64_t r = 0; r < g.grid.rows; ++r, dy += g.dy_pitch) {
      const int64_t at = r * g.grid.pitch;
      int64_t q = 0;
      for (; q + N <= g.grid.width; q += N) step(dy + q, at + q, N);
      if (q < g.grid.width) step(dy + q, at + q, g.grid.width - q);
    }
  }
  for (int w = 0; w < Terms; ++w) g.dw[i * g.lddw + p + w] += sum_lanes<T>(sum[w]);
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
