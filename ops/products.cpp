// addmm, baddbmm, mv, dot, outer, bilinear, cdist.
#include "tapegrad/ops/products.h"

#include <cmath>

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/core/launch.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/factory.h"
#include "tapegrad/ops/inplace.h"
#include "tapegrad/ops/kernels/distance.h"
#include "tapegrad/ops/kernels/gemm.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/kernels/simd/note.h"
#include "tapegrad/ops/linalg.h"
#include "tapegrad/ops/linalg_parts.h"
#include "tapegrad/ops/lowered_parts.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"
#include "tapegrad/ops/reduce_parts.h"

namespace tapegrad {
namespace {

using autograd::needs;
using kernels::Map;

// x repeated to `sizes` without copying, outside the tape.
Tensor repeated(const Tensor& x, const Shape& sizes) {
  Shape strides = Shape::filled(sizes.size(), 0);
  const int64_t added = sizes.size() - x.dim();
  for (int64_t d = 0; d < x.dim(); ++d) strides[d + added] = x.sizes()[d] == 1 ? 0 : x.strides()[d];
  return alias(x, sizes, strides, 0);
}

Tensor sum_of(const Tensor& a, const Tensor& b) { return a.defined() && b.defined() ? a + b : a.defined() ? a : b; }

Tensor times(const Tensor& x, double factor) { return factor == 1 || !x.defined() ? x : x * factor; }

// y = beta c + alpha a b;  dc = beta dy, da = alpha dy b^T, db = alpha a^T dy
template <bool kBatch> struct AddProduct {
  static constexpr const char* name = kBatch ? "baddbmm" : "addmm";
  double beta, alpha;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& c, const Tensor& left, const Tensor& right, const Tensor& out = {}) {
    a.save(left, needs(2));
    b.save(right, needs(1));
    if (!out.defined() || out.is_contiguous()) return computed(c, left, right, out);
    copy(out, computed(c, left, right, {}), name);
    return out;
  }
  Tensor computed(const Tensor& c, const Tensor& left, const Tensor& right, const Tensor& out) const;
  Grads backward(const Tensor& dy) const {
    const Tensor g = times(dy, alpha);
    return {needs(0) ? times(dy, beta) : Tensor(), needs(1) ? product(g, turned(*b)) : Tensor(),
            needs(2) ? product(turned(*a), g) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    const Tensor g = times(dy, alpha);
    return {needs(0) ? times(dy, beta) : Tensor(), needs(1) ? raw(g, false, *b, true, {}, accumulated(1)) : Tensor(),
            needs(2) ? raw(*a, true, g, false, {}, accumulated(2)) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor by_a = dx[1].defined() ? product(dx[1], *b) : Tensor();
    const Tensor by_b = dx[2].defined() ? product(*a, dx[2]) : Tensor();
    return sum_of(times(dx[0], beta), times(sum_of(by_a, by_b), alpha));
  }
  static Tensor product(const Tensor& x, const Tensor& y) { return kBatch ? bmm(x, y) : mm(x, y); }
  static Tensor turned(const Tensor& x) { return transpose(x, -2, -1); }
  // What the sweep has gathered so far, for products that can be added to it.
  static Tensor accumulated(int64_t input) {
    Tensor sum = autograd::accumulator(input);
    return sum.defined() && sum.is_contiguous() ? sum : Tensor();
  }
  static Tensor raw(const Tensor& x, bool trans_x, const Tensor& y, bool trans_y, const Tensor& bias,
                    const Tensor& into) {
    return kBatch ? kernels::batched_gemm(name, x, trans_x, y, trans_y, into)
                  : kernels::gemm(name, x, trans_x, y, trans_y, bias, into);
  }
};

// One pass for a row that is added to all rows and for a sum with factor 1; else the product is scaled by itself.
template <bool kBatch>
Tensor AddProduct<kBatch>::computed(const Tensor& c, const Tensor& left, const Tensor& right, const Tensor& out) const {
  Shape sizes = left.sizes();
  sizes[sizes.size() - 1] = right.sizes().back();
  const Tensor wide = repeated(c, sizes);
  if (alpha == 1 && beta == 0 && !out.defined()) return raw(left, false, right, false, {}, {});
  if (!kBatch && alpha == 1 && beta == 1 && !out.defined() && wide.strides()[0] == 0)
    return raw(left, false, right, false, alias(wide, {sizes[1]}, {wide.strides()[1]}, 0), {});
  const Tensor y = out.defined() ? out : new_tensor(sizes, left.dtype());
  if (alpha == 1) {
    if (beta == 0) fill(y, 0);
    else if (beta != 1) kernels::binary_scalar(name, Map::mul, wide, beta, y);
    else if (!out.defined()) copy(y, wide, name);
    return raw(left, false, right, false, {}, y);
  }
  const Tensor p = raw(left, false, right, false, {}, {});
  kernels::binary_scalar(name, Map::mul, p, alpha, p);
  if (beta == 0) {
    copy(y, p, name);
    return y;
  }
  kernels::binary_scalar(name, Map::mul, wide, beta, y);
  return kernels::binary(name, Map::add, y, p, y);
}

// y = sum a b;  da = dy b, db = dy a
struct Dot {
  static constexpr const char* name = "dot";
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& x, const Tensor& y) {
    a.save(x, needs(1));
    b.save(y, needs(0));
    const Tensor left = contiguous_of(x), right = contiguous_of(y);
    const Tensor result = new_tensor(IntArrayRef(), x.dtype());
    dispatch_floating(name, x.dtype(), [&]<class T>() {
      const auto fn = kernels::simd::floating<T>(kernels::simd::table()).dot;
      launch(name, LaunchKind::reduce, {&result}, {&left, &right},
             kernels::BySimd{[fn, pa = left.elements<T>(), pb = right.elements<T>(), dst = result.elements<T>(),
                              n = left.numel()] { *dst = fn(pa, pb, n); }});
    });
    return result;
  }
  Grads backward(const Tensor& dy) const { return {needs(0) ? dy * *b : Tensor(), needs(1) ? dy * *a : Tensor()}; }
  Tensor tangent(const Grads& dx) const {
    return sum_of(dx[0].defined() ? dot(dx[0], *b) : Tensor(), dx[1].defined() ? dot(*a, dx[1]) : Tensor());
  }
};

// y[b,i,j] = |x1[b,i] - x2[b,j]|_p;  dx1 = sum over j of dy times the norm's slope, dx2 = -(sum over i)
struct Cdist {
  static constexpr const char* name = "cdist";
  double p;
  SavedInput x1{"x1"}, x2{"x2"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& a, const Tensor& c) {
    return y.save(kernels::distances(name, x1.save(a), x2.save(c), p));
  }
  // dy times the slope by the differences, [b,i,j,k]
  Tensor slope(const Tensor& dy) const {
    const Tensor d = unsqueeze(*x1, 2) - unsqueeze(*x2, 1);
    return norm_slope(name, unsqueeze(dy, 3), d, unsqueeze(*y, 3), uint32_t{1} << 3, p);
  }
  Grads backward(const Tensor& dy) const {
    if (p == 0) return {zeros_like(*x1), zeros_like(*x2)};
    const Tensor s = slope(dy);
    return {needs(0) ? sum(s, 2) : Tensor(), needs(1) ? neg(sum(s, 1)) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    const auto by = [&](const Tensor& g, const Tensor& value, const SavedInput& a, const SavedInput& c) {
      return kernels::distances_backward(name, g, value, *a, *c, p);
    };
    return {needs(0) ? by(dy, *y, x1, x2) : Tensor(),
            needs(1) ? by(transpose(dy, 1, 2), transpose(*y, 1, 2), x2, x1) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    if (p == 0) return zeros_like(*y);
    const Tensor by_1 = dx[0].defined() ? unsqueeze(dx[0], 2) : Tensor();
    const Tensor by_2 = dx[1].defined() ? neg(unsqueeze(dx[1], 1)) : Tensor();
    return sum(sum_of(by_1, by_2) * slope(ones_like((*y).detach())), 3);
  }
};

std::string both(const char* name_a, const Tensor& a, const char* name_b, const Tensor& b) {
  return std::string(name_a) + " is " + to_string(a.sizes()) + " and " + name_b + " is " + to_string(b.sizes());
}

// Floating, and of one dtype.
void check_dtypes(const char* op, const char* name_a, const Tensor& a, const char* name_b, const Tensor& b) {
  if (a.dtype() == b.dtype() && a.is_floating_point()) return;
  throw DTypeError(std::string(op) + ": " + name_a + " and " + name_b +
                   " must be float32 or float64, both the same, got " + name_of(a.dtype()) + " and " +
                   name_of(b.dtype()) + " (did you mean to()?)");
}

// The checks and the call of addmm and its kin; the sizes of the product are given back where input must have them.
template <bool kBatch> Shape checked_product(const char* op, const Tensor& input, const Tensor& a, const Tensor& b) {
  check_defined(op, input, "input");
  check_operands(op, a, b);
  check_rank(op, a, b, kBatch ? 3 : 2);
  if (!lowers(input, a)) check_dtypes(op, "input", input, "a", a);
  const int64_t last = a.dim() - 1;
  if (kBatch && a.sizes()[0] != b.sizes()[0])
    throw ShapeError(std::string(op) + ": batch sizes differ, " + both("a", a, "b", b));
  if (a.sizes()[last] != b.sizes()[last - 1]) inner_sizes_differ(op, a, b, a.sizes()[last], b.sizes()[last - 1]);
  Shape sizes = a.sizes();
  sizes[last] = b.sizes()[last];
  bool fits = input.dim() <= sizes.size();
  for (int64_t d = 0; fits && d < input.dim(); ++d) {
    const int64_t size = input.sizes()[d], wanted = sizes[d + sizes.size() - input.dim()];
    fits = size == wanted || size == 1;
  }
  if (!fits)
    throw ShapeError(std::string(op) + ": input must broadcast to the product, which is " + to_string(sizes) +
                     ", got " + to_string(input.sizes()));
  return sizes;
}

template <bool kBatch>
Tensor add_product(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  using Op = AddProduct<kBatch>;
  const Shape sizes = checked_product<kBatch>(Op::name, input, a, b);
  if (lowers(a, b) || lowers(input, a)) {
    const Tensor y = times(Op::product(a, b), alpha.to<double>());
    return beta.to<double>() == 0 ? y : times(to(input, y.dtype()), beta.to<double>()) + y;
  }
  return apply(Op{.beta = beta.to<double>(), .alpha = alpha.to<double>()}, operand(input, input.dtype(), sizes), a, b);
}

template <bool kBatch>
Tensor& add_product_(const char* op, const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                     const Scalar& alpha) {
  const Shape sizes = checked_product<kBatch>(op, x, a, b);
  check_dtypes(op, "x", x, "a", a);  // what is written in place stays what it is, also under AutocastGuard
  check_dtypes(op, "a", a, "b", b);
  if (!(IntArrayRef(sizes) == IntArrayRef(x.sizes())))
    throw ShapeError(std::string(op) + ": x must have the shape of the product, which is " + to_string(sizes) +
                     ", got " + to_string(x.sizes()));
  return apply_in_place(AddProduct<kBatch>{.beta = beta.to<double>(), .alpha = alpha.to<double>()}, x, a, b);
}

void check_vectors(const char* op, const Tensor& a, const Tensor& b) {
  check_defined(op, a, "a");
  check_defined(op, b, "b");
  if (a.dim() != 1 || b.dim() != 1)
    throw ShapeError(std::string(op) + ": a and b must have 1 dim, " + both("a", a, "b", b) +
                     " (did you mean matmul()?)");
}

// All sizes but the last `kept`.
Shape leading_sizes(const Tensor& x, int64_t kept) { return IntArrayRef(x.sizes().data(), x.dim() - kept); }

}  // namespace

Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  return add_product<false>(input, a, b, beta, alpha);
}
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  return add_product<true>(input, a, b, beta, alpha);
}
Tensor& addmm_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  return add_product_<false>("addmm_", x, a, b, beta, alpha);
}
Tensor& baddbmm_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  return add_product_<true>("baddbmm_", x, a, b, beta, alpha);
}

Tensor mv(const Tensor& a, const Tensor& v) {
  check_defined("mv", a, "a");
  check_defined("mv", v, "v");
  if (!lowers(a, v)) check_dtypes("mv", "a", a, "v", v);
  if (a.dim() != 2 || v.dim() != 1)
    throw ShapeError("mv: a must have 2 dims and v 1, " + both("a", a, "v", v) + " (did you mean matmul()?)");
  if (a.sizes()[1] != v.sizes()[0])
    throw ShapeError("mv: inner sizes differ, " + both("a", a, "v", v) +
                     (a.sizes()[0] == v.sizes()[0] ? " (did you mean a.t()?)" : ""));
  // As a row times a matrix, which is the faster kernel.
  return reshape(mm(unsqueeze(v, 0), t(a)), a.sizes()[0]);
}

Tensor dot(const Tensor& a, const Tensor& b) {
  check_vectors("dot", a, b);
  if (lowers(a, b) && a.dtype() != b.dtype()) return dot(float32_under_autocast(a), float32_under_autocast(b));
  if (a.dtype() != b.dtype())
    throw DTypeError(std::string("dot: a and b must have one dtype, got ") + name_of(a.dtype()) + " and " +
                     name_of(b.dtype()) + " (did you mean to()?)");
  if (a.numel() != b.numel()) throw ShapeError("dot: sizes differ, " + both("a", a, "b", b));
  return a.is_floating_point() ? apply(Dot{}, a, b) : to(sum(a * b), a.dtype());
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check_vectors("outer", a, b);
  return unsqueeze(a, 1) * b;
}

Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias) {
  check_defined("bilinear", x1, "x1");
  check_defined("bilinear", x2, "x2");
  check_defined("bilinear", weight, "weight");
  if (!lowers(x1, x2)) check_dtypes("bilinear", "x1", x1, "x2", x2);
  if (!lowers(x1, weight)) check_dtypes("bilinear", "x1", x1, "weight", weight);
  if (bias.defined() && !lowers(x1, bias)) check_dtypes("bilinear", "x1", x1, "bias", bias);
  if (weight.dim() != 3)
    throw ShapeError("bilinear: weight must be [out, in1, in2], got shape " + to_string(weight.sizes()));
  const int64_t out = weight.sizes()[0], in1 = weight.sizes()[1], in2 = weight.sizes()[2];
  if (x1.dim() == 0 || x2.dim() == 0 || !(IntArrayRef(leading_sizes(x1, 1)) == IntArrayRef(leading_sizes(x2, 1))))
    throw ShapeError("bilinear: x1 and x2 must have the same sizes but the last, " + both("x1", x1, "x2", x2));
  if (x1.sizes().back() != in1 || x2.sizes().back() != in2)
    throw ShapeError("bilinear: the last sizes of x1 and x2 must be weight's in1 and in2, " + both("x1", x1, "x2", x2) +
                     " and weight is " + to_string(weight.sizes()));
  if (bias.defined() && (bias.dim() != 1 || bias.sizes()[0] != out))
    throw ShapeError("bilinear: bias must be [out], " + both("bias", bias, "weight", weight));
  Shape result = leading_sizes(x1, 1);
  const int64_t rows = numel_of(result, "bilinear");
  result.push_back(out);
  // part[row, o, j] = sum over i of x1[row, i] weight[o, i, j]
  const Tensor part = mm(reshape(x1, {rows, in1}), reshape(permute(weight, {1, 0, 2}), {in1, out * in2}));
  const Tensor y = bmm(reshape(x2, {rows, 1, in2}), transpose(reshape(part, {rows, out, in2}), 1, 2));
  return bias.defined() ? reshape(y, result) + to(bias, y.dtype()) : reshape(y, result);
}

Tensor cdist(const Tensor& x1, const Tensor& x2, double p) {
  check_defined("cdist", x1, "x1");
  check_defined("cdist", x2, "x2");
  if (autocast_lifts(x1, x2)) return cdist(float32_under_autocast(x1), float32_under_autocast(x2), p);
  check_dtypes("cdist", "x1", x1, "x2", x2);
  if (!(p >= 0)) throw ValueError("cdist: p must not be negative, got " + std::to_string(p));
  if (x1.dim() < 2 || x2.dim() < 2)
    throw ShapeError("cdist: x1 and x2 must have at least 2 dims, " + both("x1", x1, "x2", x2));
  if (x1.sizes().back() != x2.sizes().back())
    throw ShapeError("cdist: the last sizes differ, " + both("x1", x1, "x2", x2));
  const Shape batch = broadcast_shapes(leading_sizes(x1, 2), leading_sizes(x2, 2), "cdist");
  const auto as_batch = [&](const Tensor& x) {
    Shape sizes = batch;
    sizes.push_back(x.sizes()[x.dim() - 2]);
    sizes.push_back(x.sizes().back());
    return reshape(expand(x, sizes), {numel_of(batch, "cdist"), sizes[sizes.size() - 2], sizes.back()});
  };
  Shape result = batch;
  result.push_back(x1.sizes()[x1.dim() - 2]);
  result.push_back(x2.sizes()[x2.dim() - 2]);
  return reshape(apply(Cdist{.p = p}, as_batch(x1), as_batch(x2)), result);
}

}  // namespace tapegrad
