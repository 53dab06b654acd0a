// Masks, Bernoulli trials and categories from Philox words.
#include "tapegrad/ops/kernels/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tapegrad/core/allocator.h"
#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/core/philox.h"

namespace tapegrad::kernels {
namespace {

// Elements served at once, and a thread's least share of such groups.
constexpr int64_t kGroup = 256;
constexpr int64_t kGroupsPerThread = 64;
constexpr double kWordRange = 4294967296.0;

struct Stream {
  uint64_t seed, draw;
  explicit Stream(const Generator& generator) {
    Generator shared = generator;
    draw = shared.next_draw();
    seed = shared.seed();
  }
};

// f(first element, count, words), kWords of them per element, for all groups of n elements.
template <int kWords, class F> void for_groups(const Stream& stream, int64_t n, const F& f) {
  parallel_for(0, (n + kGroup - 1) / kGroup, kGroupsPerThread, [&](int64_t begin, int64_t end) {
    uint32_t words[kGroup * kWords];
    for (int64_t group = begin; group < end; ++group) {
      const int64_t first = group * kGroup;
      const int64_t count = std::min(kGroup, n - first);
      const int64_t whole = (count + 31) & ~int64_t{31};
      philox_words(stream.seed, stream.draw, static_cast<uint64_t>(first) * kWords / 4, whole * kWords / 4, words);
      f(first, count, words);
    }
  });
}

// [0, 1) on a grid of 2^-53.
double unit(const uint32_t* pair) {
  const auto high = static_cast<double>(static_cast<int32_t>(pair[0] >> 5));  // signed: what processors convert fast
  const auto low = static_cast<double>(static_cast<int32_t>(pair[1] >> 6));
  return (high * 0x1p26 + low) * 0x1p-53;
}

template <class T> void fill_mask(T* m, int64_t n, double p, double value, const Stream& stream) {
  const double bound = std::nearbyint(p * kWordRange);
  if (bound >= kWordRange) {
    std::fill_n(m, n, T{0});
    return;
  }
  // A mask of bits, for which compilers do not put in a jump that half of the elements would mispredict.
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  const auto kept = std::bit_cast<Bits>(static_cast<T>(value));
  const auto dropped = static_cast<uint32_t>(bound);
  for_groups<1>(stream, n, [=](int64_t first, int64_t count, const uint32_t* words) {
    T* y = m + first;
    const Bits bits = kept;  // by value: a capture might alias y
    const uint32_t below = dropped;
    for (int64_t i = 0; i < count; ++i) y[i] = std::bit_cast<T>((Bits{0} - Bits{words[i] >= below}) & bits);
  });
}

[[noreturn]] void wrong_probability(const char* name, double p, const std::string& where) {
  throw ValueError(std::string(name) + ": p must lie in [0, 1], got " + std::to_string(p) + where);
}

template <class T> void check_probabilities(const char* name, const T* p, int64_t n) {
  bool all = true;
  for (int64_t i = 0; i < n; ++i) all &= (p[i] >= 0) & (p[i] <= 1);
  for (int64_t i = 0; !all && i < n; ++i) {
    if (!(p[i] >= 0 && p[i] <= 1))
      wrong_probability(name, static_cast<double>(p[i]), " at position " + std::to_string(i));
  }
}

// Partial sums over categories as a binary tree in an array, node k above 2k and 2k + 1: a category is found, and taken
// out, in log C steps, and without it the sums are those of the rest to the last bit.
class SumTree {
 public:
  SumTree(double* nodes, int64_t leaves) : nodes_(nodes), leaves_(leaves) {}

  void build(const double* weights, int64_t n) {
    std::copy_n(weights, n, nodes_ + leaves_);
    std::fill(nodes_ + leaves_ + n, nodes_ + 2 * leaves_, 0.0);
    for (int64_t k = leaves_ - 1; k > 0; --k) nodes_[k] = nodes_[2 * k] + nodes_[2 * k + 1];
  }
  // The category that u of the total falls on. One of weight 0 is never it, however the sums round.
  int64_t find(double u) const {
    double rest = u * nodes_[1];
    int64_t k = 1;
    while (k < leaves_) {
      k *= 2;
      if (rest < nodes_[k] || nodes_[k + 1] == 0) continue;
      rest -= nodes_[k];
      ++k;
    }
    return k - leaves_;
  }
  void take_out(int64_t category) {
    int64_t k = leaves_ + category;
    nodes_[k] = 0;
    for (k /= 2; k > 0; k /= 2) nodes_[k] = nodes_[2 * k] + nodes_[2 * k + 1];
  }

 private:
  double* nodes_;
  int64_t leaves_;
};

struct Categories {
  const char* name;
  const double* weights;
  int64_t* y;
  int64_t rows, classes, draws;
  bool replacement;

  void check() const {
    for (int64_t r = 0; r < rows; ++r) check_row(r);
  }

  void check_row(int64_t r) const {
    const double* w = weights + r * classes;
    const auto in_row = [&] { return " in row " + std::to_string(r); };
    int64_t positive = 0;
    double total = 0;
    for (int64_t c = 0; c < classes; ++c) {
      if (!(w[c] >= 0) || !std::isfinite(w[c]))
        throw ValueError(std::string(name) + ": weights must be finite and not negative, got " + std::to_string(w[c]) +
                         in_row() + " at position " + std::to_string(c));
      positive += w[c] > 0;
      total += w[c];
    }
    if (positive == 0) throw ValueError(std::string(name) + ": the weights of a row must not all be 0, as" + in_row());
    if (!std::isfinite(total))
      throw ValueError(std::string(name) + ": the weights of a row must have a finite sum, unlike those" + in_row());
    if (!replacement && positive < draws)
      throw ValueError(std::string(name) +
                       ": without replacement num_samples must not exceed the number of positive weights, got " +
                       std::to_string(draws) + " and " + std::to_string(positive) + in_row());
  }

  void draw_row(const Stream& stream, int64_t r, SumTree& tree) const {
    tree.build(weights + r * classes, classes);
    for (int64_t j = 0; j < draws; ++j) {
      const auto i = static_cast<uint64_t>(r * draws + j);
      const PhiloxBlock block = philox(stream.seed, stream.draw, i / 2);
      const int64_t category = tree.find(unit(block.word + i % 2 * 2));
      y[i] = category;
      if (!replacement) tree.take_out(category);
    }
  }

  void draw(const Stream& stream) const {
    const auto leaves = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(classes)));
    parallel_for(0, rows, std::max<int64_t>(1, 16384 / (leaves + draws)), [&](int64_t first, int64_t last) {
      const Scratch<double> nodes(2 * leaves);
      SumTree tree(nodes.data(), leaves);
      for (int64_t r = first; r < last; ++r) draw_row(stream, r, tree);
    });
  }
};

}  // namespace

void keep_mask(const char* name, const Tensor& m, double p, double kept, Generator& generator) {
  dispatch_floating(name, m.dtype(), [&]<class T>() {
    launch(name, LaunchKind::random, {&m}, {}, [=, data = m.elements<T>(), n = m.numel(), shared = generator] {
      fill_mask(data, n, p, kept, Stream(shared));
    });
  });
}

void bernoulli(const char* name, const Tensor& y, double p, Generator& generator) {
  if (!(p >= 0 && p <= 1)) wrong_probability(name, p, "");
  launch(name, LaunchKind::random, {&y}, {}, [=, data = y.elements<bool>(), n = y.numel(), shared = generator] {
    for_groups<2>(Stream(shared), n, [=](int64_t first, int64_t count, const uint32_t* words) {
      bool* at = data + first;
      const double chance = p;
      for (int64_t i = 0; i < count; ++i) at[i] = unit(words + 2 * i) < chance;
    });
  });
}

void bernoulli(const char* name, const Tensor& y, const Tensor& p, Generator& generator) {
  dispatch_floating(name, p.dtype(), [&]<class T>() {
    launch(name, LaunchKind::random, {&y}, {&p},
           [=, data = y.elements<bool>(), chances = p.elements<T>(), n = y.numel(), shared = generator] {
             check_probabilities(name, chances, n);
             for_groups<2>(Stream(shared), n, [=](int64_t first, int64_t count, const uint32_t* words) {
               bool* at = data + first;
               const T* chance = chances + first;
               for (int64_t i = 0; i < count; ++i) at[i] = unit(words + 2 * i) < static_cast<double>(chance[i]);
             });
           });
  });
}

void multinomial(const char* name, const Tensor& weights, const Tensor& y, bool replacement, Generator& generator) {
  const Categories categories{name,
                              weights.elements<double>(),
                              y.elements<int64_t>(),
                              weights.sizes()[0],
                              weights.sizes()[1],
                              y.sizes()[1],
                              replacement};
  launch(name, LaunchKind::random, {&y}, {&weights}, [categories, shared = generator] {
    categories.check();
    categories.draw(Stream(shared));
  });
}

void check_not_negative(const char* name, const char* argument, const Tensor& x) {
  const Tensor from = contiguous_of(x);
  dispatch_floating(name, x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {}, {&from}, [=, data = from.elements<T>(), n = from.numel()] {
      for (int64_t i = 0; i < n; ++i) {
        if (!(data[i] >= 0))
          throw ValueError(std::string(name) + ": " + argument + " must not be negative, got " +
                           std::to_string(data[i]) + " at position " + std::to_string(i));
      }
    });
  });
}

}  // namespace tapegrad::kernels
