// What a gradient check says: the worst entries, and the cause read from where and how they are wrong.
#include <algorithm>
#include <cmath>

#include "tapegrad/autograd/check/system.h"

namespace tapegrad {
namespace check {
namespace {

constexpr size_t kShown = 5;

bool close(double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b)); }

// Extents a wrong factor may come from, with their names.
std::vector<std::pair<int64_t, std::string>> extents(const Block& b) {
  std::vector<std::pair<int64_t, std::string>> found;
  const auto add = [&](const std::string& name, const Shape& sizes) {
    if (sizes.size() > 1) found.emplace_back(numel_of(sizes, "gradcheck"), "the number of elements of " + name);
    for (int64_t d = 0; d < sizes.size(); ++d)
      found.emplace_back(sizes[d], "size " + std::to_string(d) + " of " + name);
  };
  add(b.in_name, b.in_sizes);
  add(b.out_name, b.out_sizes);
  for (size_t i = 0; b.problem && i < b.problem->inputs.size(); ++i) {
    if (b.problem->inputs[i].defined()) add(b.problem->input_name(i), b.problem->inputs[i].sizes());
  }
  return found;
}

std::string cause_of_ratio(const Block& b, double ratio) {
  if (close(ratio, -1)) return "sign: analytic = -numeric for every wrong entry";
  for (const auto& [n, name] : extents(b)) {
    if (n < 3) continue;
    if (close(ratio, static_cast<double>(n)))
      return "factor " + std::to_string(n) + ", " + name +
             ": summed where it should be averaged, or a reduction too many";
    if (close(ratio, 1.0 / static_cast<double>(n)))
      return "factor 1/" + std::to_string(n) + ", " + name +
             ": averaged where it should be summed, or a missing reduction";
  }
  if (std::abs(ratio - 1) <= 1e-6)
    return "factor " + number(ratio) + ": a float32 constant or kernel in a float64 path?";
  return "factor " + number(ratio) + " for every wrong entry";
}

// Each row of the Jacobian block is the other with its two input dims swapped.
bool transposed(const Block& b) {
  if (b.in_sizes.size() != 2 || b.in_sizes[0] < 2 || b.in_sizes[1] < 2) return false;
  const size_t rows = static_cast<size_t>(b.in_sizes[0]);
  const size_t cols = static_cast<size_t>(b.in_sizes[1]);
  const size_t n = rows * cols;
  for (size_t i = 0; i < b.analytic.size() / n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      const size_t swapped = (j % rows) * cols + j / rows;  // j as a position in the [cols, rows] transpose
      if (!b.checked[i * n + swapped]) continue;
      if (std::abs(b.analytic[i * n + j] - b.numeric[i * n + swapped]) > 1e-6 * (1 + std::abs(b.analytic[i * n + j])))
        return false;
    }
  }
  return true;
}

// Within each row the same values, at other places.
bool permuted(const Block& b) {
  const size_t n = static_cast<size_t>(numel_of(b.in_sizes, "gradcheck"));
  for (size_t i = 0; i < b.analytic.size() / n; ++i) {
    Values a(b.analytic.begin() + static_cast<std::ptrdiff_t>(i * n),
             b.analytic.begin() + static_cast<std::ptrdiff_t>((i + 1) * n));
    Values m(b.numeric.begin() + static_cast<std::ptrdiff_t>(i * n),
             b.numeric.begin() + static_cast<std::ptrdiff_t>((i + 1) * n));
    std::sort(a.begin(), a.end());
    std::sort(m.begin(), m.end());
    for (size_t j = 0; j < n; ++j) {
      if (std::abs(a[j] - m[j]) > 1e-6 * (1 + std::abs(a[j]))) return false;
    }
  }
  return n > 1;
}

std::string cause_of(const Block& b, const std::vector<size_t>& wrong) {
  size_t zero = 0, nan = 0, same = 0;
  double ratio = 0;
  bool first = true;
  for (size_t e : wrong) {
    if (std::isnan(b.analytic[e])) ++nan;
    else if (b.analytic[e] == 0) ++zero;
    else if (b.numeric[e] != 0) {
      const double r = b.analytic[e] / b.numeric[e];
      if (first) ratio = r, first = false;
      same += std::abs(r - ratio) <= 1e-5 * std::abs(ratio);
    }
  }
  if (nan == wrong.size()) return "NaN where the derivative is finite: 0 * inf behind a mask?";
  if (zero == wrong.size())
    return "zero: the gradient does not arrive (detached, recorded without grad, or returned as undefined by a rule)";
  const size_t n = static_cast<size_t>(std::max<int64_t>(1, numel_of(b.in_sizes, "gradcheck")));
  const bool whole = b.analytic.size() / n >= 1 && std::count(b.checked.begin(), b.checked.end(), true) > 1;
  if (same == wrong.size() && !(wrong.size() == 1 && whole)) return cause_of_ratio(b, ratio);
  if (whole && transposed(b)) return "transposed: the gradient by " + b.in_name + " has its two dims swapped";
  if (whole && permuted(b)) return "index: the right values at other places";
  if (wrong.size() == 1 && whole) return "one entry alone is wrong: an index, a tail or a mask";
  return "no simple factor: a missing or a wrong term";
}

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
  f.check = "numeric";
  f.output = output;
  f.input = input;
  f.analytic = b.analytic[worst];
  f.numeric = b.numeric[worst];
  f.bound = b.bound[worst];
  f.cause = cause_of(b, wrong);
  f.text = "gradcheck: " + entry_name(b, worst) + " is wrong\n  " + values_line(b, worst) + "\n  ratio    " +
           number(f.analytic / f.numeric) + "   " + std::to_string(wrong.size()) + " of " +
           std::to_string(std::count(b.checked.begin(), b.checked.end(), true)) + " checked entries of " + b.in_name +
           " wrong";
  for (size_t i = 1; i < std::min(kShown, wrong.size()); ++i)
    f.text += "\n  also     " + entry_name(b, wrong[i]) + ": " + values_line(b, wrong[i]);
  f.text += "\n  cause    " + f.cause;
  return f;
}

}  // namespace check

std::string GradcheckReport::text() const {
  std::string text = loosened ? "LOOSENED: rtol and atol are set\n" : "";
  if (ok())
    text += "gradcheck: passed, " + std::to_string(checked) + " entries and directions, " +
            std::to_string(evaluations) + " evaluations";
  for (const GradcheckFinding& f : findings) text += (&f == findings.data() ? "" : "\n") + f.text;
  for (const std::string& note : notes) text += "\n  note     " + note;
  return text;
}

GradcheckError::GradcheckError(GradcheckReport report) : Error(report.text()), report_(std::move(report)) {}
GradcheckError::~GradcheckError() = default;

}  // namespace tapegrad
