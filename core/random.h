// Random numbers from a counter: the same seed gives the same numbers on any machine and any number of threads.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Philox4x32-10 keyed by (seed, draw): each filled tensor takes one draw, and element i of it is word i of that stream.
class TAPEGRAD_API Generator {
 public:
  explicit Generator(uint64_t seed = 67280421310721ull) : seed_(seed) {}
  void manual_seed(uint64_t seed) {
    seed_ = seed;
    draw_ = 0;
  }
  uint64_t seed() const { return seed_; }
  // Number of the next draw; set it to repeat or skip.
  uint64_t draw() const { return draw_; }
  void set_draw(uint64_t draw) { draw_ = draw; }
  uint64_t next_draw() { return draw_++; }

 private:
  uint64_t seed_;
  uint64_t draw_ = 0;
};

// Seeds the default generator, which all threads share.
TAPEGRAD_API void manual_seed(uint64_t seed);
TAPEGRAD_API Generator& default_generator();

// Fill x in place, each from one draw of the generator. Floating dtypes; float64 takes 53 random bits, float32 24.
TAPEGRAD_API void fill_uniform(const Tensor& x, double from, double to, Generator& generator = default_generator());
TAPEGRAD_API void fill_normal(const Tensor& x, double mean, double std, Generator& generator = default_generator());
// Integers in [low, high), any numeric dtype, without bias.
TAPEGRAD_API void fill_integers(const Tensor& x, int64_t low, int64_t high, Generator& generator = default_generator());
// A uniform permutation of 0 ... n-1 into x (int64).
TAPEGRAD_API void fill_permutation(const Tensor& x, Generator& generator = default_generator());

}  // namespace tapegrad
