// Subjects measured in turns, A B C A B C ..., so that a noisy machine is noisy for all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bench {

struct Turns {
  int rounds = 9;
  double seconds = 0.05;      // of one measurement
  double most_seconds = 300;  // of all rounds: where they would take longer there are least_rounds
  int least_rounds = 3;
};

// The ns a step of every subject took, one in each round. `run(i, n)` gives the ns of n steps of subject i, which is warm
// after the first call; how many are measured at once stands in `steps`, 0: as many as take turns.seconds.
template <class Run>
std::vector<std::vector<double>> take_turns(std::vector<int64_t> steps, const Turns& turns, const Run& run) {
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i] != 0) continue;
    int64_t n = 1;
    double ns = run(i, n);
    while (ns < turns.seconds * 0.5e9) ns = run(i, n *= 2);
    steps[i] = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(n) * turns.seconds * 1e9 / ns));
  }
  std::vector<std::vector<double>> samples(steps.size());
  double round_ns = 0;
  for (int round = 0; round < turns.rounds; ++round) {
    if (round == turns.least_rounds && round_ns / round * turns.rounds > turns.most_seconds * 1e9) break;
    for (size_t i = 0; i < steps.size(); ++i) {
      const double ns = run(i, steps[i]);
      samples[i].push_back(ns / static_cast<double>(steps[i]));
      round_ns += ns;
    }
  }
  return samples;
}

}  // namespace bench
