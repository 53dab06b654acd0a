// A short list of tensors: the cotangents a rule receives and returns.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// One gradient per input, in the inputs' order; an undefined tensor stands for zero. Up to four lie inline.
class TAPEGRAD_API Grads {
 public:
  Grads() = default;
  template <class... T>
    requires(sizeof...(T) > 0 && sizeof...(T) <= 4 && (std::is_same_v<std::remove_cvref_t<T>, Tensor> && ...))
  Grads(T&&... grads) : size_(sizeof...(T)), inline_{std::forward<T>(grads)...} {}
  explicit Grads(int64_t size) : size_(size) {
    if (size > 4) many_.resize(static_cast<size_t>(size));
  }
  Grads(std::vector<Tensor> grads) : Grads(static_cast<int64_t>(grads.size())) {
    for (int64_t i = 0; i < size_; ++i) (*this)[i] = std::move(grads[static_cast<size_t>(i)]);
  }

  int64_t size() const { return size_; }
  Tensor* data() { return size_ > 4 ? many_.data() : inline_; }
  const Tensor* data() const { return size_ > 4 ? many_.data() : inline_; }
  Tensor& operator[](int64_t i) { return data()[i]; }
  const Tensor& operator[](int64_t i) const { return data()[i]; }
  Tensor* begin() { return data(); }
  Tensor* end() { return data() + size_; }
  const Tensor* begin() const { return data(); }
  const Tensor* end() const { return data() + size_; }

 private:
  int64_t size_ = 0;
  Tensor inline_[4];
  std::vector<Tensor> many_;
};

}  // namespace tapegrad
