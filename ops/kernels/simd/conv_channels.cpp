// Convolutions of images stored [position][channel]: matrix products of rows of positions with packed weights.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/conv_channels.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/gemm-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// Rows of a block. With 32 registers 8 positions are as fast as 12, and half the code; rows of dy, which are far apart, are not.
constexpr int kPositions = HWY_TARGET == HWY_AVX3 ? 8 : HWY_TARGET == HWY_AVX2 ? 6 : 4;
constexpr int kRows = HWY_TARGET == HWY_AVX3 ? 12 : kPositions;
template <class T> constexpr int64_t kWidth = 2 * kLanes<T>;

// Rows are dealt out evenly: a strip of few leaves the units waiting.
struct Strips {
  int64_t count, height, tall;
  Strips(int64_t rows, int64_t most)
      : count((rows + most - 1) / most),
        height((rows + count - 1) / std::max<int64_t>(count, 1)),
        tall(count == 0 || rows % count == 0 ? count : rows % count) {}
  int64_t rows(int64_t s) const { return s < tall ? height : height - 1; }
};

// Some positions by a panel of channels, or by its first half where the rest is padding.
template <class T, int Rows, int V> HWY_NOINLINE void positions(const ConvPanel<T>& g, const T* a, T* c) {
  constexpr int64_t N = kLanes<T>, W = kWidth<T>;
  const Full<T> d;
  using All = std::make_index_sequence<Rows>;
  Block<T, Terms::one, Rows, V> acc;
  acc.clear(All());
  const T* b = g.b;
  const int64_t step = g.step;
  for (int64_t i = 0; i < g.count; ++i) {
    const T* x = a + g.runs[i].offset;
    for (int64_t p = 0; p < g.runs[i].length; ++p, ++x, b += W)
      acc.outer(x, step, hn::LoadU(d, b), hn::LoadU(d, b + (V - 1) * N), All());
  }
  for (int v = 0; v < V; ++v) {
    const Vec<T> bias = g.bias ? hn::LoadU(d, g.bias + v * N) : hn::Zero(d);
    T* to = c + v * N;
    for (int i = 0; i < Rows; ++i, to += W)
      hn::StoreU(hn::Add(g.first ? bias : hn::LoadU(d, to), acc.acc[i][v]), d, to);
  }
}

template <class T> using PositionsFn = void (*)(const ConvPanel<T>&, const T*, T*);
template <class T, int V, int... Rows> const PositionsFn<T>* positions_of(std::integer_sequence<int, Rows...>) {
  static constexpr PositionsFn<T> all[] = {&positions<T, Rows + 1, V>...};
  return all;
}

template <class T> void channels(const ConvPanel<T>& g) {
  const Strips strips(g.width, kPositions);
  using Rows = std::make_integer_sequence<int, kPositions>;
  const PositionsFn<T>* const fn = g.channels > kLanes<T> ? positions_of<T, 2>(Rows()) : positions_of<T, 1>(Rows());
  T* c = g.c;
  for (int64_t r = 0; r < g.rows; ++r) {
    const T* a = g.a + r * g.row_step;
    for (int64_t s = 0; s < strips.count; ++s) {
      const int64_t rows = strips.rows(s);
      for (int64_t i = 0; g.soon && i < g.channels; ++i)
        __builtin_prefetch(g.soon + i * g.soon_ld + (c - g.c) / kWidth<T>, 1);
      fn[rows - 1](g, a, c);
      a += rows * g.step;
      c += rows * kWidth<T>;
    }
  }
}

// ---- dW ----

template <class T, int Rows, int V, bool kTail>
HWY_NOINLINE void weights(const ConvWeightPanel<T>& g, int64_t i, int64_t j, int64_t last) {
  constexpr int64_t N = kLanes<T>;
  const Full<T> d;
  using All = std::make_index_sequence<Rows>;
  Block<T, Terms::one, Rows, V> acc;
  acc.clear(All());
  const int64_t step = g.step, ldy = g.ldy;
  for (int64_t r = 0; r < g.rows; ++r) {
    const T *a = g.dy + i * ldy + r * g.dy_row, *x = g.x + r * g.row_step + j;
    for (int64_t q = 0; q < g.width; ++q, ++a, x += step) {
      const Vec<T> b0 = kTail && V == 1 ? load_few(x, last) : hn::LoadU(d, x);
      const Vec<T> b1 = V == 1 ? b0 : kTail ? load_few(x + N, last) : hn::LoadU(d, x + N);
      acc.outer(a, ldy, b0, b1, All());
    }
  }
  acc.template store<kTail>(Target<T, T>{g.dw + i * g.lddw + j, g.lddw, nullptr, false}, last);
}

template <class T> using WeightsFn = void (*)(const ConvWeightPanel<T>&, int64_t, int64_t, int64_t);
template <class T, int V, bool kTail, int... Rows> const WeightsFn<T>* weights_of(std::integer_sequence<int, Rows...>) {
  static constexpr WeightsFn<T> all[] = {&weights<T, Rows + 1, V, kTail>...};
  return all;
}

template <class T> void channels_weight(const ConvWeightPanel<T>& g) {
  constexpr int64_t N = kLanes<T>;
  using Rows = std::make_integer_sequence<int, kRows>;
  const Strips strips(g.m, kRows);
  for (int64_t s = 0, i = 0; s < strips.count; i += strips.rows(s), ++s) {
    for (int64_t j = 0; j < g.lanes; j += 2 * N) {
      const int64_t cols = std::min(2 * N, g.lanes - j), last = cols > N ? cols - N : cols;
      constexpr bool kMasks = HWY_TARGET == HWY_AVX3;  // where a whole vector may pass for a masked one
      const auto* fn = cols == 2 * N ? weights_of<T, 2, kMasks>(Rows())
                       : cols > N    ? weights_of<T, 2, true>(Rows())
                       : cols == N   ? weights_of<T, 1, kMasks>(Rows())
                                     : weights_of<T, 1, true>(Rows());
      fn[strips.rows(s) - 1](g, i, j, last);
    }
  }
}

template <class T> void turn(const T* src, int64_t ld, int64_t rows, int64_t cols, T* dst, int64_t dst_ld) {
  transpose(src, ld, rows, cols, dst, dst_ld);
}

template <class T> void fill(ConvKernels<T>& t) {
  t.panel = kWidth<T>;
  t.channels = &channels<T>;
  t.channels_weight = &channels_weight<T>;
  t.transpose = &turn<T>;
  t.pack = &transpose_panel<T>;
}

}  // namespace

void fill_conv_channels(Table& t) {
  fill(t.f32.conv);
  fill(t.f64.conv);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
