// Parts and mirror images.
#include "tapegrad/nn/data/augment.h"

#include "tapegrad/core/random.h"
#include "tapegrad/nn/data/internal.h"
#include "tapegrad/ops/pad.h"
#include "tapegrad/ops/rearrange.h"
#include "tapegrad/ops/views.h"

namespace tapegrad::data::transforms {

using data::detail::check_image;

Tensor crop(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width) {
  check_image("crop", image);
  const int64_t rows = image.size(-2), columns = image.size(-1);
  if (top < 0 || left < 0 || height < 0 || width < 0 || height > rows || width > columns || top > rows - height ||
      left > columns - width)
    throw ShapeError("crop: the part must lie inside the image, got " + to_string({height, width}) + " from " +
                     to_string({top, left}) + " of " + to_string({rows, columns}));
  return image.narrow(-2, top, height).narrow(-1, left, width);
}

Tensor hflip(const Tensor& image) {
  check_image("hflip", image);
  return flip(image, {-1});
}

Tensor vflip(const Tensor& image) {
  check_image("vflip", image);
  return flip(image, {-2});
}

void detail::draw(double* u, int64_t count) {
  const Tensor numbers = new_tensor({count}, kFloat64);
  fill_uniform(numbers, 0, 1);
  for (int64_t i = 0; i < count; ++i) u[i] = numbers.elements<double>()[i];
}

detail::Cropping::Cropping(const nn::ExpandingArray<2>& size, const RandomCropOptions& options)
    : size_(size), options_(options) {
  if (size[0] < 1 || size[1] < 1)
    throw ValueError("RandomCrop: size must be at least 1, got " + to_string(IntArrayRef(size)));
  if (options.padding < 0)
    throw ValueError("RandomCrop: padding must not be negative, got " + std::to_string(options.padding));
}

Tensor detail::Cropping::operator()(const Tensor& image) const {
  check_image("RandomCrop", image);
  const int64_t frame = options_.padding;
  const Tensor padded =
      frame == 0 ? image : pad(image, {frame, frame, frame, frame}, "constant", Scalar(options_.fill));
  const int64_t rows = padded.size(-2) - size_[0] + 1, columns = padded.size(-1) - size_[1] + 1;  // to start in
  if (rows < 1 || columns < 1)
    throw ShapeError("RandomCrop: the image with its padding must be as large as the part, got shape " +
                     to_string(image.sizes()) + " with padding " + std::to_string(frame) + " for a part of " +
                     to_string(IntArrayRef(size_)));
  double u[2];
  draw(u, 2);
  return crop(padded, static_cast<int64_t>(u[0] * static_cast<double>(rows)),
              static_cast<int64_t>(u[1] * static_cast<double>(columns)), size_[0], size_[1]);
}

detail::Chance::Chance(const char* transform, double p) : p_(p) {
  if (!(p >= 0 && p <= 1)) throw ValueError(std::string(transform) + ": p must be in [0, 1], got " + std::to_string(p));
}

bool detail::Chance::drawn() const {
  double u = 0;
  draw(&u, 1);
  return u < p_;
}

}  // namespace tapegrad::data::transforms
