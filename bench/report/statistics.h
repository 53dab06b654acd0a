// What the benchmarks say about samples: medians, and whether two sets of samples differ.
#pragma once

#include <vector>

namespace bench {

// The middle one, or the mean of the two in the middle; 0 of none.
double median(std::vector<double> samples);

struct MannWhitney {
  double u;        // pairs (a, b) with a > b, an equal pair counts one half
  double p;        // probability of a u at least as far from n m / 2 when both come from one distribution
  double least_p;  // the smallest p that so many samples can give at all
};

// The Mann-Whitney U test, two-sided, of n samples `a` against m samples `b`; neither may be empty. Up to 50 samples together
// p is exact, ties included (of all ways to deal the ranks); beyond, normal with corrections for ties and continuity.
MannWhitney mann_whitney(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace bench
