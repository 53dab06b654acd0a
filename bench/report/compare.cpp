// Compares two runs and says so.
#include "report/compare.h"

#include <cstdio>
#include <stdexcept>

#include "report/statistics.h"

namespace bench {
namespace {

std::string line_of(const ComparedRow& row) {
  char text[256];
  std::snprintf(text, sizeof text, "%-9s %-44s %-18s %12.5g -> %12.5g %-4s %+6.1f %%  p %.2g\n", name_of(row.change),
                row.name.c_str(), row.column.c_str(), row.before, row.after, row.unit.c_str(),
                (row.after / row.before - 1) * 100, row.p);
  return text;
}

}  // namespace

const char* name_of(Change change) {
  switch (change) {
    case Change::same: return "same";
    case Change::faster: return "faster";
    case Change::slower: return "SLOWER";
    case Change::undecided: return "undecided";
  }
  return "";
}

Change change_of(const std::vector<double>& before, const std::vector<double>& after, const CompareOptions& options) {
  const double old = median(before), now = median(after);
  const bool slower = now >= old * (1 + options.effect), faster = old >= now * (1 + options.effect);
  if (slower == faster) return Change::same;  // both only when both are 0
  const MannWhitney test = mann_whitney(before, after);
  if (test.p < options.alpha) return slower ? Change::slower : Change::faster;
  return test.least_p < options.alpha ? Change::same : Change::undecided;
}

int Comparison::count(Change change, bool ours) const {
  int n = 0;
  for (const ComparedRow& row : rows) n += row.change == change && row.ours() == ours;
  return n;
}

int Comparison::exit_status() const {
  if (rows.empty()) return 2;
  return count(Change::slower, true) == 0 ? 0 : 1;
}

std::string Comparison::text() const {
  std::string out;
  for (const Change change : {Change::slower, Change::faster, Change::undecided, Change::same}) {
    for (const ComparedRow& row : rows) {
      if (row.change == change) out += line_of(row);
    }
  }
  for (const std::string& row : gone) out += "gone      " + row + "\n";
  for (const std::string& row : added) out += "new       " + row + "\n";
  for (const bool ours : {true, false}) {
    char line[160];
    std::snprintf(line, sizeof line, "%s: %d slower, %d faster, %d same, %d undecided for want of samples\n",
                  ours ? "tapegrad" : "peers and limits (a change there is the machine's)", count(Change::slower, ours),
                  count(Change::faster, ours), count(Change::same, ours), count(Change::undecided, ours));
    out += line;
  }
  return out;
}

Comparison compare(const Results& before, const Results& after, const CompareOptions& options) {
  Comparison all;
  for (const Row& row : after.rows) {
    const Row* const old = before.find(row.name, row.column);
    if (!old) {
      all.added.push_back(row.name + ", " + row.column);
      continue;
    }
    if (old->unit != row.unit)
      throw std::runtime_error("compare: units differ, " + row.name + " was in " + old->unit + " and is in " +
                               row.unit);
    all.rows.push_back({row.name, row.column, row.unit, median(old->samples), median(row.samples),
                        mann_whitney(old->samples, row.samples).p, change_of(old->samples, row.samples, options)});
  }
  for (const Row& row : before.rows) {
    if (!after.find(row.name, row.column)) all.gone.push_back(row.name + ", " + row.column);
  }
  return all;
}

}  // namespace bench
