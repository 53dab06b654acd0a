// The tiers of the product of bfloat16: own kernels over pairs of terms, and oneDNN's in pieces cut by the problem alone.
#include "tapegrad/ops/kernels/way_bfloat16.h"

#include <algorithm>
#include <cstring>

#include "tapegrad/core/allocator.h"
#include "tapegrad/ops/kernels/pieces.h"

namespace tapegrad::kernels {
namespace {

using onednn::LowMatmul;
using simd::Gemm;

// ---- the own kernels ----

// A factor as the kernels want it: every element two terms. Where terms lie one behind the other it is as it should be already, if
// there is an even number of them and rows begin at whole elements; else it is copied.
class Pairs {
 public:
  // adjacent: x is stored [size, k]; else [k, size].
  Pairs(const BFloat16* x, int64_t ld, bool adjacent, int64_t size, int64_t k)
      : copy_(adjacent && fits(x, ld, k) ? 0 : size * ((k + 1) / 2)) {
    if (adjacent && fits(x, ld, k)) {
      data_ = reinterpret_cast<const float*>(x);
      ld_ = ld / 2;
      return;
    }
    ld_ = adjacent ? (k + 1) / 2 : size;
    if (adjacent) copy_rows(x, ld, size, k);
    else interleave(x, ld, size, k);
    data_ = copy_.data();
  }
  const float* data() const { return data_; }
  int64_t ld() const { return ld_; }

 private:
  static bool fits(const BFloat16* x, int64_t ld, int64_t k) {
    return k % 2 == 0 && ld % 2 == 0 && reinterpret_cast<uintptr_t>(x) % sizeof(float) == 0;
  }
  static int64_t grain(int64_t width) {
    constexpr int64_t kGrain = 1 << 17;  // pairs
    return std::max<int64_t>(1, kGrain / std::max<int64_t>(width, 1));
  }
  void copy_rows(const BFloat16* x, int64_t ld, int64_t size, int64_t k) const {
    parallel_for(0, size, grain(ld_), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        auto* const row = reinterpret_cast<char*>(copy_.data() + i * ld_);
        std::memcpy(row, x + i * ld, 2 * static_cast<size_t>(k));
        if (k % 2 == 1) std::memset(row + 2 * k, 0, 2);
      }
    });
  }
  void interleave(const BFloat16* x, int64_t ld, int64_t size, int64_t k) const {
    parallel_for(0, (k + 1) / 2, grain(size), [&](int64_t first, int64_t last) {
      const int64_t from = 2 * first, to = std::min(2 * last, k);
      simd::table().interleave(x + from * ld, ld, to - from, size, copy_.data() + first * size);
    });
  }

  Scratch<float> copy_;
  const float* data_ = nullptr;
  int64_t ld_ = 0;
};

// Rounds a piece of C, which is [rows, n] in `wide`.
void round(const Gemm<float>& part, const float* wide, const LowMatmul& p) {
  const int64_t at = part.c - wide, row = at / p.n, column = at % p.n;
  const bool joined = part.n == p.n && p.ldc == p.n;
  for (int64_t r = 0; r < (joined ? 1 : part.m); ++r) {
    auto* const to = static_cast<BFloat16*>(p.c) + (row + r) * p.ldc + column;
    simd::table().pairs.round(part.c + r * p.n, joined ? part.m * part.n : part.n, to);
  }
}

template <class C> Gemm<float, C> in_pairs(const LowMatmul& p, const Pairs& a, const Pairs& b, C* c, int64_t ldc) {
  Gemm<float, C> g{};
  g.m = p.m, g.n = p.n, g.k = (p.k + 1) / 2;
  g.a = a.data(), g.lda = a.ld(), g.trans_a = p.trans_a;
  g.b = b.data(), g.ldb = b.ld(), g.trans_b = p.trans_b;
  g.c = c, g.ldc = ldc;
  g.bias = p.bias;
  g.accumulate = p.accumulate;
  return g;
}

void run_rounded(const Gemm<float, BFloat16>& g, Way way) {
  const auto& kernels = simd::table().pairs;
  if (way == Way::small) return kernels.gemm_small_rounded(g);
  in_pieces(g, kColumnUnit, [&](const Gemm<float, BFloat16>& part) {
    const Scratch<float> workspace(kernels.gemm_rounded_workspace(part));
    kernels.gemm_rounded(part, workspace.data());
  });
}

void run_piece(const Gemm<float>& g, Way way) {
  const auto& kernels = simd::table().pairs;
  const auto& workspaces = simd::table().f32;
  if (way == Way::few) return kernels.gemm_few(g);
  if (way == Way::small) return kernels.gemm_small(g);
  const bool turned = way == Way::turned;
  const int64_t size = turned ? workspaces.gemm_turned_workspace(g.m, g.n, g.k) : workspaces.gemm_workspace(g);
  const Scratch<float> workspace(size);
  (turned ? kernels.gemm_turned : kernels.gemm)(g, workspace.data());
}

// after(part) follows each piece of C.
template <class After> void run_wide(const Gemm<float>& g, Way way, const After& after) {
  const auto run = [&](const Gemm<float>& part) {
    run_piece(part, way);
    after(part);
  };
  if (way == Way::small) run(g);
  else in_pieces(g, way == Way::blocked ? kColumnUnit : kRowUnit, run);
}

void run_own(const LowMatmul& p, Way way) {
  const Pairs a(p.a, p.lda, !p.trans_a, p.m, p.k), b(p.b, p.ldb, p.trans_b, p.n, p.k);
  if (p.float_c) {
    run_wide(in_pairs(p, a, b, static_cast<float*>(p.c), p.ldc), way, [](const auto&) {});
  } else if ((way == Way::small || way == Way::blocked) && p.k <= 2 * simd::kPairDepth) {
    run_rounded(in_pairs(p, a, b, static_cast<BFloat16*>(p.c), p.ldc), way);
  } else {
    const Scratch<float> wide(p.m * p.n);
    const Gemm<float> g = in_pairs(p, a, b, wide.data(), p.n);
    run_wide(g, way, [&](const Gemm<float>& part) { round(part, wide.data(), p); });
  }
}

// ---- oneDNN's ----

// Tall products are cut by rows, a few hundred each. Not by columns: where rows of C are apart, oneDNN takes an older kernel, a tenth
// slower.
int64_t rows_of_piece(const LowMatmul& p) { return onednn::rows_of_piece(p.m, p.n, p.k); }

LowMatmul rows_of(const LowMatmul& p, int64_t first, int64_t rows) {
  LowMatmul part = p;
  part.m = std::min(rows, p.m - first);
  part.a += first * (p.trans_a ? 1 : p.lda);
  part.c = static_cast<char*>(p.c) + first * p.ldc * (p.float_c ? 4 : 2);
  return part;
}

void run_library(const LowMatmul& p) {
  const int64_t rows = rows_of_piece(p);
  parallel_for(0, (p.m + rows - 1) / rows, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) onednn::matmul(rows_of(p, i * rows, rows));
  });
}

}  // namespace

Way way_of(const LowProductTiers& tiers, const LowMatmul& p) {
  const int64_t work = p.m * p.n * p.k;
  const bool large = std::min({p.m, p.n, p.k}) >= tiers.library_side;
  if (large ? onednn::has_bfloat16() : work > tiers.tiny_work && onednn::has_tiles()) return Way::library;
  if (p.trans_b && !p.trans_a && p.m <= tiers.few_rows && p.k >= tiers.few_depth) return Way::few;
  if (work <= tiers.small_work) return Way::small;
  if (p.trans_b && p.m <= tiers.turned_rows && p.m < p.n) return Way::turned;
  return Way::blocked;
}

void run_way(const LowMatmul& p, Way way) {
  if (way == Way::library) run_library(p);
  else run_own(p, way);
}

const char* library_implementation(const LowMatmul& p) {
  return onednn::implementation(rows_of(p, 0, rows_of_piece(p)));
}

}  // namespace tapegrad::kernels
