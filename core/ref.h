// Intrusive reference counts: plain arithmetic while the process has one thread, atomic from its second thread on.
#pragma once

#include <sys/single_threaded.h>

#include <cstdint>
#include <utility>

namespace tapegrad {

template <class Count> class BasicRefCount {
 public:
  void increment(Count by = 1) {
    if (__libc_single_threaded) value_ += by;
    else __atomic_fetch_add(&value_, by, __ATOMIC_RELAXED);
  }
  // True when the last reference went.
  bool decrement(Count by = 1) {
    if (__libc_single_threaded) return (value_ -= by) == 0;
    return __atomic_fetch_sub(&value_, by, __ATOMIC_ACQ_REL) == by;
  }
  Count load() const { return __atomic_load_n(&value_, __ATOMIC_ACQUIRE); }

 private:
  Count value_ = 1;
};
using RefCount = BasicRefCount<uint32_t>;

// Owns one reference. T offers retain() and release().
template <class T> class Ref {
 public:
  Ref() = default;
  Ref(const Ref& other) : p_(other.p_) {
    if (p_) p_->retain();
  }
  Ref(Ref&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(p_, other.p_);
    return *this;
  }
  ~Ref() {
    if (p_) p_->release();
  }
  // Takes over a reference the caller owns.
  static Ref adopt(T* p) {
    Ref ref;
    ref.p_ = p;
    return ref;
  }
  // Adds a reference of its own.
  static Ref share(T* p) {
    if (p) p->retain();
    return adopt(p);
  }
  T* detach() { return std::exchange(p_, nullptr); }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  T* p_ = nullptr;
};

}  // namespace tapegrad
