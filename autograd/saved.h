// Tensors an operation keeps for its rules, each with the version it had when it was kept.
#pragma once

#include "tapegrad/autograd/node.h"
#include "tapegrad/autograd/state.h"

namespace tapegrad {

namespace autograd {

namespace detail {
// A tensor as it is kept: the same memory and place on the tape, but not the handle itself. A later in-place write gives
// the handle (or, for a view, its base) a history that may lead back to the node that keeps it, and that would be a cycle.
// Leaves that require grad are kept as they are: they cannot be written.
TAPEGRAD_API Tensor kept_form(const Tensor& x);
// A kept output, joined again to the node whose rule runs.
TAPEGRAD_API Tensor rejoined(const Tensor& held, uint32_t output);
}  // namespace detail

class TAPEGRAD_API Saved {
 public:
  constexpr explicit Saved(const char* field) : field_(field) {}
  const char* field() const { return field_; }
  bool defined() const { return value_.defined(); }
  const Tensor& held() const { return value_; }  // as kept, unchecked
  void reset() { value_ = Tensor(); }

 protected:
  // AutogradError naming the op and the field when the tensor was written since it was kept, or was freed.
  void check() const {
    if (!value_.defined() || value_.version() != version_) [[unlikely]]
      fail();
  }
  void keep(Tensor value) {
    version_ = value.version();
    value_ = std::move(value);
  }
  [[noreturn]] void fail() const;

  Tensor value_;
  const char* field_;
  uint32_t version_ = 0;
};

}  // namespace autograd

// An input kept for the rules: `SavedInput a{"a"}`, `return kernel(a.save(x))` in forward, *a in a rule.
class TAPEGRAD_API SavedInput : public autograd::Saved {
 public:
  using Saved::Saved;
  // Keeps x when the op is being recorded and (say, because another input requires grad) `wanted`.
  const Tensor& save(const Tensor& x, bool wanted = true) {
    if (wanted && autograd::recording() && x.defined()) keep(autograd::detail::kept_form(x));
    return x;
  }
  const Tensor& operator*() const {
    check();
    return value_;
  }
};

// An output kept for the rules, held without a cycle: `return y.save(kernel(x))`.
class TAPEGRAD_API SavedOutput : public autograd::Saved {
 public:
  constexpr explicit SavedOutput(const char* field, uint32_t output = 0) : Saved(field), output_(output) {}
  Tensor save(Tensor y, bool wanted = true) {
    if (wanted && autograd::recording()) keep(alias(y));
    return y;
  }
  // In a sweep that is itself recorded, the output of the node whose rule runs.
  Tensor operator*() const {
    check();
    return GradMode::is_enabled() ? rejoined() : value_;
  }

 private:
  Tensor rejoined() const;
  uint32_t output_ = 0;
};

}  // namespace tapegrad
