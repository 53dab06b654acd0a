// Matrix products over tensors: finds out how operands are stored, and launches.
#include "tapegrad/ops/kernels/gemm.h"

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/gemm_bfloat16.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/kernels/simd/simd.h"
#include "tapegrad/ops/kernels/stored.h"
#include "tapegrad/ops/kernels/way.h"

namespace tapegrad::kernels {
namespace {

using simd::Gemm;

// Of `batch` products like g.
template <class T> KernelNote note_of(const Gemm<T>& g, int64_t batch) {
  const Way way = way_of(kProductTiers, g);
  const int64_t work = g.m * g.n * g.k;
  KernelNote note = simd_note();
  note.flops = 2 * work * batch;
  note.tier = way <= Way::small ? "tiny" : work * batch < 2 * kProductTiers.thread_work ? "medium" : "large";
  if constexpr (sizeof(T) == 4) {
    if (way != Way::library) return note;
    note.by = "onednn";
    note.variant = library_implementation(g);
  }
  return note;
}

template <class T> struct Product {
  Gemm<T> g;
  Way way;
  simd::Map f;
  void operator()() const { run_way(g, way, f); }
  KernelNote note() const { return note_of(g, 1); }
};

template <class T> struct Products {
  Gemm<T> g;
  int64_t batch, stride_a, stride_b;
  void operator()() const {
    const Way way = way_of(kProductTiers, g);
    const int64_t grain = std::max<int64_t>(1, kProductTiers.thread_work / std::max<int64_t>(1, g.m * g.n * g.k));
    parallel_for(0, batch, grain, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        Gemm<T> one = g;
        one.a += i * stride_a;
        one.b += i * stride_b;
        one.c += i * g.m * g.n;
        run_way(one, way);
      }
    });
  }
  KernelNote note() const { return note_of(g, batch); }
};

template <class T> Gemm<T> problem(const Stored& a, const Stored& b, int64_t m, int64_t n, int64_t k) {
  Gemm<T> g{};
  g.m = m, g.n = n, g.k = k;
  g.a = reinterpret_cast<const T*>(a.t.impl()->data), g.lda = a.ld, g.trans_a = a.transposed;
  g.b = reinterpret_cast<const T*>(b.t.impl()->data), g.ldb = b.ld, g.trans_b = b.transposed;
  return g;
}

}  // namespace

Tensor gemm(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b, const Tensor& bias,
            const Tensor& into, simd::Map activation) {
  if (takes_bfloat16(a, b)) [[unlikely]]
    return gemm_bfloat16(name, a, trans_a, b, trans_b, bias, into, a.dtype());
  const int64_t m = a.sizes()[trans_a], k = a.sizes()[!trans_a], n = b.sizes()[!trans_b];
  const Stored left = stored(a, 0, trans_a);
  const Stored right = stored(b, 0, trans_b);
  const Tensor row = bias.defined() ? contiguous_of(bias) : Tensor();
  const Tensor y = into.defined() ? into : new_tensor({m, n}, a.dtype());
  dispatch_floating(name, a.dtype(), [&]<class T>() {
    Gemm<T> g = problem<T>(left, right, m, n, k);
    g.c = reinterpret_cast<T*>(y.impl()->data);
    g.ldc = n;
    g.bias = row.defined() ? reinterpret_cast<const T*>(row.impl()->data) : nullptr;
    g.accumulate = into.defined();
    launch(name, LaunchKind::gemm, {&y}, {&left.t, &right.t, &row},
           Product<T>{g, way_of(kProductTiers, g), activation});
  });
  return y;
}

Tensor batched_gemm(const char* name, const Tensor& a, bool trans_a, const Tensor& b, bool trans_b,
                    const Tensor& into) {
  if (takes_bfloat16(a, b)) [[unlikely]]
    return batched_gemm_bfloat16(name, a, trans_a, b, trans_b, into, a.dtype());
  const int64_t batch = a.sizes()[0];
  const int64_t m = a.sizes()[1 + trans_a], k = a.sizes()[2 - trans_a], n = b.sizes()[2 - trans_b];
  const Stored left = stored(a, 1, trans_a);
  const Stored right = stored(b, 1, trans_b);
  const Tensor y = into.defined() ? into : new_tensor({batch, m, n}, a.dtype());
  dispatch_floating(name, a.dtype(), [&]<class T>() {
    Gemm<T> g = problem<T>(left, right, m, n, k);
    g.c = reinterpret_cast<T*>(y.impl()->data);
    g.ldc = n;
    g.accumulate = into.defined();
    const int64_t stride_a = left.t.strides()[0], stride_b = right.t.strides()[0];
    launch(name, LaunchKind::gemm, {&y}, {&left.t, &right.t}, Products<T>{g, batch, stride_a, stride_b});
  });
  return y;
}

Tensor column_sums(const char* name, const Tensor& x, const Tensor& into, std::optional<DType> dtype) {
  const Tensor src = contiguous_of(x);
  const int64_t rows = x.sizes()[0], cols = x.sizes()[1];
  const bool low = x.dtype() == kBFloat16;
  const Tensor y = new_tensor(cols, low ? kFloat32 : x.dtype());
  const auto reduce = simd::table().reduce_cols[static_cast<int>(simd::Reduce::sum)][static_cast<int>(x.dtype())];
  launch(name, LaunchKind::reduce, {&y}, {&src},
         BySimd{[reduce, from = src.impl()->data, to = y.impl()->data, rows, cols] {
           reduce(from, to, rows, cols, cols);
         }});
  if (!into.defined()) return converted(y, dtype.value_or(x.dtype()));
  add_into(into, converted(y, into.dtype()));
  return into;
}

namespace {

constexpr int64_t kMapGrain = 131072;  // elements of a map with sums worth a second thread
// Elements from which a map and the sums go one after the other: memory is the limit, and a map by itself writes past the caches.
constexpr int64_t kMapApart = int64_t{1} << 20;

struct MapAndSums {
  void (*kernel)(simd::Tile tile, char* const* ptr, void* sums, int64_t rows, int64_t cols, int64_t ld);
  simd::Tile tile;
  char *dz, *dy, *y, *sums;
  int64_t rows, cols, item;

  void operator()() const {
    const int64_t grain = std::max<int64_t>(64, kMapGrain / std::max<int64_t>(1, rows));  // columns
    parallel_for(0, cols, grain, [this](int64_t first, int64_t last) {
      const int64_t at = first * item;
      char* const ptr[] = {dz + at, dy + at, y + at};
      kernel(tile, ptr, sums + at, rows, last - first, cols);
    });
  }
  KernelNote note() const {
    KernelNote note = simd_note();
    note.flops = 2 * rows * cols;
    return note;
  }
};

}  // namespace

Tensor map_and_column_sums(const char* name, simd::Map f, const Tensor& dy, const Tensor& y, bool in_place,
                           Tensor& sums) {
  if (y.numel() >= kMapApart) {
    const Tensor dz = binary(name, f, dy, y, in_place ? dy : Tensor());
    sums = column_sums(name, dz, sums);
    return dz;
  }
  const Tensor from = contiguous_of(dy), saved = contiguous_of(y);
  const Tensor dz = in_place ? from : new_like(from), fresh = new_tensor(y.sizes()[1], y.dtype());
  const auto& table = simd::table();
  const MapAndSums run{y.dtype() == kFloat32 ? table.f32.map_sum_cols : table.f64.map_sum_cols,
                       table.map[static_cast<int>(f)][static_cast<int>(y.dtype())],
                       dz.impl()->data,
                       from.impl()->data,
                       saved.impl()->data,
                       fresh.impl()->data,
                       y.sizes()[0],
                       y.sizes()[1],
                       item_size(y.dtype())};
  launch(name, LaunchKind::reduce, {&dz, &fresh}, {&from, &saved}, run);
  if (sums.defined()) add_into(sums, fresh);
  else sums = fresh;
  return dz;
}

}  // namespace tapegrad::kernels
