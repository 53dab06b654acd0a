// Optimizer steps over flat parameter memory, filling, adding, and random words.
#include "tapegrad/ops/kernels/simd/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapegrad/ops/kernels/simd/optim.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tapegrad/ops/kernels/simd/math-inl.h"
#include "tapegrad/ops/kernels/simd/reduce-inl.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::simd::HWY_NAMESPACE {
namespace {

// How a run of up to a vector of elements is read and written. A lane's bits do not depend on its neighbours.
struct Whole {
  template <class T> HWY_INLINE Vec<T> load(const T* at) const { return hn::LoadU(Full<T>(), at); }
  template <class T> HWY_INLINE void store(Vec<T> v, T* at) const { hn::StoreU(v, Full<T>(), at); }
};
struct Few {
  int64_t n;
  template <class T> HWY_INLINE Vec<T> load(const T* at) const { return load_few(at, n); }
  template <class T> HWY_INLINE void store(Vec<T> v, T* at) const { store_few(v, at, n); }
};

// The pointers of a piece.
template <class T> struct Memory {
  T* p;
  const T* g;
  T *a, *b, *c;  // the state
};

// The scalars of a step, rounded to T as PyTorch rounds them, and the gradient a step works with: scaled, negated to maximize,
// with the weight decay that belongs to the loss.
// kPlain: the gradient is taken as it is, by a rule that is no variant; the common case and the shortest loop.
template <class T, bool kPlain> struct Step {
  using V = Vec<T>;
  Full<T> d;
  V scale, decay;
  bool scales, maximize, decays;
  HWY_INLINE explicit Step(const StepOptions& o)
      : scale(number(o.scale)),
        decay(number(o.weight_decay)),
        scales(o.scale != 1),
        maximize(o.maximize),
        decays(o.weight_decay != 0) {}
  HWY_INLINE V number(double x) const { return hn::Set(d, static_cast<T>(x)); }
  HWY_INLINE V gradient(V g, V p) const {
    if constexpr (kPlain) return g;
    if (scales) g = hn::Mul(g, scale);
    if (maximize) g = hn::Neg(g);
    if (decays) g = hn::Add(g, hn::Mul(decay, p));
    return g;
  }
};

template <class T, bool kPlain> struct Sgd : Step<T, kPlain> {
  using typename Step<T, kPlain>::V;
  V momentum, share, minus_lr;
  bool buffered, nesterov, first;
  HWY_INLINE explicit Sgd(const SgdStep& o)
      : Step<T, kPlain>(o),
        momentum(this->number(o.momentum)),
        share(this->number(1 - o.dampening)),
        minus_lr(this->number(-o.lr)),
        buffered(o.buffered),
        nesterov(o.nesterov),
        first(o.first) {}
  template <class Lanes> HWY_INLINE void run(Lanes at, const Memory<T>& x, int64_t i) const {
    const V p = at.load(x.p + i);
    V g = this->gradient(at.load(x.g + i), p);
    if (buffered) {
      const V m = first ? g : hn::Add(hn::Mul(at.load(x.a + i), momentum), hn::Mul(share, g));
      at.store(m, x.a + i);
      g = nesterov ? hn::Add(g, hn::Mul(momentum, m)) : m;
    }
    at.store(hn::Add(p, hn::Mul(minus_lr, g)), x.p + i);
  }
};

template <class T, bool kPlain> struct Adam : Step<T, kPlain> {
  using typename Step<T, kPlain>::V;
  V beta1, share1, beta2, share2, eps, shrink, minus_rate, root2, inverse_root2;  // of correction2
  V minus_gradient_rate;
  bool amsgrad, nesterov, adaptive;
  HWY_INLINE explicit Adam(const AdamStep& o)
      : Step<T, kPlain>(o),
        beta1(this->number(o.beta1)),
        share1(this->number(1 - o.beta1)),
        beta2(this->number(o.beta2)),
        share2(this->number(1 - o.beta2)),
        eps(this->number(o.eps)),
        shrink(this->number(o.shrink)),
        minus_rate(this->number(-(o.lr / o.correction1))),
        root2(this->number(std::sqrt(o.correction2))),
        inverse_root2(hn::Set(this->d, T{1} / static_cast<T>(std::sqrt(o.correction2)))),
        minus_gradient_rate(this->number(-o.gradient_rate)),
        amsgrad(o.amsgrad),
        nesterov(o.gradient_rate != 0),
        adaptive(o.adaptive) {}

  // x / root2, rounded as the division: the quotient by the reciprocal, put right by its remainder (Markstein).
  HWY_INLINE V over_root2(V x) const {
    if constexpr (!HWY_NATIVE_FMA) return hn::Div(x, root2);
    const V q = hn::Mul(x, inverse_root2);
    const V better = hn::MulAdd(hn::NegMulAdd(q, root2, x), inverse_root2, q);
    return hn::IfThenElse(hn::Eq(q, hn::Set(this->d, kInf<T>)), q, better);
  }

  template <class Lanes> HWY_INLINE void run(Lanes at, const Memory<T>& x, int64_t i) const {
    V p = at.load(x.p + i);
    const V g = this->gradient(at.load(x.g + i), p);
    p = hn::Mul(p, shrink);
    const V m = hn::Add(hn::Mul(at.load(x.a + i), beta1), hn::Mul(share1, g));
    const V v = hn::Add(hn::Mul(at.load(x.b + i), beta2), hn::Mul(hn::Mul(share2, g), g));
    V largest = v;
    if (amsgrad) {
      const V before = at.load(x.c + i);
      largest = hn::IfThenElse(hn::Gt(before, v), before, v);
      at.store(largest, x.c + i);
    }
    at.store(m, x.a + i);
    at.store(v, x.b + i);
    V step = hn::Mul(minus_rate, m);
    if (!kPlain && nesterov) step = hn::Add(step, hn::Mul(minus_gradient_rate, g));
    if (kPlain || adaptive) step = hn::Div(step, hn::Add(over_root2(hn::Sqrt(largest)), eps));
    at.store(hn::Add(p, step), x.p + i);
  }
};

template <class T, bool kPlain> struct Rmsprop : Step<T, kPlain> {
  using typename Step<T, kPlain>::V;
  V alpha, share, eps, momentum, minus_lr;
  bool buffered, centered;
  HWY_INLINE explicit Rmsprop(const RmspropStep& o)
      : Step<T, kPlain>(o),
        alpha(this->number(o.alpha)),
        share(this->number(1 - o.alpha)),
        eps(this->number(o.eps)),
        momentum(this->number(o.momentum)),
        minus_lr(this->number(-o.lr)),
        buffered(o.buffered),
        centered(o.centered) {}
  template <class Lanes> HWY_INLINE void run(Lanes at, const Memory<T>& x, int64_t i) const {
    const V p = at.load(x.p + i);
    const V g = this->gradient(at.load(x.g + i), p);
    const V v = hn::Add(hn::Mul(at.load(x.a + i), alpha), hn::Mul(hn::Mul(share, g), g));
    at.store(v, x.a + i);
    V variance = v;
    if (centered) {
      const V mean = hn::Add(hn::Mul(at.load(x.c + i), alpha), hn::Mul(share, g));
      at.store(mean, x.c + i);
      variance = hn::Sub(v, hn::Mul(mean, mean));
    }
    V step = hn::Div(g, hn::Add(hn::Sqrt(variance), eps));
    if (buffered) {
      step = hn::Add(hn::Mul(at.load(x.b + i), momentum), step);
      at.store(step, x.b + i);
    }
    at.store(hn::Add(p, hn::Mul(minus_lr, step)), x.p + i);
  }
};

template <class T, bool kPlain> struct Adagrad : Step<T, kPlain> {
  using typename Step<T, kPlain>::V;
  V eps, minus_lr;
  HWY_INLINE explicit Adagrad(const AdagradStep& o)
      : Step<T, kPlain>(o), eps(this->number(o.eps)), minus_lr(this->number(-o.lr)) {}
  template <class Lanes> HWY_INLINE void run(Lanes at, const Memory<T>& x, int64_t i) const {
    const V p = at.load(x.p + i);
    const V g = this->gradient(at.load(x.g + i), p);
    const V v = hn::Add(at.load(x.a + i), hn::Mul(g, g));
    at.store(v, x.a + i);
    const V denominator = hn::Add(hn::Sqrt(v), eps);
    at.store(hn::Add(p, hn::Div(hn::Mul(minus_lr, g), denominator)), x.p + i);
  }
};

template <class T, class Rule> HWY_INLINE void walk(const Rule& rule, const StepRange& range) {
  const StepPiece* piece = range.piece;
  int64_t i = range.first;
  for (int64_t left = range.count; left > 0; ++piece, i = 0) {
    const Memory<T> x{static_cast<T*>(piece->p), static_cast<const T*>(piece->g), static_cast<T*>(piece->state[0]),
                      static_cast<T*>(piece->state[1]), static_cast<T*>(piece->state[2])};
    const int64_t end = std::min(piece->n, i + left);
    left -= end - i;
    for (; i + kLanes<T> <= end; i += kLanes<T>) rule.run(Whole{}, x, i);
    if (i < end) rule.run(Few{end - i}, x, i);
  }
}

bool is_plain(const StepOptions& o) { return o.scale == 1 && !o.maximize && o.weight_decay == 0; }
bool is_plain(const AdamStep& o) {
  return is_plain(static_cast<const StepOptions&>(o)) && o.gradient_rate == 0 && o.adaptive;
}

template <class T, template <class, bool> class Rule, class Options>
void step_over(const Options& options, const StepRange& range) {
  const bool plain = is_plain(options);
  plain ? walk<T>(Rule<T, true>(options), range) : walk<T>(Rule<T, false>(options), range);
}

// Terms of a norm, in doubles: a square cannot run over then.
template <class T, bool kSquares> HWY_INLINE double sum_of_powers(const T* x, int64_t n) {
  const Full<double> d;
  const hn::Rebind<T, Full<double>> part;
  constexpr int64_t N = kLanes<double>;
  const auto load = [&](const T* at) HWY_ATTR {
    if constexpr (sizeof(T) == 8) return hn::LoadU(d, at);
    else return hn::PromoteTo(d, hn::LoadU(part, at));
  };
  const auto add = [&](Vec<double>& s, Vec<double> v)
                       HWY_ATTR { s = hn::Add(s, kSquares ? hn::Mul(v, v) : hn::Abs(v)); };
  Vec<double> s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 4 * N <= n; i += 4 * N) {
    add(s0, load(x + i));
    add(s1, load(x + i + N));
    add(s2, load(x + i + 2 * N));
    add(s3, load(x + i + 3 * N));
  }
  for (; i + N <= n; i += N) add(s0, load(x + i));
  if (i < n) {
    HWY_ALIGN T rest[N] = {};
    std::copy_n(x + i, n - i, rest);
    add(s1, load(rest));
  }
  return sum_lanes<double>(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
}

template <class T> HWY_INLINE double largest_size(const T* x, int64_t n) {
  const T high = row_extreme<T, false>(x, n), low = row_extreme<T, true>(x, n);
  return high != high ? high : std::max({T{0}, high, -low});
}

template <class T> double norm_term(const T* x, int64_t n, double p) {
  return p == 2 ? sum_of_powers<T, true>(x, n) : p == 1 ? sum_of_powers<T, false>(x, n) : largest_size(x, n);
}

template <class T> void scale(T* x, int64_t n, T by) {
  const Full<T> d;
  constexpr int64_t N = kLanes<T>;
  const Vec<T> s = hn::Set(d, by);
  int64_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(hn::Mul(hn::LoadU(d, x + i), s), d, x + i);
  if (i < n) store_few(hn::Mul(load_few(x + i, n - i), s), x + i, n - i);
}

template <class T> void fill_floating(Floating<T>& f) {
  f.sgd = &step_over<T, Sgd, SgdStep>;
  f.adam = &step_over<T, Adam, AdamStep>;
  f.rmsprop = &step_over<T, Rmsprop, RmspropStep>;
  f.adagrad = &step_over<T, Adagrad, AdagradStep>;
  f.norm_term = &norm_term<T>;
  f.scale = &scale<T>;
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
  fill_floating(t.f32);
  fill_floating(t.f64);
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
