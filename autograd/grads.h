// A short list of tensors: the cotangents a rule receives and returns.
#pragma once

#include <new>

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// One gradient per input, in the inputs' order; an undefined tensor stands for zero. Up to four lie inline.
class Grads {
  static constexpr int64_t kInline = 4;

 public:
  Grads() = default;
  template <class... T>
    requires(sizeof...(T) > 0 && sizeof...(T) <= kInline && (std::is_same_v<std::remove_cvref_t<T>, Tensor> && ...))
  Grads(T&&... grads) : size_(sizeof...(T)) {
    int64_t i = 0;
    ((new (here() + i++) Tensor(std::forward<T>(grads))), ...);
  }
  explicit Grads(int64_t size) : size_(size) {
    if (size > kInline) heap_ = new Tensor[static_cast<size_t>(size)];
    else
      for (int64_t i = 0; i < size; ++i) new (here() + i) Tensor;
  }
  Grads(std::vector<Tensor> grads) : Grads(static_cast<int64_t>(grads.size())) {
    for (int64_t i = 0; i < size_; ++i) (*this)[i] = std::move(grads[static_cast<size_t>(i)]);
  }
  Grads(const Grads& other) : Grads(other.size_) {
    for (int64_t i = 0; i < size_; ++i) (*this)[i] = other[i];
  }
  Grads(Grads&& other) noexcept : size_(other.size_), heap_(std::exchange(other.heap_, nullptr)) {
    if (!heap_)
      for (int64_t i = 0; i < size_; ++i) new (here() + i) Tensor(std::move(other[i]));
    else other.size_ = 0;
  }
  Grads& operator=(Grads other) noexcept {
    this->~Grads();
    new (this) Grads(std::move(other));
    return *this;
  }
  ~Grads() {
    for (int64_t i = 0; !heap_ && i < size_; ++i) here()[i].~Tensor();
    delete[] heap_;
  }

  int64_t size() const { return size_; }
  Tensor* data() { return heap_ ? heap_ : here(); }
  const Tensor* data() const { return heap_ ? heap_ : here(); }
  Tensor& operator[](int64_t i) { return data()[i]; }
  const Tensor& operator[](int64_t i) const { return data()[i]; }
  Tensor* begin() { return data(); }
  Tensor* end() { return data() + size_; }
  const Tensor* begin() const { return data(); }
  const Tensor* end() const { return data() + size_; }

 private:
  Tensor* here() { return reinterpret_cast<Tensor*>(raw_); }
  const Tensor* here() const { return reinterpret_cast<const Tensor*>(raw_); }

  int64_t size_ = 0;
  Tensor* heap_ = nullptr;
  alignas(Tensor) unsigned char raw_[kInline * sizeof(Tensor)];  // the first size_ are tensors; the rest cost nothing
};

}  // namespace tapegrad
