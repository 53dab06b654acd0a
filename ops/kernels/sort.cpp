// Lines become items that hold a key and an index and compare as one number each, so that any sort of them is stable and all
// dtypes, NaN and both directions are one case.
#include "tapegrad/ops/kernels/sort.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/lines.h"
#include "tapegrad/ops/kernels/reduce.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 8192;
constexpr int64_t kRadix = 160;       // elements from which sorting by digits pays
constexpr int64_t kLongRadix = 6000;  // and from which fewer passes pay for longer tables

// Unsigned keys in the order of the elements: -0 is 0, every NaN is the largest key.
template <class T> auto key_of(T x) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    return key_of<float>(x);
  } else if constexpr (std::is_floating_point_v<T>) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr U kSign = U{1} << (8 * sizeof(T) - 1);
    if (x != x) return std::numeric_limits<U>::max();
    const U bits = std::bit_cast<U>(x == T{0} ? T{0} : x);
    return static_cast<U>(bits & kSign ? ~bits : bits | kSign);
  } else if constexpr (std::is_signed_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<U>(static_cast<U>(x) ^ (U{1} << (8 * sizeof(T) - 1)));
  } else {
    return static_cast<uint32_t>(x);
  }
}

// A key of up to 32 bits above an index of up to 32.
struct Narrow {
  uint64_t bits;
  Narrow() = default;
  Narrow(uint64_t key, int64_t index) : bits(key << 32 | static_cast<uint64_t>(index)) {}
  uint64_t key() const { return bits >> 32; }
  int64_t index() const { return static_cast<int64_t>(bits & 0xffffffff); }
  bool operator<(const Narrow& other) const { return bits < other.bits; }
};

struct Wide {
  uint64_t key_, index_;
  Wide() = default;
  Wide(uint64_t key, int64_t index) : key_(key), index_(static_cast<uint64_t>(index)) {}
  uint64_t key() const { return key_; }
  int64_t index() const { return static_cast<int64_t>(index_); }
  bool operator<(const Wide& other) const { return key_ < other.key_ || (key_ == other.key_ && index_ < other.index_); }
};

// Sorts n items that come in the order of their indices, using as many spare ones; returns where they are then. From the
// lowest digit up, each pass keeps what the ones before it have done; digits that are the same everywhere are passed over.
template <int kDigit, class Item> Item* radix_sort(Item* items, Item* spare, int64_t n, int bits) {
  constexpr uint64_t kMask = (uint64_t{1} << kDigit) - 1;
  for (int shift = 0; shift < bits; shift += kDigit) {
    int64_t place[kMask + 1] = {};
    for (int64_t i = 0; i < n; ++i) ++place[items[i].key() >> shift & kMask];
    if (place[items[0].key() >> shift & kMask] == n) continue;
    int64_t before = 0;
    for (int64_t& count : place) before += std::exchange(count, before);
    for (int64_t i = 0; i < n; ++i) spare[place[items[i].key() >> shift & kMask]++] = items[i];
    std::swap(items, spare);
  }
  return items;
}

// What is done with the items of a line; each gives back its indices' place in memory and their number.
struct Sort {
  bool descending;
  static constexpr bool needs_spare = true;
  int64_t count(int64_t n) const { return n; }
  template <class Item> Item* pick(Item* items, Item* spare, int64_t n, int bits) const {
    if (n >= kLongRadix) return radix_sort<11>(items, spare, n, bits);
    if (n >= kRadix) return radix_sort<8>(items, spare, n, bits);
    std::sort(items, items + n);
    return items;
  }
};

struct Top {
  bool descending;
  int64_t k;
  bool sorted;
  static constexpr bool needs_spare = false;
  int64_t count(int64_t) const { return k; }
  template <class Item> Item* pick(Item* items, Item*, int64_t n, int) const {
    if (sorted && k * 64 <= n) {
      std::partial_sort(items, items + k, items + n);
    } else {
      if (k > 0 && k < n) std::nth_element(items, items + k - 1, items + n);
      if (sorted) std::sort(items, items + k);
    }
    return items;
  }
};

struct Kth {
  int64_t k;
  bool nan_wins;
  static constexpr bool descending = false;
  static constexpr bool needs_spare = false;
  int64_t count(int64_t) const { return 1; }
  template <class Item> Item* pick(Item* items, Item*, int64_t n, int bits) const {
    if (nan_wins) {
      const uint64_t nan = bits == 32 ? 0xffffffff : ~uint64_t{0};
      Item* first = std::find_if(items, items + n, [nan](const Item& item) { return item.key() == nan; });
      if (first != items + n) return first;
    }
    std::nth_element(items, items + k, items + n);
    return items + k;
  }
};

template <class Item, class T, class Order>
void pick_lines(const T* x, int64_t* y, const Axis& axis, const Order& order) {
  const int64_t n = axis.n;
  const int64_t count = order.count(n);
  constexpr int kBits = sizeof(key_of(T{})) == 4 ? 32 : 64;
  const auto strip = [&](int64_t at, int64_t line, int64_t width) {
    const Scratch<Item> items(n * (width + (Order::needs_spare ? 1 : 0)));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t w = 0; w < width; ++w) {
        const auto key = key_of(x[at + i * axis.inner + w]);
        items[w * n + i] = Item(order.descending ? static_cast<decltype(key)>(~key) : key, i);
      }
    }
    int64_t* out = y + (line / axis.inner * count) * axis.inner + line % axis.inner;
    for (int64_t w = 0; w < width; ++w) {
      const Item* picked = order.pick(items.data() + w * n, items.data() + n * width, n, kBits);
      for (int64_t i = 0; i < count; ++i) out[i * axis.inner + w] = picked[i].index();
    }
  };
  for_strips(axis, kGrain, strip);
}

template <class Order>
void launch_order(const char* name, const Tensor& x, const Tensor& y, int64_t dim, const Order& order) {
  const Tensor from = contiguous_of(x);
  if (y.numel() == 0) return;
  dispatch(x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from},
           [axis = Axis(x.sizes(), dim), order, src = from.elements<T>(), dst = y.elements<int64_t>()] {
             if (sizeof(key_of(T{})) == 4 && axis.n <= std::numeric_limits<uint32_t>::max())
               pick_lines<Narrow>(src, dst, axis, order);
             else pick_lines<Wide>(src, dst, axis, order);
           });
  });
}

// The axes of x and of the indices into it, and the loop over both: fn(element of x, element of the index).
struct Pair {
  Axis x;
  int64_t count;

  Pair(const Shape& sizes, const Shape& index, int64_t dim) : x(sizes, dim), count(1) {
    if (index.size() == sizes.size() && sizes.size() > 0) count = index[dim];
  }
  template <class Fn> void run(const int64_t* index, const Fn& fn) const {
    const auto strip = [&](int64_t at, int64_t line, int64_t width) {
      const int64_t from = line / x.inner * count * x.inner + line % x.inner;
      for (int64_t i = 0; i < count; ++i) {
        for (int64_t w = 0; w < width; ++w) {
          const int64_t k = from + i * x.inner + w;
          fn(at + index[k] * x.inner + w, k);
        }
      }
    };
    for_strips(x, 32768, strip, 512);
  }
};

}  // namespace

Tensor sort_indices(const char* name, const Tensor& x, int64_t dim, bool descending) {
  const Tensor y = new_tensor(x.sizes(), kInt64);
  launch_order(name, x, y, dim, Sort{descending});
  return y;
}

Tensor top_indices(const char* name, const Tensor& x, int64_t dim, int64_t k, bool largest, bool sorted) {
  Shape sizes = x.sizes();
  if (x.dim() > 0) sizes[dim] = k;
  const Tensor y = new_tensor(sizes, kInt64);
  if (x.dim() > 0 || k > 0) launch_order(name, x, y, dim, Top{largest, k, sorted});
  return y;
}

Tensor kth_indices(const char* name, const Tensor& x, int64_t dim, int64_t k, bool keepdim, bool nan_wins) {
  const uint32_t mask = x.dim() == 0 ? 0 : uint32_t{1} << dim;
  const Tensor y = new_tensor(reduced_sizes(x.sizes(), mask, keepdim), kInt64);
  launch_order(name, x, y, dim, Kth{k, nan_wins && x.is_floating_point()});
  return y;
}

Tensor take_lines(const char* name, const Tensor& x, const Tensor& index, int64_t dim) {
  const Tensor from = contiguous_of(x);
  const Tensor at = contiguous_of(index);
  const Tensor y = new_like(at, x.dtype());
  if (y.numel() == 0) return y;
  dispatch(x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&from, &at},
           [pair = Pair(x.sizes(), at.sizes(), dim), src = from.elements<T>(), indices = at.elements<int64_t>(),
            dst = y.elements<T>()] { pair.run(indices, [&](int64_t element, int64_t k) { dst[k] = src[element]; }); });
  });
  return y;
}

Tensor put_lines(const char* name, const Tensor& dy, const Tensor& index, const Shape& sizes, int64_t dim) {
  const Tensor from = contiguous_of(dy);
  const Tensor at = contiguous_of(index);
  const Tensor dx = filled_tensor(sizes, dy.dtype(), 0);
  if (at.numel() == 0) return dx;
  dispatch(dy.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&dx}, {&from, &at, &dx},
           [pair = Pair(sizes, at.sizes(), dim), src = from.elements<T>(), indices = at.elements<int64_t>(),
            dst = dx.elements<T>()] { pair.run(indices, [&](int64_t element, int64_t k) { dst[element] = src[k]; }); });
  });
  return dx;
}

}  // namespace tapegrad::kernels
