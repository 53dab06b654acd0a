// Padding as modules; what they compute is said in ops/pad.h. `padding` is one number for all sides, or one before and one behind each dim,
// the last dim first: {left, right, top, bottom, front, back}.
#pragma once

#include "tapegrad/nn/cloneable.h"
#include "tapegrad/nn/expanding_array.h"

namespace tapegrad::nn {

namespace detail {
TAPEGRAD_API Tensor framed(const Tensor& x, IntArrayRef padding, const char* mode, double value);
TAPEGRAD_API std::string frame_text(IntArrayRef padding, const double* value);
}  // namespace detail

// What pads N dims in one way.
template <class Derived, size_t N> class FramePad : public Cloneable<Derived> {
 public:
  explicit FramePad(const ExpandingArray<2 * N>& padding) : padding_(padding) {}
  Tensor forward(const Tensor& x) const { return detail::framed(x, padding_, Derived::mode, 0); }
  std::string extra_repr() const override { return detail::frame_text(padding_, nullptr); }

 private:
  ExpandingArray<2 * N> padding_;
};

// What fills with one value.
template <class Derived, size_t N> class ValuePad : public Cloneable<Derived> {
 public:
  ValuePad(const ExpandingArray<2 * N>& padding, double value) : padding_(padding), value_(value) {}
  Tensor forward(const Tensor& x) const { return detail::framed(x, padding_, "constant", value_); }
  std::string extra_repr() const override { return detail::frame_text(padding_, &value_); }

 private:
  ExpandingArray<2 * N> padding_;
  double value_;
};

// Zeros around x.
class TAPEGRAD_API ZeroPad1d final : public FramePad<ZeroPad1d, 1> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "constant";
};
class TAPEGRAD_API ZeroPad2d final : public FramePad<ZeroPad2d, 2> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "constant";
};
class TAPEGRAD_API ZeroPad3d final : public FramePad<ZeroPad3d, 3> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "constant";
};

// x mirrored at its outermost elements.
class TAPEGRAD_API ReflectionPad1d final : public FramePad<ReflectionPad1d, 1> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "reflect";
};
class TAPEGRAD_API ReflectionPad2d final : public FramePad<ReflectionPad2d, 2> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "reflect";
};
class TAPEGRAD_API ReflectionPad3d final : public FramePad<ReflectionPad3d, 3> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "reflect";
};

// The outermost elements repeated.
class TAPEGRAD_API ReplicationPad1d final : public FramePad<ReplicationPad1d, 1> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "replicate";
};
class TAPEGRAD_API ReplicationPad2d final : public FramePad<ReplicationPad2d, 2> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "replicate";
};
class TAPEGRAD_API ReplicationPad3d final : public FramePad<ReplicationPad3d, 3> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "replicate";
};

// x going on from its other end.
class TAPEGRAD_API CircularPad1d final : public FramePad<CircularPad1d, 1> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "circular";
};
class TAPEGRAD_API CircularPad2d final : public FramePad<CircularPad2d, 2> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "circular";
};
class TAPEGRAD_API CircularPad3d final : public FramePad<CircularPad3d, 3> {
 public:
  using FramePad::FramePad;
  static constexpr const char* mode = "circular";
};

// One value around x.
class TAPEGRAD_API ConstantPad1d final : public ValuePad<ConstantPad1d, 1> {
 public:
  using ValuePad::ValuePad;
};
class TAPEGRAD_API ConstantPad2d final : public ValuePad<ConstantPad2d, 2> {
 public:
  using ValuePad::ValuePad;
};
class TAPEGRAD_API ConstantPad3d final : public ValuePad<ConstantPad3d, 3> {
 public:
  using ValuePad::ValuePad;
};

}  // namespace tapegrad::nn
