// Handwriting for machines without MNIST: digits drawn by the program, the same for the same seed.
#pragma once

#include <cstdint>

#include "tapegrad/tapegrad.h"

namespace examples {

struct Digits {
  tapegrad::Tensor images;  // [n, 1, 28, 28], float32 in [0, 1], ink is 1
  tapegrad::Tensor labels;  // [n], int64
};

// Strokes through points that a hand would miss a little, slanted, stretched, turned, shifted and thick at random, over
// noise. Accuracies on these are not comparable with MNIST's.
Digits draw_digits(int64_t count, uint32_t seed);

}  // namespace examples
