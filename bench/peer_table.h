// The rows of bench_peers with their budgets, and how results are judged and written.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace bench {

enum ColumnIndex { kOurs, kReplay, kLimit, kShipped, kKept, kColumns };

struct Timing {
  double median, least, most;  // ns
};

struct RowInfo {
  const char* name;
  double per;            // operations in one step, so that a row tells the cost of one
  double budget_ns = 0;  // the design's, 0: none
  double of_limit = 0;   // the share of the limit's speed that the design asks for, 0: none
  double of_peer = 1;    // the speed asked for as a multiple of the better libtorch's
  double replay_ns = 0;  // the design's budget for the replay, 0: none
};

inline constexpr RowInfo kRows[] = {
    {"multiply", 1000, 150},
    {"multiply_both", 1000},
    {"multiply_alone", 1},
    {"tutorial_f64", 1, 3000, 0, 12, 400},
    {"tutorial_f32", 1, 3000, 0, 12, 400},
    {"mlp_64_sgd", 1, 0.78e6},
    {"mlp_64_adam", 1, 0.88e6},
    {"mlp_1_sgd", 1, 0.11e6, 0, 1, 0.075e6},
    {"mlp_1_adam", 1, 0.2e6},
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
};

struct Result {
  RowInfo info;
  std::array<std::optional<Timing>, kColumns> columns;

  double median(ColumnIndex c) const { return columns[c] ? columns[c]->median : 0; }
  // The better libtorch's; 0 without one.
  double peer() const {
    const double shipped = median(kShipped), kept = median(kKept);
    return shipped == 0 || kept == 0 ? std::max(shipped, kept) : std::min(shipped, kept);
  }
  // How many times faster than it.
  double ratio() const { return peer() / median(kOurs); }

  std::string verdict() const {
    std::string text;
    const auto add = [&](const char* what) { text += text.empty() ? what : std::string(", ") + what; };
    if (peer() != 0 && ratio() < 1) add("slower than libtorch");
    else if (peer() != 0 && ratio() < info.of_peer) add("not fast enough against libtorch");
    if (info.budget_ns != 0 && median(kOurs) > info.budget_ns) add("over budget");
    if (info.replay_ns != 0 && median(kReplay) > info.replay_ns) add("replay over budget");
    if (info.of_limit != 0 && columns[kLimit] && median(kLimit) < info.of_limit * median(kOurs))
      add("below the limit's share");
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
  if (info.of_limit != 0) std::snprintf(text, sizeof text, "%.2f of limit", info.of_limit);
  else if (info.of_peer != 1) std::snprintf(text, sizeof text, "%g of libtorch", info.of_peer);
  return text;
}

inline void print_head() {
  std::printf("| %-23s | %9s | %9s | %9s | %9s | %9s | %6s | %-15s | verdict |\n", "row", "tapegrad", "replay",
              "libtorch", "heap kept", "limit", "times", "budget");
  std::printf(
      "|-------------------------|----------:|----------:|----------:|----------:|----------:|-------:|-----------------|---------|\n");
}

inline void print_row(const Result& r) {
  char times[16] = "-";
  if (r.peer() != 0) std::snprintf(times, sizeof times, "%.2f", r.ratio());
  std::printf("| %-23s | %9s | %9s | %9s | %9s | %9s | %6s | %-15s | %s |\n", r.info.name,
              time_text(r.median(kOurs)).c_str(), time_text(r.median(kReplay)).c_str(),
              time_text(r.median(kShipped)).c_str(), time_text(r.median(kKept)).c_str(),
              time_text(r.median(kLimit)).c_str(), times, budget_text(r.info).c_str(), r.verdict().c_str());
  std::fflush(stdout);
}

inline void write_json(std::ostream& out, const std::vector<Result>& results,
                       const std::vector<std::pair<std::string, std::string>>& about) {
  const char* const names[] = {"tapegrad", "replay", "limit", "libtorch", "libtorch_heap_kept"};
  out << "{\n";
  for (const auto& [key, text] : about) out << "  \"" << key << "\": \"" << text << "\",\n";
  out << "  \"unit\": \"ns\",\n  \"rows\": [";
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    out << (i ? ",\n" : "\n") << "    {\"row\": \"" << r.info.name << "\"";
    for (size_t c = 0; c < r.columns.size(); ++c) {
      if (const auto& t = r.columns[c])
        out << ", \"" << names[c] << "\": {\"median\": " << t->median << ", \"least\": " << t->least
            << ", \"most\": " << t->most << "}";
    }
    if (r.peer() != 0) out << ", \"times_faster\": " << r.ratio();
    if (r.info.budget_ns != 0) out << ", \"budget\": " << r.info.budget_ns;
    if (r.info.replay_ns != 0) out << ", \"replay_budget\": " << r.info.replay_ns;
    out << ", \"verdict\": \"" << r.verdict() << "\"}";
  }
  out << "\n  ]\n}\n";
}

}  // namespace bench
