// sort, argsort, topk, kthvalue, median.
#include "tapegrad/ops/order.h"

#include <cmath>

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/extrema.h"
#include "tapegrad/ops/kernels/sort.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/reduce_parts.h"

namespace tapegrad {
namespace {

struct SortName {
  static constexpr const char* name = "sort";
};
struct TopkName {
  static constexpr const char* name = "topk";
};
struct KthName {
  static constexpr const char* name = "kthvalue";
};
struct MedianName {
  static constexpr const char* name = "median";
};

template <class Which> struct Put;

// y = x at indices along dim, each of which occurs once;  dx = dy put there
template <class Which> struct Take {
  static constexpr const char* name = Which::name;
  int64_t dim;
  Shape sizes{};
  SavedInput index{"indices"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    sizes = x.sizes();
    return kernels::take_lines(name, x, index.save(at), dim);
  }
  Grads backward(const Tensor& dy) const { return {apply(Put<Which>{.dim = dim, .sizes = sizes}, dy, *index)}; }
  Tensor tangent(const Grads& dx) const { return apply(Take{.dim = dim}, dx[0], *index); }
};

// x = zeros with y put at the indices;  dy = dx taken there
template <class Which> struct Put {
  static constexpr const char* name = Which::name;
  int64_t dim;
  Shape sizes;
  SavedInput index{"indices"};
  Tensor forward(const Tensor& y, const Tensor& at) { return kernels::put_lines(name, y, index.save(at), sizes, dim); }
  Grads backward(const Tensor& dx) const { return {apply(Take<Which>{.dim = dim}, dx, *index)}; }
  Tensor tangent(const Grads& dy) const { return apply(Put{.dim = dim, .sizes = sizes}, dy[0], *index); }
};

template <class Which> std::tuple<Tensor, Tensor> taken(const Tensor& x, Tensor index, int64_t dim) {
  Tensor value = apply(Take<Which>{.dim = dim}, x, index);
  return {std::move(value), std::move(index)};
}

// y = the median of all;  dx = dy share, where share is 1 / (number of elements equal to y) at those, else 0
struct Median {
  static constexpr const char* name = "median";
  SavedInput x{"x"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& v) {
    x.save(v);
    if (v.numel() == 0) return y.save(filled_tensor(IntArrayRef(), v.dtype(), NAN));
    const Tensor from = contiguous_of(v);
    const Tensor flat = alias(from, {v.numel()}, {1}, 0);
    const Tensor at = kernels::kth_indices(name, flat, 0, (v.numel() - 1) / 2, false, true);
    return y.save(kernels::take_lines(name, flat, at, 0));
  }
  Tensor share() const {
    const uint32_t all = (uint32_t{1} << (*x).dim()) - 1;
    return kernels::extreme_share(name, *x, *y, all);
  }
  Grads backward(const Tensor& dy) const { return {dy * share()}; }
  Tensor tangent(const Tensor& dx) const { return sum(dx * share()); }
};

// The size of dim, 1 for a 0-dim tensor.
int64_t extent(const Tensor& x, int64_t dim) { return x.dim() == 0 ? 1 : x.sizes()[dim]; }

void check_k(const char* op, const Tensor& x, int64_t dim, int64_t k, int64_t lowest) {
  const int64_t n = extent(x, dim);
  if (k < lowest || k > n)
    throw IndexError(std::string(op) + ": k must lie in [" + std::to_string(lowest) + ", " + std::to_string(n) +
                     "] at dim " + std::to_string(dim) + " of shape " + to_string(x.sizes()) + ", got " +
                     std::to_string(k));
}

[[noreturn]] void no_median(const Tensor& x) {
  throw ShapeError("median: there must be an element to choose, got shape " + to_string(x.sizes()));
}

}  // namespace

std::tuple<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending) {
  check_defined("sort", x, "x");
  const int64_t d = x.dim_index(dim, "sort");
  return taken<SortName>(x, kernels::sort_indices("sort", x, d, descending), d);
}

Tensor argsort(const Tensor& x, int64_t dim, bool descending) {
  check_defined("argsort", x, "x");
  return kernels::sort_indices("argsort", x, x.dim_index(dim, "argsort"), descending);
}

std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
  check_defined("topk", x, "x");
  const int64_t d = x.dim_index(dim, "topk");
  check_k("topk", x, d, k, x.dim() == 0 ? 1 : 0);
  return taken<TopkName>(x, kernels::top_indices("topk", x, d, k, largest, sorted), d);
}

std::tuple<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  check_defined("kthvalue", x, "x");
  const int64_t d = x.dim_index(dim, "kthvalue");
  check_k("kthvalue", x, d, k, 1);
  return taken<KthName>(x, kernels::kth_indices("kthvalue", x, d, k - 1, keepdim, false), d);
}

Tensor median(const Tensor& x) {
  check_defined("median", x, "x");
  if (x.numel() == 0 && !x.is_floating_point()) no_median(x);
  return apply(Median{}, x);
}

std::tuple<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim) {
  check_defined("median", x, "x");
  const int64_t d = x.dim_index(dim, "median");
  const int64_t n = extent(x, d);
  if (n == 0) no_median(x);
  return taken<MedianName>(x, kernels::kth_indices("median", x, d, (n - 1) / 2, keepdim, true), d);
}

}  // namespace tapegrad
