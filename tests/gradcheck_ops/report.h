// What gradcheck_ops says: a table on the terminal, row by row as it comes, and JSON.
#pragma once

#include <cstdio>
#include <optional>

#include "options.h"
#include "workers.h"

namespace gradcheck_ops {

// Everything found about one row: an outcome per property, in the order of the options.
struct RowResult {
  const Row* row;
  std::vector<std::optional<Outcome>> outcomes;

  bool complete() const;
  bool ok() const;
  int64_t checks() const;
  double seconds() const;
};

// The exported ops against the table.
struct Coverage {
  size_t exported = 0;
  std::vector<std::string> missing;
  std::string problem;   // why there is no answer where there should be one
  bool possible = true;  // a static library exports nothing
};

struct Results {
  std::vector<RowResult> rows;
  std::optional<Coverage> coverage;
  double wall_seconds = 0, cpu_seconds = 0;

  bool ok() const;
};

// "gradcheck_ops --op linear --property gradient --seed 0"
std::string repro(const std::string& program, const std::string& op, const std::string& property, uint64_t seed);

// Prints rows in the table's order, and how far it is where the output is a terminal.
class Table {
 public:
  Table(const std::string& program, const Options& options, std::FILE* out);
  // Prints what is complete and has not been printed.
  void update(const Results& results);
  void finish(const Results& results);

 private:
  void head();
  void line(const RowResult& result);
  void failures(const RowResult& result);
  void progress(const Results& results);

  const std::string program_;
  const Options& options_;
  std::FILE* out_;
  const bool terminal_;
  size_t printed_ = 0;
};

std::string json(const std::string& program, const Options& options, const Results& results);

}  // namespace gradcheck_ops
