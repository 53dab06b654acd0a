// bfloat16: conversions, sums, and every elementwise kernel by way of the one for float32, in tiles of the first-level cache.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/bfloat16.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/pairs-inl.h"
#include "tapegrad/ops/kernels/simd/reduce-inl.h"
#include "tapegrad/ops/kernels/simd/tile-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

constexpr int kMaps = static_cast<int>(Map::count_);
constexpr int64_t kChunk = 512;

constexpr bool between(Map op, Map first, Map last) { return op >= first && op <= last; }
constexpr bool gives_bool(Map op) {
  return between(op, Map::logical_not, Map::isfinite) || between(op, Map::eq, Map::logical_and);
}
constexpr int inputs_of(Map op) {
  if (op <= Map::isfinite || between(op, Map::elu, Map::threshold) || between(op, Map::exp2, Map::nan_to_num)) return 1;
  for (Map three :
       {Map::where, Map::mul_add, Map::prelu_backward, Map::glu_backward_gate, Map::lerp, Map::addcmul, Map::addcdiv}) {
    if (op == three) return 3;
  }
  return 2;
}

// Bytes of an element of each operand: 2 is bfloat16, 1 a bool and 4 a float32, which need no conversion.
struct Form {
  int operands;
  uint8_t size[kMaxOperands];
};
constexpr Form form_of(Map op, bool number) {
  Form f{inputs_of(op) + 1, {2, 2, 2, 2}};
  if (gives_bool(op)) f.size[0] = 1;
  if (op == Map::where) f.size[1] = 1;
  if (number) f.size[2] = 4;
  return f;
}

template <class T> HWY_INLINE void gather(T* y, const char* x, int64_t stride, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = load_one<T>(x + i * stride);
}
template <class T> HWY_INLINE void scatter(char* y, int64_t stride, const T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) std::memcpy(y + i * stride, x + i, sizeof(T));
}

// One operand's elements of a chunk, dense and wide enough for the kernel.
struct Buffer {
  HWY_ALIGN float wide[kChunk];
  HWY_ALIGN BFloat16 half[kChunk];

  HWY_NOINLINE char* input(char* from, int64_t stride, int size, int64_t n) {
    if (size == 4) gather(wide, from, stride, n);
    if (size == 1) {
      if (stride == 1) return from;
      gather(reinterpret_cast<uint8_t*>(wide), from, stride, n);
    }
    if (size == 2) {
      const auto* x = reinterpret_cast<const BFloat16*>(from);
      if (stride != 2) gather(half, from, stride, n), x = half;
      widen_run(wide, x, n);
    }
    return reinterpret_cast<char*>(wide);
  }
  HWY_NOINLINE void output(char* to, int64_t stride, int size, int64_t n) {
    if (size == 1) return scatter(to, stride, reinterpret_cast<const uint8_t*>(wide), n);
    if (stride == 2) return narrow_run(reinterpret_cast<BFloat16*>(to), wide, n);
    narrow_run(half, wide, n);
    scatter(to, stride, half, n);
  }
};

HWY_NOINLINE void run_through_float(Tile tile, const Form& form, char* const* ptr, const int64_t* stride, int64_t n,
                                    const double* attr) {
  Buffer buffer[kMaxOperands];
  for (int64_t start = 0; start < n; start += kChunk) {
    const int64_t count = std::min(kChunk, n - start);
    char* at[kMaxOperands];
    int64_t step[kMaxOperands];
    for (int k = 0; k < form.operands; ++k) {
      const int size = form.size[k];
      const int64_t by = n == 1 ? size : stride[k];
      char* const here = ptr[k] + start * by;
      step[k] = size == 1 ? 1 : 4;
      if (k == 0) at[k] = size == 1 && by == 1 ? here : reinterpret_cast<char*>(buffer[k].wide);
      // What is repeated was spread by the first chunk.
      else
        at[k] = by == 0 && start > 0 ? reinterpret_cast<char*>(buffer[k].wide) : buffer[k].input(here, by, size, count);
    }
    tile(at, step, count, attr);
    const int64_t by = n == 1 ? form.size[0] : stride[0];
    char* const to = ptr[0] + start * by;
    if (at[0] != to) buffer[0].output(to, by, form.size[0], count);
  }
}

// This instruction set's kernels, which the tiles below have no other way to name.
Tile float_tile[kMaps];

template <int kOp, bool kNumber>
void through_float(char* const* ptr, const int64_t* stride, int64_t n, const double* attr) {
  static constexpr Form form = form_of(static_cast<Map>(kOp), kNumber);
  run_through_float(float_tile[kOp], form, ptr, stride, n, attr);
}

template <int... kOp> void offer_maps(Table& t, std::integer_sequence<int, kOp...>) {
  constexpr auto f32 = static_cast<int>(kFloat32), bf16 = static_cast<int>(kBFloat16);
  constexpr Tile tiles[] = {&through_float<kOp, false>...};
  constexpr Tile number_tiles[] = {(inputs_of(static_cast<Map>(kOp)) == 2 ? &through_float<kOp, true> : nullptr)...};
  for (int op = 0; op < kMaps; ++op) {
    float_tile[op] = t.map[op][f32];
    t.map[op][bf16] = float_tile[op] ? tiles[op] : nullptr;
    t.map_number[op] = float_tile[op] ? number_tiles[op] : nullptr;
  }
}

struct Narrow {
  static constexpr int kOperands = 2;
  static constexpr uint8_t kSizes[4] = {2, 4, 0, 0};
  static HWY_NOINLINE void run(char* const* ptr, int64_t n, const double*, bool) {
    narrow_run(reinterpret_cast<BFloat16*>(ptr[0]), reinterpret_cast<const float*>(ptr[1]), n);
  }
};
struct Widen {
  static constexpr int kOperands = 2;
  static constexpr uint8_t kSizes[4] = {4, 2, 0, 0};
  static HWY_NOINLINE void run(char* const* ptr, int64_t n, const double*, bool) {
    widen_run(reinterpret_cast<float*>(ptr[0]), reinterpret_cast<const BFloat16*>(ptr[1]), n);
  }
};

// Block by block, so that the terms meet in the order that row_sum() has.
float row_sum_of(const BFloat16* x, int64_t n) {
  HWY_ALIGN float block[kSumBlock];
  PairwiseSum<float> sum;
  for (int64_t i = 0; i == 0 || i < n; i += kSumBlock) {
    const int64_t count = std::min(kSumBlock, n - i);
    widen_run(block, x + i, count);
    const float part = sum_block<float, false>(block, block, count);
    if (n <= kSumBlock) return part;
    sum.add(part);
  }
  return sum.total();
}

void sum_rows(const void* src, void* dst, int64_t rows, int64_t cols, int64_t ld) {
  for (int64_t r = 0; r < rows; ++r)
    static_cast<float*>(dst)[r] = row_sum_of(static_cast<const BFloat16*>(src) + r * ld, cols);
}

void interleave(const BFloat16* x, int64_t ld, int64_t rows, int64_t cols, float* dst) {
  constexpr int64_t N = kLanes<float>;
  const Wide d;
  const auto* const bits = reinterpret_cast<const uint16_t*>(x);
  for (int64_t r = 0; r < rows; r += 2) {
    const bool both = r + 1 < rows;
    const uint16_t *const even = bits + r * ld, *const odd = both ? even + ld : even;
    auto* const to = reinterpret_cast<uint32_t*>(dst + r / 2 * cols);
    int64_t c = 0;
    for (; c + N <= cols; c += N) {
      const auto low = hn::PromoteTo(d, hn::LoadU(Halves(), even + c));
      const auto high = both ? hn::PromoteTo(d, hn::LoadU(Halves(), odd + c)) : hn::Zero(d);
      hn::StoreU(hn::Or(low, hn::ShiftLeft<16>(high)), d, to + c);
    }
    for (; c < cols; ++c) {
      const uint32_t pair = even[c] | static_cast<uint32_t>(both ? odd[c] : 0) << 16;
      std::memcpy(to + c, &pair, sizeof pair);
    }
  }
}

#if HWY_TARGET == HWY_AVX3
void round_products(const float* x, int64_t n, BFloat16* y) {
  constexpr int64_t N = kLanes<float>;
  for (; n >= N; n -= N, x += N, y += N) store_narrow(hn::LoadU(Full<float>(), x), y);
  if (n > 0) store_narrow_few(load_few(x, n), y, n);
}
#endif

}  // namespace

// After the kernels for float32.
void fill_bfloat16(Table& t) {
  offer_maps(t, std::make_integer_sequence<int, kMaps>());
  t.narrow_tile = &tile<Narrow>;
  t.widen_tile = &tile<Widen>;
  t.interleave = &interleave;
#if HWY_TARGET == HWY_AVX3
  if (has_pairs()) t.pairs.round = &round_products;
#endif
  t.reduce_rows[static_cast<int>(Reduce::sum)][static_cast<int>(kBFloat16)] = &sum_rows;
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "tapegrad/core/copy.h"

namespace tapegrad {

detail::BFloat16Tiles detail::bfloat16_tiles() {
  const auto& t = kernels::simd::table();
  using kernels::simd::Map;
  return {t.narrow_tile, t.widen_tile, t.map[static_cast<int>(Map::add)][static_cast<int>(kBFloat16)]};
}

}  // namespace tapegrad
#endif  // HWY_ONCE
