// What the report says about a run.
#pragma once

#include <string>

#include "report/document.h"
#include "report/results.h"

namespace bench {

// The rows of bench_peers beside their budgets.
Table peer_table(const Results& results);
// All of it; pictures are drawn into `folder`.
Document report(const Results& results, const std::string& folder);

}  // namespace bench
