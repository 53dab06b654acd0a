// What an operation's dtype may be: which ones take bfloat16 as it is, and which ones get float32 under AutocastGuard.
#pragma once

#include <string_view>

#include "tapegrad/autograd/op_node.h"

namespace tapegrad::autograd {

// By the names of their structs. PyTorch's lists for the CPU and the GPU together, as far as there are such operations here;
// functions made of several operations see to it themselves, by float32_under_autocast().
inline constexpr std::string_view kFloat32Ops[] = {
    // exponentials, logarithms and what they overflow or cancel in
    "acos", "asin", "cosh", "erfinv", "exp", "expm1", "exp2", "log", "log10", "log1p", "log2", "log_cosh", "pow",
    "reciprocal", "rsqrt", "sinh", "softplus", "tan",
    // sums of many terms
    "sum", "prod", "cumsum", "cumprod", "logcumsumexp", "logsumexp", "softmax", "log_softmax", "norm", "cdist",
    "layer_norm", "group_norm", "rms_norm",
    // losses
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss",
    "smooth_l1_loss"};

namespace detail {

constexpr bool in_float32_list(std::string_view name) {
  for (const std::string_view listed : kFloat32Ops) {
    if (name == listed) return true;
  }
  return false;
}
template <class Op> inline constexpr bool lifts = in_float32_list(Op::name);

// Whether forward and the rules of Op work on bfloat16: elementwise operations and views do, others say so. What does not is
// run in float32, between conversions on the tape.
template <class Op> constexpr bool takes_bfloat16() {
  if constexpr (requires { Op::takes_bfloat16; }) return Op::takes_bfloat16;
  else return Elementwise<Op> || ViewOp<Op>;
}

inline bool is_bfloat16(const Tensor& x) { return x.impl() && x.impl()->dtype == kBFloat16; }
inline bool is_bfloat16(const std::vector<Tensor>& list) {
  for (const Tensor& x : list) {
    if (is_bfloat16(x)) return true;
  }
  return false;
}

// Whether Op is to be run on float32 forms of its inputs.
template <class Op, class... In> bool wants_float32(const In&... in) {
  if constexpr (takes_bfloat16<Op>() && !lifts<Op>) return false;
  else if constexpr (takes_bfloat16<Op>()) return state().autocast && (is_bfloat16(in) || ...);
  else return (is_bfloat16(in) || ...);
}

// y = x as another dtype, recorded;  dx = dy as x's dtype
TAPEGRAD_API Tensor cast(const Tensor& x, DType dtype);
inline Tensor widened(const Tensor& x) { return is_bfloat16(x) ? cast(x, kFloat32) : x; }
TAPEGRAD_API std::vector<Tensor> widened(const std::vector<Tensor>& x);
// The float32 among the results to bfloat16, unless an input was wider than that.
TAPEGRAD_API void narrow_results(Tensor* y, int64_t count, const Tensor* const* inputs, int64_t inputs_count);
// DTypeError: `op` cannot write its result into bfloat16.
[[noreturn]] TAPEGRAD_API void no_bfloat16_in_place(const char* op);

}  // namespace detail
}  // namespace tapegrad::autograd
