// cosine_similarity and pairwise_distance, put together from ops.
#include "tapegrad/ops/distance.h"

#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {
namespace {

void check_rows(const char* op, const Tensor& x1, const Tensor& x2) {
  check_defined(op, x1, "x1");
  check_defined(op, x2, "x2");
  if (x1.is_floating_point() && x2.is_floating_point()) return;
  throw DTypeError(std::string(op) + ": x1 and x2 must be float32 or float64, got x1 " + name_of(x1.dtype()) +
                   " and x2 " + name_of(x2.dtype()));
}

Tensor expanded(const Tensor& x, const Shape& sizes) {
  return IntArrayRef(x.sizes()) == IntArrayRef(sizes) ? x : expand(x, sizes);
}

}  // namespace

Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  constexpr const char* name = "cosine_similarity";
  check_rows(name, x1, x2);
  if (autocast_lifts(x1, x2))
    return cosine_similarity(float32_under_autocast(x1), float32_under_autocast(x2), dim, eps);
  const Shape sizes = broadcast_shapes(x1.sizes(), x2.sizes(), name);
  if (dim < -sizes.size() || dim >= sizes.size())
    throw IndexError(std::string(name) + ": dim must name a dim of the operands, which broadcast to " +
                     to_string(sizes) + ", got " + std::to_string(dim));
  const Tensor a = expanded(x1, sizes), b = expanded(x2, sizes);
  // Each divided by itself, so that no product runs over.
  return sum(a / clamp_min(norm(a, 2, dim, true), eps) * (b / clamp_min(norm(b, 2, dim, true), eps)), dim);
}

Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p, double eps, bool keepdim) {
  constexpr const char* name = "pairwise_distance";
  check_rows(name, x1, x2);
  if (autocast_lifts(x1, x2))
    return pairwise_distance(float32_under_autocast(x1), float32_under_autocast(x2), p, eps, keepdim);
  if (broadcast_shapes(x1.sizes(), x2.sizes(), name).size() == 0)
    throw ShapeError(std::string(name) + ": x1 or x2 must have a dim, got " + to_string(x1.sizes()) + " and " +
                     to_string(x2.sizes()));
  return norm(x1 - x2 + eps, p, -1, keepdim);
}

}  // namespace tapegrad
