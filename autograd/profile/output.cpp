// A profile as a table, as JSON, and as a trace.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tapegrad/autograd/profile/record.h"
#include "tapegrad/core/parallel.h"
#include "tapegrad/core/quote.h"

namespace tapegrad {
namespace {

template <class... T> std::string formatted(const char* format, T... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string time_text(double seconds) {
  if (seconds < 1e-6) return formatted("%.0f ns", seconds * 1e9);
  if (seconds < 1e-3) return formatted("%.2f us", seconds * 1e6);
  return seconds < 1 ? formatted("%.2f ms", seconds * 1e3) : formatted("%.3f s", seconds);
}

std::string percent(double share) { return formatted("%.1f%%", share * 100); }

// One line of at most 60 characters.
std::string shortened(const std::string& name) {
  std::string out;
  size_t count = 0;
  const bool fits = characters(name) <= 60;
  for (const char c : name) {
    count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (!fits && count > 57) return out + "...";
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::vector<std::string> cells(const ProfileRow& row, double total) {
  return {shortened(row.name + (row.shapes.empty() ? "" : " " + row.shapes)),
          name_of(row.phase),
          name_of(row.dtype),
          std::to_string(row.calls),
          time_text(row.seconds),
          time_text(row.mean()),
          percent(total > 0 ? row.seconds / total : 0),
          row.flops ? formatted("%.2f", row.gflops()) : "-",
          formatted("%.2f", row.gbytes()),
          percent(row.share_of_peak()),
          row.tier,
          row.implementation};
}

// Columns as wide as they need; words to the left, numbers (the fourth to tenth) to the right.
std::string aligned(const std::vector<std::vector<std::string>>& lines) {
  std::string text;
  std::vector<size_t> width(lines[0].size());
  for (const auto& line : lines) {
    for (size_t c = 0; c < line.size(); ++c) width[c] = std::max(width[c], characters(line[c]));
  }
  for (const auto& line : lines) {
    std::string out;
    for (size_t c = 0; c < line.size(); ++c) {
      const std::string space(width[c] - characters(line[c]), ' ');
      out += (c ? "  " : "") + (c >= 3 && c <= 9 ? space + line[c] : line[c] + space);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  }
  return text;
}

std::string number(double x) { return json_number(std::isfinite(x) ? x : 0, 9); }

std::string json_row(const ProfileRow& row, double total) {
  return "{\"name\": " + json_quoted(row.name) + ", \"phase\": \"" + name_of(row.phase) + "\", \"dtype\": \"" +
         name_of(row.dtype) + "\", \"tier\": " + json_quoted(row.tier) +
         ", \"implementation\": " + json_quoted(row.implementation) + ", \"shapes\": " + json_quoted(row.shapes) +
         ", \"calls\": " + std::to_string(row.calls) + ", \"seconds\": " + number(row.seconds) +
         ", \"mean_seconds\": " + number(row.mean()) + ", \"share\": " + number(total > 0 ? row.seconds / total : 0) +
         ", \"flops\": " + std::to_string(row.flops) + ", \"bytes\": " + std::to_string(row.bytes) +
         ", \"gflops\": " + number(row.gflops()) + ", \"gbytes\": " + number(row.gbytes()) +
         ", \"share_of_peak\": " + number(row.share_of_peak()) + "}";
}

std::string json_peak() {
  const MachinePeak& peak = machine_peak();
  std::string text = "{\"threads\": " + std::to_string(get_num_threads()) +
                     ", \"gflops_float32\": " + number(peak.gflops_float32) +
                     ", \"gflops_float64\": " + number(peak.gflops_float64) + ", \"levels\": [";
  for (const MachinePeak::Level& level : peak.levels) {
    text += (&level == peak.levels.data() ? "" : ", ") + std::string("{\"bytes\": ") + std::to_string(level.bytes) +
            ", \"gbytes\": " + number(level.gbytes) + "}";
  }
  return text + "]}";
}

// Nanoseconds as microseconds: 1.234.
std::string microseconds(int64_t nanoseconds) {
  const std::string rest = std::to_string(nanoseconds % 1000);
  return std::to_string(nanoseconds / 1000) + "." + std::string(3 - rest.size(), '0') + rest;
}
// "ts": 1.234, "dur": 0.456, since the start of the profile.
std::string trace_times(int64_t start, int64_t took) {
  return "\"ts\": " + microseconds(start) + ", \"dur\": " + microseconds(took);
}

}  // namespace

std::string Profile::table(int64_t row_limit) const {
  const std::vector<ProfileRow> rows = key_averages();
  const double total = kernel_seconds();
  std::vector<std::vector<std::string>> lines{{"op", "phase", "dtype", "calls", "total", "mean", "share", "GFLOP/s",
                                               "GB/s", "of peak", "tier", "implementation"}};
  for (const ProfileRow& row : rows) {
    if (static_cast<int64_t>(lines.size()) > row_limit) break;
    lines.push_back(cells(row, total));
  }
  std::string text = aligned(lines);
  const auto hidden = static_cast<int64_t>(rows.size() + 1 - lines.size());
  if (hidden > 0) text += "and " + std::to_string(hidden) + " rows more\n";
  text += std::to_string(calls()) + " launches, " + time_text(total) + " in kernels of " + time_text(seconds()) +
          " between start and stop\n";
  if (rows.empty()) return text;
  const MachinePeak& peak = machine_peak();
  text += "peak: " + formatted("%.0f GFLOP/s float32, %.0f float64", peak.gflops_float32, peak.gflops_float64);
  for (const MachinePeak::Level& level : peak.levels)
    text += formatted("; %.0f GB/s to %lld KiB", level.gbytes, static_cast<long long>(level.bytes >> 10));
  return text + "\n";
}

std::string Profile::json() const {
  std::string text = "{\"seconds\": " + number(seconds()) + ", \"kernel_seconds\": " + number(kernel_seconds()) +
                     ", \"launches\": " + std::to_string(calls()) + ", \"ops\": [";
  const std::vector<ProfileRow> rows = key_averages();
  for (const ProfileRow& row : rows) text += (&row == rows.data() ? "\n" : ",\n") + json_row(row, kernel_seconds());
  return text + "],\n\"peak\": " + (rows.empty() ? "null" : json_peak()) + "}\n";
}

void Profile::export_chrome_trace(const std::string& path) const {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (!file) throw IOError("export_chrome_trace: the file must be writable, got \"" + path + "\"");
  const Record none;
  const Record& r = record_ ? *record_ : none;
  const std::string place = ", \"pid\": 1, \"tid\": " + std::to_string(r.thread);
  std::fprintf(file, "{\"displayTimeUnit\": \"ns\", \"otherData\": {\"left_out\": %lld}, \"traceEvents\": [\n",
               static_cast<long long>(r.left_out));
  std::fprintf(file, "{\"ph\": \"M\", \"name\": \"process_name\"%s, \"args\": {\"name\": \"tapegrad\"}}",
               place.c_str());
  for (const Record::Scope& s : r.scopes) {
    std::fprintf(file, ",\n{\"ph\": \"X\", \"name\": %s, \"cat\": \"%s\"%s, %s}", json_quoted(s.name).c_str(), s.kind,
                 place.c_str(), trace_times(s.start - r.start, s.took).c_str());
  }
  std::vector<std::string> tails;  // what events of a row have in common
  for (const ProfileRow& row : r.rows) {
    tails.push_back(", \"name\": " + json_quoted(row.name) + ", \"cat\": \"" + name_of(row.phase) + "\"" + place +
                    ", \"args\": {\"dtype\": \"" + name_of(row.dtype) + "\", \"tier\": " + json_quoted(row.tier) +
                    ", \"implementation\": " + json_quoted(row.implementation) +
                    ", \"shapes\": " + json_quoted(row.shapes) + "}}");
  }
  for (const Record::Event& e : r.events) {
    std::fprintf(file, ",\n{\"ph\": \"X\", %s%s", trace_times(e.start - r.start, e.took).c_str(), tails[e.row].c_str());
  }
  std::fputs("\n]}\n", file);
  const bool failed = std::ferror(file);
  if (std::fclose(file) != 0 || failed)
    throw IOError("export_chrome_trace: writing must succeed, got an error of the system for \"" + path + "\"");
}

}  // namespace tapegrad
