// cumsum, cumprod, logcumsumexp. Their rules are scans again, so they can be differentiated to any order.
#include "tapegrad/ops/scan.h"

#include <cmath>

#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/scan.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/scan_parts.h"

namespace tapegrad {

using kernels::Scan;

namespace {

// y[i] = x[i-1] along dim, y[0] = first; backwards y[i] = x[i+1], y[n-1] = first
Tensor shifted(const Tensor& x, int64_t dim, double first, bool backwards = false) {
  const int64_t n = x.sizes()[dim];
  if (n == 0) return x;
  Shape edge = x.sizes();
  edge[dim] = 1;
  const Tensor outside = filled_tensor(edge, x.dtype(), first);
  return backwards ? cat({narrow(x, dim, 1, n - 1), outside}, dim) : cat({outside, narrow(x, dim, 0, n - 1)}, dim);
}

Tensor recurrence(const Tensor& a, const Tensor& b, int64_t dim, bool reverse);

// y[i] = b[i] + a[i] y[i-1];  db[i] = dy[i] + a[i+1] db[i+1], da[i] = db[i] y[i-1]
struct Recurrence {
  static constexpr const char* name = "recurrence";
  int64_t dim;
  bool reverse;
  SavedInput a{"a"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& factor, const Tensor& term) {
    return y.save(kernels::recurrence(name, a.save(factor), term, dim, reverse));
  }
  Grads backward(const Tensor& dy) const {
    const Tensor db = recurrence(shifted(*a, dim, 0, !reverse), dy, dim, !reverse);
    return {autograd::needs(0) ? db * shifted(*y, dim, 0, reverse) : Tensor(), db};
  }
  Tensor tangent(const Grads& dx) const {
    Tensor term = dx[1];
    if (dx[0].defined()) {
      const Tensor moved = dx[0] * shifted(*y, dim, 0, reverse);
      term = term.defined() ? term + moved : moved;
    }
    return recurrence(*a, term, dim, reverse);
  }
};

Tensor recurrence(const Tensor& a, const Tensor& b, int64_t dim, bool reverse) {
  return apply(Recurrence{.dim = dim, .reverse = reverse}, a, b);
}

// y[i] = x[0] + ... + x[i];  dx = the same of dy from the end
struct Cumsum {
  static constexpr const char* name = "cumsum";
  static constexpr bool linear = true;
  int64_t dim;
  bool reverse = false;
  Tensor forward(const Tensor& x, const Tensor& out = {}) {
    return kernels::scan(name, Scan::sum, x, dim, reverse, out);
  }
  Grads backward(const Tensor& dy) const { return {apply(Cumsum{.dim = dim, .reverse = !reverse}, dy)}; }
};

// y[i] = x[0] ... x[i];  dx[i] = y[i-1] s[i], where s[i] = dy[i] + x[i+1] s[i+1]
struct Cumprod {
  static constexpr const char* name = "cumprod";
  static constexpr bool saves_input = true;
  int64_t dim;
  bool reverse = false;
  SavedInput x{"x"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& v, const Tensor& out = {}) {
    return y.save(kernels::scan(name, Scan::prod, x.save(v), dim, reverse, out));
  }
  Grads backward(const Tensor& dy) const {
    const Tensor s = recurrence(shifted(*x, dim, 0, !reverse), dy, dim, !reverse);
    return {s * shifted(*y, dim, 1, reverse)};
  }
  Tensor tangent(const Tensor& dx) const { return recurrence(*x, dx * shifted(*y, dim, 1, reverse), dim, reverse); }
};

// y[i] = ln(e^x[0] + ... + e^x[i]);  dx[i] = e^(x[i] - y[i]) s[i], where s[i] = dy[i] + e^(y[i] - y[i+1]) s[i+1]: no exponent
// is above 0. Where y is -inf, nothing has come yet and the weights are 0.
struct LogCumsumExp {
  static constexpr const char* name = "logcumsumexp";
  int64_t dim;
  SavedInput x{"x"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& v) { return y.save(kernels::scan(name, Scan::logsumexp, x.save(v), dim, false)); }
  Tensor none() const { return *y == -INFINITY; }
  Tensor finite() const { return where(none(), 0, *y); }
  Tensor weights() const { return exp(*x - finite()); }
  // e^(y[i] - y[i+1]), and 1 at the end, which meets nothing: the recurrence begins there.
  Tensor decay() const {
    const Tensor total = finite();
    const int64_t n = total.sizes()[dim];
    if (n == 0) return total;
    const Tensor next = cat({narrow(total, dim, 1, n - 1), narrow(total, dim, n - 1, 1)}, dim);
    return exp(where(none(), -INFINITY, total - next));
  }
  Grads backward(const Tensor& dy) const { return {weights() * recurrence(decay(), dy, dim, true)}; }
  Tensor tangent(const Tensor& dx) const { return recurrence(shifted(decay(), dim, 0), dx * weights(), dim, false); }
};

// op along a dim; a 0-dim tensor is one line of one element.
template <class Op> Tensor along(const Op& op, const Tensor& x) {
  if (x.dim() > 0) return apply(op, x);
  return reshape(apply(op, reshape(x, 1)), IntArrayRef());
}

// The same of x converted to `dtype`, by default int64 for bool and integers. All integers run in int64.
template <class Op> Tensor running(const Op& op, const Tensor& x, std::optional<DType> dtype) {
  const DType wanted = dtype.value_or(x.is_floating_point() ? x.dtype() : kInt64);
  const Tensor from = to(x, wanted);
  return from.is_floating_point() ? along(op, from) : to(along(op, to(from, kInt64)), wanted);
}

template <class Op> Tensor& running_in_place(const Op& op, const Tensor& x) {
  if (x.dim() == 0) return const_cast<Tensor&>(x);  // one element is its own sum and product
  if (!x.is_floating_point() && x.dtype() != kInt64) {
    autograd::detail::check_in_place(in_place_name<Op>, x);
    return copy_(x, running(op, x, x.dtype()));
  }
  return apply_in_place(op, x);
}

}  // namespace

Tensor products_of_others(const Tensor& x, int64_t dim) {
  const Tensor before = apply(Cumprod{.dim = dim}, x);
  const Tensor behind = apply(Cumprod{.dim = dim, .reverse = true}, x);
  return shifted(before, dim, 1) * shifted(behind, dim, 1, true);
}

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  check_defined("cumsum", x, "x");
  return running(Cumsum{.dim = x.dim_index(dim, "cumsum")}, x, dtype);
}

Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  check_defined("cumprod", x, "x");
  return running(Cumprod{.dim = x.dim_index(dim, "cumprod")}, x, dtype);
}

Tensor& cumsum_(const Tensor& x, int64_t dim) {
  check_defined("cumsum_", x, "x");
  return running_in_place(Cumsum{.dim = x.dim_index(dim, "cumsum_")}, x);
}

Tensor& cumprod_(const Tensor& x, int64_t dim) {
  check_defined("cumprod_", x, "x");
  return running_in_place(Cumprod{.dim = x.dim_index(dim, "cumprod_")}, x);
}

Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  check_defined("logcumsumexp", x, "x");
  const int64_t d = x.dim_index(dim, "logcumsumexp");
  if (!x.is_floating_point())
    throw DTypeError(std::string("logcumsumexp: x must be float32 or float64, got ") + name_of(x.dtype()) +
                     " (did you mean x.to(kFloat32)?)");
  return along(LogCumsumExp{.dim = d}, x);
}

}  // namespace tapegrad
