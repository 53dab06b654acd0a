// The likely cause of wrong entries, read from how far and where they are off: one test after the other, sharpest first.
#include <algorithm>
#include <cmath>

#include "tapegrad/autograd/check/system.h"

namespace tapegrad::check {
namespace {

constexpr int64_t kLongestTail = 15;  // elements behind the last whole vector

bool close(double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b)); }
bool near(double a, double b) { return std::abs(a - b) <= 1e-6 * (1 + std::abs(a)); }

// The block as a matrix: a row for each element of the output, a column for each of the input.
class Pattern {
 public:
  explicit Pattern(const Block& b)
      : b_(b), n_(static_cast<size_t>(std::max<int64_t>(1, numel_of(b.in_sizes, "gradcheck")))) {
    for (size_t e = 0; e < b.wrong.size(); ++e) {
      if (b.wrong[e]) wrong_.push_back(e);
      if (b.checked[e]) checked_.push_back(e);
    }
  }
  std::string cause() const;

 private:
  bool only_wrong_is(double value) const {
    return std::all_of(wrong_.begin(), wrong_.end(), [&](size_t e) { return b_.analytic[e] == value; });
  }
  // Entries with a derivative that came out right.
  template <class F> bool some_right(F where) const {
    return std::any_of(checked_.begin(), checked_.end(),
                       [&](size_t e) { return !b_.wrong[e] && b_.numeric[e] != 0 && where(e); });
  }
  // Off by less than what tells one value from another.
  bool none_clearly_off() const {
    return std::all_of(wrong_.begin(), wrong_.end(), [&](size_t e) { return near(b_.analytic[e], b_.numeric[e]); });
  }
  std::string not_a_number() const;
  std::string zero() const;
  std::string constant_ratio() const;
  std::string of_ratio(double ratio) const;
  std::string slight() const;
  std::string tail() const;
  std::string first_only(const Shape& sizes, const std::string& name, bool output) const;
  bool moved(size_t (*from)(size_t j, size_t rows, size_t cols), size_t rows, size_t cols) const;
  std::string transposed() const;
  std::string shifted() const;
  std::string permuted() const;
  std::string missing_term() const;
  std::string single() const;

  const Block& b_;
  size_t n_;
  std::vector<size_t> wrong_, checked_;
};

std::string Pattern::not_a_number() const {
  for (size_t e : wrong_) {
    if (!std::isnan(b_.analytic[e])) return "";
  }
  return "NaN where the derivative is finite: 0 * inf behind a mask?";
}

std::string Pattern::zero() const {
  if (!only_wrong_is(0) || some_right([](size_t) { return true; })) return "";
  return "zero: the gradient does not arrive (detached, recorded without grad, or returned as undefined by a rule)";
}

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

std::string Pattern::of_ratio(double ratio) const {
  if (close(ratio, -1)) return "sign: analytic = -numeric for every wrong entry";
  for (const auto& [n, name] : extents(b_)) {
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

std::string Pattern::constant_ratio() const {
  double ratio = 0, error = INFINITY;  // that of the entry whose numeric value is known best
  for (size_t e : wrong_) {
    if (b_.numeric[e] == 0 || b_.analytic[e] == 0) return "";
    const double relative = b_.bound[e] / std::abs(b_.numeric[e]);
    if (relative < error) ratio = b_.analytic[e] / b_.numeric[e], error = relative;
  }
  for (size_t e : wrong_) {
    // As far as the numeric value is known.
    const double known = 1e-5 * std::abs(ratio - 1) + 10 * (b_.bound[e] / std::abs(b_.numeric[e]) + error);
    if (!(std::abs(b_.analytic[e] / b_.numeric[e] - ratio) <= known)) return "";
  }
  if (wrong_.size() == 1 && some_right([](size_t) { return true; }) && !close(ratio, -1) && !close(ratio, 2)) return "";
  return of_ratio(ratio);
}

std::string Pattern::slight() const {
  if (!std::all_of(wrong_.begin(), wrong_.end(), [&](size_t e) { return close(b_.analytic[e], b_.numeric[e]); }))
    return "";
  return "precision: right to a millionth and no further: a float32 constant or kernel in a float64 path?";
}

std::string Pattern::tail() const {
  size_t first = n_;
  for (size_t e : wrong_) first = std::min(first, e % n_);
  const auto length = static_cast<int64_t>(n_ - first);
  if (first == 0 || length > kLongestTail || !some_right([&](size_t e) { return e % n_ < first; })) return "";
  const bool some_right_behind = some_right([&](size_t e) { return e % n_ >= first; });
  if (some_right_behind) return "";
  return "tail: only the last " + std::to_string(length) + " of " + std::to_string(n_) + " elements of " + b_.in_name +
         " are wrong, as when what is left over after whole vectors is forgotten";
}

// Right at index 0 of a dim, wrong behind.
std::string Pattern::first_only(const Shape& sizes, const std::string& name, bool output) const {
  int64_t inner = numel_of(sizes, "gradcheck");
  for (int64_t d = 0; d < sizes.size(); ++d) {
    inner /= std::max<int64_t>(1, sizes[d]);
    if (sizes[d] < 2) continue;
    const auto index = [&](size_t e) {
      return static_cast<int64_t>(output ? e / n_ : e % n_) / std::max<int64_t>(1, inner) % sizes[d];
    };
    if (std::any_of(wrong_.begin(), wrong_.end(), [&](size_t e) { return index(e) == 0; })) continue;
    if (!some_right([&](size_t e) { return index(e) == 0; }) || some_right([&](size_t e) { return index(e) != 0; }))
      continue;
    return "first row only: right at index 0 of dim " + std::to_string(d) + " of " + name +
           ", wrong behind it: a missing sum over that dim?";
  }
  return "";
}

// Whether every checked numeric entry stands, in the analytic row, where `from` says.
bool Pattern::moved(size_t (*from)(size_t, size_t, size_t), size_t rows, size_t cols) const {
  const size_t part = rows * cols;
  if (none_clearly_off()) return false;
  for (size_t e : checked_) {
    const size_t start = e - e % part;
    if (!near(b_.analytic[start + from(e % part, rows, cols)], b_.numeric[e])) return false;
  }
  return true;
}

std::string Pattern::transposed() const {
  const int64_t rank = b_.in_sizes.size();
  if (rank < 2 || b_.in_sizes[rank - 2] < 2 || b_.in_sizes[rank - 1] < 2) return "";
  const auto rows = static_cast<size_t>(b_.in_sizes[rank - 2]);
  const auto cols = static_cast<size_t>(b_.in_sizes[rank - 1]);
  // Element j of [rows, cols] as a position in its [cols, rows] transpose.
  const auto from = [](size_t j, size_t r, size_t c) { return (j % c) * r + j / c; };
  if (!moved(from, rows, cols)) return "";
  return "transposed: the gradient by " + b_.in_name + " has its two last dims swapped";
}

std::string Pattern::shifted() const {
  if (n_ < 2) return "";
  if (moved([](size_t j, size_t, size_t n) { return (j + 1) % n; }, 1, n_))
    return "index: the right values one place too far";
  if (moved([](size_t j, size_t, size_t n) { return (j + n - 1) % n; }, 1, n_))
    return "index: the right values one place too early";
  return "";
}

// Within each row the same values, at other places.
std::string Pattern::permuted() const {
  if (n_ < 2 || checked_.size() != b_.analytic.size() || none_clearly_off()) return "";
  for (size_t start = 0; start < b_.analytic.size(); start += n_) {
    const auto sorted = [&](const Values& v) {
      Values row(v.begin() + static_cast<std::ptrdiff_t>(start), v.begin() + static_cast<std::ptrdiff_t>(start + n_));
      std::sort(row.begin(), row.end());
      return row;
    };
    const Values a = sorted(b_.analytic);
    const Values m = sorted(b_.numeric);
    if (!std::equal(a.begin(), a.end(), m.begin(), near)) return "";
  }
  return "index: the right values at other places";
}

// What is missing is a multiple of another input.
std::string Pattern::missing_term() const {
  if (!b_.problem || wrong_.size() < 2) return "";
  for (size_t i = 0; i < b_.problem->inputs.size(); ++i) {
    const Tensor& x = b_.problem->inputs[i];
    if (!x.defined() || !x.is_floating_point() || x.numel() < 2) continue;
    const Values v = values_of(x);
    for (const bool by_output : {false, true}) {
      if (v.size() != (by_output ? b_.analytic.size() / n_ : n_)) continue;
      double factor = 0;
      bool same = true, first = true;
      for (size_t e : wrong_) {
        const double d = (b_.numeric[e] - b_.analytic[e]) / v[by_output ? e / n_ : e % n_];
        if (std::exchange(first, false)) factor = d;
        same = same && std::isfinite(d) && std::abs(d - factor) <= 1e-5 * std::abs(factor);
      }
      if (same) return "missing term: numeric - analytic is " + number(factor) + " times " + b_.problem->input_name(i);
    }
  }
  return "";
}

std::string Pattern::single() const {
  if (wrong_.size() != 1 || checked_.size() < 2) return "";
  return "one entry alone is wrong: an index, a tail or a mask";
}

std::string Pattern::cause() const {
  for (const std::string& found :
       {not_a_number(), zero(), constant_ratio(), slight(), transposed(), shifted(),
        first_only(b_.out_sizes, b_.out_name, true), first_only(b_.in_sizes, b_.in_name, false), tail(), permuted(),
        missing_term(), single()}) {
    if (!found.empty()) return found;
  }
  return "no simple factor: a missing or a wrong term";
}

}  // namespace

std::string cause_of(const Block& block) { return Pattern(block).cause(); }

}  // namespace tapegrad::check
