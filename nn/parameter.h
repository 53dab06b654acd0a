// Tensors that belong to a module.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad::nn {

namespace detail {
// What stands for a module's tensor in the copy being made: its clone inside clone(), itself otherwise.
TAPEGRAD_API Tensor counterpart(const Tensor& t);
}  // namespace detail

// What register_parameter returns, and the type to declare the member with: clone() of the module finds and rebinds it.
// Assigning a tensor would part the member from what the module lists, so it does not compile: write the elements
// (`w.copy_(t)` under a NoGradGuard).
class TAPEGRAD_API Parameter : public Tensor {
 public:
  Parameter() = default;
  explicit Parameter(Tensor t) : Tensor(std::move(t)) {}
  Parameter(const Parameter& other) : Tensor(detail::counterpart(other)) {}
  Parameter(Parameter&& other) noexcept = default;
  Parameter& operator=(const Parameter& other) & {
    static_cast<Tensor&>(*this) = detail::counterpart(other);
    return *this;
  }
  Parameter& operator=(Parameter&& other) & noexcept {
    static_cast<Tensor&>(*this) = static_cast<Tensor&&>(other);
    return *this;
  }
  Parameter& operator=(const Tensor&) = delete;
};

// The same for register_buffer: state that is saved and converted with the module but not trained.
class TAPEGRAD_API Buffer : public Tensor {
 public:
  Buffer() = default;
  explicit Buffer(Tensor t) : Tensor(std::move(t)) {}
  Buffer(const Buffer& other) : Tensor(detail::counterpart(other)) {}
  Buffer(Buffer&& other) noexcept = default;
  Buffer& operator=(const Buffer& other) & {
    static_cast<Tensor&>(*this) = detail::counterpart(other);
    return *this;
  }
  Buffer& operator=(Buffer&& other) & noexcept {
    static_cast<Tensor&>(*this) = static_cast<Tensor&&>(other);
    return *this;
  }
  Buffer& operator=(const Tensor&) = delete;
};

}  // namespace tapegrad::nn
