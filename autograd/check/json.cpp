// A gradient check's report for tools.
#include <cmath>
#include <cstdio>

#include "tapegrad/autograd/check/gradcheck.h"

namespace tapegrad {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// JSON knows neither NaN nor infinity: they go as strings.
std::string written(double x) {
  char text[40];
  std::snprintf(text, sizeof text, std::isfinite(x) ? "%.17g" : "\"%g\"", x);
  return text;
}

std::string written(const GradcheckFinding& f) {
  return "{\"check\": " + quoted(f.check) + ", \"output\": " + std::to_string(f.output) +
         ", \"input\": " + std::to_string(f.input) + ", \"analytic\": " + written(f.analytic) +
         ", \"numeric\": " + written(f.numeric) + ", \"bound\": " + written(f.bound) +
         ", \"cause\": " + quoted(f.cause) + ", \"culprit\": " + quoted(f.culprit) + ", \"where\": " + quoted(f.where) +
         ", \"text\": " + quoted(f.text) + "}";
}

std::string written(const GradcheckDirections& d) {
  return "{\"input\": " + quoted(d.input) + ", \"rounds\": " + std::to_string(d.rounds) +
         ", \"entries\": " + std::to_string(d.entries) + ", \"threshold\": " + written(d.threshold) + "}";
}

template <class T, class F> std::string list(const std::vector<T>& all, F one) {
  std::string text = "[";
  for (const T& element : all) text += (&element == all.data() ? "" : ", ") + one(element);
  return text + "]";
}

}  // namespace

std::string GradcheckReport::json() const {
  return std::string("{\"ok\": ") + (ok() ? "true" : "false") + ", \"loosened\": " + (loosened ? "true" : "false") +
         ", \"checked\": " + std::to_string(checked) + ", \"evaluations\": " + std::to_string(evaluations) +
         ", \"findings\": " + list(findings, [](const GradcheckFinding& f) { return written(f); }) +
         ", \"directions\": " + list(directions, [](const GradcheckDirections& d) { return written(d); }) +
         ", \"notes\": " + list(notes, [](const std::string& note) { return quoted(note); }) + "}";
}

}  // namespace tapegrad
