// Points in the plane.
#include "common/toy.h"

namespace examples {

using tapegrad::Tensor;

namespace {

// Point i lies around centre i modulo their number.
Points around(const Tensor& centres, const Tensor& labels, double spread, int64_t count, uint64_t seed) {
  tapegrad::Generator generator(seed);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(i % centres.size(0));
  const Tensor x = tapegrad::data::take_rows(centres, rows) + spread * tapegrad::randn({count, 2}, generator);
  return {x, tapegrad::data::take_rows(labels, rows)};
}

}  // namespace

Points two_clouds(int64_t count) {
  return around(tapegrad::tensor({{-1., -0.5}, {1., 0.5}}), tapegrad::tensor({0., 1.}), 0.6, count, 1);
}

Points clumps(int64_t count) {
  const Tensor centres = tapegrad::tensor(
      {{-0.6, 0.6}, {0.1, 0.6}, {0.7, 0.5}, {-0.5, -0.1}, {0.2, 0.}, {-0.6, -0.7}, {0.1, -0.6}, {0.7, -0.4}});
  return around(centres, tapegrad::tensor({0., 1., 0., 1., 0., 0., 1., 1.}), 0.17, count, 3);
}

}  // namespace examples
