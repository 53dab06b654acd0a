// Analytic against numerical derivatives: every entry of a small Jacobian, random directions through a large one.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tapegrad/autograd/check/system.h"
#include "tapegrad/core/copy.h"

namespace tapegrad::check {
namespace {

constexpr size_t kSuspects = 4;   // wrong entries that a direction is bisected for
constexpr size_t kWidened = 128;  // entries looked at beside them
constexpr int kNudges = 4;        // of the inputs, by last bits, to see how well a gradient is known

// x of the system with room for one input to move: at(t) is the values at x + t d.
class Moved {
 public:
  Moved(const System& s, size_t input) : s_(s), x_(s.x) {
    x_[input] = clone_of(s.x[input]);
    moving_ = x_[input];
    base_ = values_of(moving_);
  }
  bool element(size_t j, double t, Values& f) {
    Values v = base_;
    v[j] += t;
    return set(v, f);
  }
  bool along(const Values& d, double t, Values& f) {
    Values v = base_;
    for (size_t j = 0; j < v.size(); ++j) v[j] += t * d[j];
    return set(v, f);
  }
  const Values& base() const { return base_; }

 private:
  bool set(const Values& v, Values& f) {
    copy(moving_, tensor_of(v, moving_));
    try {
      return s_.eval(x_, f);
    } catch (const std::exception&) { return false; }
  }
  const System& s_;
  Tensors x_;
  Tensor moving_;
  Values base_;
};

class Numeric {
 public:
  Numeric(Problem& p, System& s) : p_(p), s_(s), draws_(p.options.seed + 2) {
    for (const Shape& sizes : s.outputs) {
      first_.push_back(outputs_);
      outputs_ += numel_of(sizes, "gradcheck");
    }
  }
  void run() {
    if (outputs_ == 0) return;
    for (size_t k = 0; k < s_.x.size(); ++k) {
      const int64_t n = s_.x[k].numel();
      if (n == 0) continue;
      if (!s_.probes_only && n * outputs_ <= p_.options.full_limit) full(k);
      else probe(k);
    }
  }

 private:
  bool linear(size_t k) const {
    const auto& list = p_.options.linear_in;
    return std::find(list.begin(), list.end(), s_.x_index[k]) != list.end();
  }
  bool movable(size_t k, size_t j, double x);
  bool rounded(size_t k, size_t i, size_t j, double analytic, const Verdict& v);
  void full(size_t k);
  Values weighted_rows(size_t k, const Values& w);
  void probe(size_t k);
  bool accept(Verdict& v, double analytic, const std::string& where);
  // One round of random weights over an input too large to check entry by entry.
  struct Probe {
    size_t k;
    Moved& moved;
    const Values& w;
    Block block;
    size_t guilty = 0;
    double threshold = 0;  // smallest error that a direction is sure to show
  };
  void try_element(Probe& probe, size_t j);
  void bisect(Probe& probe, const Values& d, const std::vector<size_t>& support);
  void widen(Probe& probe);
  Verdict along(size_t k, Moved& moved, const Values& w, const Values& d, double analytic, double terms, bool single,
                size_t j);

  Problem& p_;
  System& s_;
  Draws draws_;
  int64_t outputs_ = 0;
  std::vector<int64_t> first_;  // of each output among all
};

// Whether the verdict is fine after all, by the policy for kinks or the classical criterion; notes what was met.
bool Numeric::accept(Verdict& v, double analytic, const std::string& where) {
  if (v.judgement != Judgement::inconclusive) ++p_.report.checked;
  switch (v.judgement) {
    case Judgement::pass:
      if (!v.at_kink) return true;
      [[fallthrough]];
    case Judgement::kink:
      if (p_.options.kinks == Kinks::note)
        p_.note("kink at " + where + ": " + number(analytic) + " lies between the slopes " + number(v.low) + " and " +
                number(v.high));
      return p_.options.kinks != Kinks::fail;
    case Judgement::jump: p_.note("jump at " + where + ": there is no derivative"); return true;
    case Judgement::inconclusive:
      p_.note("no verdict at " + where + ": no step gives a credible difference");
      return true;
    case Judgement::wrong: break;
  }
  if (!p_.options.rtol && !p_.options.atol) return false;
  return std::abs(analytic - v.numeric) <=
         p_.options.atol.value_or(0) + p_.options.rtol.value_or(0) * std::abs(v.numeric);
}

void note_kink(Block& b, const std::string& where, const Verdict& v) {
  if (!(v.low < v.high)) return;
  ++b.at_kinks;
  if (!b.kink.empty()) return;
  b.kink = "kink: at " + where + " the slopes of the two sides are " + number(v.low) + " and " + number(v.high) +
           (v.judgement == Judgement::kink ? ", which options.kinks forbids"
                                           : "; the analytic value is not between them: not a subgradient");
}

// Row i of the Jacobian by x[k], times a weight of either sign, for every i.
Values Numeric::weighted_rows(size_t k, const Values& w) {
  const size_t n = static_cast<size_t>(s_.x[k].numel());
  Values rows(static_cast<size_t>(outputs_) * n);
  for (size_t i = 0; i < static_cast<size_t>(outputs_); ++i) {
    Values one(static_cast<size_t>(outputs_));
    one[i] = w[i];
    const Values g = s_.vjp(one)[k];
    std::copy(g.begin(), g.end(), rows.begin() + static_cast<std::ptrdiff_t>(i * n));
  }
  return rows;
}

// Where one output's derivative by x[j] is infinite, the other rows read 0 * inf.
void excuse_nan(std::vector<Block>& blocks, size_t j, size_t n) {
  for (Block& b : blocks) {
    for (size_t at = j; at < b.wrong.size(); at += n) {
      if (std::isnan(b.analytic[at]) && b.numeric[at] == 0) b.wrong[at] = false;
    }
  }
}

// From an infinity or a NaN no step leads anywhere.
bool Numeric::movable(size_t k, size_t j, double x) {
  if (std::isfinite(x)) return true;
  p_.note("no verdict by " + s_.x_names[k] + position(static_cast<int64_t>(j), s_.x[k].sizes()) + ", which is " +
          number(x));
  return false;
}

// Whether a wrong entry is off by the rounding of the analytic value: terms far larger than their sum cancel in it, and it
// moves as much when the inputs do by a few last bits. Never more than a trace of the row's largest entry: at a kink it jumps.
bool Numeric::rounded(size_t k, size_t i, size_t j, double analytic, const Verdict& v) {
  if (!s_.vjp_at || !std::isfinite(v.numeric) || !std::isfinite(analytic)) return false;
  Values one(static_cast<size_t>(outputs_));
  one[i] = 1;
  double moved = 0, largest = 0;
  for (int nudge = 0; nudge < kNudges; ++nudge) {
    Tensors x;
    for (const Tensor& at : s_.x) {
      Values near = values_of(at);
      for (double& e : near) e *= 1 + s_.eps * draws_.uniform(-4, 4);
      x.push_back(tensor_of(near, at));
    }
    std::vector<Values> row;
    try {
      row = s_.vjp_at(x, one);
    } catch (const Error&) { return false; }
    moved = std::max(moved, std::abs(row[k][j] - analytic));
    for (const Values& by : row) {
      for (double g : by) largest = std::max(largest, std::abs(g));
    }
  }
  return std::abs(analytic - v.numeric) <= 10 * v.bound + std::min(10 * moved, 1e-11 * largest);
}

void Numeric::full(size_t k) {
  Values w(static_cast<size_t>(outputs_));
  for (double& e : w) e = draws_.weight();
  const Values rows = weighted_rows(k, w);
  const size_t n = static_cast<size_t>(s_.x[k].numel());
  std::vector<Block> blocks;
  for (size_t o = 0; o < s_.outputs.size(); ++o) {
    const size_t entries = static_cast<size_t>(numel_of(s_.outputs[o], "gradcheck")) * n;
    blocks.push_back({&p_, s_.check, s_.what, s_.y_names[o], s_.x_names[k], s_.outputs[o], s_.x[k].sizes(),
                      Values(entries), Values(entries), Values(entries), Values(entries), std::vector<int>(entries),
                      std::vector<bool>(entries), std::vector<bool>(entries)});
  }
  Moved moved(s_, k);
  Values centre;
  const bool centred = s_.eval(s_.x, centre);
  for (size_t j = 0; j < n; ++j) {
    const double x = moved.base()[j];
    if (!movable(k, j, x)) continue;
    Ladder ladder({[&, j](double t, Values& f) { return moved.element(j, t, f); },
                   [x](double t) { return (x + t) - (x - t); }, std::max(std::abs(x), 1e-3), 0, s_.eps, linear(k)});
    if (centred) ladder.set_centre(centre);
    bool infinite = false;  // some derivative by x[j] does not exist
    for (size_t o = 0; o < blocks.size(); ++o) {
      Block& b = blocks[o];
      const size_t count = b.analytic.size() / n;
      for (size_t i = 0; i < count; ++i) {
        const size_t all = static_cast<size_t>(first_[o]) + i;
        const size_t at = i * n + j;
        const double analytic = rows[all * n + j] / w[all];
        Verdict v = ladder.judge(all, analytic, std::abs(analytic));
        if (v.judgement == Judgement::wrong && rounded(k, all, j, analytic, v)) v.judgement = Judgement::pass;
        const std::string where = s_.what + " " + b.out_name + position(static_cast<int64_t>(i), b.out_sizes) +
                                  " / d " + b.in_name + position(static_cast<int64_t>(j), b.in_sizes);
        b.wrong[at] = !accept(v, analytic, where);
        if (b.wrong[at]) note_kink(b, where, v);
        infinite = infinite || v.judgement == Judgement::inconclusive;
        b.checked[at] = v.judgement != Judgement::inconclusive;
        b.analytic[at] = analytic, b.numeric[at] = v.numeric, b.bound[at] = v.bound, b.step[at] = v.step;
        b.evaluations[at] = v.evaluations;
      }
    }
    if (infinite) excuse_nan(blocks, j, n);
  }
  for (size_t o = 0; o < blocks.size(); ++o) {
    if (std::find(blocks[o].wrong.begin(), blocks[o].wrong.end(), true) == blocks[o].wrong.end()) continue;
    p_.report.findings.push_back(describe(blocks[o], s_.y_index[o], s_.x_index[k]));
  }
}

// The derivative of <w, f> along d (or by element j alone).
Verdict Numeric::along(size_t k, Moved& moved, const Values& w, const Values& d, double analytic, double terms,
                       bool single, size_t j) {
  double size = 1e-3;
  double input_noise = 0;  // x + t d is rounded, element by element
  for (size_t e = 0; e < d.size(); ++e) {
    if (d[e] != 0) size = std::max(size, std::abs(moved.base()[e]));
  }
  if (!single) input_noise = s_.eps * terms * size;
  Ladder ladder({[&](double t, Values& f) {
                   Values all;
                   if (!(single ? moved.element(j, t, all) : moved.along(d, t, all))) return false;
                   long double sum = 0;
                   for (size_t i = 0; i < all.size(); ++i) {
                     if (w[i] != 0) sum += static_cast<long double>(w[i]) * all[i];
                   }
                   f.assign(1, static_cast<double>(sum));
                   return true;
                 },
                 [&, j](double t) {
                   const double x = single ? moved.base()[j] : 0;
                   return (x + t) - (x - t);
                 },
                 size, 0, s_.eps, linear(k)});
  Values centre;
  if (s_.eval(s_.x, centre)) {
    double squares = 0;
    long double sum = 0;
    for (size_t i = 0; i < centre.size(); ++i) {
      if (w[i] == 0) continue;
      squares += w[i] * w[i] * centre[i] * centre[i];
      sum += static_cast<long double>(w[i]) * centre[i];
    }
    ladder.set_noise(std::max(input_noise, s_.eps * std::sqrt(squares)));
    ladder.set_centre({static_cast<double>(sum)});
  }
  return ladder.judge(0, analytic, terms);
}

// Holds one element's derivative of <w, f> against its differences.
void Numeric::try_element(Probe& probe, size_t j) {
  Block& b = probe.block;
  if (b.checked[j] || b.wrong[j] || !std::isfinite(probe.moved.base()[j])) return;
  Values d(b.analytic.size());
  d[j] = 1;
  const double analytic = b.analytic[j];
  Verdict v = along(probe.k, probe.moved, probe.w, d, analytic, std::abs(analytic), true, j);
  const std::string where = s_.what + " <w, f> / d " + b.in_name + position(static_cast<int64_t>(j), b.in_sizes);
  b.wrong[j] = !accept(v, analytic, where);
  if (b.wrong[j]) note_kink(b, where, v);
  b.checked[j] = v.judgement != Judgement::inconclusive;
  b.numeric[j] = v.numeric, b.bound[j] = v.bound, b.step[j] = v.step, b.evaluations[j] = v.evaluations;
  probe.guilty += b.wrong[j];
  // At a kink every slope between those of the sides is accepted.
  if (v.low < v.high) probe.threshold = std::max(probe.threshold, v.high - v.low);
  else if (b.checked[j]) probe.threshold = std::max(probe.threshold, 10 * v.bound + 1e-11 * std::abs(analytic));
}

// Halves a wrong direction until single elements are left.
void Numeric::bisect(Probe& probe, const Values& d, const std::vector<size_t>& support) {
  if (probe.guilty >= kSuspects || support.empty()) return;
  if (support.size() == 1) return try_element(probe, support[0]);
  Values part(d.size());
  double analytic = 0, terms = 0;
  for (size_t j : support) {
    part[j] = d[j];
    analytic += probe.block.analytic[j] * d[j];
    terms += std::abs(probe.block.analytic[j] * d[j]);
  }
  const Verdict v = along(probe.k, probe.moved, probe.w, part, analytic, terms, false, 0);
  if (v.judgement == Judgement::pass && !(v.at_kink && p_.options.kinks == Kinks::fail)) {
    if (v.at_kink && p_.options.kinks == Kinks::note)
      p_.note("kink on a direction through " + probe.block.in_name + ", passed by the mean of the slopes at its sides");
    ++p_.report.checked;
    probe.threshold = std::max(probe.threshold, 10 * v.bound + 1e-11 * terms);
    return;
  }
  const auto middle = support.begin() + static_cast<std::ptrdiff_t>(support.size() / 2);
  bisect(probe, d, {support.begin(), middle});
  bisect(probe, d, {middle, support.end()});
}

// More entries around a wrong one, so that the cause can be read from them.
void Numeric::widen(Probe& probe) {
  const size_t n = probe.block.analytic.size();
  for (size_t j = 0; j < n; ++j) {
    if (n <= kWidened || j < kWidened / 4 || j + kWidened / 4 >= n) try_element(probe, j);
  }
  for (size_t i = 0; n > kWidened && i < kWidened / 2; ++i)
    try_element(probe, static_cast<size_t>(draws_.uniform(0, static_cast<double>(n))));
}

void Numeric::probe(size_t k) {
  Moved moved(s_, k);
  Values centre;
  if (!s_.eval(s_.x, centre)) return;
  const size_t n = static_cast<size_t>(s_.x[k].numel());
  const std::string out = "<w, " + (s_.y_names.size() == 1 ? s_.y_names[0] : std::string("out")) + ">";
  double threshold = 0;
  for (int round = 0; round < p_.options.probes; ++round) {
    Values w(static_cast<size_t>(outputs_));
    for (size_t i = 0; i < w.size(); ++i) {
      w[i] = draws_.weight();
      if (std::isfinite(centre[i])) continue;
      w[i] = 0;
      p_.note("outputs that are not finite are left out of " + s_.x_names[k] + "'s directions");
    }
    // Weights, not signs: errors in several entries must not be able to cancel.
    Values d(n);
    for (size_t j = 0; j < n; ++j) d[j] = movable(k, j, moved.base()[j]) ? draws_.weight() : 0;
    Probe probe{k,
                moved,
                w,
                {&p_,
                 s_.check,
                 s_.what,
                 out,
                 s_.x_names[k],
                 {},
                 s_.x[k].sizes(),
                 s_.vjp(w)[k],
                 Values(n),
                 Values(n),
                 Values(n),
                 std::vector<int>(n),
                 std::vector<bool>(n),
                 std::vector<bool>(n)}};
    std::vector<size_t> support(n);
    std::iota(support.begin(), support.end(), 0);
    support.erase(std::remove_if(support.begin(), support.end(), [&](size_t j) { return d[j] == 0; }), support.end());
    bisect(probe, d, support);
    threshold = std::max(threshold, probe.threshold);
    if (probe.guilty == 0) continue;
    widen(probe);
    p_.report.findings.push_back(describe(probe.block, -1, s_.x_index[k]));
    return;
  }
  p_.report.directions.push_back(
      {s_.what + " <w, f> / d " + s_.x_names[k], p_.options.probes, static_cast<int64_t>(n), threshold});
}

}  // namespace

void check_numeric(Problem& p, System& s) {
  try {
    Numeric(p, s).run();
  } catch (const Error& e) { p.find("backward throws", e.what()); }
}

}  // namespace tapegrad::check
