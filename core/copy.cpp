// Fill, copy and add over strided memory.
#include "tapegrad/core/copy.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"

namespace tapegrad {
namespace {

// Float to integer: the fraction is dropped, and what To does not hold then, or is NaN, gives the lowest value. One rule for
// all widths, where the processor's own differ.
template <class To, class From> To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
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
  for (int64_t i = 0; i < n; ++i, dst += stride[0], src += stride[1])
    *reinterpret_cast<To*>(dst) = convert<To>(*reinterpret_cast<const From*>(src));
}

using Run = void (*)(char* const*, const int64_t*, int64_t);

Run convert_run_for(DType to, DType from) {
  return dispatch(to,
                  [&]<class To>() { return dispatch(from, [&]<class From>() { return Run(convert_run<To, From>); }); });
}

bool same_layout(const Tensor& a, const Tensor& b) {
  return a.data_ptr() == b.data_ptr() && a.dtype() == b.dtype() && IntArrayRef(a.sizes()) == IntArrayRef(b.sizes()) &&
         IntArrayRef(a.strides()) == IntArrayRef(b.strides());
}

}  // namespace

void fill(const Tensor& dst, const Scalar& value, const char* op) {
  check_fits(op, value, dst.dtype());
  dispatch(dst.dtype(), [&]<class T>() {
    const T v = value.to<T>();
    if (dst.is_contiguous()) {
      launch("fill", LaunchKind::map, {&dst}, {}, [y = reinterpret_cast<T*>(dst.data_ptr()), n = dst.numel(), v] {
        parallel_for(0, n, kParallelGrain, [=](int64_t first, int64_t last) { std::fill(y + first, y + last, v); });
      });
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
  if (dst.is_contiguous() && src.is_contiguous() && dst.dtype() == src.dtype() && dst.numel() == src.numel()) {
    launch("copy", LaunchKind::copy, {&dst}, {&src},
           [to = dst.impl()->data, from = src.impl()->data, n = dst.nbytes()] {
             parallel_for(0, n, kParallelGrain * 8, [=](int64_t first, int64_t last) {
               std::memcpy(to + first, from + first, static_cast<size_t>(last - first));
             });
           });
    return;
  }
  StridedLoop<2> loop(dst.sizes());
  loop.operand(0, dst);
  loop.operand(1, src);
  loop.prepare();
  const Run run = convert_run_for(dst.dtype(), src.dtype());
  launch("copy", LaunchKind::copy, {&dst}, {&src}, [loop, run] { loop.run(run); });
}

namespace {

// Both without gaps: no loop over dims to set up.
template <class T> void add_flat(const Tensor& dst, const Tensor& src) {
  launch("add_into", LaunchKind::map, {&dst}, {&src, &dst},
         [y = reinterpret_cast<T*>(dst.data_ptr()), x = reinterpret_cast<const T*>(src.data_ptr()), n = dst.numel()] {
           parallel_for(0, n, kParallelGrain, [=](int64_t first, int64_t last) {
             for (int64_t i = first; i < last; ++i) y[i] = static_cast<T>(y[i] + x[i]);
           });
         });
}

}  // namespace

void add_into(const Tensor& dst, const Tensor& src) {
  if (dst.is_contiguous() && src.is_contiguous() && dst.numel() == src.numel())
    return dispatch(dst.dtype(), [&]<class T>() { add_flat<T>(dst, src); });
  StridedLoop<2> loop(dst.sizes());
  loop.operand(0, dst);
  loop.operand(1, src);
  loop.prepare();
  const bool overlaps = !dst.is_contiguous();  // perhaps
  dispatch(dst.dtype(), [&]<class T>() {
    launch("add_into", LaunchKind::map, {&dst}, {&src, &dst}, [loop, overlaps] {
      const auto run = [](char* const* at, const int64_t* stride, int64_t n) {
        if (stride[0] == sizeof(T) && stride[1] == sizeof(T)) {
          auto* y = reinterpret_cast<T*>(at[0]);
          auto* x = reinterpret_cast<const T*>(at[1]);
          for (int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(y[i] + x[i]);
          return;
        }
        for (int64_t i = 0; i < n; ++i) {
          auto& y = *reinterpret_cast<T*>(at[0] + i * stride[0]);
          y = static_cast<T>(y + *reinterpret_cast<const T*>(at[1] + i * stride[1]));
        }
      };
      // Where elements may coincide, one thread adds them one after the other.
      loop.run(run, overlaps ? std::numeric_limits<int64_t>::max() : kParallelGrain);
    });
  });
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
