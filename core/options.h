// What a new tensor is to be: its dtype and whether it requires grad.
#pragma once

#include "tapegrad/core/dtype.h"

namespace tapegrad {

// Built by chaining, `dtype(kFloat64).requires_grad(true)`, or implicitly from a dtype.
class TensorOptions {
 public:
  constexpr TensorOptions() = default;
  constexpr TensorOptions(DType dtype) : dtype_(dtype), has_dtype_(true) {}

  constexpr TensorOptions dtype(DType value) const {
    TensorOptions copy = *this;
    copy.dtype_ = value;
    copy.has_dtype_ = true;
    return copy;
  }
  constexpr TensorOptions requires_grad(bool value = true) const {
    TensorOptions copy = *this;
    copy.requires_grad_ = value;
    return copy;
  }

  constexpr bool has_dtype() const { return has_dtype_; }
  constexpr DType dtype_or(DType fallback) const { return has_dtype_ ? dtype_ : fallback; }
  constexpr DType dtype() const { return dtype_or(kFloat32); }
  constexpr bool requires_grad_flag() const { return requires_grad_; }

 private:
  DType dtype_ = kFloat32;
  bool has_dtype_ = false;
  bool requires_grad_ = false;
};

constexpr TensorOptions dtype(DType value) { return TensorOptions(value); }
constexpr TensorOptions requires_grad(bool value = true) { return TensorOptions().requires_grad(value); }

}  // namespace tapegrad
