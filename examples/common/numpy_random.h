// NumPy's seeded uniform numbers, so that a network starts from the very weights its source printed.
#pragma once

#include <cstdint>
#include <random>

#include "tapegrad/tapegrad.h"

namespace examples {

// np.random.seed(seed), np.random.random(sizes): the Mersenne Twister, two of its words giving 53 bits.
class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed) : words_(seed) {}

  // float64 in [0, 1), filled in row-major order.
  tapegrad::Tensor random(tapegrad::IntArrayRef sizes) {
    tapegrad::Tensor x = tapegrad::empty(sizes, tapegrad::kFloat64);
    double* elements = x.data_ptr<double>();
    for (int64_t i = 0; i < x.numel(); ++i) elements[i] = random_sample();
    return x;
  }

 private:
  double random_sample() {
    const uint64_t high = words_() >> 5, low = words_() >> 6;
    return static_cast<double>((high << 26) + low) / 9007199254740992.0;  // 2^53
  }

  std::mt19937 words_;
};

}  // namespace examples
