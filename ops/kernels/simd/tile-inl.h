// From a functor to a Tile: vector functors for floats, scalar ones (vectorised by the compiler) for everything else.
#if defined(TAPEGRAD_SIMD_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_SIMD_TILE_INL
#undef TAPEGRAD_SIMD_TILE_INL
#else
#define TAPEGRAD_SIMD_TILE_INL
#endif

#include "tapegrad/ops/kernels/simd/common-inl.h"
#include "tapegrad/ops/kernels/simd/tile.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {

// A Kernel has kOperands, kSizes and run(), a Contiguous that is not inlined here: a copy for each of its two callers
// would double the code of the elementwise kernels for the price of one jump.
template <class Kernel> void tile(char* const* ptr, const int64_t* stride, int64_t n, const double* attr) {
  bool direct = n == 1;
  if (!direct) {
    direct = n * Kernel::kSizes[0] < kStreamBytes;
    for (int k = 0; k < Kernel::kOperands; ++k) direct = direct && stride[k] == Kernel::kSizes[k];
  }
  if (direct) return Kernel::run(ptr, n, attr, false);
  run_strided(&Kernel::run, Kernel::kSizes, Kernel::kOperands, ptr, stride, n, attr);
}

template <class Op> HWY_INLINE Op make_op(const double* attr) {
  if constexpr (std::is_constructible_v<Op, const double*>) return Op(attr);
  else return Op{};
}

template <class T> HWY_INLINE T load_one(const char* p) {
  T x;
  std::memcpy(&x, p, sizeof(T));
  return x;
}

// y[i] = op(a[i], ...) on whole vectors. kCheap: a tail costs less element by element than through a padded vector;
// one-lane vectors run the same instructions, so the bits are the same either way.
template <class T, class Op, int kIn, bool kCheap> struct VectorKernel {
  static constexpr int kOperands = kIn + 1;
  static constexpr uint8_t kSizes[4] = {sizeof(T), sizeof(T), sizeof(T), sizeof(T)};

  // Read once: the compiler must assume that the kernel's stores change `ptr` itself.
  struct Operands {
    T* y;
    const T *a, *b, *c;
  };

  template <class Load> static HWY_INLINE auto apply(const Op& op, const Operands& p, int64_t i, const Load& load) {
    if constexpr (kIn == 1) return op(load.d, load(p.a + i));
    if constexpr (kIn == 2) return op(load.d, load(p.a + i), load(p.b + i));
    if constexpr (kIn == 3) return op(load.d, load(p.a + i), load(p.b + i), load(p.c + i));
  }
  struct Whole {
    Full<T> d;
    HWY_INLINE Vec<T> operator()(const T* x) const { return hn::LoadU(d, x); }
  };
  struct Single {
    One<T> d;
    HWY_INLINE hn::Vec<One<T>> operator()(const T* x) const {
      return hn::Set(d, load_one<T>(reinterpret_cast<const char*>(x)));
    }
  };

  static HWY_INLINE void one(const Op& op, const Operands& p, int64_t i) {
    const T x = hn::GetLane(apply(op, p, i, Single{}));
    std::memcpy(p.y + i, &x, sizeof(T));
  }

  static HWY_NOINLINE void run(char* const* ptr, int64_t n, const double* attr, bool stream) {
    const Full<T> d;
    constexpr int64_t N = kLanes<T>;
    const Op op = make_op<Op>(attr);
    const Operands p{reinterpret_cast<T*>(ptr[0]), reinterpret_cast<const T*>(ptr[1]),
                     kIn > 1 ? reinterpret_cast<const T*>(ptr[2]) : nullptr,
                     kIn > 2 ? reinterpret_cast<const T*>(ptr[3]) : nullptr};
    int64_t i = 0;
    if constexpr (kCheap) {
      for (; !stream && i + 4 * N <= n; i += 4 * N) {
        const Vec<T> y0 = apply(op, p, i, Whole{}), y1 = apply(op, p, i + N, Whole{});
        const Vec<T> y2 = apply(op, p, i + 2 * N, Whole{}), y3 = apply(op, p, i + 3 * N, Whole{});
        hn::StoreU(y0, d, p.y + i);
        hn::StoreU(y1, d, p.y + i + N);
        hn::StoreU(y2, d, p.y + i + 2 * N);
        hn::StoreU(y3, d, p.y + i + 3 * N);
      }
    }
    if constexpr (!kCheap && N > 1) {
      // The tail goes through padded copies and the same loop: a second copy of the arithmetic would be most of the library's code.
      HWY_ALIGN T few[kOperands][N];
      const int64_t left = n % N, end = n - left;
      Operands at = p;
      for (int64_t count = end;; count = N, stream = false) {
        for (i = 0; i < count; i += N) {
          const Vec<T> y = apply(op, at, i, Whole{});
          if (stream) hn::Stream(y, d, at.y + i);
          else hn::StoreU(y, d, at.y + i);
        }
        if (left == 0) return;
        if (at.y == few[0]) return store_few(hn::Load(d, few[0]), p.y + end, left);
        hn::Store(load_few(p.a + end, left), d, few[1]);
        if constexpr (kIn > 1) hn::Store(load_few(p.b + end, left), d, few[2]);
        if constexpr (kIn > 2) hn::Store(load_few(p.c + end, left), d, few[3]);
        at = {few[0], few[1], kIn > 1 ? few[kIn > 1 ? 2 : 0] : nullptr, kIn > 2 ? few[kIn > 2 ? 3 : 0] : nullptr};
      }
    } else {
      for (; i + N <= n; i += N) {
        const Vec<T> y = apply(op, p, i, Whole{});
        if (stream) hn::Stream(y, d, p.y + i);
        else hn::StoreU(y, d, p.y + i);
      }
#if !defined(__clang__)
#pragma GCC unroll 1  // peeled seven times over, the tails would be most of the library's code
#endif
      for (; i < n; ++i) one(op, p, i);
    }
  }
};

// Op on vectors of floats and of doubles is what the table does for `op`.
template <class Op, int kIn, bool kCheap = true> void offer(Table& t, Map op) {
  t.map[static_cast<int>(op)][static_cast<int>(kFloat32)] = &tile<VectorKernel<float, Op, kIn, kCheap>>;
  t.map[static_cast<int>(op)][static_cast<int>(kFloat64)] = &tile<VectorKernel<double, Op, kIn, kCheap>>;
}

struct None {};
template <class T> constexpr uint8_t kSize = std::is_same_v<T, None> ? 0 : sizeof(T);

// Output may be an input, never a shifted overlap: there is no dependence between iterations, and the compiler is told.
template <class Y, class Op, class A, class B = None, class C = None> struct ScalarKernel {
  static constexpr int kOperands = std::is_same_v<B, None> ? 2 : std::is_same_v<C, None> ? 3 : 4;
  static constexpr uint8_t kSizes[4] = {kSize<Y>, kSize<A>, kSize<B>, kSize<C>};

  static HWY_INLINE auto element(const Op& op, const A* a, const B* b, const C* c, int64_t i) {
    if constexpr (kOperands == 2) return op(a[i]);
    if constexpr (kOperands == 3) return op(a[i], b[i]);
    if constexpr (kOperands == 4) return op(a[i], b[i], c[i]);
  }

  static HWY_NOINLINE void run(char* const* ptr, int64_t n, const double* attr, bool) {
    const Op op = make_op<Op>(attr);
    int64_t i = 0;
    Y* y = reinterpret_cast<Y*>(ptr[0]);
    const A* a = reinterpret_cast<const A*>(ptr[1]);
    const B* b = kOperands > 2 ? reinterpret_cast<const B*>(ptr[2]) : nullptr;
    const C* c = kOperands > 3 ? reinterpret_cast<const C*>(ptr[3]) : nullptr;
    if constexpr (sizeof(Y) < sizeof(A)) {  // gcc vectorises a comparison, or a narrowing, not the two together
      using Wide = std::conditional_t<sizeof(A) == 4, uint32_t, uint64_t>;
      for (; i + 64 <= n; i += 64) {
        Wide wide[64];
        for (int64_t j = 0; j < 64; ++j) wide[j] = element(op, a, b, c, i + j) ? 1 : 0;
        for (int64_t j = 0; j < 64; ++j) y[i + j] = static_cast<Y>(wide[j]);
      }
    }
#if !defined(__clang__)  // clang checks for overlap at run time instead; its pragma warns where it cannot vectorise
#pragma GCC ivdep
#endif
    for (; i < n; ++i) y[i] = static_cast<Y>(element(op, a, b, c, i));
  }
};

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
