// Random numbers from a counter: the same seed gives the same numbers on any machine and any number of threads.
#pragma once

#include "tapegrad/core/tensor.h"

namespace tapegrad {

// Philox4x32-10 keyed by (seed, draw): each filled tensor takes one draw, and element i of it depends on (seed, draw, i)
// only. A handle: copies share one counter, which any number of threads may draw from. Inside a capture, making one, seeding it
// and setting its draw are launches, done again at every run; seed() and draw() tell what they are at the capture.
class TAPEGRAD_API Generator {
 public:
  static constexpr uint64_t kDefaultSeed = 67280421310721;
  explicit Generator(uint64_t seed = kDefaultSeed);
  // Starts over: draw 0 of the seed.
  void manual_seed(uint64_t seed);
  uint64_t seed() const;
  // Number of the next draw; set it to repeat or skip.
  uint64_t draw() const;
  void set_draw(uint64_t draw);
  // Takes a draw: its number, which no other caller gets.
  uint64_t next_draw();

  // State behind the handle. Library internal.
  struct State;

 private:
  friend Generator& default_generator();
  friend void copy_state(const Generator& to, const Generator& from);
  explicit Generator(Ref<State> state);
  void restart(uint64_t seed, uint64_t draw) const;
  void restart_at_every_run(uint64_t seed) const;
  Ref<State> state_;
};

struct TAPEGRAD_API Generator::State {
  RefCount refs;
  uint64_t seed;
  uint64_t draw;
  void retain() { refs.increment(); }
  void release() {
    if (refs.decrement()) delete this;
  }
};

// Seeds the default generator, which all threads share.
TAPEGRAD_API void manual_seed(uint64_t seed);
TAPEGRAD_API Generator& default_generator();

// `to` goes on where `from` stands: seed and next draw. A launch, so that a replay does it again.
TAPEGRAD_API void copy_state(const Generator& to, const Generator& from);

// While alive, `generator` is the default generator of this thread.
class TAPEGRAD_API DefaultGeneratorGuard {
 public:
  explicit DefaultGeneratorGuard(Generator generator);
  ~DefaultGeneratorGuard();
  DefaultGeneratorGuard(const DefaultGeneratorGuard&) = delete;
  DefaultGeneratorGuard& operator=(const DefaultGeneratorGuard&) = delete;

 private:
  Generator generator_;
  Generator* previous_;
};

// Fill x in place, whatever its layout, each from one draw of the generator, taken when the fill runs: a kept launch that
// runs again draws anew. ShapeError for an expanded x, whose elements share memory.

// Uniform in [from, to). Floating dtypes (DTypeError); float64 takes 53 random bits, float32 24. ValueError unless
// from <= to and both are finite.
TAPEGRAD_API void fill_uniform(const Tensor& x, double from, double to, Generator& generator = default_generator());
// Normal. Floating dtypes (DTypeError); ValueError unless std >= 0. Tails reach 6.7 (float32) and 8.6 (float64) std.
TAPEGRAD_API void fill_normal(const Tensor& x, double mean, double std, Generator& generator = default_generator());
// What the two throw, without filling. Library internal.
void check_uniform(const Tensor& x, double from, double to);
void check_normal(const Tensor& x, double std);
// Integers in [low, high), any dtype that holds them all exactly (else ValueError), without bias. ValueError unless
// low < high.
TAPEGRAD_API void fill_integers(const Tensor& x, int64_t low, int64_t high, Generator& generator = default_generator());
// A uniform permutation of 0 ... n-1 into x (one dim, int64).
TAPEGRAD_API void fill_permutation(const Tensor& x, Generator& generator = default_generator());

}  // namespace tapegrad
