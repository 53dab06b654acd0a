// Matrix products and their rules.
#include "tapegrad/ops/linalg.h"

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/ops/activation.h"
#include "tapegrad/ops/compare.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/gemm.h"
#include "tapegrad/ops/kernels/map.h"
#include "tapegrad/ops/linalg_parts.h"
#include "tapegrad/ops/lowered_parts.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {
namespace {

using autograd::accumulator;
using autograd::needs;
using kernels::gemm;
using kernels::Map;

// y = a b;  da = dy b^T, db = a^T dy
struct Mm {
  static constexpr const char* name = "mm";
  static constexpr bool takes_bfloat16 = true;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& x, const Tensor& y) {
    return gemm(name, a.save(x, needs(1)), false, b.save(y, needs(0)), false);
  }
  Grads backward(const Tensor& dy) const {
    return {needs(0) ? mm(dy, t(*b)) : Tensor(), needs(1) ? mm(t(*a), dy) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    return {needs(0) ? gemm(name, dy, false, *b, true, {}, accumulator(0)) : Tensor(),
            needs(1) ? gemm(name, *a, true, dy, false, {}, accumulator(1)) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor by_a = dx[0].defined() ? mm(dx[0], *b) : Tensor();
    const Tensor by_b = dx[1].defined() ? mm(*a, dx[1]) : Tensor();
    return by_a.defined() && by_b.defined() ? by_a + by_b : by_a.defined() ? by_a : by_b;
  }
};

// y[i] = a[i] b[i];  da[i] = dy[i] b[i]^T, db[i] = a[i]^T dy[i]
struct Bmm {
  static constexpr const char* name = "bmm";
  static constexpr bool takes_bfloat16 = true;
  SavedInput a{"a"}, b{"b"};
  Tensor forward(const Tensor& x, const Tensor& y) {
    return kernels::batched_gemm(name, a.save(x, needs(1)), false, b.save(y, needs(0)), false);
  }
  Grads backward(const Tensor& dy) const {
    return {needs(0) ? bmm(dy, transpose(*b, 1, 2)) : Tensor(), needs(1) ? bmm(transpose(*a, 1, 2), dy) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor by_a = dx[0].defined() ? bmm(dx[0], *b) : Tensor();
    const Tensor by_b = dx[1].defined() ? bmm(*a, dx[1]) : Tensor();
    return by_a.defined() && by_b.defined() ? by_a + by_b : by_a.defined() ? by_a : by_b;
  }
};

// y = x w^T + b;  dx = dy w, dw = dy^T x, db = sum of dy over the rows
struct Linear {
  static constexpr const char* name = "linear";
  static constexpr bool optional_inputs = true;
  static constexpr bool takes_bfloat16 = true;
  int64_t rows;
  SavedInput x{"x"}, w{"weight"};
  Tensor forward(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    return gemm(name, x.save(input, needs(1)), false, w.save(weight, needs(0)), true, bias);
  }
  Grads backward(const Tensor& dy) const {
    return {needs(0) ? mm(dy, *w) : Tensor(), needs(1) ? mm(t(dy), *x) : Tensor(), needs(2) ? sum(dy, 0) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    return {needs(0) ? gemm(name, dy, false, *w, false, {}, accumulator(0)) : Tensor(),
            needs(1) ? gemm(name, dy, true, *x, false, {}, accumulator(1)) : Tensor(),
            needs(2) ? kernels::column_sums(name, dy, accumulator(2)) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    Tensor y;
    const auto add = [&](const Tensor& term) { y = y.defined() ? y + term : term; };
    if (dx[0].defined()) add(mm(dx[0], t(*w)));
    if (dx[1].defined()) add(mm(*x, t(dx[1])));
    if (dx[2].defined()) add(y.defined() ? dx[2] : expand(dx[2], {rows, dx[2].sizes()[0]}));
    return y;
  }
};

// y = f(x w^T + b);  with dz = dy f'(z): as Linear. f'(z) is a function of y for all of them.
struct ActivatedLinear {
  static constexpr const char* name = "linear_activation";
  static constexpr bool optional_inputs = true;
  int64_t rows;
  LinearActivation f;
  SavedInput x{"x"}, w{"weight"};
  SavedOutput y{"y"};
  Tensor forward(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    const Map map = f == LinearActivation::relu ? Map::relu : f == LinearActivation::sigmoid ? Map::sigmoid : Map::tanh;
    return y.save(gemm(name, x.save(input, needs(1)), false, w.save(weight, needs(0)), true, bias, {}, map));
  }
  // t f'(z)
  Tensor chained(const Tensor& t) const {
    const Tensor v = *y;
    if (f == LinearActivation::relu) return where(v <= 0, 0, t);
    return f == LinearActivation::sigmoid ? t * v * (1 - v) : t * (1 - square(v));
  }
  Grads backward(const Tensor& dy) const {
    const Tensor dz = chained(dy);
    return {needs(0) ? mm(dz, *w) : Tensor(), needs(1) ? mm(t(dz), *x) : Tensor(), needs(2) ? sum(dz, 0) : Tensor()};
  }
  // dz takes the place of dy where nobody else sees that.
  Grads backward_fused(Grads& cotangents) const {
    const Map map = f == LinearActivation::relu      ? Map::relu_backward
                    : f == LinearActivation::sigmoid ? Map::sigmoid_backward
                                                     : Map::tanh_backward;
    const Tensor dy = std::move(cotangents[0]);
    const bool own = dy.unique() && dy.is_contiguous() && autograd::state().watch == 0;
    Tensor db = needs(2) ? accumulator(2) : Tensor();
    const Tensor dz = needs(2) ? kernels::map_and_column_sums(name, map, dy, *y, own, db)
                               : kernels::binary(name, map, dy, *y, own ? dy : Tensor());
    return {needs(0) ? gemm(name, dz, false, *w, false, {}, accumulator(0)) : Tensor(),
            needs(1) ? gemm(name, dz, true, *x, false, {}, accumulator(1)) : Tensor(), db};
  }
  Tensor tangent(const Grads& dx) const {
    Tensor z;
    const auto add = [&](const Tensor& term) { z = z.defined() ? z + term : term; };
    if (dx[0].defined()) add(mm(dx[0], t(*w)));
    if (dx[1].defined()) add(mm(*x, t(dx[1])));
    if (dx[2].defined()) add(z.defined() ? dx[2] : expand(dx[2], {rows, dx[2].sizes()[0]}));
    return chained(z);
  }
};

}  // namespace

[[noreturn]] void inner_sizes_differ(const char* op, const Tensor& a, const Tensor& b, int64_t inner_a,
                                     int64_t inner_b) {
  std::string hint;
  const int64_t last = b.dim() - 1;
  if (b.dim() >= 2 && b.sizes()[last] == inner_a)
    hint = b.dim() == 2 ? " (did you mean b.t()?)" : " (did you mean b.transpose(-2, -1)?)";
  else if (a.dim() == 2 && a.sizes()[0] == inner_b) hint = " (did you mean a.t()?)";
  throw ShapeError(std::string(op) + ": inner sizes differ, a is " + to_string(a.sizes()) + " and b is " +
                   to_string(b.sizes()) + hint);
}

void check_operands(const char* op, const Tensor& a, const Tensor& b, const char* name_a, const char* name_b) {
  check_defined(op, a, name_a);
  check_defined(op, b, name_b);
  const auto both = [&] { return std::string(op) + ": " + name_a + " and " + name_b; };
  if (a.dtype() != b.dtype() && !lowers(a, b))
    throw DTypeError(both() + " must have one dtype, got " + name_of(a.dtype()) + " and " + name_of(b.dtype()) +
                     " (did you mean to()?)");
  if (!a.is_floating_point())
    throw DTypeError(both() + " must be float32 or float64, got " + name_of(a.dtype()) +
                     " (did you mean to(kFloat32)?)");
}

void check_rank(const char* op, const Tensor& a, const Tensor& b, int64_t rank) {
  if (a.dim() == rank && b.dim() == rank) return;
  throw ShapeError(std::string(op) + ": a and b must have " + std::to_string(rank) + " dims, a is " +
                   to_string(a.sizes()) + " and b is " + to_string(b.sizes()) + " (did you mean matmul()?)");
}

namespace {

// Product of all sizes but the last.
int64_t leading(const Tensor& x) {
  int64_t count = 1;
  for (int64_t d = 0; d + 1 < x.dim(); ++d) count *= x.sizes()[d];
  return count;
}

// Batched product of operands with at least one batch dim between them.
Tensor batched(const Tensor& a, const Tensor& b) {
  const auto batch_of = [](const Tensor& x) { return IntArrayRef(x.sizes().data(), x.dim() - 2); };
  const Shape batch = broadcast_shapes(batch_of(a), batch_of(b), "matmul");
  const auto as_batch = [&](const Tensor& x) {
    Shape sizes = batch;
    sizes.push_back(x.sizes()[x.dim() - 2]);
    sizes.push_back(x.sizes()[x.dim() - 1]);
    return reshape(expand(x, sizes), {numel_of(batch, "matmul"), sizes[sizes.size() - 2], sizes[sizes.size() - 1]});
  };
  Shape result = batch;
  result.push_back(a.sizes()[a.dim() - 2]);
  result.push_back(b.sizes()[b.dim() - 1]);
  return reshape(bmm(as_batch(a), as_batch(b)), result);
}

// x[..., k] times a matrix, as one product of two matrices.
Tensor folded(const Tensor& a, const Tensor& b) {
  Shape result = a.sizes();
  result[a.dim() - 1] = b.sizes()[1];
  return reshape(mm(reshape(a, {leading(a), b.sizes()[0]}), b), result);
}

Tensor linear_of_rows(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (lowers(x, weight) || (bias.defined() && lowers(weight, bias))) return lowered_linear(x, weight, bias);
  return apply(Linear{.rows = x.sizes()[0]}, x, weight, bias);
}

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) {
  check_operands("mm", a, b);
  check_rank("mm", a, b, 2);
  if (a.sizes()[1] != b.sizes()[0]) inner_sizes_differ("mm", a, b, a.sizes()[1], b.sizes()[0]);
  return lowers(a, b) ? lowered_mm(a, b) : apply(Mm{}, a, b);
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  check_operands("bmm", a, b);
  check_rank("bmm", a, b, 3);
  if (a.sizes()[0] != b.sizes()[0])
    throw ShapeError("bmm: batch sizes differ, a is " + to_string(a.sizes()) + " and b is " + to_string(b.sizes()));
  if (a.sizes()[2] != b.sizes()[1]) inner_sizes_differ("bmm", a, b, a.sizes()[2], b.sizes()[1]);
  return lowers(a, b) ? lowered_bmm(a, b) : apply(Bmm{}, a, b);
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_operands("matmul", a, b);
  if (a.dim() == 0 || b.dim() == 0)
    throw ShapeError("matmul: a and b must have at least 1 dim, a is " + to_string(a.sizes()) + " and b is " +
                     to_string(b.sizes()) + " (did you mean mul()?)");
  const int64_t inner_a = a.sizes()[a.dim() - 1];
  const int64_t inner_b = b.sizes()[b.dim() == 1 ? 0 : b.dim() - 2];
  if (inner_a != inner_b) inner_sizes_differ("matmul", a, b, inner_a, inner_b);
  if (a.dim() == 2 && b.dim() == 2) return mm(a, b);
  if (a.dim() == 1) {
    const Tensor y = matmul(unsqueeze(a, 0), b.dim() == 1 ? unsqueeze(b, 1) : b);
    return b.dim() == 1 ? reshape(y, IntArrayRef()) : squeeze(y, -2);
  }
  if (b.dim() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  return b.dim() == 2 ? folded(a, b) : batched(a, b);
}

namespace {

void check_linear(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const auto start = [op] { return std::string(op) + ": "; };
  check_operands(op, x, weight, "x", "weight");
  if (weight.dim() != 2) throw ShapeError(start() + "weight must be [out, in], got shape " + to_string(weight.sizes()));
  if (x.dim() == 0 || x.sizes()[x.dim() - 1] != weight.sizes()[1])
    throw ShapeError(start() + "the last size of x must be weight's in, x is " + to_string(x.sizes()) +
                     " and weight is " + to_string(weight.sizes()) +
                     (x.dim() > 0 && x.sizes()[x.dim() - 1] == weight.sizes()[0] ? " (did you mean weight.t()?)" : ""));
  if (bias.defined() && (bias.dim() != 1 || bias.sizes()[0] != weight.sizes()[0]))
    throw ShapeError(start() + "bias must be [out], bias is " + to_string(bias.sizes()) + " and weight is " +
                     to_string(weight.sizes()));
  if (bias.defined() && bias.dtype() != x.dtype() && !lowers(x, bias))
    throw DTypeError(start() + "bias must have the dtype of x and weight, got bias " + name_of(bias.dtype()) +
                     " and x " + name_of(x.dtype()) + " (did you mean to()?)");
}

// f(rows of x), whose last size becomes `out`.
template <class F> Tensor over_rows(const F& f, const Tensor& x, const Tensor& weight) {
  if (x.dim() == 2) return f(x);
  Shape result = x.sizes();
  result[x.dim() - 1] = weight.sizes()[0];
  return reshape(f(reshape(x, {leading(x), weight.sizes()[1]})), result);
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_linear("linear", x, weight, bias);
  return over_rows([&](const Tensor& rows) { return linear_of_rows(rows, weight, bias); }, x, weight);
}

Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias, LinearActivation f) {
  check_linear("linear_activation", x, weight, bias);
  const auto joined = [&](const Tensor& rows) {
    return apply(ActivatedLinear{.rows = rows.sizes()[0], .f = f}, rows, weight, bias);
  };
  // The activation of a product of bfloat16 is a pass of its own.
  if (x.dtype() != kBFloat16 && !lowers(x, weight)) return over_rows(joined, x, weight);
  const Tensor z = linear(x, weight, bias);
  return f == LinearActivation::relu ? relu(z) : f == LinearActivation::sigmoid ? sigmoid(z) : tanh(z);
}

}  // namespace tapegrad
