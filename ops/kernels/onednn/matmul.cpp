// Cuts a product into pieces that depend on the problem alone, picks oneDNN's entry for them, and finishes bias and activation.
#include <dnnl.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/error.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/onednn/onednn.h"
#include "tapegrad/ops/kernels/onednn/primitive.h"
#include "tapegrad/ops/kernels/simd/simd.h"

namespace tapegrad::kernels::onednn {
namespace {

bool has_isa(dnnl_cpu_isa_t isa) { return (dnnl_get_effective_cpu_isa() & isa) == isa; }
bool has_avx512() {
  static const bool yes = has_isa(dnnl_cpu_isa_avx512_core);
  return yes;
}

int64_t work(const Matmul& p) { return p.m * p.n * p.k; }

// The held primitive is brgemm on AVX-512 only; elsewhere it is sgemm and 0.4 us of overhead. On AVX-512 sgemm is twice as fast
// at one row, level from about 1024, and packs less for a few rows with a transposed B (without, it copies a vast B, where
// sgemm does not: 223 against 155 GFLOP/s at 64 x 2048 x 2048); tiny products are all overhead.
bool prefers_primitive(const Matmul& p) {
  const bool copies_vast = !p.trans_b && p.n * p.k >= (int64_t{1} << 20);
  return has_avx512() && p.m >= 16 && p.m < 256 && work(p) > 32 * 32 * 32 && !copies_vast;
}

constexpr int64_t kParallelWork = int64_t{1}
                                  << 23;  // multiply-adds, 0.1-0.2 ms: below, a second thread costs more than it gives

// Pieces are cut by the problem, never by the thread count: sgemm's bits change with the number of rows (on AVX2 in 42 percent of
// the shapes tried), so only the same pieces at every thread count give the same bits.
struct Plan {
  int64_t rows = 0, row_blocks = 1;  // of one matrix
  int64_t matrices = 1;              // of the batch in one piece; more than one only where row_blocks is 1
  bool primitive = false;
  int64_t pieces = 1;
};

// Rows of a block so tall that cutting costs one thread at most about 3 percent: each block packs all of B again, and below
// 1/rows + 1/n = 0.0038 sgemm packs, where it is up to twice as fast for a large C.
int64_t block_rows(const Matmul& p) {
  if (p.n <= 512) return 256;
  return p.m < 1024 ? 352 : p.m < 2048 ? 512 : 1024;
}

Plan plan_of(const Matmul& p) {
  Plan plan{.rows = p.m, .primitive = prefers_primitive(p)};
  if (p.m >= 512 && work(p) >= kParallelWork) {
    const int64_t blocks = std::max<int64_t>(1, p.m / block_rows(p));
    plan.rows = ((p.m + blocks - 1) / blocks + 7) / 8 * 8;
    plan.row_blocks = (p.m + plan.rows - 1) / plan.rows;
  }
  // Small matrices share one primitive call, up to about a million multiply-adds: 20 us beside 0.4 us of overhead.
  if (plan.primitive) plan.matrices = std::clamp<int64_t>((int64_t{1} << 20) / work(p), 1, p.batch);
  plan.pieces = (p.batch + plan.matrices - 1) / plan.matrices * plan.row_blocks;
  return plan;
}

Matmul piece(const Matmul& p, const Plan& plan, int64_t i) {
  Matmul part = p;
  const int64_t first = i / plan.row_blocks * plan.matrices, row = i % plan.row_blocks * plan.rows;
  part.batch = std::min(plan.matrices, p.batch - first);
  part.m = std::min(plan.rows, p.m - row);
  part.a += first * p.stride_a + row * (p.trans_a ? 1 : p.lda);
  part.b += first * p.stride_b;
  part.c += first * p.stride_c + row * p.ldc;
  return part;
}

simd::Map map_of(Activation a) {
  return a == Activation::relu ? simd::Map::relu : a == Activation::sigmoid ? simd::Map::sigmoid : simd::Map::tanh;
}

// Bias and activation over rows the product has just left in the cache. Not as post-ops: oneDNN's relu turns NaN into 0 (measured,
// 2.6.3), each would be another primitive to hold, and behind gemm its post-op pass costs more than this.
void finish(const Matmul& p) {
  if (p.bias == nullptr && p.activation == Activation::none) return;
  const auto& map = simd::table().map;
  constexpr int f32 = static_cast<int>(DType::Float32);
  const simd::Tile add = map[static_cast<int>(simd::Map::add)][f32];
  const simd::Tile act = p.activation == Activation::none ? nullptr : map[static_cast<int>(map_of(p.activation))][f32];
  constexpr int64_t stride[] = {sizeof(float), sizeof(float), sizeof(float)};
  for (int64_t i = 0; i < p.batch; ++i) {
    for (int64_t r = 0; r < p.m; ++r) {
      char* row = reinterpret_cast<char*>(p.c + i * p.stride_c + r * p.ldc);
      char* const ptr[] = {row, row, reinterpret_cast<char*>(const_cast<float*>(p.bias))};
      if (p.bias != nullptr) add(ptr, stride, p.n, nullptr);
      if (act != nullptr) act(ptr, stride, p.n, nullptr);
    }
  }
}

void product(const Matmul& p, bool primitive) {
  if (p.k == 0) {
    for (int64_t i = 0; i < p.batch && !p.accumulate; ++i)
      for (int64_t r = 0; r < p.m; ++r) std::fill_n(p.c + i * p.stride_c + r * p.ldc, p.n, 0.f);
    return;
  }
  if (primitive && run_primitive(p)) return;
  run_sgemm(p);
}

// C += act(...): the activation must not see the old C, so the new term is made beside it.
void run_beside(const Matmul& p, bool primitive) {
  Matmul fresh = p;
  fresh.c = thread_buffer(p.batch * p.m * p.n * static_cast<int64_t>(sizeof(float)));
  fresh.ldc = p.n;
  fresh.stride_c = p.m * p.n;
  fresh.accumulate = false;
  product(fresh, primitive);
  finish(fresh);
  for (int64_t i = 0; i < p.batch; ++i)
    for (int64_t r = 0; r < p.m; ++r) {
      const float* from = fresh.c + i * fresh.stride_c + r * p.n;
      float* to = p.c + i * p.stride_c + r * p.ldc;
      for (int64_t j = 0; j < p.n; ++j) to[j] += from[j];
    }
}

void run_piece(const Matmul& p, bool primitive) {
  const OneThread one;
  if (p.accumulate && p.activation != Activation::none) return run_beside(p, primitive);
  product(p, primitive);
  finish(p);
}

int useful_threads(const Matmul& p, const Plan& plan, int threads) {
  if (plan.pieces == 1 || p.batch * work(p) < kParallelWork) return 1;
  return static_cast<int>(std::min<int64_t>(threads, plan.pieces));
}

// oneDNN has a code generator from SSE4.1 on; without it every product would run its reference loops.
void require_jit(const Matmul& p) {
  static const bool yes = has_isa(dnnl_cpu_isa_sse41);
  if (!yes) fail(key_of(p), "only its reference implementation runs on this machine");
}

// Rows exactly 2 KB apart fall into the same few cache sets: sgemm then reads B, or a transposed A, at 55 instead of 80 to 90
// GFLOP/s (512 cubed, AVX2). A copy with padded rows costs a fiftieth of the product.
constexpr int64_t kAliasingRow = 512, kPaddedRow = 528;
bool rows_alias(const Matmul& p) { return p.batch == 1 && p.m >= 64 && work(p) >= kParallelWork; }

void copy_padded(const float* from, float* to, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r) std::copy_n(from + r * kAliasingRow, width, to + r * kPaddedRow);
}

void run_plan(const Matmul& p, int threads) {
  const Plan plan = plan_of(p);
  if (plan.pieces == 1) return run_piece(p, plan.primitive);
  const int64_t grain = useful_threads(p, plan, threads) > 1 ? 1 : plan.pieces;
  parallel_for(0, plan.pieces, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) run_piece(piece(p, plan, i), plan.primitive);
  });
}

}  // namespace

void matmul(const Matmul& p, int threads) {
  if (p.m == 0 || p.n == 0 || p.batch == 0) return;
  require_jit(p);
  const bool pad_a = p.trans_a && p.lda == kAliasingRow && rows_alias(p);
  const bool pad_b = !p.trans_b && p.ldb == kAliasingRow && rows_alias(p);
  if (!pad_a && !pad_b) return run_plan(p, threads);
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
  run_plan(apart, threads);
}

const char* implementation(const Matmul& p, int) {
  if (p.m == 0 || p.n == 0 || p.k == 0 || p.batch == 0) return "none";
  require_jit(p);
  const Plan plan = plan_of(p);
  if (!plan.primitive) return "gemm:jit";  // what sgemm is
  const OneThread one;
  const char* name = primitive_name(key_of(piece(p, plan, 0)));
  return std::string_view(name).starts_with("brg") ? name : "gemm:jit";
}

const char* version() {
  static const std::string* const text = [] {
    const dnnl_version_t* v = dnnl_version();
    return new std::string(std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch));
  }();
  return text->c_str();
}

}  // namespace tapegrad::kernels::onednn
