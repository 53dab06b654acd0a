// The rows of bench_peers with their budgets, and how they are judged and shown.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "report/results.h"
#include "report/statistics.h"

namespace bench {

// Before the names of its rows in the results.
inline const std::string kPeers = "peers/";

struct RowInfo {
  const char* name;
  double per;            // operations in one step, so that a row tells the cost of one
  double budget_ns = 0;  // the design's, 0: none
  double of_limit = 0;   // the share of the limit's speed that the design asks for, 0: none
  double of_peer = 1;    // the speed asked for as a multiple of the better libtorch's
  double replay_ns = 0;  // the design's budget for the replay, 0: none
  int64_t checked = 3;   // the steps after which results must agree
  // Steps measured at once by tapegrad and its limits, and by the others, 0: as many as take a while.
  int64_t ours_at_once = 0, theirs_at_once = 0;
};

inline constexpr RowInfo kRows[] = {
    {"multiply", 1000, 150},
    {"multiply_both", 1000},
    {"multiply_alone", 1},
    {"tutorial_f64", 1, 3000, 0, 12, 400},
    {"tutorial_f32", 1, 3000, 0, 12, 400},
    {.name = "t2_in_full",
     .per = 1 / 60000.0,
     .replay_ns = 0.05e9,
     .checked = 2000,
     .ours_at_once = 60000,
     .theirs_at_once = 6000},
    {"mlp_64_sgd", 1, 0.78e6},
    {"mlp_64_sgd_bf16", 1, 0.5e6},
    {"mlp_64_adam", 1, 0.88e6},
    {"mlp_1_sgd", 1, 0.11e6, 0, 1, 0.075e6},
    {"mlp_1_adam", 1, 0.2e6},
    {"mnist_epoch", 0.1},
    {"matmul_256", 1, 0, 0.97},
    {"matmul_512", 1, 0, 0.97},
    {"matmul_1024", 1, 0, 0.97},
    {"matmul_2048", 1, 0, 0.97},
    {"matmul_f64_512", 1, 0, 0, 0.8},
    {"add_4096", 1},
    {"add_1m", 1},
    {"add_8m", 1, 2.6e6},
    {"tanh_1m", 1, 0.45e6},
    {"sigmoid_1m", 1},
    {"expression_1m", 1, 3.5e6, 0, 1, 1.4e6},
    {"softmax_1024x1000", 1},
    {"cross_entropy_1024x1000", 1, 0.75e6},
    {"convnet_64_sgd", 1, 3e6},
    {"conv_64x64x3x3", 1, 34.5e6, 0.91},
    {"conv_64x64x3x3_backward", 1, 98e6},
    {"lstm_50x32x128_256", 1, 40e6, 0.97},
    {"lstm_30x16x64_64", 1, 0, 0.97},
    {"lstm_50x1x64_128", 1, 0, 0.97},
    {"gru_50x32x128_256", 1, 0, 0.97},
    {.name = "t10_to_098", .per = 1, .of_peer = 1.5, .ours_at_once = 1, .theirs_at_once = 1},
};

// A row's medians in ns, 0 where there is none.
struct Result {
  RowInfo info;
  double ours, replay, shipped, tuned, numpy, limit;

  Result(const RowInfo& row, const Results& from) : info(row) {
    const auto of = [&](const char* column) {
      const Row* const found = from.find(kPeers + row.name, column);
      return found ? bench::median(found->samples) : 0;
    };
    ours = of("tapegrad"), replay = of("replay"), numpy = of("numpy"), limit = of("limit");
    shipped = of("libtorch"), tuned = of("libtorch_tuned");
  }

  // The better libtorch's; 0 without one.
  double peer() const { return shipped == 0 || tuned == 0 ? std::max(shipped, tuned) : std::min(shipped, tuned); }
  // How many times faster than it.
  double ratio() const { return peer() / ours; }

  std::string verdict() const {
    std::string text;
    const auto add = [&](const char* what) { text += text.empty() ? what : std::string(", ") + what; };
    if (peer() != 0 && ratio() < 1) add("slower than libtorch");
    else if (peer() != 0 && ratio() < info.of_peer) add("not fast enough against libtorch");
    if (info.budget_ns != 0 && ours > info.budget_ns) add("over budget");
    if (info.replay_ns != 0 && replay > info.replay_ns) add("replay over budget");
    if (limit != 0 && limit < info.of_limit * ours) add("below the limit's share");
    return text.empty() ? "ok" : text;
  }
};

// Three digits and a unit: 149 ns, 2.61 ms; a dash for nothing.
inline std::string time_text(double ns) {
  if (ns == 0) return "-";
  const char* const units[] = {"ns", "us", "ms", "s"};
  int unit = 0;
  for (; ns >= 999.5 && unit < 3; ++unit) ns /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %s", ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0, ns, units[unit]);
  return text;
}

inline std::string budget_text(const RowInfo& info) {
  char text[64] = "";
  if (info.budget_ns != 0)
    return time_text(info.budget_ns) + (info.replay_ns != 0 ? "; " + time_text(info.replay_ns) : "");
  if (info.replay_ns != 0) return "replay " + time_text(info.replay_ns);
  if (info.of_limit != 0) std::snprintf(text, sizeof text, "%.2f of limit", info.of_limit);
  else if (info.of_peer != 1) std::snprintf(text, sizeof text, "%g of libtorch", info.of_peer);
  return text;
}

// What ran where: a line above the table.
inline std::string about_text(const Results& results) {
  const auto fact = [&](const char* key) {
    const auto found = results.about.find(key);
    return found == results.about.end() ? std::string("unknown") : found->second;
  };
  return fact("tapegrad") + "; " + fact("peer") + "; " + fact("compiler") + "; CPU: " + fact("cpu") +
         "; load average before the run " + fact("load") + "; " + fact("clock") + " time, one thread, medians of " +
         fact("rounds") + " rounds.";
}

// The table's columns and cells; the first is the row's name, the last its verdict.
inline const std::vector<std::string> kPeerHead = {"row",   "tapegrad", "replay", "libtorch", "tuned",
                                                   "numpy", "limit",    "times",  "budget",   "verdict"};

inline std::vector<std::string> peer_cells(const Result& r) {
  char times[16] = "-";
  if (r.peer() != 0) std::snprintf(times, sizeof times, "%.2f", r.ratio());
  return {r.info.name,         time_text(r.ours),  time_text(r.replay), time_text(r.shipped),
          time_text(r.tuned),  time_text(r.numpy), time_text(r.limit),  times,
          budget_text(r.info), r.verdict()};
}

// A line of it in Markdown, wide enough for a terminal.
inline std::string peer_line(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (size_t i = 0; i < cells.size(); ++i) {
    const size_t width = i == 0 ? 23 : i + 2 < cells.size() ? 9 : i + 1 < cells.size() ? 15 : 0;
    const std::string space(width > cells[i].size() ? width - cells[i].size() : 0, ' ');
    const bool right = i != 0 && i + 2 < cells.size();
    line += " " + (right ? space : "") + cells[i] + (right ? "" : space) + " |";
  }
  return line + "\n";
}

inline std::string peer_head() {
  std::string line = peer_line(kPeerHead) + "|---|";
  for (size_t i = 3; i < kPeerHead.size(); ++i) line += "---:|";
  return line + "---|---|\n";
}

}  // namespace bench
