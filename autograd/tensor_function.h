// A function of tensors of any form, borrowed for the length of a call.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tapegrad/core/tensor.h"

namespace tapegrad::autograd {

namespace detail {

[[noreturn]] TAPEGRAD_API void wrong_count(int takes, size_t got);

// How many tensors f takes: 0 for a vector of them, -1 when it cannot be called with tensors.
template <class F> constexpr int tensors_taken() {
  using V = std::vector<Tensor>;
  if constexpr (std::is_invocable_v<F&, const V&>) return 0;
  else if constexpr (std::is_invocable_v<F&, const Tensor&, const Tensor&, const Tensor&>) return 3;
  else if constexpr (std::is_invocable_v<F&, const Tensor&, const Tensor&>) return 2;
  else if constexpr (std::is_invocable_v<F&, const Tensor&>) return 1;
  else return -1;
}

inline std::vector<Tensor> as_list(const Tensor& y) { return {y}; }
inline std::vector<Tensor> as_list(std::vector<Tensor> y) { return y; }

}  // namespace detail

// Anything that takes a vector of tensors (or one, two or three tensors) and returns a tensor or a vector of tensors.
// Called with another number of tensors than it takes, it throws a ValueError.
class TensorFunction {
 public:
  template <class F>
    requires(!std::is_same_v<F, TensorFunction> && detail::tensors_taken<F>() >= 0)
  TensorFunction(const F& f) : object_(address(f)), call_(&call<F>) {}
  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs) const { return call_(object_, inputs); }

 private:
  template <class F> static const void* address(const F& f) {
    if constexpr (std::is_function_v<F>) return reinterpret_cast<const void*>(&f);
    else return &f;
  }
  template <class F> static std::vector<Tensor> call(const void* object, const std::vector<Tensor>& in) {
    F& f = [&]() -> F& {
      if constexpr (std::is_function_v<F>) return *reinterpret_cast<F*>(const_cast<void*>(object));
      else return *const_cast<F*>(static_cast<const F*>(object));
    }();
    constexpr int takes = detail::tensors_taken<F>();
    if (takes > 0 && in.size() != static_cast<size_t>(takes)) detail::wrong_count(takes, in.size());
    if constexpr (takes == 0) return detail::as_list(f(in));
    else if constexpr (takes == 3) return detail::as_list(f(in[0], in[1], in[2]));
    else if constexpr (takes == 2) return detail::as_list(f(in[0], in[1]));
    else return detail::as_list(f(in[0]));
  }

  const void* object_;
  std::vector<Tensor> (*call_)(const void*, const std::vector<Tensor>&);
};

}  // namespace tapegrad::autograd
