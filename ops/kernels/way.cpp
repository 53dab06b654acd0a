// The tiers of the matrix product, and how each is dealt out to threads.
#include "tapegrad/ops/kernels/way.h"

#include <algorithm>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/onednn/onednn.h"

namespace tapegrad::kernels {
namespace {

using simd::Gemm;

using simd::Map;

onednn::Activation by_onednn(Map f) {
  using onednn::Activation;
  return f == Map::relu      ? Activation::relu
         : f == Map::sigmoid ? Activation::sigmoid
         : f == Map::tanh    ? Activation::tanh
                             : Activation::none;
}

onednn::Matmul matmul_of(const Gemm<float>& g, Map f = kNoActivation) {
  return {.m = g.m,
          .n = g.n,
          .k = g.k,
          .a = g.a,
          .lda = g.lda,
          .trans_a = g.trans_a,
          .b = g.b,
          .ldb = g.ldb,
          .trans_b = g.trans_b,
          .c = g.c,
          .ldc = g.ldc,
          .bias = g.bias,
          .accumulate = g.accumulate,
          .activation = by_onednn(f)};
}

// C = f(C), which is one run of memory where rows touch.
template <class T> void activate(Map f, const Gemm<T>& g) {
  if (f == kNoActivation) return;
  const simd::Tile tile = simd::table().map[static_cast<int>(f)][static_cast<int>(dtype_of<T>())];
  constexpr int64_t stride[] = {sizeof(T), sizeof(T)};
  const bool joined = g.ldc == g.n;
  for (int64_t r = 0; r < (joined ? 1 : g.m); ++r) {
    char* const row = reinterpret_cast<char*>(g.c + r * g.ldc);
    char* const at[] = {row, row};
    if (g.m * g.n > 0) tile(at, stride, joined ? g.m * g.n : g.n, nullptr);
  }
}

// Rows and columns come in whole register blocks of every instruction set.
constexpr int64_t kRowUnit = 12, kColumnUnit = 32;

template <class T> Gemm<T> rows_of(Gemm<T> g, int64_t first, int64_t last) {
  g.m = last - first;
  g.a += g.trans_a ? first : first * g.lda;
  g.c += first * g.ldc;
  return g;
}
template <class T> Gemm<T> columns_of(Gemm<T> g, int64_t first, int64_t last) {
  g.n = last - first;
  g.b += g.trans_b ? first * g.ldb : first;
  g.c += first;
  if (g.bias) g.bias += first;
  return g;
}

// In pieces of at least kThreadWork. y = x W^T and dx = dy W are cut by columns and dW = dy^T x by rows: always by the features of a
// layer, so that a thread finds in its cache the part of W, of its gradient and of y that it has made itself.
template <class T, class Run> void in_pieces(const Gemm<T>& g, int64_t column_unit, const Run& run) {
  const bool by_columns = !g.trans_a && g.n >= 2 * column_unit;
  const int64_t size = by_columns ? g.n : g.m, unit = by_columns ? column_unit : kRowUnit;
  const int64_t units = (size + unit - 1) / unit, work = g.m * g.n * g.k;
  const int64_t grain = std::max<int64_t>(1, units * kProductTiers.thread_work / std::max<int64_t>(work, 1));
  parallel_for(0, units, grain, [&](int64_t first, int64_t last) {
    const int64_t from = first * unit, to = std::min(last * unit, size);
    run(by_columns ? columns_of(g, from, to) : rows_of(g, from, to));
  });
}

template <class T> void run_blocked(const Gemm<T>& g, Map f) {
  in_pieces(g, kColumnUnit, [f](const Gemm<T>& part) {
    const auto& kernels = simd::floating<T>(simd::table());
    const Scratch<T> workspace(kernels.gemm_workspace(part));
    kernels.gemm(part, workspace.data());
    activate(f, part);
  });
}

template <class T> void run_few(const Gemm<T>& g, Map f) {
  in_pieces(g, kRowUnit, [f](const Gemm<T>& part) {
    simd::floating<T>(simd::table()).gemm_few(part);
    activate(f, part);
  });
}

template <class T> void run_turned(const Gemm<T>& g, Map f) {
  in_pieces(g, kRowUnit, [f](const Gemm<T>& part) {
    const auto& kernels = simd::floating<T>(simd::table());
    const Scratch<T> workspace(kernels.gemm_turned_workspace(part.m, part.n, part.k));
    kernels.gemm_turned(part, workspace.data());
    activate(f, part);
  });
}

}  // namespace

template <class T> Way way_of(const ProductTiers& tiers, const Gemm<T>& g) {
  if (g.m == 1) return Way::row;
  if (g.trans_b && !g.trans_a && g.m <= tiers.few_rows && g.k >= tiers.few_depth) return Way::few;
  if (g.m * g.n * g.k <= tiers.small_work) return Way::small;
  if (g.trans_b && g.m <= tiers.turned_rows && (g.m < g.n || g.n < tiers.narrow)) return Way::turned;
  const bool wide = std::min({g.m, g.n, g.k}) >= tiers.library_side;
  const bool vast = g.n * g.k >= tiers.library_elements;
  return sizeof(T) == 4 && (wide || vast) ? Way::library : Way::blocked;
}

template <class T> void run_way(const Gemm<T>& g, Way way, Map activation) {
  const auto& kernels = simd::floating<T>(simd::table());
  switch (way) {
    case Way::row: kernels.gemv(g); return activate(activation, g);
    case Way::few: return run_few(g, activation);
    case Way::small: kernels.gemm_small(g); return activate(activation, g);
    case Way::turned: return run_turned(g, activation);
    case Way::blocked: return run_blocked(g, activation);
    case Way::library: break;
  }
  if constexpr (sizeof(T) == 4) onednn::matmul(matmul_of(g, activation), detail::share_of_threads());
}

const char* library_implementation(const Gemm<float>& g) { return onednn::implementation(matmul_of(g), 1); }

template Way way_of(const ProductTiers&, const Gemm<float>&);
template Way way_of(const ProductTiers&, const Gemm<double>&);
template void run_way(const Gemm<float>&, Way, Map);
template void run_way(const Gemm<double>&, Way, Map);

}  // namespace tapegrad::kernels
