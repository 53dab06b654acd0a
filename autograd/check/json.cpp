// A gradient check's report for tools.
#include <cmath>

#include "tapegrad/autograd/check/gradcheck.h"
#include "tapegrad/core/quote.h"

namespace tapegrad {
namespace {

// JSON knows neither NaN nor infinity: they go as strings.
std::string written(double x) {
  if (std::isfinite(x)) return json_number(x, 17);
  return std::isnan(x) ? "\"nan\"" : x > 0 ? "\"inf\"" : "\"-inf\"";
}

std::string written(const GradcheckFinding& f) {
  return "{\"check\": " + json_quoted(f.check) + ", \"output\": " + std::to_string(f.output) +
         ", \"input\": " + std::to_string(f.input) + ", \"analytic\": " + written(f.analytic) +
         ", \"numeric\": " + written(f.numeric) + ", \"bound\": " + written(f.bound) +
         ", \"cause\": " + json_quoted(f.cause) + ", \"culprit\": " + json_quoted(f.culprit) +
         ", \"where\": " + json_quoted(f.where) + ", \"text\": " + json_quoted(f.text) + "}";
}

std::string written(const GradcheckDirections& d) {
  return "{\"input\": " + json_quoted(d.input) + ", \"rounds\": " + std::to_string(d.rounds) +
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
         ", \"notes\": " + list(notes, [](const std::string& note) { return json_quoted(note); }) + "}";
}

}  // namespace tapegrad
