// Products with the Jacobian and the Hessian of a function, without making either.
#pragma once

#include "tapegrad/autograd/tensor_function.h"

namespace tapegrad::autograd {

// A transformation takes f, a function of one or several tensors that returns one or several, and the inputs where it is
// differentiated. f is run with recording on, over tensors of its own: the inputs, their grad(), their place on the tape
// and the caller's grad mode stay as they are. f must not write to its inputs (they share memory with the caller's: an error
// where they require grad, unless recording is off). Integer inputs are constants.
//
// Results are not recorded unless create_graph; then they are functions of the inputs (and of v) that can be
// differentiated again. Where a result does not depend on an input, or an input is of integers, the derivative is zeros
// of the input's shape and dtype; with `strict` it is an AutogradError that says which.
//
// v has one tensor per output or input, of its shape and dtype, undefined for zero. It may be left out where it would be
// one number, which then is 1. ValueError, ShapeError, DTypeError when it does not fit.
struct ProductOptions {
  bool create_graph = false;
  bool strict = false;
};

// How a derivative along a direction is found: by the tape's tangent rules, or by differentiating J'w, which is linear in
// w, by w. The second needs no tangent rules and runs about three times as much.
enum class ForwardMode : uint8_t { tangents, double_backward };

struct ForwardOptions {
  bool create_graph = false;
  bool strict = false;
  ForwardMode mode = ForwardMode::tangents;
};

template <class T> using Pair = std::pair<T, T>;

// The outputs, and v'J: the gradients of sum_i <v[i], f(inputs)[i]> by every input. One sweep.
TAPEGRAD_API Pair<std::vector<Tensor>> vjp(TensorFunction f, const std::vector<Tensor>& inputs,
                                           const std::vector<Tensor>& v = {}, const ProductOptions& options = {});
// The outputs, and J v: the derivatives of every output when the inputs move along v. One pass.
TAPEGRAD_API Pair<std::vector<Tensor>> jvp(TensorFunction f, const std::vector<Tensor>& inputs,
                                           const std::vector<Tensor>& v = {}, const ForwardOptions& options = {});
// For f of one element: its value, and H v with the Hessian H by all inputs. The gradient's derivative along v.
TAPEGRAD_API std::pair<Tensor, std::vector<Tensor>> hvp(TensorFunction f, const std::vector<Tensor>& inputs,
                                                        const std::vector<Tensor>& v = {},
                                                        const ForwardOptions& options = {});
// v'H, which is the same vector, by a sweep through the gradient: other rules, the same numbers.
TAPEGRAD_API std::pair<Tensor, std::vector<Tensor>> vhp(TensorFunction f, const std::vector<Tensor>& inputs,
                                                        const std::vector<Tensor>& v = {},
                                                        const ProductOptions& options = {});

namespace detail {

// A template takes single tensors and nothing in braces, so that {x} is a list also where it holds one tensor.
template <class T>
concept OneTensor = std::is_base_of_v<Tensor, T>;
// ValueError unless the list has one tensor.
TAPEGRAD_API const Tensor& only_output(const char* name, const std::vector<Tensor>& y);
inline std::vector<Tensor> list_of(const Tensor& v) {
  return v.defined() ? std::vector<Tensor>{v} : std::vector<Tensor>{};
}

}  // namespace detail

// The same for f of one tensor that returns one.
template <detail::OneTensor T>
Pair<Tensor> vjp(TensorFunction f, const T& x, const Tensor& v = {}, const ProductOptions& options = {}) {
  const auto [y, g] = vjp(f, std::vector<Tensor>{x}, detail::list_of(v), options);
  return {detail::only_output("vjp", y), g[0]};
}
template <detail::OneTensor T>
Pair<Tensor> jvp(TensorFunction f, const T& x, const Tensor& v = {}, const ForwardOptions& options = {}) {
  const auto [y, t] = jvp(f, std::vector<Tensor>{x}, detail::list_of(v), options);
  return {detail::only_output("jvp", y), t[0]};
}
template <detail::OneTensor T>
Pair<Tensor> hvp(TensorFunction f, const T& x, const Tensor& v = {}, const ForwardOptions& options = {}) {
  const auto [y, p] = hvp(f, std::vector<Tensor>{x}, detail::list_of(v), options);
  return {y, p[0]};
}
template <detail::OneTensor T>
Pair<Tensor> vhp(TensorFunction f, const T& x, const Tensor& v = {}, const ProductOptions& options = {}) {
  const auto [y, p] = vhp(f, std::vector<Tensor>{x}, detail::list_of(v), options);
  return {y, p[0]};
}

}  // namespace tapegrad::autograd
