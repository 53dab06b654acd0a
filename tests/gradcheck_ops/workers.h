// Work handed out to processes, so that what one op does to the program's state, or a crash, stays with that op.
#pragma once

#include "op_properties.h"

namespace gradcheck_ops {

// What came out of one property of one row.
struct Outcome {
  int64_t checks = 0;
  double seconds = 0;
  std::vector<op_properties::Finding> found = {};
};

// work(i) for every i below `count`, in `processes` worker processes; done(i, outcome) here, as they come. A worker that
// dies is a finding of what it was at, and the next one takes over. Call it before the process has threads.
void run_in_processes(size_t count, int processes, const std::function<Outcome(size_t)>& work,
                      const std::function<void(size_t, Outcome)>& done);

}  // namespace gradcheck_ops
