// The main of the programs on Google Benchmark: its table on the terminal, and with --results FILE the samples as rows of the
// common format. Names become program/name; where a benchmark reports per_node, per_call or per_input, that is the sample.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "report/results.h"

namespace bench {

class RowReporter : public benchmark::ConsoleReporter {
 public:
  explicit RowReporter(std::string program) : ConsoleReporter(OO_Tabular), program_(std::move(program)) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration && run.iterations > 0) add(run);
    }
  }
  const Results& results() const { return results_; }

 private:
  void add(const Run& run) {
    const double iterations = static_cast<double>(run.iterations);
    const double seconds = run.real_accumulated_time / iterations, cpu_seconds = run.cpu_accumulated_time / iterations;
    Row row{program_ + "/" + run.run_name.function_name + (run.run_name.args.empty() ? "" : "/" + run.run_name.args),
            "tapegrad",
            "ns",
            1,
            {}};
    for (const auto& [name, counter] : run.counters) {
      if (name.rfind("per_", 0) == 0) row.per = std::max(1.0, cpu_seconds / counter.value);
      else if (name.ends_with("/s")) row.counters[name.substr(0, name.size() - 2)] = counter.value * cpu_seconds;
      else row.counters[name] = counter.value;
    }
    if (const Row* const before = results_.find(row.name, row.column)) row.samples = before->samples;
    row.samples.push_back(seconds / row.per * 1e9);
    results_.put(std::move(row));
  }

  std::string program_;
  Results results_;
};

// Gives the exit status.
inline int run_google(const std::string& program, int argc, char** argv) {
  std::string file;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) != "--results") argv[kept++] = argv[i];
    else if (++i < argc) file = argv[i];
    else {
      std::fprintf(stderr, "bench_%s: --results needs a file\n", program.c_str());
      return 2;
    }
  }
  argc = kept;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  RowReporter reporter(program);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  if (file.empty()) return 0;
  try {
    Results results = reporter.results();
    results.about = machine();
    add_to_results(file, results);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_%s: %s\n", program.c_str(), e.what());
    return 1;
  }
  return 0;
}

}  // namespace bench
