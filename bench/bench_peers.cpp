// tapegrad against libtorch, row by row: bench_peers [--rows REGEX] [--rounds N] [--quick] [--cpu] [--results FILE].
// Each library runs in a process of its own (their OpenMP and oneDNN disturb each other in one), libtorch in two: as shipped,
// and with a malloc that keeps its heap. Every row is first checked to come to the same numbers, then measured in turns,
// A B C A B C ..., so that a noisy machine is noisy for all; medians are compared, with the better of the two libtorch columns.
// --cpu counts processor time instead of the clock's: for a machine that others use.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <regex>

#include "peer_process.h"
#include "peer_table.h"
#include "report/results.h"

namespace {

using namespace bench;

struct Options {
  std::regex rows{""};
  int rounds = 9;
  double seconds = 0.05;  // of one measurement
  bool cpu = false;
  std::string results = "out/bench/results.json";
};

[[noreturn]] void usage(const std::string& complaint) {
  if (!complaint.empty()) std::fprintf(stderr, "bench_peers: %s\n", complaint.c_str());
  std::fprintf(stderr, "usage: bench_peers [--rows REGEX] [--rounds N] [--quick] [--cpu] [--results FILE]\nrows:");
  for (const RowInfo& row : kRows) std::fprintf(stderr, " %s", row.name);
  std::fprintf(stderr, "\n");
  std::exit(2);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--quick") {
      options.rounds = 3;
      options.seconds = 0.005;
      continue;
    }
    if (option == "--cpu") {
      options.cpu = true;
      continue;
    }
    if (option != "--rows" && option != "--rounds" && option != "--results") usage("unknown option " + option);
    if (++i == argc) usage(option + " needs a value");
    if (option == "--results") options.results = argv[i];
    if (option == "--rounds" && (options.rounds = std::atoi(argv[i])) < 1) usage("--rounds needs a number above 0");
    try {
      if (option == "--rows") options.rows = std::regex(argv[i]);
    } catch (const std::regex_error& e) { usage(std::string("--rows: ") + e.what()); }
  }
  return options;
}

// A worker and which of its rows: `prefix` stands before the row's name.
struct Column {
  Peer* peer;
  std::string prefix;
  std::string name;  // in the results
  std::optional<double> nanoseconds(const std::string& row, int64_t steps, bool cpu) const {
    return peer->ask("run " + prefix + row + " " + std::to_string(steps), cpu);
  }
};

// Steps that take about `seconds`, found by doubling; the row is made and warm afterwards. 0: the peer does not have it.
int64_t steps_for(const Column& column, const std::string& row, const Options& options) {
  for (int64_t steps = 1;; steps *= 2) {
    const auto ns = column.nanoseconds(row, steps, options.cpu);
    if (!ns) return 0;
    if (*ns * 1e-9 >= options.seconds / 2)
      return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(steps) * options.seconds * 1e9 / *ns));
  }
}

// One row per column that has it.
std::vector<Row> measure(const RowInfo& info, const std::vector<Column>& columns, const Options& options) {
  std::vector<Row> rows;
  std::vector<int64_t> steps;
  for (const Column& column : columns) {
    steps.push_back(steps_for(column, info.name, options));
    rows.push_back({kPeers + std::string(info.name), column.name, "ns", info.per, {}});
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t c = 0; c < columns.size(); ++c) {
      if (steps[c] == 0) continue;
      const auto ns = columns[c].nanoseconds(info.name, steps[c], options.cpu);
      rows[c].samples.push_back(ns.value() / static_cast<double>(steps[c]) / info.per);
    }
  }
  std::erase_if(rows, [](const Row& row) { return row.samples.empty(); });
  return rows;
}

// Every column must come to the same number, to 1e-4; gives what is wrong.
std::string disagreement(const std::string& row, const std::vector<Column>& columns) {
  std::optional<double> first;
  for (const Column& column : columns) {
    const auto value = column.peer->ask("check " + column.prefix + row);
    if (!value) continue;
    if (!first) first = value;
    if (!(std::abs(*value - *first) <= 1e-4 * std::max(std::abs(*first), 1e-30)))
      return column.peer->about() + " comes to " + std::to_string(*value) + ", " + columns[0].peer->about() + " to " +
             std::to_string(*first);
  }
  return "";
}

int run(const Options& options) {
  Results results{machine(), {}};
  const std::filesystem::path here = std::filesystem::canonical("/proc/self/exe").parent_path();
  Peer ours(here / "bench_peers_tapegrad", {});
  Peer shipped(here / "bench_peers_torch", {});
  Peer kept(here / "bench_peers_torch",
            {{"GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"}});
  Peer numpy(here / "bench_peers_numpy", {});
  if (!ours.alive()) usage("bench_peers_tapegrad does not start; it belongs beside this program");
  std::vector<Column> columns{{&ours, "", "tapegrad"}, {&ours, "replay:", "replay"}, {&ours, "limit:", "limit"}};
  const bool peers = shipped.alive() && kept.alive();
  if (peers) columns.insert(columns.end(), {{&shipped, "", "libtorch"}, {&kept, "", "libtorch_heap_kept"}});
  else std::printf("libtorch is not measured: bench_peers_torch was not built (Debian: libtorch-dev)\n");
  if (numpy.alive()) columns.push_back({&numpy, "", "numpy"});
  else std::printf("NumPy is not measured (Debian: python3-numpy)\n");
  results.about["tapegrad"] = ours.about();
  results.about["peer"] = (peers ? shipped.about() : "no libtorch") + (numpy.alive() ? ", " + numpy.about() : "");
  results.about["clock"] = options.cpu ? "processor" : "wall";
  results.about["rounds"] = std::to_string(options.rounds);

  std::printf("%s\n\n%s", about_text(results).c_str(), peer_head().c_str());
  bool agreed = true;
  for (const RowInfo& info : kRows) {
    if (!std::regex_search(info.name, options.rows)) continue;
    const std::string wrong = disagreement(info.name, columns);
    if (!wrong.empty()) {
      std::printf("| %s | results differ, so not measured: %s |\n", info.name, wrong.c_str());
      agreed = false;
      continue;
    }
    for (Row& row : measure(info, columns, options)) results.put(std::move(row));
    std::printf("%s", peer_line(peer_cells(Result(info, results))).c_str());
    std::fflush(stdout);
  }
  if (results.rows.empty() && agreed) usage("no row matches --rows");
  add_to_results(options.results, results);
  std::printf("\nwritten: %s\n", options.results.c_str());
  return agreed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_peers: %s\n", e.what());
    return 1;
  }
}
