// tapegrad against libtorch, row by row: bench_peers [--rows REGEX] [--rounds N] [--quick] [--cpu] [--json FILE].
// Each library runs in a process of its own (their OpenMP and oneDNN disturb each other in one), libtorch in two: as shipped,
// and with a malloc that keeps its heap. Every row is first checked to come to the same numbers, then measured in turns,
// A B C A B C ..., so that a noisy machine is noisy for all; medians are compared, with the better of the two libtorch columns.
// --cpu counts processor time instead of the clock's: for a machine that others use.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>

#include "peer_process.h"
#include "peer_table.h"

namespace {

using namespace bench;

struct Options {
  std::regex rows{""};
  int rounds = 9;
  double seconds = 0.05;  // of one measurement
  bool cpu = false;
  std::string json = "out/bench_peers.json";
};

[[noreturn]] void usage(const std::string& complaint) {
  if (!complaint.empty()) std::fprintf(stderr, "bench_peers: %s\n", complaint.c_str());
  std::fprintf(stderr, "usage: bench_peers [--rows REGEX] [--rounds N] [--quick] [--cpu] [--json FILE]\nrows:");
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
    if (option != "--rows" && option != "--rounds" && option != "--json") usage("unknown option " + option);
    if (++i == argc) usage(option + " needs a value");
    if (option == "--json") options.json = argv[i];
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
  std::optional<double> nanoseconds(const std::string& row, int64_t steps, bool cpu) const {
    return peer->ask("run " + prefix + row + " " + std::to_string(steps), cpu);
  }
};

std::optional<Timing> median_of(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const size_t n = samples.size();
  return Timing{n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2, samples.front(), samples.back()};
}

// Steps that take about `seconds`, found by doubling; the row is made and warm afterwards. 0: the peer does not have it.
int64_t steps_for(const Column& column, const std::string& row, const Options& options) {
  for (int64_t steps = 1;; steps *= 2) {
    const auto ns = column.nanoseconds(row, steps, options.cpu);
    if (!ns) return 0;
    if (*ns * 1e-9 >= options.seconds / 2)
      return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(steps) * options.seconds * 1e9 / *ns));
  }
}

Result measure(const RowInfo& info, std::vector<Column>& columns, const Options& options) {
  Result result{info, {}};
  std::vector<int64_t> steps;
  std::vector<std::vector<double>> samples(columns.size());
  for (const Column& column : columns) steps.push_back(steps_for(column, info.name, options));
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t c = 0; c < columns.size(); ++c) {
      if (steps[c] == 0) continue;
      const auto ns = columns[c].nanoseconds(info.name, steps[c], options.cpu);
      samples[c].push_back(ns.value() / static_cast<double>(steps[c]) / info.per);
    }
  }
  for (size_t c = 0; c < columns.size(); ++c) result.columns[c] = median_of(samples[c]);
  return result;
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

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// How busy the machine was before we came: the load average of the last minute.
std::string load_average() {
  double load = 0;
  char text[32];
  if (getloadavg(&load, 1) != 1) return "unknown";
  std::snprintf(text, sizeof text, "%.1f", load);
  return text;
}

int run(const Options& options) {
  const std::string load = load_average();
  const std::filesystem::path here = std::filesystem::canonical("/proc/self/exe").parent_path();
  Peer ours(here / "bench_peers_tapegrad", {});
  Peer shipped(here / "bench_peers_torch", {});
  Peer kept(here / "bench_peers_torch",
            {{"GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"}});
  if (!ours.alive()) usage("bench_peers_tapegrad does not start; it belongs beside this program");
  std::vector<Column> columns{{&ours, ""}, {&ours, "replay:"}, {&ours, "limit:"}};
  if (shipped.alive() && kept.alive()) columns.insert(columns.end(), {{&shipped, ""}, {&kept, ""}});
  else std::printf("libtorch is not measured: bench_peers_torch was not built (Debian: libtorch-dev)\n");

  std::printf("%s; %s; one thread each, medians of %d interleaved rounds, %s time\n\n", ours.about().c_str(),
              columns.size() > kShipped ? shipped.about().c_str() : "no peer", options.rounds,
              options.cpu ? "processor" : "wall");
  print_head();
  std::vector<Result> results;
  bool agreed = true;
  for (const RowInfo& info : kRows) {
    if (!std::regex_search(info.name, options.rows)) continue;
    const std::string wrong = disagreement(info.name, columns);
    if (!wrong.empty()) {
      std::printf("| %s | results differ, so not measured: %s |\n", info.name, wrong.c_str());
      agreed = false;
      continue;
    }
    results.push_back(measure(info, columns, options));
    print_row(results.back());
  }
  if (results.empty() && agreed) usage("no row matches --rows");
  const std::filesystem::path folder = std::filesystem::path(options.json).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder);
  std::ofstream out(options.json);
  write_json(out, results,
             {{"tapegrad", ours.about()},
              {"peer", columns.size() > kShipped ? shipped.about() : ""},
              {"cpu", cpu_name()},
              {"load", load},
              {"clock", options.cpu ? "processor" : "wall"},
              {"rounds", std::to_string(options.rounds)}});
  if (!out.flush()) throw std::runtime_error("cannot write " + options.json);
  std::printf("\nwritten: %s\n", options.json.c_str());
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
