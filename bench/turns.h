// Subjects measured in turns, A B C A B C ..., so that a noisy machine is noisy for all; beside the time of a step what it asks of
// the system. Include it in one source file of a program (count_allocations.h).
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "count_allocations.h"
#include "report/results.h"
#include "tapegrad/core/allocator.h"
#include "tapegrad/core/parallel.h"

namespace bench {

// A step made ready, with the row it fills.
struct Subject {
  Row row;
  int threads;
  std::function<void()> step;
};

struct Turns {
  int rounds = 9;
  double seconds = 0.05;  // of one measurement
};

namespace detail {

struct Counts {
  double ns, malloc_calls, system_allocations, page_faults;
};

inline Counts counts_now() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return {static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count()),
          static_cast<double>(system_allocation_calls()),
          static_cast<double>(tapegrad::allocator_stats().system_allocations),
          static_cast<double>(usage.ru_minflt + usage.ru_majflt)};
}

// Each of n steps, in the steady state.
inline Counts measure(const Subject& subject, int64_t n) {
  tapegrad::set_num_threads(subject.threads);
  const Counts from = counts_now();
  for (int64_t i = 0; i < n; ++i) subject.step();
  const Counts to = counts_now();
  const double steps = static_cast<double>(n);
  return {(to.ns - from.ns) / steps, (to.malloc_calls - from.malloc_calls) / steps,
          (to.system_allocations - from.system_allocations) / steps, (to.page_faults - from.page_faults) / steps};
}

}  // namespace detail

// The rows with their samples, and the counts of the last round.
inline std::vector<Row> in_turns(std::vector<Subject> subjects, const Turns& turns) {
  std::vector<int64_t> steps;
  for (Subject& subject : subjects) {
    detail::measure(subject, 3);
    int64_t n = 1;
    double ns = 0;
    while ((ns = detail::measure(subject, n).ns) * static_cast<double>(n) < turns.seconds * 0.5e9) n *= 2;
    steps.push_back(std::max<int64_t>(1, static_cast<int64_t>(turns.seconds * 1e9 / ns)));
    subject.row.samples.reserve(static_cast<size_t>(turns.rounds));
  }
  for (int round = 0; round < turns.rounds; ++round) {
    for (size_t i = 0; i < subjects.size(); ++i) {
      const detail::Counts one = detail::measure(subjects[i], steps[i]);
      subjects[i].row.samples.push_back(one.ns / subjects[i].row.per);
      if (round + 1 < turns.rounds) continue;
      subjects[i].row.counters = {{"malloc_calls", one.malloc_calls},
                                  {"system_allocations", one.system_allocations},
                                  {"page_faults", one.page_faults},
                                  {"threads", subjects[i].threads}};
    }
  }
  std::vector<Row> rows;
  for (Subject& subject : subjects) rows.push_back(std::move(subject.row));
  return rows;
}

}  // namespace bench
