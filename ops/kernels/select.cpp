// Counting and listing: what is not zero, what is distinct.
#include "tapegrad/ops/kernels/select.h"

#include <algorithm>
#include <span>
#include <vector>

#include "tapegrad/core/copy.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/kernels/sort.h"

namespace tapegrad::kernels {
namespace {

template <class T> int64_t count_of(const T* x, int64_t n) {
  return std::count_if(x, x + n, [](T v) { return v != T(0); });
}

// fn(number of the element, its place among those that are not 0), for at most `count` of them.
template <class T, class Fn> void for_nonzero(const T* x, int64_t n, int64_t count, const Fn& fn) {
  for (int64_t i = 0, found = 0; i < n && found < count; ++i) {
    if (x[i] != T(0)) fn(i, found++);
  }
}

// AutogradError inside a capture.
void shape_depends_on_values(const char* name) {
  detail::check_host_read(
      (std::string("the shape of ") + name + "'s result depends on values, and a replay keeps shapes").c_str());
}

}  // namespace

Tensor positions(const char* name, const Tensor& x) {
  shape_depends_on_values(name);
  const Tensor from = contiguous_of(x);
  return dispatch(x.dtype(), [&]<class T>() {
    const int64_t n = from.numel(), count = count_of(from.elements<T>(), n);
    const Tensor y = new_tensor(count, kInt64);
    launch(name, LaunchKind::other, {&y}, {&from}, [src = from.elements<T>(), dst = y.elements<int64_t>(), n, count] {
      for_nonzero(src, n, count, [dst](int64_t i, int64_t found) { dst[found] = i; });
    });
    return y;
  });
}

Tensor nonzero(const char* name, const Tensor& x) {
  const Tensor place = positions(name, x);
  const int64_t rank = x.dim();
  const Tensor y = new_tensor({place.numel(), rank}, kInt64);
  launch(name, LaunchKind::other, {&y}, {&place},
         [src = place.elements<int64_t>(), dst = y.elements<int64_t>(), n = place.numel(), rank, sizes = x.sizes()] {
           for (int64_t i = 0; i < n; ++i) {
             for (int64_t d = rank - 1, rest = src[i]; d >= 0; --d) {
               dst[i * rank + d] = rest % sizes[d];
               rest /= sizes[d];
             }
           }
         });
  return y;
}

std::tuple<Tensor, Tensor, Tensor> unique(const char* name, const Tensor& x, bool inverse, bool counts) {
  shape_depends_on_values(name);
  const Tensor from = contiguous_of(x);
  const int64_t n = x.numel();
  const Tensor sorted = sort_indices(name, alias(from, {n}, {1}, 0), 0, false);
  const std::span<const int64_t> order(sorted.elements<int64_t>(), static_cast<size_t>(n));
  return dispatch(x.dtype(), [&]<class T>() {
    const T* v = from.elements<T>();
    std::vector<int64_t> starts;  // in `order`, of each run of equals
    const Tensor number = inverse ? new_tensor(x.sizes(), kInt64) : new_tensor(0, kInt64);
    for (size_t i = 0; i < order.size(); ++i) {
      if (i == 0 || !(v[order[i]] == v[order[i - 1]])) starts.push_back(static_cast<int64_t>(i));
      if (inverse) number.elements<int64_t>()[order[i]] = static_cast<int64_t>(starts.size()) - 1;
    }
    const auto distinct = static_cast<int64_t>(starts.size());
    starts.push_back(n);
    const Tensor values = new_tensor(distinct, x.dtype());
    const Tensor count = new_tensor(counts ? distinct : 0, kInt64);
    for (int64_t k = 0; k < distinct; ++k) {
      const auto at = static_cast<size_t>(k);
      values.elements<T>()[k] = v[order[static_cast<size_t>(starts[at])]];
      if (counts) count.elements<int64_t>()[k] = starts[at + 1] - starts[at];
    }
    return std::tuple{values, number, count};
  });
}

}  // namespace tapegrad::kernels
