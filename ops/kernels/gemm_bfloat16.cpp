// Products of bfloat16: which way pays, and the launch.
#include "tapegrad/ops/kernels/gemm_bfloat16.h"

#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/gemm.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/stored.h"
#include "tapegrad/ops/kernels/way_bfloat16.h"

namespace tapegrad::kernels {

bool has_bfloat16() { return simd::table().pairs.gemm != nullptr; }

namespace {

// Measured on AVX-512 (bench/LOG.md): float32 does 115 multiply-adds in a nanosecond and bfloat16 twice as many; rounding takes a
// launch and so much an element.
constexpr double kGain = 1.0 / 115 - 1.0 / 230, kRounding = 0.05, kCall = 150;  // ns
// With fewer terms a product is bound by what it writes, and with fewer rows by reading B, which rounding would do twice.
constexpr int64_t kLeastSize = 8;

struct Sizes {
  int64_t m, n, k;
  Sizes(const Tensor& a, bool trans_a, const Tensor& b, bool trans_b, int64_t dim)
      : m(a.sizes()[dim + trans_a]), n(b.sizes()[dim + !trans_b]), k(a.sizes()[dim + !trans_a]) {}
};

bool is_low(const Tensor& x) { return x.dtype() == kBFloat16; }

struct Product {
  onednn::LowMatmul p;
  Way way;
  int64_t batch, stride_a, stride_b, stride_c;

  // Of one matrix; two terms take the time of one multiply-add.
  int64_t work() const { return p.m * p.n * ((p.k + 1) / 2); }
  onednn::LowMatmul matrix(int64_t i) const {
    onednn::LowMatmul one = p;
    one.a += i * stride_a;
    one.b += i * stride_b;
    one.c = static_cast<char*>(p.c) + i * stride_c * (p.float_c ? 4 : 2);
    return one;
  }
  void operator()() const {
    if (batch == 1) return run_way(p, way);
    const int64_t grain = std::max<int64_t>(1, kProductTiers.thread_work / std::max<int64_t>(1, work()));
    parallel_for(0, batch, grain, [this](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) run_way(matrix(i), way);
    });
  }
  KernelNote note() const {
    KernelNote note = simd_note();
    note.variant = "avx512_bf16";
    if (way == Way::library) {
      note.by = "onednn";
      note.variant = library_implementation(p);
    }
    note.tier = way == Way::small ? "tiny" : batch * work() < 2 * kProductTiers.thread_work ? "medium" : "large";
    note.flops = 2 * batch * p.m * p.n * p.k;
    return note;
  }
};

onednn::LowMatmul problem(const Stored& a, const Stored& b, const Sizes& s, const Tensor& y) {
  onednn::LowMatmul p{};
  p.m = s.m, p.n = s.n, p.k = s.k;
  p.a = a.t.elements<BFloat16>(), p.lda = a.ld, p.trans_a = a.transposed;
  p.b = b.t.elements<BFloat16>(), p.ldb = b.ld, p.trans_b = b.transposed;
  p.c = y.impl()->data, p.ldc = s.n, p.float_c = y.dtype() == kFloat32;
  return p;
}

// y, or the sum with it where there is one.
Tensor into_or(const Tensor& y, const Tensor& into, DType dtype) {
  const Tensor result = converted(y, into.defined() ? into.dtype() : dtype);
  if (!into.defined()) return result;
  if (!into.is_same(result)) add_into(into, result);
  return into;
}

// Whether it is to be done by the machine's own instructions.
bool native(const Tensor& a, const Tensor& b, const Sizes& s, int64_t products = 1) {
  const int64_t rounded = (is_low(a) ? 0 : a.numel()) + (is_low(b) ? 0 : b.numel());
  if (rounded > 0) return bfloat16_pays(s.m, s.n, s.k, rounded, products);
  return has_bfloat16() && s.m * s.n * s.k > 0;
}

// What a product in float32 can be added to.
Tensor wide_sum(const Tensor& into) { return into.defined() && into.dtype() == kFloat32 ? into : Tensor(); }

}  // namespace

bool bfloat16_pays(int64_t m, int64_t n, int64_t k, int64_t rounded, int64_t products) {
  if (!has_bfloat16() || std::min(m, k) < kLeastSize) return false;
  const double gain = kGain * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  return gain * static_cast<double>(products) > kCall + kRounding * static_cast<double>(rounded);
}

Tensor converted_as_stored(const Tensor& x, DType dtype) {
  const int64_t last = x.dim() - 1;
  if (x.dtype() == dtype || x.dim() < 2 || x.strides()[last] == 1 || x.strides()[last - 1] != 1)
    return converted(x, dtype);
  const auto turned = [last](const Tensor& t) {
    Shape sizes = t.sizes(), strides = t.strides();
    std::swap(sizes[last], sizes[last - 1]);
    std::swap(strides[last], strides[last - 1]);
    return alias(t, sizes, strides, 0);
  };
  return turned(converted(turned(x), dtype));
}

Tensor gemm_bfloat16(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b, const Tensor& bias,
                     const Tensor& into, DType dtype) {
  const Sizes s(a, trans_a, b, trans_b, 0);
  const Tensor row = bias.defined() ? contiguous_of(converted(bias, kFloat32)) : Tensor();
  if (!native(a, b, s)) {
    const Tensor y = gemm(name, converted_as_stored(a, kFloat32), trans_a, converted_as_stored(b, kFloat32), trans_b,
                          row, wide_sum(into));
    return into_or(y, into, dtype);
  }
  const Stored left = stored(converted_as_stored(a, kBFloat16), 0, trans_a);
  const Stored right = stored(converted_as_stored(b, kBFloat16), 0, trans_b);
  const Tensor sum = wide_sum(into);
  const Tensor y = sum.defined() ? sum : new_tensor({s.m, s.n}, into.defined() ? into.dtype() : dtype);
  onednn::LowMatmul p = problem(left, right, s, y);
  p.bias = row.defined() ? row.elements<float>() : nullptr;
  p.accumulate = sum.defined();
  launch(name, LaunchKind::gemm, {&y}, {&left.t, &right.t, &row}, Product{p, way_of(kLowProductTiers, p), 1, 0, 0, 0});
  return into_or(y, into, dtype);
}

Tensor batched_gemm_bfloat16(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b,
                             const Tensor& into, DType dtype) {
  const Sizes s(a, trans_a, b, trans_b, 1);
  const int64_t batch = a.sizes()[0];
  if (batch == 0 || !native(a, b, s, batch)) {
    const Tensor y = batched_gemm(name, converted_as_stored(a, kFloat32), trans_a, converted_as_stored(b, kFloat32),
                                  trans_b, wide_sum(into));
    return into_or(y, into, dtype);
  }
  const Stored left = stored(converted_as_stored(a, kBFloat16), 1, trans_a);
  const Stored right = stored(converted_as_stored(b, kBFloat16), 1, trans_b);
  const Tensor sum = wide_sum(into);
  const Tensor y = sum.defined() ? sum : new_tensor({batch, s.m, s.n}, into.defined() ? into.dtype() : dtype);
  onednn::LowMatmul p = problem(left, right, s, y);
  p.accumulate = sum.defined();
  const Product run{p, way_of(kLowProductTiers, p), batch, left.t.strides()[0], right.t.strides()[0], s.m * s.n};
  launch(name, LaunchKind::gemm, {&y}, {&left.t, &right.t}, run);
  return into_or(y, into, dtype);
}

}  // namespace tapegrad::kernels
