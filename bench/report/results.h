// The common format of all benchmarks, out/bench/results.json: samples, not summaries, so that two runs can be compared.
//   {"about": {"cpu": "...", ...},
//    "rows": [{"name": "peers/add_1m", "column": "libtorch", "unit": "ns", "per": 1, "samples": [...], "counters": {...}}, ...]}
// Written and read here alone; one line per row, so that scripts may read it too.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace bench {

struct Row {
  std::string name;             // program/what
  std::string column;           // tapegrad, replay, libtorch, libtorch_tuned, limit, numpy
  std::string unit = "ns";      // smaller is better
  double per = 1;               // how many of what a sample tells one step did: samples are already divided by it
  std::vector<double> samples;  // one per repetition
  std::map<std::string, double> counters = {};  // of one step: bytes, flops, malloc_calls, page_faults, ...
};

struct Results {
  std::map<std::string, std::string> about;
  std::vector<Row> rows;

  // Replaces the row of this name and column, or adds it.
  void put(Row row);
  // Null when there is none.
  const Row* find(const std::string& name, const std::string& column) const;
};

// std::runtime_error with file and offset for anything but the format above.
Results read_results(const std::string& file);
// Creates the folder; the file appears whole or not at all.
void write_results(const std::string& file, const Results& results);
// Puts `more` into the file, whose other rows stay.
void add_to_results(const std::string& file, const Results& more);

// For `about`: processor, compiler, load average of the last minute.
std::map<std::string, std::string> machine();

}  // namespace bench
