// Comparisons and tests of floats, with bool results: masks become bits, bits become bytes.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/map_compare.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

struct Eq {
  template <class D, class V> HWY_INLINE auto operator()(D, V a, V b) const { return hn::Eq(a, b); }
};
// Highway 1.0.3's Ne is false for NaN on AVX2 and AVX-512.
struct Ne {
  template <class D, class V> HWY_INLINE auto operator()(D, V a, V b) const { return hn::Not(hn::Eq(a, b)); }
};
struct Lt {
  template <class D, class V> HWY_INLINE auto operator()(D, V a, V b) const { return hn::Lt(a, b); }
};
struct Le {
  template <class D, class V> HWY_INLINE auto operator()(D, V a, V b) const { return hn::Le(a, b); }
};
struct Gt {
  template <class D, class V> HWY_INLINE auto operator()(D, V a, V b) const { return hn::Gt(a, b); }
};
struct Ge {
  template <class D, class V> HWY_INLINE auto operator()(D, V a, V b) const { return hn::Ge(a, b); }
};
struct Not {
  template <class D, class V> HWY_INLINE auto operator()(D d, V a, V) const { return hn::Eq(a, hn::Zero(d)); }
};
struct IsNan {
  template <class D, class V> HWY_INLINE auto operator()(D, V a, V) const { return hn::IsNaN(a); }
};
struct IsInf {
  template <class D, class V> HWY_INLINE auto operator()(D d, V a, V) const {
    return hn::Eq(hn::Abs(a), hn::Set(d, kInf<hn::TFromD<D>>));
  }
};
struct IsFinite {
  template <class D, class V> HWY_INLINE auto operator()(D d, V a, V) const {
    return hn::Lt(hn::Abs(a), hn::Set(d, kInf<hn::TFromD<D>>));
  }
};

template <class T, class Op, int kIn> struct CompareKernel {
  static constexpr int kOperands = kIn + 1;
  static constexpr uint8_t kSizes[4] = {1, sizeof(T), sizeof(T), sizeof(T)};
  static constexpr int64_t kStep = kLanes<T> < 8 ? 8 : kLanes<T>;  // whole bytes of bits

  static HWY_INLINE uint64_t bits_of(Vec<T> a, Vec<T> b) {
    uint8_t bytes[8];
    hn::StoreMaskBits(Full<T>(), Op()(Full<T>(), a, b), bytes);
    std::conditional_t<(kLanes<T> > 8), uint16_t, uint8_t>
        bits;  // just what was stored, or the load would wait for the store
    std::memcpy(&bits, bytes, sizeof(bits));
    return bits & ((uint64_t{1} << kLanes<T>)-1);
  }

  // Bit j of the lowest eight to byte j: one bit picked in each byte, carried to the byte's top, and brought down.
  static HWY_INLINE uint64_t bytes_of(uint64_t bits) {
    const uint64_t picked = (bits & 255) * 0x0101010101010101u & 0x8040201008040201u;
    return (picked + 0x7F7F7F7F7F7F7F7Fu) >> 7 & 0x0101010101010101u;
  }

  static HWY_NOINLINE void run(char* const* ptr, int64_t n, const double*, bool) {
    const Full<T> d;
    uint8_t* y = reinterpret_cast<uint8_t*>(ptr[0]);
    const T* a = reinterpret_cast<const T*>(ptr[1]);
    const T* b = reinterpret_cast<const T*>(ptr[kIn]);
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) {
      uint64_t bits = 0;
      for (int64_t v = 0; v < kStep; v += kLanes<T>)
        bits |= bits_of(hn::LoadU(d, a + i + v), hn::LoadU(d, b + i + v)) << v;
      for (int64_t v = 0; v < kStep; v += 8) {
        const uint64_t bytes = bytes_of(bits >> v);
        std::memcpy(y + i + v, &bytes, 8);
      }
    }
#if !defined(__clang__)
#pragma GCC unroll 1
#endif
    for (; i < n; ++i) {
      const One<T> one;
      y[i] = hn::CountTrue(one, Op()(one, hn::Set(one, a[i]), hn::Set(one, b[i]))) != 0;
    }
  }
};

template <class Op, int kIn> void offer_test(Table& t, Map op) {
  t.map[static_cast<int>(op)][static_cast<int>(kFloat32)] = &tile<CompareKernel<float, Op, kIn>>;
  t.map[static_cast<int>(op)][static_cast<int>(kFloat64)] = &tile<CompareKernel<double, Op, kIn>>;
}

}  // namespace

void fill_map_compare(Table& t) {
  offer_test<Not, 1>(t, Map::logical_not);
  offer_test<IsNan, 1>(t, Map::isnan);
  offer_test<IsInf, 1>(t, Map::isinf);
  offer_test<IsFinite, 1>(t, Map::isfinite);
  offer_test<Eq, 2>(t, Map::eq);
  offer_test<Ne, 2>(t, Map::ne);
  offer_test<Lt, 2>(t, Map::lt);
  offer_test<Le, 2>(t, Map::le);
  offer_test<Gt, 2>(t, Map::gt);
  offer_test<Ge, 2>(t, Map::ge);
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
