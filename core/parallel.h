// Threads: how many, and the loop that uses them.
#pragma once

#include <cstdint>

#include "tapegrad/core/export.h"

namespace tapegrad {

// The only truth about how many threads kernels use, for every thread of the program. The default is one per core
// (OMP_NUM_THREADS is honoured). ValueError below 1.
TAPEGRAD_API void set_num_threads(int threads);
TAPEGRAD_API int get_num_threads();

// Asks operations for the same bits run to run and at any thread count, where they could be faster without. Every operation there
// is today gives them always (docs/guarantees.md has the table); those to come that cannot will obey this switch. Off at the start.
TAPEGRAD_API void use_deterministic_algorithms(bool mode);
TAPEGRAD_API bool are_deterministic_algorithms_enabled();

// While alive, kernels that this thread starts run in this thread alone: for threads of the program's own that work side by
// side. Results are the same.
class TAPEGRAD_API SingleThreadGuard {
 public:
  SingleThreadGuard();
  ~SingleThreadGuard();
  SingleThreadGuard(const SingleThreadGuard&) = delete;
  SingleThreadGuard& operator=(const SingleThreadGuard&) = delete;

 private:
  bool previous_;
};

namespace detail {
// How many threads the caller may use now: get_num_threads(), divided by the threads of the program that have asked lately
// (20 ms), so that those which train side by side share the cores instead of each taking all of them.
TAPEGRAD_API int share_of_threads();

using RangeFn = void (*)(void* context, int64_t begin, int64_t end);
TAPEGRAD_API void parallel_ranges(int64_t begin, int64_t end, int64_t grain, RangeFn fn, void* context);
TAPEGRAD_API bool worth_threads(int64_t count, int64_t grain);
}  // namespace detail

// fn(first, last) over pieces of [begin, end) of at least `grain` items; in the calling thread alone when one piece is
// all there is. The pieces depend on the thread count, so fn must not let its result depend on the pieces.
template <class Fn> void parallel_for(int64_t begin, int64_t end, int64_t grain, const Fn& fn) {
  if (end <= begin) return;
  if (!detail::worth_threads(end - begin, grain)) return fn(begin, end);
  detail::parallel_ranges(
      begin, end, grain, [](void* f, int64_t first, int64_t last) { (*static_cast<const Fn*>(f))(first, last); },
      const_cast<Fn*>(&fn));
}

}  // namespace tapegrad
