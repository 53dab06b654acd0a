// softmax and log_softmax.
#include "tapegrad/ops/kernels/softmax.h"

#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {
namespace {

// y = e^x / sum e^x;  dx = y (dy - sum(dy y))
struct Softmax {
  static constexpr const char* name = "softmax";
  int64_t dim;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x) { return y.save(kernels::softmax(name, x, dim, false)); }
  Grads backward(const Tensor& dy) const {
    const Tensor p = *y;
    return {p * (dy - sum(dy * p, dim, true))};
  }
  Grads backward_fused(const Tensor& dy) const { return {kernels::softmax_backward(name, dy, *y, dim, false)}; }
  Tensor tangent(const Tensor& dx) const {
    const Tensor p = *y;
    return p * (dx - sum(dx * p, dim, true));
  }
};

// y = x - ln sum e^x;  dx = dy - e^y sum(dy)
struct LogSoftmax {
  static constexpr const char* name = "log_softmax";
  int64_t dim;
  SavedOutput y{"y"};
  Tensor forward(const Tensor& x) { return y.save(kernels::softmax(name, x, dim, true)); }
  Grads backward(const Tensor& dy) const { return {dy - exp(*y) * sum(dy, dim, true)}; }
  Grads backward_fused(const Tensor& dy) const { return {kernels::softmax_backward(name, dy, *y, dim, true)}; }
  Tensor tangent(const Tensor& dx) const { return dx - sum(dx * exp(*y), dim, true); }
};

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim) {
  check_defined("softmax", x, "x");
  return apply(Softmax{.dim = x.dim_index(dim, "softmax")}, real(x));
}

Tensor log_softmax(const Tensor& x, int64_t dim) {
  check_defined("log_softmax", x, "x");
  return apply(LogSoftmax{.dim = x.dim_index(dim, "log_softmax")}, real(x));
}

}  // namespace tapegrad
