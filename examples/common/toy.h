// Small things to learn: sets of points in the plane, in two classes, the same for the same call.
#pragma once

#include <cstdint>

#include "tapegrad/tapegrad.h"

namespace examples {

struct Points {
  tapegrad::Tensor x;       // [n, 2] float32
  tapegrad::Tensor labels;  // [n] float32, 0 or 1
};

// Two round clouds that barely touch: a line parts nearly all of them.
Points two_clouds(int64_t count);

// Clumps of both classes between each other, a few points astray: to part them all takes a curled boundary. In about
// [-1, 1]^2.
Points clumps(int64_t count);

}  // namespace examples
