// Optimizer steps over flat parameter memory, filling, adding, and random words.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/optim.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/math-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// The gradient a step works with: negated to maximize, with the weight decay that belongs to the loss.
template <class D, class Step, class V> HWY_INLINE V gradient(D d, const Step& s, V p, int64_t i) {
  V g = hn::LoadU(d, s.g + i);
  if (s.maximize) g = hn::Neg(g);
  if (s.weight_decay != 0) g = hn::Add(g, hn::Mul(constant(d, s.weight_decay), p));
  return g;
}

// The scalars of a step, rounded to T as PyTorch rounds them. run(d, i) updates one vector at element i.
template <class T> struct Sgd {
  const SgdStep<T>& s;
  template <class D> HWY_INLINE void run(D d, int64_t i) const {
    const auto p = hn::LoadU(d, s.p + i);
    auto g = gradient(d, s, p, i);
    if (s.m) {
      auto m = g;
      if (!s.first)
        m = hn::Add(hn::Mul(hn::LoadU(d, s.m + i), constant(d, s.momentum)), hn::Mul(constant(d, 1 - s.dampening), g));
      hn::StoreU(m, d, s.m + i);
      g = s.nesterov ? hn::Add(g, hn::Mul(constant(d, s.momentum), m)) : m;
    }
    hn::StoreU(hn::Add(p, hn::Mul(constant(d, -s.lr), g)), d, s.p + i);
  }
};

template <class T> struct Adam {
  const AdamStep<T>& s;
  T root2, inverse_root2;  // of correction2

  // x / root2, rounded as the division: the quotient by the reciprocal, put right by its remainder (Markstein).
  template <class D, class V> HWY_INLINE V over_root2(D d, V x) const {
    if constexpr (!HWY_NATIVE_FMA) return hn::Div(x, hn::Set(d, root2));
    const V q = hn::Mul(x, hn::Set(d, inverse_root2));
    const V better = hn::MulAdd(hn::NegMulAdd(q, hn::Set(d, root2), x), hn::Set(d, inverse_root2), q);
    return hn::IfThenElse(hn::Eq(q, hn::Set(d, kInf<T>)), q, better);
  }

  template <class D> HWY_INLINE void run(D d, int64_t i) const {
    auto p = hn::LoadU(d, s.p + i);
    const auto g = gradient(d, s, p, i);
    if (s.shrink != 1) p = hn::Mul(p, constant(d, s.shrink));
    const auto m = hn::Add(hn::Mul(hn::LoadU(d, s.m + i), constant(d, s.beta1)), hn::Mul(constant(d, 1 - s.beta1), g));
    const auto v =
        hn::Add(hn::Mul(hn::LoadU(d, s.v + i), constant(d, s.beta2)), hn::Mul(hn::Mul(constant(d, 1 - s.beta2), g), g));
    auto largest = v;
    if (s.v_max) {
      const auto before = hn::LoadU(d, s.v_max + i);
      largest = hn::IfThenElse(hn::Gt(before, v), before, v);
      hn::StoreU(largest, d, s.v_max + i);
    }
    const auto denominator = hn::Add(over_root2(d, hn::Sqrt(largest)), constant(d, s.eps));
    hn::StoreU(m, d, s.m + i);
    hn::StoreU(v, d, s.v + i);
    hn::StoreU(hn::Add(p, hn::Div(hn::Mul(constant(d, -(s.lr / s.correction1)), m), denominator)), d, s.p + i);
  }
};

template <class T> struct Rmsprop {
  const RmspropStep<T>& s;
  template <class D> HWY_INLINE void run(D d, int64_t i) const {
    const auto p = hn::LoadU(d, s.p + i);
    const auto g = gradient(d, s, p, i);
    const auto keep = constant(d, s.alpha), take = constant(d, 1 - s.alpha);
    const auto v = hn::Add(hn::Mul(hn::LoadU(d, s.v + i), keep), hn::Mul(hn::Mul(take, g), g));
    hn::StoreU(v, d, s.v + i);
    auto variance = v;
    if (s.mean) {
      const auto mean = hn::Add(hn::Mul(hn::LoadU(d, s.mean + i), keep), hn::Mul(take, g));
      hn::StoreU(mean, d, s.mean + i);
      variance = hn::Sub(v, hn::Mul(mean, mean));
    }
    auto step = hn::Div(g, hn::Add(hn::Sqrt(variance), constant(d, s.eps)));
    if (s.m) {
      step = hn::Add(hn::Mul(hn::LoadU(d, s.m + i), constant(d, s.momentum)), step);
      hn::StoreU(step, d, s.m + i);
    }
    hn::StoreU(hn::Add(p, hn::Mul(constant(d, -s.lr), step)), d, s.p + i);
  }
};

template <class T> struct Adagrad {
  const AdagradStep<T>& s;
  template <class D> HWY_INLINE void run(D d, int64_t i) const {
    const auto p = hn::LoadU(d, s.p + i);
    const auto g = gradient(d, s, p, i);
    const auto v = hn::Add(hn::LoadU(d, s.v + i), hn::Mul(g, g));
    hn::StoreU(v, d, s.v + i);
    const auto denominator = hn::Add(hn::Sqrt(v), constant(d, s.eps));
    hn::StoreU(hn::Add(p, hn::Div(hn::Mul(constant(d, -s.lr), g), denominator)), d, s.p + i);
  }
};

template <class T, class Step> HWY_INLINE void for_all(const Step& step, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) step.run(Full<T>(), i);
  for (; i < n; ++i) step.run(One<T>(), i);
}

template <class T> void sgd(const SgdStep<T>& s) {
  const SgdStep<T> local = s;  // a copy no store can alias
  for_all<T>(Sgd<T>{local}, s.n);
}

template <class T> void adam(const AdamStep<T>& s) {
  const AdamStep<T> local = s;
  const T root = static_cast<T>(std::sqrt(s.correction2));
  for_all<T>(Adam<T>{local, root, T{1} / root}, s.n);
}

template <class T> void rmsprop(const RmspropStep<T>& s) {
  const RmspropStep<T> local = s;
  for_all<T>(Rmsprop<T>{local}, s.n);
}

template <class T> void adagrad(const AdagradStep<T>& s) {
  const AdagradStep<T> local = s;
  for_all<T>(Adagrad<T>{local}, s.n);
}

template <class T> void fill(void* dst, const void* value, int64_t n) {
  T x;
  std::memcpy(&x, value, sizeof(T));
  std::fill_n(static_cast<T*>(dst), n, x);
}

template <class T> void add_into(void* dst, const void* src, int64_t n) {
  T* y = static_cast<T*>(dst);
  const T* x = static_cast<const T*>(src);
  if constexpr (std::is_floating_point_v<T>) {
    const Full<T> d;
    constexpr int64_t N = kLanes<T>;
    int64_t i = 0;
    for (; i + 2 * N <= n; i += 2 * N) {
      const Vec<T> y0 = hn::Add(hn::LoadU(d, y + i), hn::LoadU(d, x + i)),
                   y1 = hn::Add(hn::LoadU(d, y + i + N), hn::LoadU(d, x + i + N));
      hn::StoreU(y0, d, y + i);
      hn::StoreU(y1, d, y + i + N);
    }
    for (; i < n; ++i) y[i] += x[i];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(y[i] + x[i]);
  }
}

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), a counter in each 64-bit lane. Only
// the low halves of c count: the products ignore what is above them.
template <class D> struct Philox {
  using V = hn::Vec<D>;
  V c0, c1, c2, c3;

  HWY_INLINE Philox(D d, uint64_t op, uint64_t counter) {
    c0 = hn::Iota(d, counter);
    c1 = hn::ShiftRight<32>(c0);
    c2 = hn::Set(d, op);
    c3 = hn::ShiftRight<32>(c2);
  }
  HWY_INLINE void round(D d, uint32_t k0, uint32_t k1) {
    const hn::Repartition<uint32_t, D> d32;
    const V p0 = hn::MulEven(hn::BitCast(d32, c0), hn::Set(d32, 0xD2511F53u));
    const V p1 = hn::MulEven(hn::BitCast(d32, c2), hn::Set(d32, 0xCD9E8D57u));
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, uint64_t{k0}));
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, uint64_t{k1}));
    c1 = p1;
    c3 = p0;
  }
  static HWY_INLINE V pair(D d, V low, V high) {
    return hn::Or(hn::And(low, hn::Set(d, uint64_t{0xFFFFFFFF})), hn::ShiftLeft<32>(high));
  }
  HWY_INLINE void store(D d, uint32_t* dst) const {
    HWY_ALIGN uint64_t low[HWY_LANES(uint64_t)], high[HWY_LANES(uint64_t)];
    hn::Store(pair(d, c0, c1), d, low);
    hn::Store(pair(d, c2, c3), d, high);
    for (size_t i = 0; i < hn::Lanes(d); ++i) {
      std::memcpy(dst + 4 * i, &low[i], 8);
      std::memcpy(dst + 4 * i + 2, &high[i], 8);
    }
  }
};

// Two vectors of counters at a time hide the latency of the products.
template <class D> HWY_INLINE void philox_run(D d, uint64_t seed, uint64_t op, uint64_t counter, uint32_t* dst) {
  const size_t lanes = hn::Lanes(d);
  Philox<D> x(d, op, counter), y(d, op, counter + lanes);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    x.round(d, k0, k1);
    y.round(d, k0, k1);
  }
  x.store(d, dst);
  y.store(d, dst + 4 * lanes);
}

void philox(uint64_t seed, uint64_t op, uint64_t first, uint32_t* dst, int64_t n) {
  constexpr int64_t kRun = 8 * kLanes<uint64_t>, kFew = 8;
  HWY_ALIGN uint32_t words[kRun];
  for (int64_t i = 0; i < n;) {
    const uint64_t word = first + static_cast<uint64_t>(i);
    const int64_t skip = static_cast<int64_t>(word % 4);
    if (skip == 0 && n - i >= kRun) {
      philox_run(Full<uint64_t>(), seed, op, word / 4, dst + i);
      i += kRun;
      continue;
    }
    philox_run(One<uint64_t>(), seed, op, word / 4, words);
    const int64_t count = std::min(kFew - skip, n - i);
    std::copy_n(words + skip, count, dst + i);
    i += count;
  }
}

}  // namespace

void fill_optim(Table& t) {
  t.f32.sgd = &sgd<float>;
  t.f64.sgd = &sgd<double>;
  t.f32.adam = &adam<float>;
  t.f64.adam = &adam<double>;
  t.f32.rmsprop = &rmsprop<float>;
  t.f64.rmsprop = &rmsprop<double>;
  t.f32.adagrad = &adagrad<float>;
  t.f64.adagrad = &adagrad<double>;
  const Flat fills[] = {&fill<uint8_t>,  &fill<uint8_t>,  &fill<uint32_t>,
                        &fill<uint64_t>, &fill<uint32_t>, &fill<uint64_t>};
  std::copy_n(fills, 6, t.fill);
  const Flat adds[] = {nullptr,          &add_into<uint8_t>, &add_into<uint32_t>, &add_into<uint64_t>,
                       &add_into<float>, &add_into<double>};
  std::copy_n(adds, 6, t.add_into);
  t.philox = &philox;
}

}  // namespace tapegrad::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
