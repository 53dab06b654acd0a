// Points in the plane, and waves.
#include "common/toy.h"

#include <cmath>

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

template <class F> Tensor each(const Tensor& x, F f) {
  Tensor y = x.detach().clone();
  double* elements = y.data_ptr<double>();
  for (int64_t i = 0; i < y.numel(); ++i) elements[i] = f(elements[i]);
  return y;
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

Tensor sine(const Tensor& x) {
  return each(x, [](double v) { return std::sin(v); });
}
Tensor cosine(const Tensor& x) {
  return each(x, [](double v) { return std::cos(v); });
}

}  // namespace examples
