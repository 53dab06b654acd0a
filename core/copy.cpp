// Fill, copy and add over strided memory.
#include "tapegrad/core/copy.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tapegrad/core/iterate.h"
#include "tapegrad/core/kept_launch.h"
#include "tapegrad/core/turned_copy.h"

namespace tapegrad {
namespace {

// Float to integer: the fraction is dropped, and what To does not hold then, or is NaN, gives the lowest value. One rule for
// all widths, where the processor's own differ.
template <class To, class From> To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_same_v<From, BFloat16> && !std::is_same_v<To, BFloat16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Where From cannot tell the neighbours of the limits from these, no number lies between them.
    constexpr From lowest = static_cast<From>(std::numeric_limits<To>::min());
    constexpr From beyond = static_cast<From>(std::numeric_limits<To>::max()) + 1;
    const bool holds = (value >= lowest || value > lowest - 1) && value < beyond;
    return holds ? static_cast<To>(value) : std::numeric_limits<To>::min();
  } else {
    return static_cast<To>(value);
  }
}

constexpr int64_t kLongRun = 16;

// Four at a time: the jump back would be half of the work. Apart from short runs, which would save registers for nothing.
template <class T> [[gnu::noinline]] void move_run(char* dst, int64_t to, const char* src, int64_t from, int64_t n) {
  const auto one = [&] {
    *reinterpret_cast<T*>(dst) = *reinterpret_cast<const T*>(src);
    dst += to;
    src += from;
  };
  for (; n >= 4; n -= 4) {
    one();
    one();
    one();
    one();
  }
  for (; n > 0; --n) one();
}

template <class To, class From> void convert_run(char* const* at, const int64_t* stride, int64_t n) {
  char* dst = at[0];
  const char* src = at[1];
  if (stride[0] == sizeof(To) && stride[1] == sizeof(From)) {
    if constexpr (std::is_same_v<To, From>) {
      std::memmove(dst, src, static_cast<size_t>(n) * sizeof(To));
    } else {
      auto* to = reinterpret_cast<To*>(dst);
      auto* from = reinterpret_cast<const From*>(src);
      for (int64_t i = 0; i < n; ++i) to[i] = convert<To>(from[i]);
    }
    return;
  }
  if constexpr (std::is_same_v<To, From>) {
    if (n >= kLongRun) return move_run<To>(dst, stride[0], src, stride[1], n);
  }
  for (int64_t i = 0; i < n; ++i, dst += stride[0], src += stride[1])
    *reinterpret_cast<To*>(dst) = convert<To>(*reinterpret_cast<const From*>(src));
}

// The same as a tile.
template <class To, class From> void convert_tile(char* const* at, const int64_t* stride, int64_t n, const double*) {
  convert_run<To, From>(at, stride, n);
}

Walk::Tile convert_tile_for(DType to, DType from) {
  if (to == kBFloat16 && from == kFloat32) return detail::bfloat16_tiles().narrow;
  if (to == kFloat32 && from == kBFloat16) return detail::bfloat16_tiles().widen;
  return dispatch(
      to, [&]<class To>() { return dispatch(from, [&]<class From>() { return Walk::Tile(convert_tile<To, From>); }); });
}

// A launch over memory without gaps; the second operand may be a number.
bool flat_walk(Walk& w, Walk::Tile tile, char* dst, const char* src, int64_t n, int64_t item) {
  w.tile = tile;
  w.operands = 2;
  w.rank = 1;
  w.size[0] = n;
  w.data[0] = dst;
  w.data[1] = const_cast<char*>(src);
  w.stride[0][0] = w.item = item;
  w.stride[0][1] = src ? item : 0;
  return true;
}

template <class T> struct FlatFill {
  T* y;
  int64_t n;
  T v;
  void operator()() const {
    parallel_for(0, n, kParallelGrain, [this](int64_t first, int64_t last) { std::fill(y + first, y + last, v); });
  }
  bool walk(Walk& w) const {
    w.number_at = 1;
    std::memcpy(w.number, &v, sizeof v);
    return flat_walk(w, convert_tile<T, T>, reinterpret_cast<char*>(y), nullptr, n, sizeof(T));
  }
};

struct FlatCopy {
  char* to;
  const char* from;
  int64_t bytes, item;
  Walk::Tile tile;
  void operator()() const {
    parallel_for(0, bytes, kParallelGrain * 8, [this](int64_t first, int64_t last) {
      std::memcpy(to + first, from + first, static_cast<size_t>(last - first));
    });
  }
  bool walk(Walk& w) const { return flat_walk(w, tile, to, from, bytes / item, item); }
  static KernelNote note() { return {.by = "memcpy"}; }
};

// Both without gaps, of two dtypes.
struct FlatConversion {
  char* to;
  const char* from;
  int64_t n, item, from_item;
  Walk::Tile tile;
  void operator()() const {
    parallel_for(0, n, kParallelGrain, [this](int64_t first, int64_t last) {
      char* const at[] = {to + first * item, const_cast<char*>(from) + first * from_item};
      const int64_t stride[] = {item, from_item};
      tile(at, stride, last - first, nullptr);
    });
  }
  bool walk(Walk& w) const {
    flat_walk(w, tile, to, from, n, item);
    w.stride[0][1] = from_item;
    return true;
  }
  static KernelNote note() { return {.by = "conversion"}; }
};

struct StridedCopy {
  StridedLoop<2> loop;
  Walk::Tile tile;
  int64_t item;
  void operator()() const {
    loop.run([this](char* const* at, const int64_t* stride, int64_t n) { tile(at, stride, n, nullptr); });
  }
  bool walk(Walk& w) const {
    w.tile = tile;
    loop.describe(w, item);
    return true;
  }
  static KernelNote note() { return {.by = "strided loop"}; }
};

bool same_layout(const Tensor& a, const Tensor& b) {
  return a.impl()->data == b.impl()->data && a.dtype() == b.dtype() &&
         IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()) && IntArrayRef(a.strides()) == IntArrayRef(b.strides());
}

}  // namespace

void fill(const Tensor& dst, const Scalar& value, const char* op) {
  check_fits(op, value, dst.dtype());
  dispatch(dst.dtype(), [&]<class T>() {
    const T v = value.to<T>();
    if (dst.is_contiguous()) {
      launch("fill", LaunchKind::map, {&dst}, {}, FlatFill<T>{reinterpret_cast<T*>(dst.impl()->data), dst.numel(), v});
      return;
    }
    StridedLoop<1> loop(dst.sizes());
    loop.operand(0, dst);
    loop.prepare();
    launch("fill", LaunchKind::map, {&dst}, {}, [loop, v] {
      loop.run([v](char* const* at, const int64_t* stride, int64_t n) {
        if (stride[0] == sizeof(T)) {
          std::fill_n(reinterpret_cast<T*>(at[0]), n, v);
        } else {
          for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(at[0] + i * stride[0]) = v;
        }
      });
    });
  });
}

void copy(const Tensor& dst, const Tensor& src, const char* op) {
  const Shape both = broadcast_shapes(dst.sizes(), src.sizes(), op);
  if (!(IntArrayRef(both) == IntArrayRef(dst.sizes())))
    throw ShapeError(std::string(op) + ": the source must broadcast to the destination, got source " +
                     to_string(src.sizes()) + " and destination " + to_string(dst.sizes()));
  if (same_layout(dst, src)) return;
  if (dst.impl()->storage.get() == src.impl()->storage.get() && dst.numel() > 0) {
    // Within one block of memory order would matter; a temporary makes the question go away.
    Tensor apart = new_like(src);
    copy(apart, src, op);
    return copy(dst, apart, op);
  }
  const bool flat = dst.is_contiguous() && src.is_contiguous() && dst.numel() == src.numel();
  if (flat && dst.dtype() != src.dtype()) {
    launch("copy", LaunchKind::copy, {&dst}, {&src},
           FlatConversion{dst.impl()->data, src.impl()->data, dst.numel(), dst.element_size(), src.element_size(),
                          convert_tile_for(dst.dtype(), src.dtype())});
    return;
  }
  if (flat) {
    launch("copy", LaunchKind::copy, {&dst}, {&src},
           FlatCopy{dst.impl()->data, src.impl()->data, dst.nbytes(), dst.element_size(),
                    convert_tile_for(dst.dtype(), dst.dtype())});
    return;
  }
  StridedLoop<2> loop(dst.sizes());
  loop.operand(0, dst);
  loop.operand(1, src);
  loop.prepare();
  const Walk::Tile tile = convert_tile_for(dst.dtype(), src.dtype());
  const int source_dim = TurnedCopy::source_dim(loop);
  if (source_dim >= 0)
    launch("copy", LaunchKind::copy, {&dst}, {&src}, TurnedCopy(loop, source_dim, tile, dst.dtype(), src.dtype()));
  else launch("copy", LaunchKind::copy, {&dst}, {&src}, StridedCopy{loop, tile, dst.element_size()});
}

namespace {

// Operands y, y, x.
template <class T> void add_tile(char* const* at, const int64_t* stride, int64_t n, const double*) {
  if (stride[0] == sizeof(T) && stride[2] == sizeof(T)) {
    if constexpr (std::is_same_v<T, BFloat16>) return detail::bfloat16_tiles().add(at, stride, n, nullptr);
    auto* y = reinterpret_cast<T*>(at[0]);
    auto* x = reinterpret_cast<const T*>(at[2]);
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(y[i] + x[i]);
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    auto& y = *reinterpret_cast<T*>(at[0] + i * stride[0]);
    y = static_cast<T>(y + *reinterpret_cast<const T*>(at[2] + i * stride[2]));
  }
}

// Both without gaps: no loop over dims to set up.
template <class T> struct FlatAdd {
  T* y;
  const T* x;
  int64_t n;
  void operator()() const {
    parallel_for(0, n, kParallelGrain, [this](int64_t first, int64_t last) {
      char* const to = reinterpret_cast<char*>(y + first);
      char* const at[] = {to, to, reinterpret_cast<char*>(const_cast<T*>(x + first))};
      constexpr int64_t stride[] = {sizeof(T), sizeof(T), sizeof(T)};
      add_tile<T>(at, stride, last - first, nullptr);
    });
  }
  bool walk(Walk& w) const {
    w.tile = add_tile<T>;
    w.operands = 3;
    w.rank = 1;
    w.size[0] = n;
    w.data[0] = w.data[1] = reinterpret_cast<char*>(y);
    w.data[2] = reinterpret_cast<char*>(const_cast<T*>(x));
    std::fill_n(w.stride[0], 3, w.item = sizeof(T));
    return true;
  }
};

template <class T> struct StridedAdd {
  StridedLoop<3> loop;
  bool overlaps;  // perhaps
  void operator()() const {
    // Where elements may coincide, one thread adds them one after the other.
    loop.run([](char* const* at, const int64_t* stride, int64_t n) { add_tile<T>(at, stride, n, nullptr); },
             overlaps ? std::numeric_limits<int64_t>::max() : kParallelGrain);
  }
  bool walk(Walk& w) const {
    w.tile = add_tile<T>;
    loop.describe(w, sizeof(T));
    return !overlaps;
  }
  static KernelNote note() { return {.by = "strided loop"}; }
};

}  // namespace

void add_into(const Tensor& dst, const Tensor& src) {
  if (dst.is_contiguous() && src.is_contiguous() && dst.numel() == src.numel())
    return dispatch(dst.dtype(), [&]<class T>() {
      launch("add_into", LaunchKind::map, {&dst}, {&src, &dst},
             FlatAdd<T>{reinterpret_cast<T*>(dst.impl()->data), reinterpret_cast<const T*>(src.impl()->data),
                        dst.numel()});
    });
  StridedLoop<3> loop(dst.sizes());
  loop.operand(0, dst);
  loop.operand(1, dst);
  loop.operand(2, src);
  loop.prepare();
  const bool overlaps = !dst.is_contiguous();
  dispatch(dst.dtype(), [&]<class T>() {
    launch("add_into", LaunchKind::map, {&dst}, {&src, &dst}, StridedAdd<T>{loop, overlaps});
  });
}

void written_on_host(const Tensor& y, const char* op) {
  if (!keeping() || y.numel() == 0) return;
  char* const to = y.impl()->data;
  launch(op, LaunchKind::constant, {&y}, {},
         [to, bytes = std::vector<char>(to, to + y.nbytes())] { std::copy(bytes.begin(), bytes.end(), to); });
}

Tensor clone_of(const Tensor& x) {
  Tensor y = new_like(x);
  copy(y, x, "clone");
  return y;
}

Tensor contiguous_of(const Tensor& x) { return x.is_contiguous() ? x : clone_of(x); }

Tensor converted(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = new_like(x, dtype);
  copy(y, x, "to");
  return y;
}

Tensor filled_tensor(IntArrayRef sizes, DType dtype, const Scalar& value, const char* op) {
  check_fits(op, value, dtype);
  Tensor y = new_tensor(sizes, dtype, op);
  fill(y, value, op);
  return y;
}

}  // namespace tapegrad
