// The tiers of the matrix product, and how each is dealt out to threads.
#include "tapegrad/ops/kernels/way.h"

#include "tapegrad/core/allocator.h"
#include "tapegrad/ops/kernels/onednn/onednn.h"
#include "tapegrad/ops/kernels/pieces.h"

namespace tapegrad::kernels {
namespace {

using simd::Gemm;
using simd::Map;

constexpr int64_t kAliasingBytes = 4096;

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
  const bool large = std::min({g.m, g.n, g.k}) >= tiers.library_side;
  const bool shares_sets = g.trans_a && g.lda * static_cast<int64_t>(sizeof(T)) % kAliasingBytes == 0;
  const bool ours = shares_sets && g.m >= 2 * g.n && g.n <= tiers.shared_sets;
  return sizeof(T) == 4 && large && !ours ? Way::library : Way::blocked;
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

const char* library_implementation(const Gemm<float>& g) { return onednn::implementation(matmul_of(g)); }

template Way way_of(const ProductTiers&, const Gemm<float>&);
template Way way_of(const ProductTiers&, const Gemm<double>&);
template void run_way(const Gemm<float>&, Way, Map);
template void run_way(const Gemm<double>&, Way, Map);

}  // namespace tapegrad::kernels
