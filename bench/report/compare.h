// Whether a run was faster or slower than an earlier one, row by row.
#pragma once

#include <string>
#include <vector>

#include "report/results.h"

namespace bench {

struct CompareOptions {
  double effect = 0.03;  // medians that differ by less are the same
  double alpha = 0.01;   // differences that chance makes more often than this are none
};

// undecided: the medians differ, but so few samples could not show it.
enum class Change { same, faster, slower, undecided };
const char* name_of(Change change);

// Of samples where smaller is better.
Change change_of(const std::vector<double>& before, const std::vector<double>& after, const CompareOptions& options);

struct ComparedRow {
  std::string name, column, unit;
  double before, after;  // medians
  double p;
  Change change;

  // Columns that this library answers for; the peers' and the limits' tell whether the machine is the same.
  bool ours() const { return column == "tapegrad" || column == "replay"; }
};

struct Comparison {
  std::vector<ComparedRow> rows;         // in both
  std::vector<std::string> gone, added;  // in one: "name, column"

  int count(Change change, bool ours) const;
  // 0; 1 when a row of ours is slower; 2 when there is nothing to compare.
  int exit_status() const;
  std::string text() const;
};

// std::runtime_error when a row has changed its unit.
Comparison compare(const Results& before, const Results& after, const CompareOptions& options = {});

}  // namespace bench
