// Gathering and scattering: reads are independent of each other, writes go line by line.
#include "tapegrad/ops/kernels/gather.h"

#include <cstring>
#include <limits>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"

namespace tapegrad::kernels {
namespace {

// Calls f.operator()<T>() with an unsigned type of the dtype's size: for moving elements that is all that counts.
template <class F> void dispatch_size(DType dtype, F&& f) {
  switch (item_size(dtype)) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    default: return f.template operator()<uint64_t>();
  }
}

Shape without(Shape shape, int64_t dim) {
  shape.erase(dim);
  return shape;
}

// x seen by an index of `sizes`: it stands still along dim, where the index says what to read.
Tensor standing(const Tensor& x, const Shape& sizes, int64_t dim) {
  Shape strides = x.strides();
  strides[dim] = 0;
  return alias(x, sizes, strides, 0);
}

// The lines along dim of a written tensor, an index and a source, one step of the loop each.
struct Lines {
  StridedLoop<3> loop;
  int64_t count;    // elements of index in a line
  int64_t step[3];  // in bytes, along the line
  int64_t grain;

  Lines(const Tensor& y, int64_t dim, const Tensor& index, const Tensor& src)
      : loop(without(index.sizes(), dim)), count(index.sizes()[dim]) {
    const bool one = src.dim() == 0;
    const Shape sizes = without(index.sizes(), dim);
    loop.operand(0, alias(y, sizes, without(y.strides(), dim), 0));
    loop.operand(1, alias(index, sizes, without(index.strides(), dim), 0));
    loop.operand(2, one ? src : alias(src, sizes, without(src.strides(), dim), 0));
    loop.prepare();
    step[0] = y.strides()[dim] * y.element_size();
    step[1] = index.strides()[dim] * index.element_size();
    step[2] = one ? 0 : src.strides()[dim] * src.element_size();
    grain = std::max<int64_t>(1, kParallelGrain / std::max<int64_t>(count, 1));
  }

  // each(T& y, const T& src) for every element of the lines, in the order of the index; along the memory of y where that keeps it.
  template <class T, class Each> void run(const Each& each) const {
    if (count == 0) return;
    loop.run(
        [&](char* const* at, const int64_t* stride, int64_t lines) {
          const auto visit = [&](int64_t i, int64_t j) {
            const int64_t to = *reinterpret_cast<const int64_t*>(at[1] + i * stride[1] + j * step[1]);
            each(*reinterpret_cast<T*>(at[0] + i * stride[0] + to * step[0]),
                 *reinterpret_cast<const T*>(at[2] + i * stride[2] + j * step[2]));
          };
          if (stride[0] > step[0]) {
            for (int64_t i = 0; i < lines; ++i)
              for (int64_t j = 0; j < count; ++j) visit(i, j);
          } else if (stride[1] == 0 && stride[0] == sizeof(T) && stride[2] == sizeof(T)) {
            rows<T>(at, lines, each);
          } else {
            for (int64_t j = 0; j < count; ++j)
              for (int64_t i = 0; i < lines; ++i) visit(i, j);
          }
        },
        grain);
  }

 private:
  // One index for a whole row of neighbours.
  template <class T, class Each> void rows(char* const* at, int64_t lines, const Each& each) const {
    for (int64_t j = 0; j < count; ++j) {
      const int64_t to = *reinterpret_cast<const int64_t*>(at[1] + j * step[1]);
      T* y = reinterpret_cast<T*>(at[0] + to * step[0]);
      const T* src = reinterpret_cast<const T*>(at[2] + j * step[2]);
      for (int64_t i = 0; i < lines; ++i) each(y[i], src[i]);
    }
  }
};

}  // namespace

void index_outside(const char* name, int64_t index, int64_t size, int64_t dim, bool negative) {
  if (size == 0)
    throw IndexError(std::string(name) + ": there must be an element at dim " + std::to_string(dim) +
                     ", which has size 0, got index " + std::to_string(index));
  throw IndexError(std::string(name) + ": an index must lie in [" + std::to_string(negative ? -size : 0) + ", " +
                   std::to_string(size - 1) + "] at dim " + std::to_string(dim) + " of size " + std::to_string(size) +
                   ", got " + std::to_string(index));
}

void check_index(const char* name, const Tensor& index, int64_t size, int64_t dim, bool negative) {
  StridedLoop<1> loop(index.sizes());
  loop.operand(0, index);
  loop.prepare();
  launch(name, LaunchKind::other, {}, {&index}, [loop, name, size, dim, low = negative ? -size : 0] {
    const auto check = [=](char* const* at, const int64_t* stride, int64_t n) {
      for (int64_t i = 0; i < n; ++i) {
        const int64_t v = *reinterpret_cast<const int64_t*>(at[0] + i * stride[0]);
        if (v < low || v >= size) index_outside(name, v, size, dim, low < 0);
      }
    };
    loop.run(check, std::numeric_limits<int64_t>::max());  // the first one out of range, whatever the thread count
  });
}

Tensor wrapped_index(const char* name, const Tensor& index, int64_t size) {
  const Tensor from = contiguous_of(index);
  const Tensor y = new_like(from);
  launch(name, LaunchKind::other, {&y}, {&from},
         [src = from.elements<int64_t>(), dst = y.elements<int64_t>(), n = y.numel(), size] {
           for (int64_t i = 0; i < n; ++i) dst[i] = src[i] < 0 ? src[i] + size : src[i];
         });
  return y;
}

Tensor along(const Tensor& index, const Shape& sizes, int64_t dim) {
  Shape spread = sizes;
  Shape strides = Shape::filled(sizes.size(), 0);
  spread[dim] = index.numel();
  strides[dim] = index.dim() == 0 ? 1 : index.strides()[0];
  return alias(index, spread, strides, 0);
}

Tensor gather(const char* name, const Tensor& x, int64_t dim, const Tensor& index) {
  const Tensor y = new_tensor(index.sizes(), x.dtype());
  StridedLoop<3> loop(index.sizes());
  loop.operand(0, y);
  loop.operand(1, index);
  loop.operand(2, standing(x, index.sizes(), dim));
  loop.prepare();
  dispatch_size(x.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&x, &index}, [loop, step = x.strides()[dim] * x.element_size()] {
      loop.run([step](char* const* at, const int64_t* stride, int64_t n) {
        for (int64_t i = 0; i < n; ++i) {
          const int64_t from = *reinterpret_cast<const int64_t*>(at[1] + i * stride[1]);
          *reinterpret_cast<T*>(at[0] + i * stride[0]) =
              *reinterpret_cast<const T*>(at[2] + i * stride[2] + from * step);
        }
      });
    });
  });
  return y;
}

Tensor index_select(const char* name, const Tensor& x, int64_t dim, const Tensor& index) {
  int64_t outer = 1, inner = 1;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d != dim) (d < dim ? outer : inner) *= x.sizes()[d];
  }
  // Blocks of one or two elements are not worth a call of memcpy.
  if (!x.is_contiguous() || inner < 4) return gather(name, x, dim, along(index, x.sizes(), dim));
  const Tensor at = contiguous_of(index);
  Shape sizes = x.sizes();
  sizes[dim] = at.numel();
  const Tensor y = new_tensor(sizes, x.dtype());
  const auto bytes = static_cast<size_t>(inner * x.element_size());
  launch(name, LaunchKind::copy, {&y}, {&x, &at},
         [dst = y.impl()->data, src = x.impl()->data, index = at.elements<int64_t>(), count = at.numel(), outer, bytes,
          size = x.sizes()[dim]] {
           const int64_t grain = std::max<int64_t>(1, kParallelGrain / static_cast<int64_t>(bytes));
           parallel_for(0, outer * count, grain, [=](int64_t first, int64_t last) {
             for (int64_t block = first; block < last; ++block) {
               const int64_t from = block / count * size + index[block % count];
               std::memcpy(dst + static_cast<size_t>(block) * bytes, src + static_cast<size_t>(from) * bytes, bytes);
             }
           });
         });
  return y;
}

void scatter(const char* name, const Tensor& y, int64_t dim, const Tensor& index, const Tensor& src) {
  const Lines lines(y, dim, index, src);
  dispatch_size(y.dtype(), [&]<class T>() {
    launch(name, LaunchKind::other, {&y}, {&index, &src, &y},
           [lines] { lines.run<T>([](T& to, const T& from) { to = from; }); });
  });
}

void scatter_add(const char* name, const Tensor& y, int64_t dim, const Tensor& index, const Tensor& src) {
  const Lines lines(y, dim, index, src);
  dispatch(y.dtype(), [&]<class T>() {
    if constexpr (std::is_same_v<T, BFloat16>) {
      not_supported(name, y.dtype());  // sums of many terms are float32's
    } else {
      launch(name, LaunchKind::other, {&y}, {&index, &src, &y},
             [lines] { lines.run<T>([](T& to, const T& from) { to = static_cast<T>(to + from); }); });
    }
  });
}

Tensor stays(const char* name, int64_t dim, const Tensor& index, int64_t size) {
  Shape places = index.sizes();
  places[dim] = size;
  // The number of the last element that names a place, then whether an element is that one.
  const Tensor last = new_tensor(places, kInt64);
  Tensor number = new_tensor(index.sizes()[dim], kInt64);
  launch(name, LaunchKind::other, {&number}, {}, [dst = number.elements<int64_t>(), n = number.numel()] {
    for (int64_t i = 0; i < n; ++i) dst[i] = i;
  });
  number = along(number, index.sizes(), dim);
  scatter(name, last, dim, index, number);
  const Tensor named = gather(name, last, dim, index);
  const Tensor y = new_tensor(index.sizes(), kBool);
  const Tensor own = contiguous_of(number);
  launch(name, LaunchKind::other, {&y}, {&named, &own},
         [a = named.elements<int64_t>(), b = own.elements<int64_t>(), dst = y.elements<bool>(), n = y.numel()] {
           for (int64_t i = 0; i < n; ++i) dst[i] = a[i] == b[i];
         });
  return y;
}

}  // namespace tapegrad::kernels
