// What the convolution kernels take: images as rows of positions, and terms at offsets from a position.
#pragma once

#include <cstdint>

namespace tapegrad::kernels::simd {

// Positions in rows, `pitch` apart, of which the first `width` of each row count: position (r, q) lies at r * pitch + q.
struct ConvGrid {
  int64_t rows, width, pitch;
  int64_t last() const { return (rows - 1) * pitch + width; }  // one behind the last that counts
};

// C[i, position] (+)= sum over p < k of a[i * lda + p] b[offset[p] + position] (+ bias[i]), for positions first .. first + count of a grid
// (those between rows are computed and thrown away). Where it lands: position (r, q) at c[i * ldc + r * row_step + q * step].
template <class T> struct ConvTile {
  int64_t m, k;
  const T* a;
  int64_t lda;
  const T* b;
  const int64_t* offset;
  T* c;
  int64_t ldc, row_step, step;
  const T* bias;  // or null
  ConvGrid grid;
  int64_t first, count;
};

// dW[i, p] += sum over segments s and the positions of its grid of dy[dy_at[s] + i * ldy + r * dy_pitch + q] x[x_at[s] + offset[p] + r * pitch + q]
template <class T> struct ConvWeightTile {
  int64_t m, k;
  const T* dy;
  int64_t ldy, dy_pitch;
  const T* x;
  const int64_t* offset;
  T* dw;
  int64_t lddw;
  ConvGrid grid;
  int64_t segments, dy_step, x_step;  // images one behind the other
};

// ---- many channels: an image as [position][channel], its channels side by side in a vector ----

// Terms that lie side by side: `length` of them from `offset` on, counted from a position.
struct ConvRun {
  int64_t offset, length;
};

// c[position * panel + o] (+)= sum over runs and their terms p of a[position + p] b[p' * panel + o], p' counting through the runs. Position
// (r, q) lies at a + r * row_step + q * step. c holds `rows` times `width` of them, `panel` elements each.
template <class T> struct ConvPanel {
  int64_t rows, width, row_step, step;
  int64_t channels;  // of the panel that count
  const T* a;
  const ConvRun* runs;
  int64_t count;
  const T* b;
  T* c;
  const T* bias;  // `panel` of them, or null: nothing is added
  bool first;     // c is written, not added to
  const T* soon;
  int64_t soon_ld;  // where c is copied to next, [channel][position]: asked for meanwhile; or null
};

// dw[i * lddw + j] += sum over rows and positions of dy[i * ldy + r * dy_row + q] x[r * row_step + q * step + j], j < lanes
template <class T> struct ConvWeightPanel {
  int64_t m, lanes;
  int64_t rows, width;
  const T* dy;
  int64_t ldy, dy_row;
  const T* x;
  int64_t row_step, step;
  T* dw;
  int64_t lddw;
};

template <class T> struct ConvKernels {
  void (*tile)(const ConvTile<T>&, T* workspace);  // workspace of tile_workspace(m) elements
  int64_t (*tile_workspace)(int64_t m);
  int64_t width;  // positions that go together: cut pieces at multiples of it
  void (*weight)(const ConvWeightTile<T>&);

  int64_t panel;  // channels that go together
  void (*channels)(const ConvPanel<T>&);
  void (*channels_weight)(const ConvWeightPanel<T>&);
  // dst[c * dst_ld + r] = src[r * ld + c]
  void (*transpose)(const T* src, int64_t ld, int64_t rows, int64_t cols, T* dst, int64_t dst_ld);
  // dst[p * panel + c] = src[c * ld + p], columns from `cols` on repeating the last
  void (*pack)(const T* src, int64_t ld, int64_t cols, int64_t k, T* dst);
};

}  // namespace tapegrad::kernels::simd
