// The table on the terminal: a line per op, a column per property, failures with the command that repeats them.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "report.h"

namespace gradcheck_ops {
namespace {

constexpr size_t kShown = 3;       // findings of one property of one op
constexpr size_t kHeadEvery = 50;  // rows under one head

std::string indented(const std::string& text, const std::string& indent) {
  std::string out = indent;
  for (char c : text) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

const char* mark(const std::optional<Outcome>& outcome) {
  if (!outcome) return " ";
  return !outcome->found.empty() ? "F" : outcome->checks == 0 ? "-" : ".";
}

}  // namespace

bool RowResult::complete() const {
  return std::all_of(outcomes.begin(), outcomes.end(), [](const auto& o) { return o.has_value(); });
}
bool RowResult::ok() const {
  return std::all_of(outcomes.begin(), outcomes.end(), [](const auto& o) { return !o || o->found.empty(); });
}
int64_t RowResult::checks() const {
  int64_t sum = 0;
  for (const auto& o : outcomes) sum += o ? o->checks : 0;
  return sum;
}
double RowResult::seconds() const {
  double sum = 0;
  for (const auto& o : outcomes) sum += o ? o->seconds : 0;
  return sum;
}

bool Results::ok() const {
  return std::all_of(rows.begin(), rows.end(), [](const RowResult& r) { return r.complete() && r.ok(); }) &&
         (!coverage || (coverage->missing.empty() && coverage->problem.empty()));
}

std::string repro(const std::string& program, const std::string& op, const std::string& property, uint64_t seed) {
  return program + (op.empty() ? "" : " --op " + op) + " --property " + property + " --seed " + std::to_string(seed);
}

Table::Table(const std::string& program, const Options& options, std::FILE* out)
    : program_(program), options_(options), out_(out), terminal_(isatty(fileno(out)) != 0) {}

// The names of the properties stand upright over their columns.
void Table::head() {
  size_t height = 0;
  for (const Property* p : options_.properties) height = std::max(height, std::strlen(p->name));
  for (size_t y = 0; y < height; ++y) {
    std::string text = y + 1 == height ? "op                        cases  checks  " : std::string(41, ' ');
    for (const Property* p : options_.properties) {
      const size_t blank = height - std::strlen(p->name);
      text += y < blank ? ' ' : p->name[y - blank];
      text += ' ';
    }
    if (y + 1 == height) text += "  seconds";
    text.erase(text.find_last_not_of(' ') + 1);
    std::fprintf(out_, "%s\n", text.c_str());
  }
}

void Table::line(const RowResult& result) {
  if (printed_ % kHeadEvery == 0) head();
  std::string marks;
  for (const auto& o : result.outcomes) marks += std::string(mark(o)) + " ";
  std::fprintf(out_, "%-24s %6zu %7lld  %s %8.2f\n", result.row->name.c_str(), result.row->cases.size(),
               static_cast<long long>(result.checks()), marks.c_str(), result.seconds());
  failures(result);
}

void Table::failures(const RowResult& result) {
  for (size_t k = 0; k < result.outcomes.size(); ++k) {
    const auto& found = result.outcomes[k]->found;
    if (found.empty()) continue;
    for (size_t i = 0; i < std::min(found.size(), kShown); ++i) {
      std::string where = found[i].what.empty() ? "" : ", case " + found[i].what;
      if (!found[i].variant.empty()) where += ", " + found[i].variant;
      std::fprintf(out_, "  FAILED %s: %s%s\n%s\n", result.row->name.c_str(), options_.properties[k]->name,
                   where.c_str(), indented(found[i].text, "    ").c_str());
    }
    if (found.size() > kShown) std::fprintf(out_, "    and %zu more\n", found.size() - kShown);
    std::fprintf(out_, "    repro    %s\n",
                 repro(program_, result.row->name, options_.properties[k]->name, options_.seed).c_str());
  }
}

void Table::progress(const Results& results) {
  size_t done = 0, all = 0;
  for (const RowResult& r : results.rows) {
    all += r.outcomes.size();
    for (const auto& o : r.outcomes) done += o.has_value();
  }
  std::fprintf(out_, "\r%zu of %zu checked\r", done, all);
}

void Table::update(const Results& results) {
  for (; printed_ < results.rows.size() && results.rows[printed_].complete(); ++printed_) line(results.rows[printed_]);
  if (terminal_) progress(results);
  std::fflush(out_);
}

void Table::finish(const Results& results) {
  size_t cases = 0, checks = 0, failed = 0;
  for (const RowResult& r : results.rows) {
    cases += r.row->cases.size();
    checks += static_cast<size_t>(r.checks());
    failed += !r.ok();
  }
  if (!results.rows.empty() && !options_.properties.empty())
    std::fprintf(out_, "\n. holds   F fails   - nothing to check\n");
  if (results.coverage) {
    const Coverage& c = *results.coverage;
    if (!c.problem.empty()) std::fprintf(out_, "FAILED coverage: %s\n", c.problem.c_str());
    for (const std::string& name : c.missing)
      std::fprintf(out_, "FAILED coverage: %s is exported and has no row in tests/op_cases*.cpp\n", name.c_str());
    if (!c.possible) std::fprintf(out_, "coverage: not checked, a static library exports nothing to compare with\n");
    else if (c.missing.empty() && c.problem.empty())
      std::fprintf(out_, "coverage: every one of %zu exported functions of tensors has a row or needs none\n",
                   c.exported);
    else std::fprintf(out_, "    repro    %s\n", repro(program_, "", "coverage", options_.seed).c_str());
  }
  for (const RowResult& r : results.rows) {
    for (size_t k = 0; k < r.outcomes.size(); ++k) {
      if (r.outcomes[k]->found.empty()) continue;
      std::fprintf(out_, "FAILED %s\n",
                   repro(program_, r.row->name, options_.properties[k]->name, options_.seed).c_str());
    }
  }
  std::fprintf(out_, "%s: %zu ops, %zu cases, %zu checks, %zu ops failed, seed %llu; %.1f s, %.1f s of CPU\n",
               results.ok() ? "passed" : "FAILED", results.rows.size(), cases, checks, failed,
               static_cast<unsigned long long>(options_.seed), results.wall_seconds, results.cpu_seconds);
}

}  // namespace gradcheck_ops
