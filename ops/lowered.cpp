// Products of float32 in bfloat16, with gradients in the dtypes of the operands.
#include "tapegrad/ops/lowered_parts.h"

#include "tapegrad/autograd/autograd.h"
#include "tapegrad/ops/elementwise.h"
#include "tapegrad/ops/kernels/gemm.h"
#include "tapegrad/ops/kernels/gemm_bfloat16.h"
#include "tapegrad/ops/operands.h"
#include "tapegrad/ops/reduce.h"

namespace tapegrad {
namespace {

using autograd::accumulator;
using autograd::needs;
using kernels::converted_as_stored;

// x rounded, where the product is to be done on rounded factors.
Tensor factor(const Tensor& x, bool round) { return round ? converted_as_stored(x, kBFloat16) : x; }

// A gradient for two products and a sum, converted once where they are float32's.
Tensor factor_of(const Tensor& dy, bool round) { return round ? dy : converted(dy, kFloat32); }

// The factor as forward had it: `low` was kept where it is not what was given.
const Tensor& used(const SavedInput& given, const SavedInput& low) { return low.defined() ? *low : *given; }

Tensor sum_of(const Tensor& a, const Tensor& b) { return a.defined() && b.defined() ? a + b : a.defined() ? a : b; }

template <bool kBatch> Tensor product(const Tensor& a, const Tensor& b, DType dtype);

// y = a b as `dtype`;  da = dy b^T, db = a^T dy as a's and b's dtypes. For each of a batch, or for two matrices.
template <bool kBatch> struct LoweredProduct {
  static constexpr const char* name = kBatch ? "bmm" : "mm";
  static constexpr bool takes_bfloat16 = true;
  DType dtype;
  bool round;
  DType of_a = kBFloat16, of_b = kBFloat16;
  SavedInput a{"a"}, b{"b"}, low_a{"a, rounded"}, low_b{"b, rounded"};
  Tensor forward(const Tensor& x, const Tensor& y) {
    of_a = x.dtype(), of_b = y.dtype();
    const Tensor p = factor(a.save(x, needs(1)), round), q = factor(b.save(y, needs(0)), round);
    low_a.save(p, needs(1) && !p.is_same(x));
    low_b.save(q, needs(0) && !q.is_same(y));
    return raw(p, false, q, false, {}, dtype);
  }
  Grads backward(const Tensor& dy) const {
    return {needs(0) ? product<kBatch>(dy, transpose(*b, -2, -1), of_a) : Tensor(),
            needs(1) ? product<kBatch>(transpose(*a, -2, -1), dy, of_b) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    const Tensor g = factor_of(dy, round);
    return {needs(0) ? raw(g, false, used(b, low_b), true, accumulator(0), of_a) : Tensor(),
            needs(1) ? raw(used(a, low_a), true, g, false, accumulator(1), of_b) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    return sum_of(dx[0].defined() ? product<kBatch>(dx[0], *b, dtype) : Tensor(),
                  dx[1].defined() ? product<kBatch>(*a, dx[1], dtype) : Tensor());
  }
  static Tensor raw(const Tensor& x, bool trans_x, const Tensor& y, bool trans_y, const Tensor& into, DType dtype) {
    return kBatch ? kernels::batched_gemm_bfloat16(name, x, trans_x, y, trans_y, into, dtype)
                  : kernels::gemm_bfloat16(name, x, trans_x, y, trans_y, {}, into, dtype);
  }
};

// y = x w^T + b in bfloat16;  dx = dy w, dw = dy^T x, db = sum of dy over the rows, in the dtypes of x, w and b
struct LoweredLinear {
  static constexpr const char* name = "linear";
  static constexpr bool optional_inputs = true;
  static constexpr bool takes_bfloat16 = true;
  bool round;
  DType of_x = kBFloat16, of_w = kBFloat16, of_bias = kBFloat16;
  SavedInput x{"x"}, w{"weight"}, low_x{"x, rounded"}, low_w{"weight, rounded"};
  Tensor forward(const Tensor& input, const Tensor& weight, const Tensor& bias) {
    of_x = input.dtype(), of_w = weight.dtype();
    if (bias.defined()) of_bias = bias.dtype();
    const Tensor p = factor(x.save(input, needs(1)), round), q = factor(w.save(weight, needs(0)), round);
    low_x.save(p, needs(1) && !p.is_same(input));
    low_w.save(q, needs(0) && !q.is_same(weight));
    return kernels::gemm_bfloat16(name, p, false, q, true, bias, {}, kBFloat16);
  }
  Grads backward(const Tensor& dy) const {
    return {needs(0) ? product<false>(dy, *w, of_x) : Tensor(), needs(1) ? product<false>(t(dy), *x, of_w) : Tensor(),
            needs(2) ? to(sum(to(dy, kFloat32), 0), of_bias) : Tensor()};
  }
  Grads backward_fused(const Tensor& dy) const {
    const auto raw = [&](const Tensor& a, bool trans_a, const Tensor& b, int64_t input, DType dtype) {
      return kernels::gemm_bfloat16(name, a, trans_a, b, false, {}, accumulator(input), dtype);
    };
    const Tensor g = factor_of(dy, round);
    return {needs(0) ? raw(g, false, used(w, low_w), 0, of_x) : Tensor(),
            needs(1) ? raw(g, true, used(x, low_x), 1, of_w) : Tensor(),
            needs(2) ? kernels::column_sums(name, g, accumulator(2), of_bias) : Tensor()};
  }
  Tensor tangent(const Grads& dx) const {
    const Tensor by_x = dx[0].defined() ? product<false>(dx[0], t(*w), kBFloat16) : Tensor();
    const Tensor by_w = dx[1].defined() ? product<false>(*x, t(dx[1]), kBFloat16) : Tensor();
    const Tensor y = sum_of(by_x, by_w);
    if (!dx[2].defined()) return y;
    const Tensor by_bias = to(dx[2], kBFloat16);
    return y.defined() ? y + by_bias : expand(by_bias, {rows(), by_bias.sizes()[0]});
  }
  int64_t rows() const { return (*x).sizes()[0]; }
};

// Whatever is recorded, so that values do not depend on it.
bool worth_rounding(int64_t m, int64_t n, int64_t k, const Tensor& a, const Tensor& b, int64_t batch) {
  const auto to_round = [](const Tensor& x) { return x.dtype() == kBFloat16 ? 0 : x.numel(); };
  return kernels::bfloat16_pays(m, n, k, to_round(a) + to_round(b), batch);
}

// A factor that wants no gradient is rounded outside the tape, so that nothing keeps the original.
Tensor input_of(const Tensor& x, bool round) { return round && !x.requires_grad() ? factor(x, true) : x; }

template <bool kBatch> Tensor product(const Tensor& a, const Tensor& b, DType dtype) {
  const int64_t last = a.dim() - 1;
  const bool round =
      worth_rounding(a.sizes()[last - 1], b.sizes()[last], a.sizes()[last], a, b, kBatch ? a.sizes()[0] : 1);
  return apply(LoweredProduct<kBatch>{.dtype = dtype, .round = round}, input_of(a, round), input_of(b, round));
}

}  // namespace

Tensor lowered_mm(const Tensor& a, const Tensor& b) { return product<false>(a, b, kBFloat16); }
Tensor lowered_bmm(const Tensor& a, const Tensor& b) { return product<true>(a, b, kBFloat16); }

Tensor lowered_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const bool round = worth_rounding(x.sizes()[0], weight.sizes()[0], x.sizes()[1], x, weight, 1);
  return apply(LoweredLinear{.round = round}, input_of(x, round), input_of(weight, round), bias);
}

}  // namespace tapegrad
