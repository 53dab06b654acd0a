// Rows by index: copies of whole rows where they are contiguous.
#include "tapegrad/ops/kernels/rows.h"

#include <cstring>
#include <limits>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/iterate.h"
#include "tapegrad/core/launch.h"

namespace tapegrad::kernels {
namespace {

Tensor like_rows(const Tensor& x, int64_t rows) {
  Shape sizes = x.sizes();
  sizes[0] = rows;
  return new_tensor(sizes, x.dtype());
}

int64_t row_elements(const Tensor& x) {
  int64_t count = 1;
  for (int64_t d = 1; d < x.dim(); ++d) count *= x.sizes()[d];
  return count;
}

}  // namespace

Tensor take_rows(const Tensor& x, const Tensor& index) {
  const int64_t count = index.numel();
  const Tensor y = like_rows(x, count);
  const auto bytes = static_cast<size_t>(row_elements(x) * x.element_size());
  launch("take_rows", LaunchKind::copy, {&y}, {&x, &index},
         [to = y.impl()->data, from = x.impl()->data, at = index.data_ptr<int64_t>(), count, bytes] {
           parallel_for(0, count, std::max<int64_t>(1, kParallelGrain / static_cast<int64_t>(bytes + 1)),
                        [=](int64_t first, int64_t last) {
                          for (int64_t j = first; j < last; ++j)
                            std::memcpy(to + static_cast<size_t>(j) * bytes, from + static_cast<size_t>(at[j]) * bytes,
                                        bytes);
                        });
         });
  return y;
}

Tensor add_rows(const Tensor& x, const Tensor& index, int64_t rows) {
  const Tensor y = like_rows(x, rows);
  fill(y, 0);
  dispatch(x.dtype(), [&]<class T>() {
    launch("add_rows", LaunchKind::other, {&y}, {&x, &index},
           [to = y.data_ptr<T>(), from = x.data_ptr<T>(), at = index.data_ptr<int64_t>(), count = index.numel(),
            n = row_elements(x)] {
             for (int64_t j = 0; j < count; ++j) {
               T* row = to + at[j] * n;
               for (int64_t i = 0; i < n; ++i) row[i] = static_cast<T>(row[i] + from[j * n + i]);
             }
           });
  });
  return y;
}

void put_rows(const Tensor& dst, int64_t lead, const Tensor& index, const Tensor& src, bool accumulate) {
  // Views of one row, moved from place to place: their layout is all the loop needs.
  Shape sizes, strides;
  for (int64_t d = lead; d < dst.dim(); ++d) {
    sizes.push_back(dst.sizes()[d]);
    strides.push_back(dst.strides()[d]);
  }
  if (index.numel() == 0 || dst.numel() == 0) return;
  StridedLoop<2> row(sizes);
  const Tensor to = alias(dst, sizes, strides, 0);
  const bool single = src.numel() == 1;
  const Tensor from = alias(src, single ? Shape() : sizes, single ? Shape() : contiguous_strides(sizes), 0);
  row.operand(0, to);
  row.operand(1, from);
  row.prepare();
  const int64_t step = single ? 0 : to.numel() * src.element_size();
  const Shape lead_sizes(IntArrayRef(dst.sizes().data(), lead)), lead_strides(IntArrayRef(dst.strides().data(), lead));
  dispatch(dst.dtype(), [&]<class T>() {
    launch("put_rows", LaunchKind::other, {&dst}, {&src, &index},
           [row, step, lead_sizes, lead_strides, accumulate, at = index.data_ptr<int64_t>(), count = index.numel()] {
             for (int64_t j = 0; j < count; ++j) {
               int64_t rest = at[j], offset = 0;
               for (int64_t d = lead_sizes.size() - 1; d >= 0; --d) {
                 offset += rest % lead_sizes[d] * lead_strides[d];
                 rest /= lead_sizes[d];
               }
               row.run(
                   [&](char* const* p, const int64_t* stride, int64_t n) {
                     for (int64_t i = 0; i < n; ++i) {
                       T& y = *reinterpret_cast<T*>(p[0] + offset * static_cast<int64_t>(sizeof(T)) + i * stride[0]);
                       const T x = *reinterpret_cast<const T*>(p[1] + j * step + i * stride[1]);
                       y = accumulate ? static_cast<T>(y + x) : x;
                     }
                   },
                   std::numeric_limits<int64_t>::max());
             }
           });
  });
}

}  // namespace tapegrad::kernels
