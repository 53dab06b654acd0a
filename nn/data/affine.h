// Images turned, shifted, stretched and slanted.
#pragma once

#include <array>

#include "tapegrad/nn/data/transforms.h"

namespace tapegrad::data::transforms {

enum class Interpolation : uint8_t { kNearest, kBilinear };

// The image [..., height, width] turned clockwise by angle degrees, slanted by shear degrees along x and along y, and scaled, all
// about its centre, then shifted by translate pixels right and down; as torchvision's affine. Every pixel of y is looked up where the map
// came from: the nearest pixel of x, or the four around it, with `fill` beyond the edge. uint8 is rounded. Nothing is recorded on the tape.
// DTypeError: other than uint8, float32, float64. ValueError: a scale that is not positive, a shear of 90 degrees, a number that is not
// finite. ShapeError: fewer than two dims.
TAPEGRAD_API Tensor affine(const Tensor& image, double angle, const std::array<double, 2>& translate, double scale,
                           const std::array<double, 2>& shear = {0, 0},
                           Interpolation interpolation = Interpolation::kNearest, double fill = 0);

// Numbers between two, or between -d and d.
struct Interval {
  Interval(double d) : from(-d), to(d) {}
  Interval(double least, double most) : from(least), to(most) {}
  double from, to;
};

struct RandomAffineOptions {
  Interval degrees;
  std::array<double, 2> translate = {0, 0};  // at most this part of the width, and of the height, either way
  Interval scale = {1, 1};
  Interval shear = 0, shear_y = 0;  // degrees along x, and along y
  Interpolation interpolation = Interpolation::kNearest;
  double fill = 0;
};

namespace detail {
class TAPEGRAD_API AffineDraw {
 public:
  explicit AffineDraw(const RandomAffineOptions& options);
  Tensor operator()(const Tensor& image) const;

 private:
  RandomAffineOptions options_;
};
}  // namespace detail

// affine() with numbers drawn uniformly for each example; shifts are whole pixels. ValueError: an interval that ends before it begins, a
// translate outside [0, 1], and what affine() refuses.
//   set.map(transforms::RandomAffine<>({.degrees = 10, .translate = {0.1, 0.1}, .scale = {0.9, 1.1}}))
template <class Target = Tensor> class RandomAffine : public TensorTransform<Target> {
 public:
  explicit RandomAffine(const RandomAffineOptions& options) : draw_(options) {}
  Tensor operator()(Tensor input) const override { return draw_(input); }

 private:
  detail::AffineDraw draw_;
};

}  // namespace tapegrad::data::transforms
