// Subjects of this process measured in turns; beside the time of a step what it asks of the system. Include it in one source file of a
// program (count_allocations.h).
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <functional>
#include <vector>

#include "count_allocations.h"
#include "report/results.h"
#include "rounds.h"
#include "tapegrad/core/allocator.h"
#include "tapegrad/core/parallel.h"

namespace bench {

// A step made ready, with the row it fills.
struct Subject {
  Row row;
  int threads;
  std::function<void()> step;
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
  for (const Subject& subject : subjects) detail::measure(subject, 3);
  std::vector<detail::Counts> last(subjects.size());
  const auto samples = take_turns(std::vector<int64_t>(subjects.size()), turns, [&](size_t i, int64_t steps) {
    last[i] = detail::measure(subjects[i], steps);
    return last[i].ns * static_cast<double>(steps);
  });
  std::vector<Row> rows;
  for (size_t i = 0; i < subjects.size(); ++i) {
    Row& row = subjects[i].row;
    for (const double ns : samples[i]) row.samples.push_back(ns / row.per);
    row.counters = {{"malloc_calls", last[i].malloc_calls},
                    {"system_allocations", last[i].system_allocations},
                    {"page_faults", last[i].page_faults},
                    {"threads", subjects[i].threads}};
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace bench
