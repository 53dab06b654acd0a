// The binomial schedule of Griewank and Walther for reversing a chain within so many snapshots.
#include <algorithm>
#include <string>

#include "tapegrad/autograd/transform/checkpoint.h"

namespace tapegrad::autograd {
namespace {

constexpr int64_t kLarge = int64_t{1} << 62;

// C(n + k, k), or kLarge where that is beyond any chain. One factor after the other: every step divides without a rest.
int64_t binomial(int64_t n, int64_t k) {
  if (n < 0 || k < 0) return 0;
  int64_t result = 1;
  for (int64_t i = 1; i <= std::min(n, k); ++i) {
    const int64_t factor = std::max(n, k) + i;
    if (result > kLarge / factor) return kLarge;
    result = result * factor / i;
  }
  return result;
}

// How often a step is run again at most: the smallest r whose chains of C(snapshots + r, r) steps are long enough.
int64_t repeats(int64_t steps, int64_t snapshots) {
  int64_t r = 0;
  while (binomial(snapshots, r) < steps) ++r;
  return r;
}

void check(const char* name, int64_t steps, int64_t least, int64_t snapshots) {
  if (steps < least)
    throw ValueError(std::string(name) + ": there must be at least " + std::to_string(least) +
                     (least == 1 ? " step" : " steps") + ", got " + std::to_string(steps));
  if (snapshots < 1)
    throw ValueError(std::string(name) + ": there must be at least one snapshot, got " + std::to_string(snapshots));
}

}  // namespace

int64_t revolve_cut(int64_t steps, int64_t snapshots) {
  check("revolve_cut", steps, 2, snapshots);
  snapshots = std::min(snapshots, steps);  // more are of no use
  const int64_t r = repeats(steps, snapshots);
  // Both parts must fit what their snapshots reverse with r - 1 and r repeats.
  return std::max({int64_t{1}, binomial(snapshots, r - 2), steps - binomial(snapshots - 1, r)});
}

int64_t revolve_evaluations(int64_t steps, int64_t snapshots) {
  check("revolve_evaluations", steps, 1, snapshots);
  snapshots = std::min(snapshots, steps);
  const int64_t r = repeats(steps, snapshots);
  return steps + r * steps - binomial(snapshots + 1, r - 1);
}

}  // namespace tapegrad::autograd
