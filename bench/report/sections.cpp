// The sections of the report: budgets, cost of use, scaling, threads, roofline, tape.
#include "report/sections.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "peer_table.h"
#include "report/statistics.h"

namespace bench {
namespace {

std::string digits(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

double counter(const Row& row, const std::string& name) {
  const auto found = row.counters.find(name);
  return found == row.counters.end() ? 0 : found->second;
}

double time_of(const Results& results, const std::string& name, const std::string& column = "tapegrad") {
  const Row* const row = results.find(name, column);
  return row ? median(row->samples) : 0;
}

// What stands behind the last slash.
double last_number(const std::string& name) { return std::strtod(name.c_str() + name.rfind('/') + 1, nullptr); }

Section hello(const Results& results) {
  Section section{"Cost of use", "The ten-line hello, by scripts/bench-hello."};
  section.table.head = {"figure", "median", "budget", "verdict"};
  const std::vector<std::pair<std::string, double>> budgets = {
      {"hello/compile", 1.2}, {"hello/first_gradient", 5}, {"hello/resident", 12}, {"hello/library", 6}};
  for (const auto& [name, budget] : budgets) {
    const Row* const row = results.find(name, "tapegrad");
    if (!row) continue;
    const double figure = median(row->samples);
    section.table.lines.push_back({name, digits("%.3g ", figure) + row->unit, digits("%g ", budget) + row->unit,
                                   figure <= budget ? "ok" : "over budget"});
  }
  return section;
}

Section gradient_checks(const Results& results) {
  Section section{"Checking gradients", "Every parameter of the network, through random directions."};
  section.table.head = {"row", "median"};
  for (const Row& row : results.rows) {
    if (row.name.rfind("gradcheck/", 0) == 0)
      section.table.lines.push_back({row.name.substr(10), time_text(median(row.samples))});
  }
  return section;
}

// Points of train/KIND/N: N, and the time of what f makes of it.
template <class F>
Curve curve_of(const Results& results, const std::string& kind, const std::string& column, const F& f) {
  Curve curve{column == "tapegrad" ? "eager" : column, {}};
  for (const Row& row : results.rows) {
    if (row.column != column || row.name.rfind("train/" + kind + "/", 0) != 0) continue;
    const double n = last_number(row.name);
    curve.points.emplace_back(n, f(n, median(row.samples)));
  }
  std::sort(curve.points.begin(), curve.points.end());
  return curve;
}

std::vector<Picture> scaling_pictures(const Results& results, const std::string& folder) {
  struct Kind {
    const char *name, *title, *x_label, *y_label;
    double (*f)(double, double);
  };
  const Kind kinds[] = {
      {"chain", "A recorded multiplication and its backward", "length of the chain", "ns per node",
       [](double, double ns) { return ns; }},
      {"mlp_batch", "Training step of 784-300-100-10", "batch", "us per example",
       [](double n, double ns) { return ns / n / 1e3; }},
      {"mlp_width", "Training step of width-width-width-10, batch 64", "width", "us per step",
       [](double, double ns) { return ns / 1e3; }},
  };
  std::vector<Picture> pictures;
  for (const Kind& kind : kinds)
    pictures.push_back(
        draw({std::string("scaling_") + kind.name,
              kind.title,
              kind.x_label,
              kind.y_label,
              {curve_of(results, kind.name, "tapegrad", kind.f), curve_of(results, kind.name, "replay", kind.f)}},
             folder));
  return pictures;
}

Section training(const Results& results, const std::string& folder) {
  Section section{
      "Training steps",
      "How steps scale, eager and replayed; time per node for chains, per step otherwise. In the steady state a "
      "step must ask the system for nothing: no call of malloc, no page fault.",
      scaling_pictures(results, folder)};
  section.table.head = {"row", "eager", "replay", "times", "mallocs", "page faults", "verdict"};
  for (const Row& row : results.rows) {
    if (row.column != "tapegrad" || row.name.rfind("train/", 0) != 0) continue;
    const Row* const replay = results.find(row.name, "replay");
    double mallocs = 0, faults = 0;
    for (const Row* one : {&row, replay}) {
      if (!one) continue;
      mallocs = std::max(mallocs, counter(*one, "malloc_calls") + counter(*one, "system_allocations"));
      faults = std::max(faults, counter(*one, "page_faults"));
    }
    const double eager = median(row.samples), replayed = replay ? median(replay->samples) : 0;
    section.table.lines.push_back({row.name.substr(6), time_text(eager), time_text(replayed),
                                   replay ? digits("%.2f", eager / replayed) : "-", digits("%.3g", mallocs),
                                   digits("%.3g", faults), mallocs + faults == 0 ? "ok" : "asks the system"});
  }
  return section;
}

Section threads(const Results& results) {
  Section section{"Two threads", "Speed with two threads as a multiple of the speed with one."};
  section.table.head = {"row", "column", "one thread", "two threads", "times", "budget", "verdict"};
  const std::vector<std::pair<std::string, double>> budgets = {{"train/mlp_256", 1.6}, {"train/tutorial_f64", 1}};
  for (const auto& [name, budget] : budgets) {
    for (const char* column : {"tapegrad", "replay"}) {
      const double one = time_of(results, name + "/threads_1", column),
                   two = time_of(results, name + "/threads_2", column);
      if (one == 0 || two == 0) continue;
      const bool ok = one / two >= budget - 0.03;  // what two runs of one program differ by
      section.table.lines.push_back({name.substr(6), column, time_text(one), time_text(two), digits("%.2f", one / two),
                                     digits("%g", budget), ok ? "ok" : "below"});
    }
  }
  return section;
}

// What the machine can do, in work per ns: from the fastest product and from the addition of what no cache holds.
struct Roof {
  double flops = 0, flops_wide = 0, bytes = 0;

  explicit Roof(const Results& results) {
    for (const Row& row : results.rows) {
      if (row.name.rfind("ops/", 0) != 0) continue;
      const double ns = median(row.samples);
      double& peak = is_wide(row) ? flops_wide : flops;
      peak = std::max(peak, counter(row, "flop") / ns);
      if (counter(row, "bytes") > 90e6) bytes = std::max(bytes, counter(row, "bytes") / ns);
    }
    for (const int n : {256, 512, 1024, 2048}) {
      const double ns = time_of(results, kPeers + "matmul_" + std::to_string(n), "limit");
      if (ns != 0) flops = std::max(flops, 2.0 * n * n * n / ns);
    }
  }
  static bool is_wide(const Row& row) { return row.name.ends_with("/float64"); }
  double peak(const Row& row) const { return is_wide(row) ? flops_wide : flops; }
  // The time that the machine needs for the row's work.
  double least_ns(const Row& row) const {
    return std::max(counter(row, "bytes") / bytes, peak(row) == 0 ? 0 : counter(row, "flop") / peak(row));
  }
};

Picture roofline_picture(const Results& results, const Roof& roof, const std::string& folder) {
  Curve narrow{"float32", {}, false}, wide{"float64", {}, false};
  for (const Row& row : results.rows) {
    const double flop = counter(row, "flop"), bytes = counter(row, "bytes");
    if (row.name.rfind("ops/", 0) != 0 || flop == 0 || bytes == 0) continue;
    (Roof::is_wide(row) ? wide : narrow).points.emplace_back(flop / bytes, flop / median(row.samples));
  }
  if (narrow.points.empty()) return {};
  const auto line = [&](const char* title, double peak) {
    Curve curve{title, {}};
    for (double x = 0.01; x < 1000; x *= 1.25) curve.points.emplace_back(x, std::min(peak, x * roof.bytes));
    return curve;
  };
  return draw({"roofline",
               "Operations below what the machine can do",
               "flop per byte of operands and results",
               "GFLOP/s",
               {narrow, wide, line("roof, float32", roof.flops), line("roof, float64", roof.flops_wide)}},
              folder);
}

Section roofline(const Results& results, const std::string& folder) {
  Section section{"Operations", ""};
  const Roof roof(results);
  if (roof.bytes == 0) return section;
  section.text =
      "The roof: " + digits("%.3g GFLOP/s in float32, ", roof.flops) + digits("%.3g in float64, ", roof.flops_wide) +
      digits("%.3g GB/s from memory. ", roof.bytes) +
      "Points left of the bend and above its line are in the caches. The table has the operations over at least 4 MB that "
      "are the farthest below it (share: of the speed that memory or arithmetic would allow).";
  section.pictures = {roofline_picture(results, roof, folder)};
  section.table.head = {"row", "time", "GB/s", "GFLOP/s", "share"};
  std::vector<std::pair<double, const Row*>> rows;
  for (const Row& row : results.rows) {
    if (row.name.rfind("ops/", 0) == 0 && counter(row, "bytes") >= 4e6)
      rows.emplace_back(roof.least_ns(row) / median(row.samples), &row);
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  rows.resize(std::min<size_t>(rows.size(), 30));
  for (const auto& [share, row] : rows) {
    const double ns = median(row->samples), flop = counter(*row, "flop");
    section.table.lines.push_back({row->name.substr(4), time_text(ns), digits("%.3g", counter(*row, "bytes") / ns),
                                   flop == 0 ? "-" : digits("%.3g", flop / ns), digits("%.2f", share)});
  }
  return section;
}

Section tape(const Results& results) {
  Section section{"The tape",
                  "Time per node, per call or per input where there are several, and calls of the system's allocator."};
  section.table.head = {"row", "time", "of", "system calls"};
  for (const Row& row : results.rows) {
    if (row.name.rfind("tape/", 0) == 0)
      section.table.lines.push_back({row.name.substr(5), time_text(median(row.samples)), digits("%.0f", row.per),
                                     digits("%.3g", counter(row, "system_calls"))});
  }
  return section;
}

}  // namespace

Table peer_table(const Results& results) {
  Table table{kPeerHead, {}};
  for (const RowInfo& info : kRows) {
    const Result result(info, results);
    if (result.ours != 0) table.lines.push_back(peer_cells(result));
  }
  return table;
}

Document report(const Results& results, const std::string& folder) {
  Document document{"tapegrad: benchmarks", about_text(results)};
  Section budgets{
      "Beside the peers, and the budgets",
      "\"times\" is against the better of the two libtorch columns; budgets hold for a quiet machine of the class "
      "they were set on.",
      {},
      peer_table(results)};
  for (Section& section :
       std::vector<Section>{std::move(budgets), hello(results), training(results, folder), threads(results),
                            roofline(results, folder), tape(results), gradient_checks(results)}) {
    if (!section.table.lines.empty()) document.sections.push_back(std::move(section));
  }
  return document;
}

}  // namespace bench
