// take_along and put_along, each the other's gradient.
#include "tapegrad/ops/along.h"

#include "tapegrad/autograd/apply.h"

namespace tapegrad {
namespace {

// y = x[..., index, ...];  dx = dy put at the indices
struct TakeAlong {
  static constexpr const char* name = "take_along";
  static constexpr bool takes_bfloat16 = true;
  const char* op;
  int64_t dim, skip;
  Shape sizes{};
  SavedInput index{"index"};
  Tensor forward(const Tensor& x, const Tensor& at) {
    sizes = x.sizes();
    return kernels::take_along(op, x, index.save(at), dim, skip);
  }
  Grads backward(const Tensor& dy) const { return {put_along(op, dy, *index, sizes, dim, skip)}; }
  Tensor tangent(const Grads& dx) const { return take_along(op, dx[0], *index, dim, skip); }
};

// x = zeros with y at the indices;  dy = dx taken at the indices
struct PutAlong {
  static constexpr const char* name = "put_along";
  static constexpr bool takes_bfloat16 = true;
  const char* op;
  int64_t dim, skip;
  Shape sizes;
  SavedInput index{"index"};
  Tensor forward(const Tensor& y, const Tensor& at) {
    return kernels::put_along(op, y, index.save(at), sizes, dim, skip);
  }
  Grads backward(const Tensor& dx) const { return {take_along(op, dx, *index, dim, skip)}; }
  Tensor tangent(const Grads& dy) const { return put_along(op, dy[0], *index, sizes, dim, skip); }
};

}  // namespace

Tensor take_along(const char* op, const Tensor& x, const Tensor& index, int64_t dim, int64_t skip) {
  return apply(TakeAlong{.op = op, .dim = dim, .skip = skip}, x, index);
}

Tensor put_along(const char* op, const Tensor& dy, const Tensor& index, const Shape& sizes, int64_t dim, int64_t skip) {
  return apply(PutAlong{.op = op, .dim = dim, .skip = skip, .sizes = sizes}, dy, index);
}

}  // namespace tapegrad
