// Images as they might have been taken: parts of them, mirrored. The last two dims are rows and columns.
#pragma once

#include "tapegrad/nn/data/transforms.h"
#include "tapegrad/nn/expanding_array.h"

namespace tapegrad::data::transforms {

// Rows from `top` and columns from `left` on, a view. ShapeError for a part that is not inside the image, or fewer than two dims.
TAPEGRAD_API Tensor crop(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width);
// Mirrored: left and right, or top and bottom, change places.
TAPEGRAD_API Tensor hflip(const Tensor& image);
TAPEGRAD_API Tensor vflip(const Tensor& image);

struct RandomCropOptions {
  int64_t padding = 0;  // rows and columns put around the image before
  double fill = 0;      // what they hold
};

namespace detail {

class TAPEGRAD_API Cropping {
 public:
  Cropping(const nn::ExpandingArray<2>& size, const RandomCropOptions& options);
  Tensor operator()(const Tensor& image) const;

 private:
  nn::ExpandingArray<2> size_;
  RandomCropOptions options_;
};

class TAPEGRAD_API Chance {
 public:
  Chance(const char* transform, double p);  // ValueError unless p is in [0, 1]
  bool drawn() const;

 private:
  double p_;
};

// Uniform in [0, 1), from the default generator.
TAPEGRAD_API void draw(double* u, int64_t count);

}  // namespace detail

// A part of the given size (one number for a square), from anywhere in the padded image. ShapeError for an image that is smaller
// even so.
//   set.map(transforms::RandomCrop<>(32, {.padding = 4})).map(transforms::RandomHorizontalFlip<>())
template <class Target = Tensor> class RandomCrop : public TensorTransform<Target> {
 public:
  explicit RandomCrop(const nn::ExpandingArray<2>& size, const RandomCropOptions& options = {})
      : cropping_(size, options) {}
  Tensor operator()(Tensor input) const override { return cropping_(input); }

 private:
  detail::Cropping cropping_;
};

// hflip, with probability p.
template <class Target = Tensor> class RandomHorizontalFlip : public TensorTransform<Target> {
 public:
  explicit RandomHorizontalFlip(double p = 0.5) : chance_("RandomHorizontalFlip", p) {}
  Tensor operator()(Tensor input) const override { return chance_.drawn() ? hflip(input) : input; }

 private:
  detail::Chance chance_;
};

// vflip, with probability p.
template <class Target = Tensor> class RandomVerticalFlip : public TensorTransform<Target> {
 public:
  explicit RandomVerticalFlip(double p = 0.5) : chance_("RandomVerticalFlip", p) {}
  Tensor operator()(Tensor input) const override { return chance_.drawn() ? vflip(input) : input; }

 private:
  detail::Chance chance_;
};

}  // namespace tapegrad::data::transforms
