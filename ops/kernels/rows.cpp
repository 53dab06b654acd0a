// Rows by number: their layout is one loop, moved from place to place.
#include "tapegrad/ops/kernels/rows.h"

#include <limits>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"

namespace tapegrad::kernels {
namespace {

// The first dims of a tensor, by number.
struct Lead {
  Shape sizes, strides;
  Lead(const Tensor& x, int64_t lead)
      : sizes(IntArrayRef(x.sizes().data(), lead)), strides(IntArrayRef(x.strides().data(), lead)) {}
  // Of row `number`, in elements.
  int64_t offset(int64_t number) const {
    int64_t at = 0;
    for (int64_t d = sizes.size() - 1; d >= 0; --d) {
      at += number % sizes[d] * strides[d];
      number /= sizes[d];
    }
    return at;
  }
};

// The first row of a tensor.
Tensor row_of(const Tensor& x, int64_t lead) {
  const int64_t rest = x.dim() - lead;
  return alias(x, IntArrayRef(x.sizes().data() + lead, rest), IntArrayRef(x.strides().data() + lead, rest), 0);
}

// One row of y, one of x.
StridedLoop<2> row_loop(const Tensor& y, const Tensor& x) {
  StridedLoop<2> loop(y.sizes());
  loop.operand(0, y);
  loop.operand(1, x);
  loop.prepare();
  return loop;
}

// each(y, x) for the elements of a row that begins `to` and `from` bytes behind the first ones.
template <class T, class Each> void run_row(const StridedLoop<2>& row, int64_t to, int64_t from, const Each& each) {
  row.run(
      [&](char* const* p, const int64_t* stride, int64_t n) {
        char* y = p[0] + to;
        const char* x = p[1] + from;
        if (stride[0] == sizeof(T) && stride[1] == sizeof(T)) {
          for (int64_t i = 0; i < n; ++i) each(reinterpret_cast<T*>(y)[i], reinterpret_cast<const T*>(x)[i]);
        } else {
          for (int64_t i = 0; i < n; ++i)
            each(*reinterpret_cast<T*>(y + i * stride[0]), *reinterpret_cast<const T*>(x + i * stride[1]));
        }
      },
      std::numeric_limits<int64_t>::max());
}

}  // namespace

void count_on(const Tensor& number, const Tensor& index, int64_t size) {
  StridedLoop<2> loop(number.sizes());
  loop.operand(0, number);
  loop.operand(1, index);
  loop.prepare();
  launch("index", LaunchKind::other, {&number}, {&index, &number}, [loop, size] {
    loop.run([size](char* const* p, const int64_t* stride, int64_t n) {
      for (int64_t i = 0; i < n; ++i) {
        auto& y = *reinterpret_cast<int64_t*>(p[0] + i * stride[0]);
        const auto at = *reinterpret_cast<const int64_t*>(p[1] + i * stride[1]);
        y = y * size + (at < 0 ? at + size : at);
      }
    });
  });
}

Tensor take_rows(const Tensor& x, int64_t lead, const Tensor& number) {
  const Tensor one = row_of(x, lead);
  Shape sizes = one.sizes();
  sizes.insert(0, number.numel());
  const Tensor y = new_tensor(sizes, x.dtype());
  if (y.numel() == 0) return y;
  const int64_t width = one.numel();
  const StridedLoop<2> row = row_loop(alias(y, one.sizes(), contiguous_strides(one.sizes()), 0), one);
  dispatch(x.dtype(), [&]<class T>() {
    launch("take_rows", LaunchKind::other, {&y}, {&x, &number},
           [row, width, from = Lead(x, lead), at = number.elements<int64_t>(), count = number.numel()] {
             parallel_for(0, count, std::max<int64_t>(1, kParallelGrain / width), [&](int64_t first, int64_t last) {
               constexpr auto size = static_cast<int64_t>(sizeof(T));
               for (int64_t j = first; j < last; ++j)
                 run_row<T>(row, j * width * size, from.offset(at[j]) * size, [](T& to, const T& v) { to = v; });
             });
           });
  });
  return y;
}

void put_rows(const Tensor& dst, int64_t lead, const Tensor& number, const Tensor& src, bool accumulate) {
  if (number.numel() == 0 || dst.numel() == 0) return;
  const Tensor to = row_of(dst, lead);
  const bool single = src.numel() == 1;
  const Shape sizes = single ? Shape() : to.sizes();
  const StridedLoop<2> row = row_loop(to, alias(src, sizes, contiguous_strides(sizes), 0));
  const int64_t step = single ? 0 : to.numel() * src.element_size();
  dispatch(dst.dtype(), [&]<class T>() {
    launch("put_rows", LaunchKind::other, {&dst}, {&src, &number, &dst},
           [row, step, accumulate, place = Lead(dst, lead), at = number.elements<int64_t>(), count = number.numel()] {
             for (int64_t j = 0; j < count; ++j) {
               const int64_t offset = place.offset(at[j]) * static_cast<int64_t>(sizeof(T));
               if (accumulate) {
                 run_row<T>(row, offset, j * step, [](T& y, const T& x) { y = static_cast<T>(y + x); });
               } else {
                 run_row<T>(row, offset, j * step, [](T& y, const T& x) { y = x; });
               }
             }
           });
  });
}

}  // namespace tapegrad::kernels
