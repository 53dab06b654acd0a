// The results as JSON: every finding, none left out.
#include "report.h"

namespace gradcheck_ops {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += std::string("\\") + c;
    else if (c == '\n') out += "\\n";
    else if (code < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", code);
      out += escape;
    } else out += c;
  }
  return out + "\"";
}

std::string seconds(double s) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", s);
  return text;
}

template <class List, class F> std::string array(const List& list, const F& each) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ",") + each(item);
  return "[" + text + "]";
}

std::string of_finding(const op_properties::Finding& f) {
  return "{\"case\":" + quoted(f.what) + ",\"variant\":" + quoted(f.variant) + ",\"text\":" + quoted(f.text) + "}";
}

std::string of_row(const std::string& program, const Options& options, const RowResult& r) {
  std::string properties;
  for (size_t k = 0; k < r.outcomes.size(); ++k) {
    if (!r.outcomes[k]) continue;
    const Outcome& o = *r.outcomes[k];
    const char* name = options.properties[k]->name;
    const char* status = !o.found.empty() ? "failed" : o.checks == 0 ? "nothing" : "ok";
    properties += (properties.empty() ? "" : ",") + std::string("{\"property\":") + quoted(name) + ",\"status\":\"" +
                  status + "\",\"checks\":" + std::to_string(o.checks) + ",\"seconds\":" + seconds(o.seconds);
    if (!o.found.empty())
      properties += ",\"findings\":" + array(o.found, of_finding) +
                    ",\"repro\":" + quoted(repro(program, r.row->name, name, options.seed));
    properties += "}";
  }
  return "\n{\"op\":" + quoted(r.row->name) + ",\"ok\":" + (r.ok() ? "true" : "false") +
         ",\"cases\":" + std::to_string(r.row->cases.size()) + ",\"checks\":" + std::to_string(r.checks()) +
         ",\"seconds\":" + seconds(r.seconds()) + ",\"properties\":[" + properties + "]}";
}

std::string of_coverage(const std::optional<Coverage>& coverage) {
  if (!coverage || !coverage->possible) return "null";
  return "{\"exported\":" + std::to_string(coverage->exported) + ",\"missing\":" + array(coverage->missing, quoted) +
         ",\"problem\":" + quoted(coverage->problem) + "}";
}

}  // namespace

std::string json(const std::string& program, const Options& options, const Results& results) {
  return "{\"program\":" + quoted(program) + ",\"seed\":" + std::to_string(options.seed) +
         ",\"ok\":" + (results.ok() ? "true" : "false") + ",\"wall_seconds\":" + seconds(results.wall_seconds) +
         ",\"cpu_seconds\":" + seconds(results.cpu_seconds) + ",\"coverage\":" + of_coverage(results.coverage) +
         ",\"ops\":" + array(results.rows, [&](const RowResult& r) { return of_row(program, options, r); }) + "}\n";
}

}  // namespace gradcheck_ops
