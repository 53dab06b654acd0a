// Philox streams into tensors: uniform, normal, integers, permutations.
#include "tapegrad/core/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/core/philox.h"

namespace tapegrad {
namespace {

struct Stream {
  uint64_t seed;
  uint64_t draw;
};

// Elements made at once, in cache and on the stack; a multiple of what one block serves, so that groups are independent.
constexpr int kGroup = 256;
constexpr int64_t kGroupsPerThread = 64;

// Where element i lies, for any layout.
struct Layout {
  char* data;
  int64_t numel;
  bool contiguous;
  Shape sizes, strides;

  explicit Layout(const Tensor& x)
      : data(x.impl()->data), numel(x.numel()), contiguous(x.is_contiguous()), sizes(x.sizes()), strides(x.strides()) {}

  template <class T> void store(int64_t first, int64_t count, const T* values) const {
    T* base = reinterpret_cast<T*>(data);
    if (contiguous) {
      std::copy_n(values, count, base + first);
      return;
    }
    int64_t index[kMaxRank];
    int64_t offset = 0;
    for (int64_t d = sizes.size() - 1, rest = first; d >= 0; rest /= sizes[d], --d) {
      index[d] = rest % sizes[d];
      offset += index[d] * strides[d];
    }
    for (int64_t i = 0; i < count; ++i) {
      base[offset] = values[i];
      for (int64_t d = sizes.size() - 1; d >= 0; --d) {
        offset += strides[d];
        if (++index[d] < sizes[d]) break;
        offset -= sizes[d] * strides[d];
        index[d] = 0;
      }
    }
  }
};

// y[i] = convert of the element's kWords words, as one launch. Convert: (stream, first element, words, count, T* y), where
// count may go up to 31 beyond what is stored.
template <class T, int kWords, class Convert> struct Fill {
  Layout layout;
  Generator generator;
  Convert convert;

  void operator()() const {
    Generator shared = generator;
    const uint64_t draw = shared.next_draw();
    const Stream stream{shared.seed(), draw};
    parallel_for(0, (layout.numel + kGroup - 1) / kGroup, kGroupsPerThread, [this, stream](int64_t begin, int64_t end) {
      uint32_t words[kGroup * kWords];
      T values[kGroup];
      for (int64_t group = begin; group < end; ++group) {
        const int64_t first = group * kGroup;
        const int64_t count = std::min<int64_t>(kGroup, layout.numel - first);
        const int whole = static_cast<int>(count + 31) & ~31;
        philox_words(stream.seed, stream.draw, static_cast<uint64_t>(first) * kWords / 4, whole * kWords / 4, words);
        convert(stream, first, words, whole, values);
        layout.store(first, count, values);
      }
    });
  }
};

template <class T, int kWords, class Convert>
void launch_fill(const char* name, const Tensor& x, const Generator& generator, const Convert& convert) {
  if (has_overlap(x))
    throw ShapeError(std::string(name) + ": elements must not share memory, got shape " + to_string(x.sizes()) +
                     " with strides " + to_string(x.strides()) + " (fill before expanding, or a clone())");
  launch(name, LaunchKind::random, {&x}, {}, Fill<T, kWords, Convert>{Layout(x), generator, convert});
}

[[noreturn]] void not_drawn(const char* name) {
  throw DTypeError(std::string(name) +
                   ": bfloat16 is not drawn directly, where rounding could reach the end of the range "
                   "(did you mean to draw float32 and to(kBFloat16)?)");
}

void require_floating(const char* name, const Tensor& x) {
  if (x.dtype() == kBFloat16) not_drawn(name);
  if (!x.is_floating_point())
    throw DTypeError(std::string(name) + ": a floating dtype is needed, got " + name_of(x.dtype()));
}

// [0, 1) on a grid of 2^-24 or 2^-53, from the high bits of the words of element i.
inline float unit(const uint32_t* words, int i, float) {
  return static_cast<float>(static_cast<int32_t>(words[i] >> 8)) * 0x1p-24f;
}
inline double unit(const uint32_t* words, int i, double) {
  const auto high = static_cast<double>(static_cast<int32_t>(words[2 * i] >> 5));
  const auto low = static_cast<double>(static_cast<int32_t>(words[2 * i + 1] >> 6));
  return (high * 0x1p26 + low) * 0x1p-53;
}

template <class T> struct Uniform {
  T from, to, range, below;  // `below`: the last value before `to`, for sums that round up to it
  void operator()(Stream, int64_t, const uint32_t* words, int count, T* y) const {
    const Uniform u = *this;  // by value: a member might alias y
    for (int i = 0; i < count; ++i) {
      const T value = u.from + unit(words, i, T()) * u.range;
      y[i] = value < u.to ? value : u.below;
    }
  }
};

// The transcendental parts of Box-Muller are written out, not taken from libm, whose last bits differ between processors.
// Constants of the layout of T and the length of the series that reaches its precision.
template <class T> struct Real;
template <> struct Real<float> {
  using Bits = uint32_t;
  static constexpr int mantissa = 23, bias = 127, log_terms = 6, trig_terms = 6;
};
template <> struct Real<double> {
  using Bits = uint64_t;
  static constexpr int mantissa = 52, bias = 1023, log_terms = 11, trig_terms = 9;
};

// The series are unrolled by recursion, so that the loops that call them have no loop inside and vectorise.
// 1/(2k + 1) + x/(2k + 3) + ...
template <class T, int k> inline T atanh_series(T x) {
  constexpr T factor = T(1) / (2 * k + 1);
  if constexpr (k + 1 == Real<T>::log_terms) return factor;
  else return factor + x * atanh_series<T, k + 1>(x);
}
// 1 - x/(n (n + 1)) (1 - x/((n + 2) (n + 3)) (1 - ...))
template <class T, int n> inline T trig_series(T x) {
  constexpr T factor = T(1) / (n * (n + 1));
  if constexpr (n >= 2 * Real<T>::trig_terms - 1) return 1 - factor * x;
  else return 1 - factor * x * trig_series<T, n + 2>(x);
}

// log of a normal positive u: u = 2^e m with m in [sqrt 1/2, sqrt 2), log m = 2 atanh(s), s = (m - 1) / (m + 1).
template <class T> inline T log_of(T u) {
  using R = Real<T>;
  using Bits = typename R::Bits;
  constexpr Bits half_root = std::bit_cast<Bits>(static_cast<T>(0.70710678118654752440));
  constexpr Bits bias = static_cast<Bits>(R::bias) << R::mantissa;
  const Bits bits = std::bit_cast<Bits>(u);
  const Bits biased = (bits - half_root + bias) >> R::mantissa;
  const T m = std::bit_cast<T>(bits - (biased << R::mantissa) + bias);
  const T e = static_cast<T>(static_cast<int32_t>(biased) - R::bias);
  const T s = (m - 1) / (m + 1);
  const T s2 = s * s;
  return e * static_cast<T>(0.69314718055994530942) + 2 * s * atanh_series<T, 0>(s2);
}

// (0, 1] for the radius: 31 random bits, or 53. The half step keeps 0 out.
inline float radius_unit(const uint32_t* words, int pair, float) {
  return (static_cast<float>(static_cast<int32_t>(words[2 * pair] >> 1)) + 0.5f) * 0x1p-31f;
}
inline double radius_unit(const uint32_t* words, int pair, double) { return unit(words, 2 * pair, double()) + 0x1p-54; }

// A turn as its nearest quarter and the angle beyond, in [-pi/4, pi/4].
template <class T> struct Turn {
  uint32_t quarter;
  T angle;
};
constexpr double kAnglePerStep = 6.28318530717958647693 / 4294967296.0;  // one turn is 2^32 steps
inline uint32_t nearest_quarter(uint32_t word) { return (word + 0x20000000u) >> 30; }
inline Turn<float> turn(const uint32_t* words, int pair, float) {
  const uint32_t word = words[2 * pair + 1], quarter = nearest_quarter(word);
  const auto step = static_cast<float>(static_cast<int32_t>(word - (quarter << 30)));
  return {quarter, step * static_cast<float>(kAnglePerStep)};
}
inline Turn<double> turn(const uint32_t* words, int pair, double) {
  const uint32_t word = words[4 * pair + 2], quarter = nearest_quarter(word);
  const auto step = static_cast<double>(static_cast<int32_t>(word - (quarter << 30)));
  const auto fraction = static_cast<double>(static_cast<int32_t>(words[4 * pair + 3] >> 1)) * 0x1p-31;
  return {quarter, (step + fraction) * kAnglePerStep};
}

// Box-Muller: elements 2p and 2p + 1 are the two coordinates of one random point.
template <class T> struct Normal {
  T mean, std;
  void operator()(Stream, int64_t, const uint32_t* words, int count, T* y) const {
    const Normal normal = *this;  // by value: a member might alias y
    T radius[kGroup / 2];
    for (int p = 0; p < count / 2; ++p) {
      const T square = -2 * log_of(radius_unit(words, p, T()));
      radius[p] = square > 0 ? square : T(0);  // log may round above 0 near 1
    }
    for (int p = 0; p < count / 2; ++p) radius[p] = normal.std * std::sqrt(radius[p]);
    for (int p = 0; p < count / 2; ++p) {
      const Turn<T> at = turn(words, p, T());
      const T a2 = at.angle * at.angle;
      const T s = at.angle * trig_series<T, 2>(a2), c = trig_series<T, 1>(a2);
      const T x0 = at.quarter & 1 ? s : c, x1 = at.quarter & 1 ? c : s;
      y[2 * p] = normal.mean + radius[p] * ((at.quarter + 1) & 2 ? -x0 : x0);
      y[2 * p + 1] = normal.mean + radius[p] * (at.quarter & 2 ? -x1 : x1);
    }
  }
};

// Uniform in [0, n) from one random W-bit value r: the high half of r * n, where r is refused when it lies in the part of
// the range that would count twice (Lemire, "Fast random integer generation in an interval", 2019). Refused values are
// replaced from blocks of the element's own, in the upper half of the block numbers, so no other element moves.
template <class Word, class Wide> uint64_t bounded(Stream stream, int64_t element, Word r, Word n) {
  Wide product = static_cast<Wide>(r) * n;
  if (static_cast<Word>(product) < n) [[unlikely]] {
    const Word refused = static_cast<Word>(-n) % n;
    uint64_t block = (uint64_t{1} << 63) | static_cast<uint64_t>(element);
    for (; static_cast<Word>(product) < refused; block += uint64_t{1} << 48) {
      const PhiloxBlock fresh = philox(stream.seed, stream.draw, block);
      product = static_cast<Wide>(static_cast<Word>(fresh.word[0] | uint64_t{fresh.word[1]} << 32)) * n;
    }
  }
  return static_cast<uint64_t>(product >> std::numeric_limits<Word>::digits);
}
__extension__ using Wide128 = unsigned __int128;

// One word is enough for a range of up to 2^32 - 1 values, two for any.
template <int kWords> uint64_t bounded_from(Stream stream, int64_t element, const uint32_t* words, uint64_t n) {
  if constexpr (kWords == 1) return bounded<uint32_t, uint64_t>(stream, element, words[0], static_cast<uint32_t>(n));
  else return bounded<uint64_t, Wide128>(stream, element, words[0] | uint64_t{words[1]} << 32, n);
}

template <class T, int kWords> struct Integers {
  int64_t low;
  uint64_t n;
  void operator()(Stream stream, int64_t first, const uint32_t* words, int count, T* y) const {
    for (int i = 0; i < count; ++i) {
      const uint64_t offset = bounded_from<kWords>(stream, first + i, words + kWords * i, n);
      y[i] = static_cast<T>(static_cast<int64_t>(static_cast<uint64_t>(low) + offset));
    }
  }
};

// Fisher-Yates from the inside out: element i goes to a random place among the first i + 1, what was there to the end.
template <int kWords> struct Permutation {
  int64_t* data;
  int64_t n, stride;
  Generator generator;

  void operator()() const {
    Generator shared = generator;
    const uint64_t draw = shared.next_draw();
    const Stream stream{shared.seed(), draw};
    uint32_t words[kGroup * kWords];
    for (int64_t i = 0; i < n; ++i) {
      const int at = static_cast<int>(i % kGroup);
      if (at == 0)
        philox_words(stream.seed, stream.draw, static_cast<uint64_t>(i) * kWords / 4, kGroup * kWords / 4, words);
      const auto j =
          static_cast<int64_t>(bounded_from<kWords>(stream, i, words + kWords * at, static_cast<uint64_t>(i) + 1));
      data[i * stride] = data[j * stride];
      data[j * stride] = i;
    }
  }
};

// Lowest and highest integer up to which T holds every integer.
template <class T> constexpr int64_t exact_limit() {
  if constexpr (std::is_floating_point_v<T>) return int64_t{1} << std::numeric_limits<T>::digits;
  else return static_cast<int64_t>(std::numeric_limits<T>::max());
}
template <class T> constexpr int64_t exact_floor() {
  if constexpr (std::is_floating_point_v<T>) return -exact_limit<T>();
  else return static_cast<int64_t>(std::numeric_limits<T>::min());
}

}  // namespace

Generator::Generator(Ref<State> state) : state_(std::move(state)) {}
Generator::Generator(uint64_t seed) : state_(Ref<State>::adopt(new State{{}, seed, 0})) { restart_at_every_run(seed); }

void Generator::restart(uint64_t seed, uint64_t draw) const {
  __atomic_store_n(&state_->seed, seed, __ATOMIC_RELAXED);
  __atomic_store_n(&state_->draw, draw, __ATOMIC_RELAXED);
}

void Generator::restart_at_every_run(uint64_t seed) const {
  LaunchList* const list = keeping();
  if (!list) return;
  list->note_host(&state_->seed, sizeof state_->seed);
  list->note_host(&state_->draw, sizeof state_->draw);
  launch("manual_seed", LaunchKind::random, {}, {}, [same = *this, seed] { same.restart(seed, 0); });
}

void Generator::manual_seed(uint64_t seed) {
  restart(seed, 0);
  restart_at_every_run(seed);
}
// Not inlined: g++ 12 then takes the shared state for null and warns of an overflow.
[[gnu::noinline]] uint64_t Generator::seed() const { return __atomic_load_n(&state_->seed, __ATOMIC_RELAXED); }
uint64_t Generator::draw() const { return __atomic_load_n(&state_->draw, __ATOMIC_RELAXED); }
void Generator::set_draw(uint64_t draw) {
  const auto set = [state = state_, draw] { __atomic_store_n(&state->draw, draw, __ATOMIC_RELAXED); };
  LaunchList* const list = keeping();
  if (!list) return set();
  list->note_host(&state_->draw, sizeof state_->draw);
  launch("set_draw", LaunchKind::random, {}, {}, set);
}
[[gnu::noinline]] uint64_t Generator::next_draw() {
  if (LaunchList* list = keeping()) [[unlikely]]
    list->note_host(&state_->draw, sizeof state_->draw);
  return __atomic_fetch_add(&state_->draw, uint64_t{1}, __ATOMIC_RELAXED);
}

void copy_state(const Generator& to, const Generator& from) {
  launch("copy_state", LaunchKind::random, {}, {}, [to, from] { to.restart(from.seed(), from.draw()); });
}

void manual_seed(uint64_t seed) { default_generator().manual_seed(seed); }

namespace {
constinit thread_local Generator* thread_generator = nullptr;
}

Generator& default_generator() {
  if (thread_generator) return *thread_generator;
  // Never destroyed: tensors may be filled while the process exits. No replay begins it anew, whenever it is first asked for.
  static Generator& generator =
      *new Generator(Ref<Generator::State>::adopt(new Generator::State{{}, Generator::kDefaultSeed, 0}));
  return generator;
}
namespace {
const bool at_load = (default_generator(), true);  // see core/forks.h
}

DefaultGeneratorGuard::DefaultGeneratorGuard(Generator generator)
    : generator_(std::move(generator)), previous_(std::exchange(thread_generator, &generator_)) {}
DefaultGeneratorGuard::~DefaultGeneratorGuard() { thread_generator = previous_; }

void check_uniform(const Tensor& x, double from, double to) {
  require_floating("uniform_", x);
  const bool holds =
      dispatch_floating(x.dtype(), [&]<class T>() { return std::isfinite(static_cast<T>(to) - static_cast<T>(from)); });
  if (!(from <= to) || !holds)
    throw ValueError("uniform_: from must be at most to, and " + std::string(name_of(x.dtype())) +
                     " must hold to - from, got from " + std::to_string(from) + " and to " + std::to_string(to));
}

void fill_uniform(const Tensor& x, double from, double to, Generator& generator) {
  check_uniform(x, from, to);
  dispatch_floating(x.dtype(), [&]<class T>() {
    const T low = static_cast<T>(from), high = static_cast<T>(to);
    const T below = low < high ? std::nextafter(high, low) : low;
    launch_fill<T, sizeof(T) / 4>("uniform_", x, generator, Uniform<T>{low, high, high - low, below});
  });
}

void check_normal(const Tensor& x, double std) {
  require_floating("normal_", x);
  if (!(std >= 0)) throw ValueError("normal_: std must not be negative, got " + std::to_string(std));
}

void fill_normal(const Tensor& x, double mean, double std, Generator& generator) {
  check_normal(x, std);
  dispatch_floating(x.dtype(), [&]<class T>() {
    launch_fill<T, sizeof(T) / 4>("normal_", x, generator, Normal<T>{static_cast<T>(mean), static_cast<T>(std)});
  });
}

void fill_integers(const Tensor& x, int64_t low, int64_t high, Generator& generator) {
  const std::string range = "[" + std::to_string(low) + ", " + std::to_string(high) + ")";
  if (low >= high) throw ValueError("randint: low must be below high, got " + range);
  if (x.dtype() == kBFloat16) not_drawn("randint");
  dispatch(x.dtype(), [&]<class T>() {
    if constexpr (std::is_same_v<T, BFloat16>) return;
    else {
      if (low < exact_floor<T>() || high - 1 > exact_limit<T>())
        throw ValueError("randint: " + std::string(name_of(x.dtype())) + " must hold every value exactly, got " +
                         range);
      const uint64_t n = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
      if (n <= std::numeric_limits<uint32_t>::max()) launch_fill<T, 1>("randint", x, generator, Integers<T, 1>{low, n});
      else launch_fill<T, 2>("randint", x, generator, Integers<T, 2>{low, n});
    }
  });
}

void fill_permutation(const Tensor& x, Generator& generator) {
  if (x.dim() != 1) throw ShapeError("randperm: one dim is needed, got shape " + to_string(x.sizes()));
  if (has_overlap(x)) throw ShapeError("randperm: elements must not share memory, got stride 0");
  if (x.dtype() != kInt64) throw DTypeError("randperm: int64 is needed, got " + std::string(name_of(x.dtype())));
  int64_t* data = x.elements<int64_t>();
  const int64_t n = x.numel(), stride = x.strides()[0];
  const auto run = [&]<int kWords>() {
    launch("randperm", LaunchKind::random, {&x}, {}, Permutation<kWords>{data, n, stride, generator});
  };
  n <= std::numeric_limits<uint32_t>::max() ? run.operator()<1>() : run.operator()<2>();
}

}  // namespace tapegrad
