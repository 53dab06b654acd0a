// tapegrad against libtorch, row by row: bench_peers [--rows REGEX] [--rounds N] [--quick] [--cpu] [--results FILE].
// Each library runs in a process of its own (their OpenMP and oneDNN disturb each other in one), libtorch in two: as shipped,
// and tuned (peer_tuning.h). Every row is first checked to come to the same numbers, then measured in turns, A B C A B C ..., so
// that a noisy machine is noisy for all; medians are compared, with the better of the two libtorch columns.
// --cpu counts processor time instead of the clock's: for a machine that others use.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <regex>

#include "peer_process.h"
#include "peer_table.h"
#include "report/results.h"
#include "turn_options.h"

namespace {

using namespace bench;

TurnProgram program() {
  std::string rows = "rows:";
  for (const RowInfo& row : kRows) rows += std::string(" ") + row.name;
  return {"bench_peers", rows + "\n", true};
}

// A worker and which of its rows: `prefix` stands before the row's name.
struct Column {
  Peer* peer;
  std::string prefix;
  std::string name;  // in the results
  bool ours;         // or a limit
};

// The processes of a run, and the columns they fill.
struct Peers {
  std::filesystem::path here = std::filesystem::canonical("/proc/self/exe").parent_path();
  Peer ours{here / "bench_peers_tapegrad"};
  Peer shipped{here / "bench_peers_torch"};
  Environment core = better_core(shipped.about());
  Peer tuned{here / "bench_peers_torch", with(kept_heap(), core)};
  Peer numpy{here / "bench_peers_numpy", core};

  static Environment with(Environment all, const Environment& more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  bool torch() const { return shipped.alive() && tuned.alive(); }

  std::vector<Column> columns() {
    std::vector<Column> all{
        {&ours, "", "tapegrad", true}, {&ours, "replay:", "replay", true}, {&ours, "limit:", "limit", true}};
    if (torch()) all.insert(all.end(), {{&shipped, "", "libtorch", false}, {&tuned, "", "libtorch_tuned", false}});
    if (numpy.alive()) all.push_back({&numpy, "", "numpy", false});
    return all;
  }
  // What ran, and what was set, by the environment or to make it run faster.
  std::string about() const {
    const char* const given = std::getenv("OPENBLAS_CORETYPE");
    const std::string core_text = core.empty() ? "" : ", " + core[0].first + "=" + core[0].second;
    std::string text = "no libtorch";
    if (torch())
      text = shipped.about() + (given ? std::string(", OPENBLAS_CORETYPE=") + given + " in the environment" : "") +
             "; tuned: heap kept" + core_text;
    if (numpy.alive()) text += "; " + numpy.about() + core_text;
    return text;
  }
};

// One row per column.
std::vector<Row> measure(const RowInfo& info, const std::vector<Column>& columns, const TurnOptions& options) {
  std::vector<int64_t> steps;
  for (const Column& column : columns) steps.push_back(column.ours ? info.ours_at_once : info.theirs_at_once);
  const auto samples = take_turns(steps, options.turns, [&](size_t i, int64_t n) {
    const std::string question = "run " + columns[i].prefix + info.name + " " + std::to_string(n);
    return columns[i].peer->ask(question, options.cpu).value();
  });
  std::vector<Row> rows;
  for (size_t i = 0; i < columns.size(); ++i) {
    rows.push_back({kPeers + std::string(info.name), columns[i].name, "ns", info.per, {}});
    for (const double ns : samples[i]) rows[i].samples.push_back(ns / info.per);
    rows[i].counters = columns[i].peer->notes(columns[i].prefix + info.name);
  }
  return rows;
}

// The columns that have the row. All must come to the same number, to 1e-4: std::runtime_error that says what is wrong.
std::vector<Column> agreeing(const RowInfo& info, const std::vector<Column>& columns) {
  std::vector<Column> having;
  double first = 0;
  for (const Column& column : columns) {
    const auto value = column.peer->ask("check " + column.prefix + info.name + " " + std::to_string(info.checked));
    if (!value) continue;
    if (having.empty()) first = *value;
    having.push_back(column);
    if (!(std::abs(*value - first) <= 1e-4 * std::max(std::abs(first), 1e-30)))
      throw std::runtime_error("results differ: " + column.peer->about() + " comes to " + std::to_string(*value) +
                               ", " + having[0].peer->about() + " to " + std::to_string(first));
  }
  return having;
}

// What the workers had to say of their runs: "t10_to_098, libtorch: accuracy 0.9806, epochs 4, ...".
void print_notes(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    if (row.counters.empty()) continue;
    std::printf("  %s, %s:", row.name.c_str() + kPeers.size(), row.column.c_str());
    const char* before = " ";
    for (const auto& [name, value] : row.counters) {
      std::printf("%s%s %.4g", before, name.c_str(), value);
      before = ", ";
    }
    std::printf("\n");
  }
}

// False when it is not to be trusted.
bool run_row(const RowInfo& info, const std::vector<Column>& columns, const TurnOptions& options, Results& results) {
  try {
    const std::vector<Column> having = agreeing(info, columns);
    if (having.empty()) {
      std::printf("| %s | not measured: %s |\n", info.name, columns[0].peer->why_not().c_str());
      return true;
    }
    const std::vector<Row> rows = measure(info, having, options);
    for (const Row& row : rows) results.put(row);
    std::printf("%s", peer_line(peer_cells(Result(info, results))).c_str());
    print_notes(rows);
    std::fflush(stdout);
    return true;
  } catch (const std::exception& e) {
    std::printf("| %s | not measured: %s |\n", info.name, e.what());
    return false;
  }
}

int run(TurnOptions options) {
  if (options.results.empty()) options.results = "out/bench/results.json";
  Results results{machine(), {}};
  Peers peers;
  if (!peers.ours.alive()) program().usage("bench_peers_tapegrad does not start; it belongs beside this program");
  if (!peers.torch()) std::printf("libtorch is not measured: bench_peers_torch was not built (Debian: libtorch-dev)\n");
  if (!peers.numpy.alive()) std::printf("NumPy is not measured (Debian: python3-numpy)\n");
  results.about["tapegrad"] = peers.ours.about();
  results.about["peer"] = peers.about();
  results.about["clock"] = options.cpu ? "processor" : "wall";
  results.about["rounds"] = std::to_string(options.turns.rounds);

  std::printf("%s\n\n%s", about_text(results).c_str(), peer_head().c_str());
  bool agreed = true, any = false;
  for (const RowInfo& info : kRows) {
    if (!std::regex_search(info.name, options.rows)) continue;
    any = true;
    agreed = run_row(info, peers.columns(), options, results) && agreed;
  }
  if (!any) program().usage("no row matches --rows");
  add_to_results(options.results, results);
  std::printf("\nwritten: %s\n", options.results.c_str());
  return agreed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const TurnOptions options = program().parse(argc, argv);
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_peers: %s\n", e.what());
    return 1;
  }
}
