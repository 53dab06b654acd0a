// Transforms of images: parts, mirror images, affine maps, and how they are drawn.
#include <tapegrad/tapegrad.h>

#include <cmath>
#include <map>

#include "message.h"

using namespace tapegrad;
namespace transforms = data::transforms;
using transforms::Interpolation;

namespace {

Tensor numbered(int64_t channels, int64_t height, int64_t width) {
  return arange(channels * height * width).view({channels, height, width}).to(kFloat32);
}

// A [2 x 2] matrix row by row.
using Matrix = std::array<double, 4>;
Matrix product(const Matrix& a, const Matrix& b) {
  return {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3]};
}

// The definition: every pixel is the sum of all, by how near they lie to where it came from, of the nearest alone.
Tensor reference(const Tensor& image, double angle, std::array<double, 2> shift, double scale,
                 std::array<double, 2> shear, bool bilinear, double fill) {
  const double turn = angle * M_PI / 180, sx = std::tan(shear[0] * M_PI / 180), sy = std::tan(shear[1] * M_PI / 180);
  const Matrix m = product(product({std::cos(turn), -std::sin(turn), std::sin(turn), std::cos(turn)}, {1, 0, -sy, 1}),
                           {scale, -sx * scale, 0, scale});
  const double det = m[0] * m[3] - m[1] * m[2];
  const int64_t height = image.size(-2), width = image.size(-1);
  const double cy = (static_cast<double>(height) - 1) / 2, cx = (static_cast<double>(width) - 1) / 2;
  const Tensor from = image.to(kFloat64), to = empty(image.sizes(), kFloat64);
  const auto a = from.accessor<double, 3>(), b = to.accessor<double, 3>();
  for (int64_t c = 0; c < image.size(0); ++c) {
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const double dx = static_cast<double>(x) - cx - shift[0], dy = static_cast<double>(y) - cy - shift[1];
        const double column = (m[3] * dx - m[1] * dy) / det + cx, row = (m[0] * dy - m[2] * dx) / det + cy;
        double sum = 0, parts = 0;
        for (int64_t i = 0; i < height; ++i) {
          for (int64_t j = 0; j < width; ++j) {
            const double down = std::abs(row - static_cast<double>(i)),
                         right = std::abs(column - static_cast<double>(j));
            const double part = bilinear ? std::max(0.0, 1 - down) * std::max(0.0, 1 - right)
                                         : static_cast<double>(down < 0.5 && right < 0.5);
            sum += part * a[c][i][j];
            parts += part;
          }
        }
        b[c][y][x] = sum + (1 - parts) * fill;
      }
    }
  }
  return to;
}

}  // namespace

TEST_CASE("parts and mirror images", "[data]") {
  const Tensor x = numbered(2, 3, 4);
  CHECK(equal(transforms::crop(x, 1, 2, 2, 1), tensor({{6, 10}, {18, 22}}).view({2, 2, 1}).to(kFloat32)));
  CHECK(equal(transforms::hflip(x)[0], tensor({{3, 2, 1, 0}, {7, 6, 5, 4}, {11, 10, 9, 8}}).to(kFloat32)));
  CHECK(equal(transforms::vflip(x)[1], tensor({{20, 21, 22, 23}, {16, 17, 18, 19}, {12, 13, 14, 15}}).to(kFloat32)));
  CHECK(equal(transforms::vflip(transforms::vflip(x[0].to(kUInt8))), x[0].to(kUInt8)));
  CHECK(message_of<ShapeError>([&] { transforms::crop(x, 2, 0, 2, 4); }) ==
        "crop: the part must lie inside the image, got [2, 4] from [2, 0] of [3, 4]");
  CHECK_THROWS_AS(transforms::crop(x, INT64_MAX, 0, 1, 1), ShapeError);
  CHECK_THROWS_AS(transforms::crop(x, 0, 0, -1, 1), ShapeError);
  CHECK(message_of<ShapeError>([&] {
          transforms::hflip(tensor({1, 2}));
        }) == "hflip: an image must have rows and columns, got shape [2]");
}

TEST_CASE("RandomCrop takes a part of the padded image, every one as often", "[data]") {
  const Tensor x = numbered(1, 3, 3) + 1;
  const transforms::RandomCrop<> random({2, 3}, {.padding = 1, .fill = -1});
  manual_seed(5);
  const Tensor padded = pad(x, {1, 1, 1, 1}, "constant", -1);
  std::map<std::pair<int64_t, int64_t>, int> seen;
  for (int i = 0; i < 4800; ++i) {
    const Tensor part = random(x);
    int found = 0;
    for (int64_t top = 0; top < 4; ++top) {
      for (int64_t left = 0; left < 3; ++left) {
        if (!equal(part, transforms::crop(padded, top, left, 2, 3))) continue;
        ++seen[{top, left}];
        ++found;
      }
    }
    REQUIRE(found == 1);
  }
  REQUIRE(seen.size() == 12);
  for (const auto& [place, count] : seen) CHECK(std::abs(count - 400) < 5 * std::sqrt(400.0));
  CHECK(equal(transforms::RandomCrop<>(3)(x), x));
  CHECK(
      equal(transforms::RandomCrop<>(1, {.padding = 2, .fill = 9})(full({1, 1}, 9, kUInt8)), full({1, 1}, 9, kUInt8)));
  CHECK(message_of<ShapeError>([&] {
          transforms::RandomCrop<>({4, 6}, {.padding = 1})(x);
        }) ==
        "RandomCrop: the image with its padding must be as large as the part, got shape [1, 3, 3] with padding 1 for a "
        "part of [4, 6]");
  CHECK_THAT(message_of<ValueError>([] { transforms::RandomCrop<>(0); }), Contains("at least 1, got [0, 0]"));
  CHECK_THAT(message_of<ValueError>([] { transforms::RandomCrop<>(2, {.padding = -1}); }), Contains("got -1"));
}

TEST_CASE("random flips happen as often as they are asked to", "[data]") {
  const Tensor x = numbered(1, 2, 2);
  manual_seed(6);
  const auto flipped = [&](const auto& transform, const Tensor& other) {
    int count = 0;
    for (int i = 0; i < 4000; ++i) {
      const Tensor y = transform(x);
      const bool same = equal(y, x);
      REQUIRE((same || equal(y, other)));
      count += !same;
    }
    return count;
  };
  CHECK(std::abs(flipped(transforms::RandomHorizontalFlip<>(), transforms::hflip(x)) - 2000) < 5 * std::sqrt(1000.0));
  CHECK(std::abs(flipped(transforms::RandomVerticalFlip<>(0.2), transforms::vflip(x)) - 800) < 5 * std::sqrt(640.0));
  CHECK(flipped(transforms::RandomVerticalFlip<>(0), transforms::vflip(x)) == 0);
  CHECK(flipped(transforms::RandomHorizontalFlip<>(1), transforms::hflip(x)) == 4000);
  CHECK_THAT(message_of<ValueError>([] { transforms::RandomVerticalFlip<>(1.5); }),
             Contains("RandomVerticalFlip: p must be in [0, 1], got 1.5"));
  CHECK_THROWS_AS(transforms::RandomHorizontalFlip<>(std::nan("")), ValueError);
}

TEST_CASE("affine maps of whole pixels move pixels", "[data]") {
  manual_seed(7);
  for (const auto interpolation : {Interpolation::kNearest, Interpolation::kBilinear}) {
    const Tensor x = rand({3, 5, 7});
    CHECK(equal(transforms::affine(x, 0, {0, 0}, 1, {0, 0}, interpolation), x));
    const Tensor moved = transforms::affine(x, 0, {2, -1}, 1, {0, 0}, interpolation, 0.25);
    CHECK(equal(transforms::crop(moved, 0, 2, 4, 5), transforms::crop(x, 1, 0, 4, 5)));
    CHECK((moved.slice(2, 0, 2) == 0.25).all().item<bool>());
    CHECK((moved.slice(1, 4, 5) == 0.25).all().item<bool>());
    const Tensor square = rand({2, 6, 6}, kFloat64);
    CHECK(allclose(transforms::affine(square, 90, {0, 0}, 1, {0, 0}, interpolation), rot90(square, -1, {1, 2})));
    CHECK(allclose(transforms::affine(square, 180, {0, 0}, 1, {0, 0}, interpolation), rot90(square, 2, {1, 2})));
    const Tensor far = transforms::affine(x, 0, {0, 0}, 1e-300, {0, 0}, interpolation, 0.5);
    CHECK(far.slice(2, 0, 3).eq(0.5).all().item<bool>());
  }
  const Tensor small = numbered(1, 2, 2);
  CHECK(equal(transforms::affine(pad(small, {1, 1, 1, 1}), 0, {0, 0}, 2)[0],
              tensor({{0, 0, 1, 1}, {0, 0, 1, 1}, {2, 2, 3, 3}, {2, 2, 3, 3}}).to(kFloat32)));
  CHECK(equal(transforms::affine(tensor({{10, 13}}, kUInt8), 0, {0.5, 0}, 1, {0, 0}, Interpolation::kBilinear, 255),
              tensor({{132, 12}}, kUInt8)));  // 132.5 and 11.5, to even
  CHECK(transforms::affine(zeros({2, 0, 3}), 30, {1, 1}, 2).numel() == 0);
}

TEST_CASE("affine agrees with its definition", "[data]") {
  manual_seed(8);
  Generator numbers(3);
  const auto between = [&](double from, double to) { return from + (to - from) * rand({}, numbers).item<double>(); };
  for (int i = 0; i < 12; ++i) {
    const Tensor x = rand({2, 6 + i % 3, 9 - i % 4}, kFloat64);
    const double angle = between(-180, 180), scale = between(0.5, 2), fill = between(-1, 1);
    const std::array<double, 2> shift{between(-3, 3), between(-3, 3)}, shear{between(-40, 40), between(-40, 40)};
    INFO(angle << " degrees, scale " << scale << ", shear " << shear[0] << " " << shear[1]);
    for (const bool bilinear : {false, true}) {
      const auto how = bilinear ? Interpolation::kBilinear : Interpolation::kNearest;
      const Tensor expected = reference(x, angle, shift, scale, shear, bilinear, fill);
      CHECK(allclose(transforms::affine(x, angle, shift, scale, shear, how, fill), expected, 1e-10, 1e-12));
      const Tensor strided = x.transpose(1, 2).contiguous().transpose(1, 2);
      CHECK(equal(transforms::affine(strided, angle, shift, scale, shear, how, fill),
                  transforms::affine(x, angle, shift, scale, shear, how, fill)));
      const Tensor bytes = (x * 255).to(kUInt8);
      const Tensor rounded = reference(bytes, angle, shift, scale, shear, bilinear, 7);
      const Tensor got = transforms::affine(bytes, angle, shift, scale, shear, how, 7);
      CHECK(got.dtype() == kUInt8);
      CHECK((got.to(kFloat64) - rounded).abs().amax().item<double>() <= 0.5 + 1e-9);
    }
  }
}

TEST_CASE("affine refuses what makes no map", "[data]") {
  const Tensor x = zeros({1, 2, 2});
  const auto error = [&](double angle, double scale, double shear, double fill = 0) {
    return message_of<ValueError>([&] {
      transforms::affine(x, angle, {0, 0}, scale, {shear, 0}, Interpolation::kNearest, fill);
    });
  };
  CHECK(error(INFINITY, 1, 0) == "affine: angle must be finite, got inf");
  CHECK(error(0, 0, 0) == "affine: scale must be positive and finite, got 0.000000");
  CHECK(error(0, std::nan(""), 0) == "affine: scale must be positive and finite, got nan");
  CHECK(error(0, 1, 90) == "affine: shear must be between -90 and 90 degrees, got 90.000000");
  CHECK_THAT(error(0, 1, 0, INFINITY), Contains("fill must be finite"));
  CHECK_THAT(message_of<ValueError>([&] {
               transforms::affine(x, 0, {0, NAN}, 1);
             }),
             Contains("translate must be finite"));
  CHECK_THAT(message_of<ValueError>([&] {
               transforms::affine(x.to(kUInt8), 0, {0, 0}, 1, {0, 0}, Interpolation::kNearest, 256);
             }),
             Contains("fill must be in [0, 255] for uint8, got 256"));
  CHECK(message_of<DTypeError>([&] {
          transforms::affine(x.to(kInt64), 0, {0, 0}, 1);
        }) == "affine: the image must be uint8, float32 or float64, got int64");
  CHECK_THROWS_AS(transforms::affine(x[0][0], 0, {0, 0}, 1), ShapeError);

  const auto refused = [](const transforms::RandomAffineOptions& options) {
    return message_of<ValueError>([&] { transforms::RandomAffine<>{options}; });
  };
  CHECK_THAT(refused({.degrees = -5}), Contains("RandomAffine: degrees must not end before it begins, got 5.0"));
  CHECK_THAT(refused({.degrees = 5, .scale = 0.5}), Contains("RandomAffine: scale must be positive"));
  CHECK_THAT(refused({.degrees = 5, .translate = {0, 1.5}}), Contains("translate must be in [0, 1], got 1.5"));
  CHECK_THAT(refused({.degrees = 5, .shear = {0, 95}}), Contains("shear must be between"));
  CHECK_THAT(refused({.degrees = {NAN, 1}}), Contains("degrees must not end before it begins"));
}

TEST_CASE("RandomAffine draws within its intervals", "[data]") {
  manual_seed(9);
  const Tensor x = rand({1, 8, 10});
  const transforms::RandomAffine<> fixed(
      {.degrees = {20, 20}, .scale = {1.5, 1.5}, .shear = {10, 10}, .shear_y = {-5, -5}, .fill = 0.5});
  CHECK(equal(fixed(x), transforms::affine(x, 20, {0, 0}, 1.5, {10, -5}, Interpolation::kNearest, 0.5)));

  // Shifts are whole pixels, each as often as its neighbours, those at the ends half as often.
  const transforms::RandomAffine<> shifted({.degrees = 0, .translate = {0.2, 0.25}});
  const Tensor dot = zeros({1, 9, 10});
  dot[0][4][5] = 1;
  std::map<int64_t, int> columns, rows;
  for (int i = 0; i < 2000; ++i) {
    const int64_t at = argmax(shifted(dot)).item<int64_t>();
    ++columns[at % 10];
    ++rows[at / 10];
  }
  REQUIRE(columns.size() == 5);  // 5 - 2 to 5 + 2
  REQUIRE(rows.size() == 5);     // 4 - 2 to 4 + 2, for 2.25
  CHECK(columns.begin()->first == 3);
  CHECK(rows.begin()->first == 2);
  for (const int64_t column : {4, 5, 6}) CHECK(std::abs(columns[column] - 500) < 100);
  CHECK(std::abs(columns[3] - 250) < 80);

  // A pixel's way tells the angle it was turned by.
  const transforms::RandomAffine<> turned({.degrees = {10, 50}});
  const Tensor ramp = (arange(101).to(kFloat32) - 50).expand({101, 101}).contiguous();
  double least = 90, most = 0;
  for (int i = 0; i < 300; ++i) {
    const Tensor y = turned(ramp);  // the column it came from: x cos + y sin
    const double degrees = std::atan2(y[70][50].item<double>(), y[50][70].item<double>()) * 180 / M_PI;
    least = std::min(least, degrees);
    most = std::max(most, degrees);
  }
  CHECK(least > 10 - 2);
  CHECK(least < 10 + 3);
  CHECK(most < 50 + 2);
  CHECK(most > 50 - 3);
}

TEST_CASE("random transforms of images follow the seed, whatever the number of workers", "[data]") {
  manual_seed(10);
  const data::TensorDataset images(rand({20, 3, 8, 8}), arange(20));
  const auto set = images.map(transforms::RandomCrop<>(8, {.padding = 2}))
                       .map(transforms::RandomHorizontalFlip<>())
                       .map(transforms::RandomAffine<>({.degrees = 15, .interpolation = Interpolation::kBilinear}))
                       .map(transforms::Normalize<>(0.5, 0.25));
  const auto pass = [&](int64_t workers, uint64_t seed) {
    data::DataLoader loader(set, {.batch_size = 6, .shuffle = true, .seed = seed, .workers = workers});
    std::vector<Tensor> out;
    for (auto& [x, y] : loader) out.push_back(x);
    return cat(out);
  };
  const Tensor alone = pass(0, 1);
  CHECK(alone.sizes().vec() == std::vector<int64_t>{20, 3, 8, 8});
  CHECK(equal(pass(3, 1), alone));
  CHECK_FALSE(equal(pass(0, 2), alone));
}
