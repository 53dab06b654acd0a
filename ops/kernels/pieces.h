// How one matrix product is dealt out to threads. Internal.
#pragma once

#include <algorithm>

#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/way.h"

namespace tapegrad::kernels {

// Rows and columns come in whole register blocks of every instruction set.
constexpr int64_t kRowUnit = 12, kColumnUnit = 32;

template <class T, class C> simd::Gemm<T, C> rows_of(simd::Gemm<T, C> g, int64_t first, int64_t last) {
  g.m = last - first;
  g.a += g.trans_a ? first : first * g.lda;
  g.c += first * g.ldc;
  return g;
}
template <class T, class C> simd::Gemm<T, C> columns_of(simd::Gemm<T, C> g, int64_t first, int64_t last) {
  g.n = last - first;
  g.b += g.trans_b ? first * g.ldb : first;
  g.c += first;
  if (g.bias) g.bias += first;
  return g;
}

// In pieces of at least thread_work. y = x W^T and dx = dy W are cut by columns and dW = dy^T x by rows: always by the features of a
// layer, so that a thread finds in its cache the part of W, of its gradient and of y that it has made itself.
template <class T, class C, class Run> void in_pieces(const simd::Gemm<T, C>& g, int64_t column_unit, const Run& run) {
  const bool by_columns = !g.trans_a && g.n >= 2 * column_unit;
  const int64_t size = by_columns ? g.n : g.m, unit = by_columns ? column_unit : kRowUnit;
  const int64_t units = (size + unit - 1) / unit, work = g.m * g.n * g.k;
  const int64_t grain = std::max<int64_t>(1, units * kProductTiers.thread_work / std::max<int64_t>(work, 1));
  parallel_for(0, units, grain, [&](int64_t first, int64_t last) {
    const int64_t from = first * unit, to = std::min(last * unit, size);
    run(by_columns ? columns_of(g, from, to) : rows_of(g, from, to));
  });
}

}  // namespace tapegrad::kernels
