// Affine maps of images, pixel by pixel.
#include "tapegrad/nn/data/affine.h"

#include <cmath>
#include <numbers>

#include "tapegrad/core/copy.h"
#include "tapegrad/nn/data/augment.h"
#include "tapegrad/nn/data/internal.h"

namespace tapegrad::data::transforms {
namespace {

// Where a pixel comes from: x' = a x + b y + c, y' = d x + e y + f, from the centre.
struct Origin {
  double a, b, c, d, e, f;
};

// The inverse of: shift, turn, slant, scale. As torchvision's _get_inverse_affine_matrix.
Origin origin_of(double angle, const std::array<double, 2>& translate, double scale,
                 const std::array<double, 2>& shear) {
  const auto radians = [](double degrees) { return degrees * std::numbers::pi / 180; };
  const double turn = radians(angle), sx = radians(shear[0]), sy = radians(shear[1]);
  const double a = std::cos(turn - sy) / std::cos(sy), b = -a * std::tan(sx) - std::sin(turn);
  const double c = std::sin(turn - sy) / std::cos(sy), d = -c * std::tan(sx) + std::cos(turn);
  Origin out{d / scale, -b / scale, 0, -c / scale, a / scale, 0};
  out.c = -out.a * translate[0] - out.b * translate[1];
  out.f = -out.d * translate[0] - out.e * translate[1];
  return out;
}

template <class T> T stored(double value) {
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(value);
  else return static_cast<T>(std::nearbyint(value));
}

// One image in contiguous planes.
template <class T> struct Planes {
  const T* pixels;
  int64_t count, height, width;

  // The pixel, or nothing where there is none.
  const T* at(double row, double column) const {
    const bool inside =
        row >= 0 && row < static_cast<double>(height) && column >= 0 && column < static_cast<double>(width);
    return inside ? pixels + static_cast<int64_t>(row) * width + static_cast<int64_t>(column) : nullptr;
  }
};

// The four pixels around a place with their parts of it, or one alone: the nearest, or none, far outside.
template <class T> struct Corners {
  const T* pixel[4] = {};
  double part[4] = {1};
  int count = 1;

  Corners(const Planes<T>& from, double row, double column, Interpolation interpolation) {
    const bool near =
        row > -1 && row < static_cast<double>(from.height) && column > -1 && column < static_cast<double>(from.width);
    if (!near) return;
    if (interpolation == Interpolation::kNearest) {
      pixel[0] = from.at(std::nearbyint(row), std::nearbyint(column));
      return;
    }
    count = 4;
    const double top = std::floor(row), left = std::floor(column), down = row - top, right = column - left;
    for (int i = 0; i < 4; ++i) {
      pixel[i] = from.at(top + i / 2, left + i % 2);
      part[i] = (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right);
    }
  }
  double value(int64_t offset, double fill) const {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      if (part[i] != 0) sum += part[i] * (pixel[i] ? static_cast<double>(pixel[i][offset]) : fill);
    }
    return sum;
  }
};

template <class T>
void look_up(const Planes<T>& from, T* to, const Origin& origin, Interpolation interpolation, double fill) {
  const int64_t plane = from.height * from.width;
  const double middle_row = static_cast<double>(from.height - 1) / 2,
               middle_column = static_cast<double>(from.width - 1) / 2;
  for (int64_t i = 0; i < plane; ++i) {
    const double x = static_cast<double>(i % from.width) - middle_column,
                 y = static_cast<double>(i / from.width) - middle_row;
    const Corners<T> corners(from, origin.d * x + origin.e * y + origin.f + middle_row,
                             origin.a * x + origin.b * y + origin.c + middle_column, interpolation);
    for (int64_t p = 0; p < from.count; ++p) to[p * plane + i] = stored<T>(corners.value(p * plane, fill));
  }
}

template <class T> Tensor mapped(const Tensor& image, const Origin& origin, Interpolation interpolation, double fill) {
  const Tensor from = contiguous_of(image), to = new_tensor(image.sizes(), image.dtype());
  const int64_t height = image.size(-2), width = image.size(-1);
  if (image.numel() > 0)
    look_up<T>({from.elements<T>(), image.numel() / (height * width), height, width}, to.elements<T>(), origin,
               interpolation, fill);
  return to;
}

void check(bool holds, const char* op, const char* rule, double got) {
  if (!holds) throw ValueError(std::string(op) + ": " + rule + ", got " + std::to_string(got));
}

void check_numbers(const char* op, double angle, double scale, const std::array<double, 2>& shear, double fill) {
  check(std::isfinite(angle), op, "angle must be finite", angle);
  check(std::isfinite(scale) && scale > 0, op, "scale must be positive and finite", scale);
  for (const double one : shear) check(std::abs(one) < 90, op, "shear must be between -90 and 90 degrees", one);
  check(std::isfinite(fill), op, "fill must be finite", fill);
}

void check_interval(const char* rule, const Interval& interval) {
  if (!(interval.from <= interval.to))
    throw ValueError(std::string("RandomAffine: ") + rule + " must not end before it begins, got " +
                     std::to_string(interval.from) + " to " + std::to_string(interval.to));
}

}  // namespace

Tensor affine(const Tensor& image, double angle, const std::array<double, 2>& translate, double scale,
              const std::array<double, 2>& shear, Interpolation interpolation, double fill) {
  data::detail::check_image("affine", image);
  check_numbers("affine", angle, scale, shear, fill);
  for (const double one : translate) check(std::isfinite(one), "affine", "translate must be finite", one);
  tapegrad::detail::check_host_read("affine: images are mapped on the host, which a replay would not do again");
  const Origin origin = origin_of(angle, translate, scale, shear);
  switch (image.dtype()) {
    case kUInt8:
      check(fill >= 0 && fill <= 255, "affine", "fill must be in [0, 255] for uint8", fill);
      return mapped<uint8_t>(image, origin, interpolation, fill);
    case kFloat32: return mapped<float>(image, origin, interpolation, fill);
    case kFloat64: return mapped<double>(image, origin, interpolation, fill);
    default:
      throw DTypeError(std::string("affine: the image must be uint8, float32 or float64, got ") +
                       name_of(image.dtype()));
  }
}

detail::AffineDraw::AffineDraw(const RandomAffineOptions& options) : options_(options) {
  check_interval("degrees", options.degrees);
  check_interval("scale", options.scale);
  check_interval("shear", options.shear);
  check_interval("shear_y", options.shear_y);
  for (const double part : options.translate)
    check(part >= 0 && part <= 1, "RandomAffine", "translate must be in [0, 1]", part);
  check_numbers("RandomAffine", options.degrees.from, options.scale.from, {options.shear.from, options.shear_y.from},
                options.fill);
  check_numbers("RandomAffine", options.degrees.to, options.scale.to, {options.shear.to, options.shear_y.to},
                options.fill);
}

Tensor detail::AffineDraw::operator()(const Tensor& image) const {
  data::detail::check_image("RandomAffine", image);
  double u[6];
  draw(u, 6);
  const auto within = [](const Interval& interval, double part) {
    return interval.from + (interval.to - interval.from) * part;
  };
  const auto shift = [](double part, int64_t size, double drawn) {
    return std::nearbyint(part * static_cast<double>(size) * (2 * drawn - 1));
  };
  const std::array<double, 2> translate{shift(options_.translate[0], image.size(-1), u[1]),
                                        shift(options_.translate[1], image.size(-2), u[2])};
  return affine(image, within(options_.degrees, u[0]), translate, within(options_.scale, u[3]),
                {within(options_.shear, u[4]), within(options_.shear_y, u[5])}, options_.interpolation, options_.fill);
}

}  // namespace tapegrad::data::transforms
