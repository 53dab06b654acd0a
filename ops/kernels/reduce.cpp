// Any reduction as passes over [outer, n, inner], each in pieces of a fixed size, so that the bits do not depend on threads.
#include "tapegrad/ops/kernels/reduce.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/kept_launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/ops/kernels/lines.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/simd/note.h"

namespace tapegrad::kernels {
namespace {

using Fn = void (*)(const void* src, void* dst, int64_t rows, int64_t cols, int64_t ld);

constexpr int64_t kPiece = 1 << 16;     // elements reduced at a stretch
constexpr int64_t kGrain = 4 * kPiece;  // elements worth a second thread: a sum is little more than reading them
constexpr int64_t kWide = 4096;         // columns from which there is work enough side by side
constexpr int64_t kColumns = 512;       // columns taken together

struct Pass {
  Fn fn, again;  // of elements, and of results of pieces: the same unless the sum of bfloat16, which is float32
  const char* src;
  char* dst;
  int64_t outer, n, inner, item, result;  // the last two: bytes of an element and of a result
};

int64_t pieces_of(int64_t total, int64_t piece) { return (total + piece - 1) / piece; }

// [outer, n] -> [outer]
void reduce_rows(const Pass& p) {
  const int64_t pieces = pieces_of(p.n, kPiece);
  if (pieces <= 1) {
    return parallel_for(0, p.outer, std::max<int64_t>(1, kGrain / p.n), [&p](int64_t first, int64_t last) {
      p.fn(p.src + first * p.n * p.item, p.dst + first * p.result, last - first, p.n, p.n);
    });
  }
  const Scratch<char> partial(p.outer * pieces * p.result);
  parallel_for(0, p.outer * pieces, kGrain / kPiece, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t start = i % pieces * kPiece;
      const int64_t count = std::min(kPiece, p.n - start);
      p.fn(p.src + (i / pieces * p.n + start) * p.item, partial.data() + i * p.result, 1, count, count);
    }
  });
  p.again(partial.data(), p.dst, p.outer, pieces, pieces);
}

// [outer, n, inner] -> [outer, inner], where the rows of one outer index are few or wide
void reduce_wide(const Pass& p) {
  const int64_t strips = pieces_of(p.inner, kColumns);
  const int64_t work = p.n * std::min(p.inner, kColumns);
  parallel_for(0, p.outer * strips, std::max<int64_t>(1, kGrain / work), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t o = i / strips;
      const int64_t c = i % strips * kColumns;
      p.fn(p.src + (o * p.n * p.inner + c) * p.item, p.dst + (o * p.inner + c) * p.result, p.n,
           std::min(kColumns, p.inner - c), p.inner);
    }
  });
}

void reduce_cols(const Pass& p) {
  const int64_t piece = std::max<int64_t>(256, kPiece / p.inner);  // rows
  if (p.n <= piece || p.inner >= kWide) return reduce_wide(p);
  const int64_t pieces = pieces_of(p.n, piece);
  const Scratch<char> partial(p.outer * pieces * p.inner * p.result);
  parallel_for(0, p.outer * pieces, std::max<int64_t>(1, kGrain / (piece * p.inner)), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t start = i % pieces * piece;
      p.fn(p.src + (i / pieces * p.n + start) * p.inner * p.item, partial.data() + i * p.inner * p.result,
           std::min(piece, p.n - start), p.inner, p.inner);
    }
  });
  for (int64_t o = 0; o < p.outer; ++o)
    p.again(partial.data() + o * pieces * p.inner * p.result, p.dst + o * p.inner * p.result, pieces, p.inner, p.inner);
}

struct PassRun {
  Pass pass;
  void (*join)(const void*, void*, int64_t);
  void operator()() const { pass.inner == 1 ? reduce_rows(pass) : reduce_cols(pass); }
  bool sum_walk(SumWalk& w) const {
    if (!join || pass.outer != 1 || pass.inner != 1) return false;
    w = {pass.fn, join, const_cast<char*>(pass.src), pass.dst, pass.n, pass.item, kPiece, simd::kSumBlock};
    return true;
  }
  static KernelNote note() { return simd_note(); }
};

void run_pass(const char* name, Reduce kind, const Tensor& y, const Tensor& x, int64_t outer, int64_t n,
              int64_t inner) {
  const auto& table = simd::table();
  const auto k = static_cast<int>(kind);
  const auto t = static_cast<int>(x.dtype()), u = static_cast<int>(y.dtype());
  const auto& fns = inner == 1 ? table.reduce_rows[k] : table.reduce_cols[k];
  if (!fns[t]) not_supported(name, x.dtype());
  const auto join = kind == Reduce::sum && t == u ? table.join_sums[t] : nullptr;
  launch(name, LaunchKind::reduce, {&y}, {&x},
         PassRun{{fns[t], fns[u], x.impl()->data, y.impl()->data, outer, n, inner, item_size(x.dtype()),
                  item_size(y.dtype())},
                 join});
}

// The dims of a contiguous tensor, neighbours of one kind joined: kept and reduced runs take turns.
struct Runs {
  int count = 0;
  int64_t size[kMaxRank];
  bool reduced[kMaxRank];

  Runs(const Shape& sizes, uint32_t mask) {
    for (int64_t d = 0; d < sizes.size(); ++d) add(sizes[d], mask >> d & 1);
  }
  void add(int64_t n, bool is_reduced) {
    if (n == 1) return;
    if (count > 0 && reduced[count - 1] == is_reduced) {
      size[count - 1] *= n;
    } else {
      size[count] = n;
      reduced[count++] = is_reduced;
    }
  }
  int last_reduced() const {
    int k = count - 1;
    while (k >= 0 && !reduced[k]) --k;
    return k;
  }
  int64_t product(int first, int last) const {
    int64_t n = 1;
    for (int k = first; k < last; ++k) n *= size[k];
    return n;
  }
  // A kept run to the left, if there is one, and the kept run to the right become neighbours.
  void drop(int k) {
    Runs rest(Shape{}, 0);
    for (int i = 0; i < count; ++i) {
      if (i != k) rest.add(size[i], reduced[i]);
    }
    *this = rest;
  }
};

// One pass per run of reduced dims, the last first; x is contiguous and not empty.
void reduce_into(const char* name, Reduce kind, const Tensor& y, Tensor x, uint32_t mask) {
  Runs runs(x.sizes(), mask);
  int k = runs.last_reduced();
  if (k < 0) return copy(y, alias(x, y.sizes(), contiguous_strides(y.sizes()), 0), name);
  for (;;) {
    const int64_t outer = runs.product(0, k);
    const int64_t n = runs.size[k];
    const int64_t inner = runs.product(k + 1, runs.count);
    runs.drop(k);
    k = runs.last_reduced();
    if (k < 0) return run_pass(name, kind, y, x, outer, n, inner);
    Tensor part = new_tensor(outer * inner, y.dtype());
    run_pass(name, kind, part, x, outer, n, inner);
    x = std::move(part);
  }
}

// In float32 where x is bfloat16.
Tensor reduce(const char* name, Reduce kind, const Tensor& x, uint32_t mask, bool keepdim) {
  const int64_t rank = x.dim();
  const bool all = mask + 1 == uint32_t{1} << rank;
  const DType dtype = x.dtype() == kBFloat16 ? kFloat32 : x.dtype();
  const Tensor y =
      all && !keepdim ? new_tensor(IntArrayRef(), dtype) : new_tensor(reduced_sizes(x.sizes(), mask, keepdim), dtype);
  if (x.numel() == 0) {
    fill(y, 0);
  } else if (all) {
    run_pass(name, kind, y, contiguous_of(x), 1, x.numel(), 1);
  } else {
    reduce_into(name, kind, y, contiguous_of(x), mask);
  }
  return y;
}

// x as [outer, n] with the reduced dims last.
Tensor rows_of(const Tensor& x, uint32_t mask) {
  Shape sizes, strides;
  for (const bool reduced : {false, true}) {
    for (int64_t d = 0; d < x.dim(); ++d) {
      if ((mask >> d & 1) != reduced) continue;
      sizes.push_back(x.sizes()[d]);
      strides.push_back(x.strides()[d]);
    }
  }
  return contiguous_of(alias(x, sizes, strides, 0));
}

Tensor& divide(const char* name, Tensor& y, int64_t n) {
  dispatch_floating(name, y.dtype(), [&]<class T>() {
    launch(name, LaunchKind::map, {&y}, {&y}, [at = y.elements<T>(), count = y.numel(), by = static_cast<T>(n)] {
      for (int64_t i = 0; i < count; ++i) at[i] /= by;
    });
  });
  return y;
}

// |x|^p, and for the p that need no power less than that.
Tensor powers(const char* name, const Tensor& x, double p) {
  if (p == 0) return converted(test_scalar(name, Map::ne, x, 0), x.dtype());
  if (p == 2) return unary(name, Map::square, x);
  Tensor y = unary(name, Map::abs, x);
  return p == 1 || std::isinf(p) ? y : binary_scalar(name, Map::pow, y, p, y);
}

// Ones among n bools: 64 counters of a byte side by side, emptied before they can run over.
int64_t ones_among(const bool* x, int64_t n) {
  int64_t count = 0;
  while (n >= 64) {
    uint8_t lane[64] = {};
    const int64_t runs = std::min<int64_t>(n / 64, 255);
    for (int64_t r = 0; r < runs; ++r, x += 64) {
      for (int64_t j = 0; j < 64; ++j) lane[j] = static_cast<uint8_t>(lane[j] + x[j]);
    }
    for (uint8_t c : lane) count += c;
    n -= runs * 64;
  }
  for (int64_t i = 0; i < n; ++i) count += x[i];
  return count;
}

// Ones in each row of n bools.
Tensor count_rows(const char* name, const Tensor& hit, const Shape& sizes, int64_t n) {
  Tensor y = new_tensor(sizes, kInt64);
  launch(name, LaunchKind::reduce, {&y}, {&hit},
         [src = hit.elements<bool>(), dst = y.elements<int64_t>(), rows = y.numel(), n] {
           parallel_for(0, rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)),
                        [=](int64_t first, int64_t last) {
                          for (int64_t r = first; r < last; ++r) dst[r] = ones_among(src + r * n, n);
                        });
         });
  return y;
}

Tensor logsumexp_columns(const char* name, const Tensor& x, uint32_t mask, bool keepdim, const Axis& axis) {
  const Tensor from = contiguous_of(x);
  Tensor y = new_tensor(reduced_sizes(x.sizes(), mask, keepdim), x.dtype());
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    const auto fn = simd::floating<T>(simd::table()).logsumexp_cols;
    launch(name, LaunchKind::reduce, {&y}, {&from}, BySimd{[fn, axis, src = from.elements<T>(), dst = y.elements<T>()] {
             const auto strip = [&](int64_t at, int64_t line, int64_t width) {
               fn(src + at, dst + line, axis.n, width, axis.inner);
             };
             for_strips(axis, 32768, strip, column_strip<T>(axis));
           }});
  });
  return y;
}

}  // namespace

Shape reduced_sizes(const Shape& sizes, uint32_t mask, bool keepdim) {
  Shape result;
  for (int64_t d = 0; d < sizes.size(); ++d) {
    if (!(mask >> d & 1)) result.push_back(sizes[d]);
    else if (keepdim) result.push_back(1);
  }
  return result;
}

int64_t reduced_count(const Shape& sizes, uint32_t mask) {
  int64_t n = 1;
  for (int64_t d = 0; d < sizes.size(); ++d) {
    if (mask >> d & 1) n *= sizes[d];
  }
  return n;
}

Tensor spread(const Tensor& y, const Shape& sizes, uint32_t mask) {
  const Shape& from = y.strides();
  const bool kept = from.size() == sizes.size();
  Shape strides = sizes;
  for (int64_t d = 0, e = 0; d < sizes.size(); ++d) {
    const bool reduced = mask >> d & 1;
    strides[d] = reduced ? 0 : from[e];
    e += kept || !reduced;
  }
  return alias(y, sizes, strides, 0);
}

Tensor sum(const char* name, const Tensor& x, uint32_t mask, bool keepdim) {
  const Tensor y = reduce(name, Reduce::sum, x.is_floating_point() ? x : converted(x, kInt64), mask, keepdim);
  return x.dtype() == kBFloat16 ? converted(y, kBFloat16) : y;
}

Tensor mean(const char* name, const Tensor& x, uint32_t mask, bool keepdim) {
  Tensor y = reduce(name, Reduce::sum, x, mask, keepdim);
  divide(name, y, reduced_count(x.sizes(), mask));
  return x.dtype() == kBFloat16 ? converted(y, kBFloat16) : y;
}

Tensor extreme(const char* name, const Tensor& x, uint32_t mask, bool keepdim, bool smallest) {
  if (x.dtype() == kBFloat16)
    return converted(extreme(name, converted(x, kFloat32), mask, keepdim, smallest), kBFloat16);
  return reduce(name, smallest ? Reduce::amin : Reduce::amax, x, mask, keepdim);
}

Tensor prod(const char* name, const Tensor& x, uint32_t mask, bool keepdim) {
  if (x.dtype() == kBFloat16) not_supported(name, x.dtype());
  if (x.numel() == 0) return filled_tensor(reduced_sizes(x.sizes(), mask, keepdim), x.dtype(), 1);
  return reduce(name, Reduce::prod, x, mask, keepdim);
}

Tensor truth(const char* name, const Tensor& x, uint32_t mask, bool keepdim, bool all) {
  if (x.numel() == 0) return filled_tensor(reduced_sizes(x.sizes(), mask, keepdim), kBool, all);
  const Tensor hit = x.dtype() == kBool ? x : test_scalar(name, Map::ne, x, 0);
  return reduce(name, all ? Reduce::amin : Reduce::amax, hit, mask, keepdim);
}

Tensor count_nonzero(const char* name, const Tensor& x, uint32_t mask) {
  const Tensor hit = x.dtype() == kBool ? contiguous_of(x) : contiguous_of(test_scalar(name, Map::ne, x, 0));
  Axis axis;
  if (!axis.join(x.sizes(), mask) || axis.inner != 1) return sum(name, hit, mask, false);
  return count_rows(name, hit, reduced_sizes(x.sizes(), mask, false), axis.n);
}

Tensor logsumexp(const char* name, const Tensor& x, uint32_t mask, bool keepdim) {
  Axis axis;
  const bool columns = axis.join(x.sizes(), mask) && axis.inner > 1;
  if (columns && axis.inner * x.element_size() >= 32) return logsumexp_columns(name, x, mask, keepdim, axis);
  const Tensor rows = rows_of(x, mask);
  Tensor y = new_tensor(reduced_sizes(x.sizes(), mask, keepdim), x.dtype());
  const int64_t n = reduced_count(x.sizes(), mask);
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    const auto fn = simd::floating<T>(simd::table()).logsumexp;
    launch(name, LaunchKind::reduce, {&y}, {&rows},
           BySimd{[fn, n, src = rows.elements<T>(), dst = y.elements<T>(), count = y.numel()] {
             parallel_for(0, count, std::max<int64_t>(1, 32768 / std::max<int64_t>(n, 1)),
                          [&](int64_t first, int64_t last) { fn(src + first * n, dst + first, last - first, n); });
           }});
  });
  return y;
}

Tensor norm(const char* name, const Tensor& x, double p, uint32_t mask, bool keepdim) {
  const Tensor terms = powers(name, x, p);
  if (std::isinf(p)) return extreme(name, terms, mask, keepdim, p < 0);
  Tensor y = sum(name, terms, mask, keepdim);
  if (p == 0 || p == 1) return y;
  return p == 2 ? unary(name, Map::sqrt, y, y) : binary_scalar(name, Map::pow, y, 1 / p, y);
}

}  // namespace tapegrad::kernels
