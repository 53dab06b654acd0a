// What a gradient check says: the worst entries of a block, and the report as text.
#include <algorithm>
#include <cmath>

#include "tapegrad/autograd/check/system.h"

namespace tapegrad {
namespace check {
namespace {

constexpr size_t kShown = 5;

std::string entry_name(const Block& b, size_t e) {
  const auto n = static_cast<size_t>(std::max<int64_t>(1, numel_of(b.in_sizes, "gradcheck")));
  return b.what + " " + b.out_name + position(static_cast<int64_t>(e / n), b.out_sizes) + " / d " + b.in_name +
         position(static_cast<int64_t>(e % n), b.in_sizes);
}

std::string values_line(const Block& b, size_t e) {
  return "analytic " + number(b.analytic[e]) + "   numeric " + number(b.numeric[e]) + "  (error bound " +
         number(b.bound[e]) + ", h = " + number(b.step[e]) + ", " + std::to_string(b.evaluations[e]) + " evaluations)";
}

}  // namespace

GradcheckFinding describe(const Block& b, int64_t output, int64_t input) {
  std::vector<size_t> wrong;
  for (size_t e = 0; e < b.wrong.size(); ++e) {
    if (b.wrong[e]) wrong.push_back(e);
  }
  const auto off = [&](size_t e) {
    const double d = std::abs(b.analytic[e] - b.numeric[e]);
    return std::isnan(d) ? INFINITY : d;
  };
  std::stable_sort(wrong.begin(), wrong.end(), [&](size_t a, size_t c) { return off(a) > off(c); });
  const size_t worst = wrong.front();
  GradcheckFinding f;
  f.check = b.check;
  f.output = output;
  f.input = input;
  f.analytic = b.analytic[worst];
  f.numeric = b.numeric[worst];
  f.bound = b.bound[worst];
  f.cause = b.at_kinks == wrong.size() ? b.kink : cause_of(b);
  f.text = "gradcheck: " + entry_name(b, worst) + " is wrong\n  " + values_line(b, worst) + "\n  ratio    " +
           number(f.analytic / f.numeric) + "   " + std::to_string(wrong.size()) + " of " +
           std::to_string(std::count(b.checked.begin(), b.checked.end(), true)) + " checked entries of " + b.in_name +
           " wrong";
  for (size_t i = 1; i < std::min(kShown, wrong.size()); ++i)
    f.text += "\n  also     " + entry_name(b, wrong[i]) + ": " + values_line(b, wrong[i]);
  return f;
}

}  // namespace check

std::string GradcheckReport::text() const {
  std::string text = loosened ? "LOOSENED: rtol and atol are set\n" : "";
  if (ok())
    text += "gradcheck: passed, " + std::to_string(checked) + " entries and directions, " +
            std::to_string(evaluations) + " evaluations";
  for (const GradcheckFinding& f : findings) text += (&f == findings.data() ? "" : "\n") + f.text;
  for (const GradcheckDirections& d : directions) {
    text += "\n  note     " + d.input + ": " + std::to_string(d.rounds) + " random directions through " +
            std::to_string(d.entries) + " entries; an error e in one of them is missed with a chance of at most (" +
            check::number(d.threshold) + " / e)^" + std::to_string(d.rounds);
  }
  for (const std::string& note : notes) text += "\n  note     " + note;
  return text;
}

GradcheckError::GradcheckError(GradcheckReport report) : Error(report.text()), report_(std::move(report)) {}
GradcheckError::~GradcheckError() = default;

}  // namespace tapegrad
