// Products of float32 by sgemm, in pieces that depend on the problem alone, each finished with its bias and activation.
#include <dnnl.h>

#include <algorithm>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/onednn/onednn.h"
#include "tapegrad/ops/kernels/onednn/primitive.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels::onednn {
namespace {

int64_t work(const Matmul& p) { return p.m * p.n * p.k; }

Matmul piece(const Matmul& p, int64_t rows, int64_t i) {
  Matmul part = p;
  const int64_t row = i * rows;
  part.m = std::min(rows, p.m - row);
  part.a += row * (p.trans_a ? 1 : p.lda);
  part.c += row * p.ldc;
  return part;
}

simd::Map map_of(Activation a) {
  return a == Activation::relu ? simd::Map::relu : a == Activation::sigmoid ? simd::Map::sigmoid : simd::Map::tanh;
}

// Bias and activation over rows the product has just left in the cache. Not as post-ops: oneDNN's relu turns NaN into 0 (measured,
// 2.6.3), and behind gemm its post-op pass costs more than this.
void finish(const Matmul& p) {
  if (p.bias == nullptr && p.activation == Activation::none) return;
  const auto& map = simd::table().map;
  constexpr int f32 = static_cast<int>(DType::Float32);
  const simd::Tile add = map[static_cast<int>(simd::Map::add)][f32];
  const simd::Tile act = p.activation == Activation::none ? nullptr : map[static_cast<int>(map_of(p.activation))][f32];
  constexpr int64_t stride[] = {sizeof(float), sizeof(float), sizeof(float)};
  for (int64_t r = 0; r < p.m; ++r) {
    char* row = reinterpret_cast<char*>(p.c + r * p.ldc);
    char* const ptr[] = {row, row, reinterpret_cast<char*>(const_cast<float*>(p.bias))};
    if (p.bias != nullptr) add(ptr, stride, p.n, nullptr);
    if (act != nullptr) act(ptr, stride, p.n, nullptr);
  }
}

void product(const Matmul& p) {
  if (p.k == 0) {
    for (int64_t r = 0; r < p.m && !p.accumulate; ++r) std::fill_n(p.c + r * p.ldc, p.n, 0.f);
    return;
  }
  const dnnl_status_t status = dnnl_sgemm(p.trans_a ? 'T' : 'N', p.trans_b ? 'T' : 'N', p.m, p.n, p.k, 1.f, p.a, p.lda,
                                          p.b, p.ldb, p.accumulate ? 1.f : 0.f, p.c, p.ldc);
  if (status != dnnl_success) fail(key_of(p), reason_of(status));
}

void run_piece(const Matmul& p) {
  const OneThread one;
  product(p);
  finish(p);
}

// oneDNN has a code generator from SSE4.1 on; without it every product would run its reference loops.
void require_jit(const Matmul& p) {
  static const bool yes = has_isa(dnnl_cpu_isa_sse41);
  if (!yes) fail(key_of(p), "only its reference implementation runs on this machine");
}

// Rows exactly 2 KB apart fall into the same few cache sets: sgemm then reads B, or a transposed A, at 55 instead of 80 to 90
// GFLOP/s (512 cubed, AVX2). A copy with padded rows costs a fiftieth of the product.
constexpr int64_t kAliasingRow = 512, kPaddedRow = 528;
bool rows_alias(const Matmul& p) { return p.m >= 64 && work(p) >= kPieceWork; }

void copy_padded(const float* from, float* to, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r) std::copy_n(from + r * kAliasingRow, width, to + r * kPaddedRow);
}

void run_pieces(const Matmul& p, int threads) {
  const int64_t rows = rows_of_piece(p.m, p.n, p.k), pieces = (p.m + rows - 1) / rows;
  parallel_for(0, pieces, threads > 1 ? 1 : pieces, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) run_piece(piece(p, rows, i));
  });
}

}  // namespace

void matmul(const Matmul& p, int threads) {
  if (p.m == 0 || p.n == 0) return;
  require_jit(p);
  const bool pad_a = p.trans_a && p.lda == kAliasingRow && rows_alias(p);
  const bool pad_b = !p.trans_b && p.ldb == kAliasingRow && rows_alias(p);
  if (!pad_a && !pad_b) return run_pieces(p, threads);
  Matmul apart = p;
  const Scratch<float> a(pad_a ? p.k * kPaddedRow : 0), b(pad_b ? p.k * kPaddedRow : 0);
  if (pad_a) {
    copy_padded(p.a, a.data(), p.k, p.m);
    apart.a = a.data();
    apart.lda = kPaddedRow;
  }
  if (pad_b) {
    copy_padded(p.b, b.data(), p.k, p.n);
    apart.b = b.data();
    apart.ldb = kPaddedRow;
  }
  run_pieces(apart, threads);
}

const char* implementation(const Matmul& p) {
  if (p.m == 0 || p.n == 0 || p.k == 0) return "none";
  require_jit(p);
  return "gemm:jit";  // what sgemm is
}

}  // namespace tapegrad::kernels::onednn
