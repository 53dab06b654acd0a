// gradcheck_ops from the command line to the exit status.
#include "program.h"

#include <sys/resource.h>

#include <chrono>
#include <fstream>

#include "op_coverage.h"
#include "report.h"
#include "tapegrad/core/parallel.h"

namespace gradcheck_ops {
namespace {

double cpu_seconds() {
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    for (const timeval& t : {usage.ru_utime, usage.ru_stime})
      sum += static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  }
  return sum;
}

Coverage coverage(const std::vector<Row>& rows) {
  Coverage result;
#ifdef TAPEGRAD_LIBRARY
  try {
    const std::set<std::string> exported = op_cases::exported_ops(TAPEGRAD_LIBRARY);
    result.exported = exported.size();
    result.missing = op_cases::without_row(exported, rows);
    if (exported.empty()) result.problem = "no exported op found in " TAPEGRAD_LIBRARY;
  } catch (const std::exception& e) { result.problem = e.what(); }
#else
  (void)rows;
  result.possible = false;
#endif
  return result;
}

void list(const std::vector<Row>& rows) {
  std::puts("properties");
  for (const Property& p : op_properties::properties()) std::printf("  %-10s %s\n", p.name, p.meaning);
  std::printf("  %-10s %s\n\nops\n", "coverage", "every exported op has a row");
  for (const Row& row : rows) std::printf("  %-24s %zu cases\n", row.name.c_str(), row.cases.size());
}

Results check_all(const std::string& program, const Options& options, std::FILE* out) {
  Results results;
  const size_t width = options.properties.size();
  for (const Row* row : options.rows) results.rows.push_back({row, std::vector<std::optional<Outcome>>(width)});
  Table table(program, options, out);
  const auto work = [&](size_t i) {
    tapegrad::set_num_threads(1);
    const op_properties::Findings findings =
        op_properties::check(*options.properties[i % width], *options.rows[i / width], options.seed);
    return Outcome{findings.checks(), 0, findings.found()};
  };
  const auto done = [&](size_t i, Outcome outcome) {
    results.rows[i / width].outcomes[i % width] = std::move(outcome);
    table.update(results);
  };
  const auto start = std::chrono::steady_clock::now();
  if (width > 0) run_in_processes(options.rows.size() * width, options.processes, work, done);
  results.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return results;
}

int check_and_report(const std::string& program, const Options& options, const std::vector<Row>& rows) {
  const bool to_stdout = options.json == "-";
  std::ofstream file;
  if (!options.json.empty() && !to_stdout) {
    file.open(options.json);
    if (!file) throw UsageError("--json: cannot write " + options.json);
  }
  std::FILE* out = to_stdout ? stderr : stdout;
  Results results = check_all(program, options, out);
  if (options.coverage) results.coverage = coverage(rows);
  results.cpu_seconds = cpu_seconds();
  Table(program, options, out).finish(results);
  if (options.json.empty()) return results.ok() ? 0 : 1;
  const std::string text = json(program, options, results);
  const bool written = to_stdout ? std::fputs(text.c_str(), stdout) >= 0 : !(file << text).flush().fail();
  if (!written) throw std::runtime_error("--json: cannot write " + options.json);
  return results.ok() ? 0 : 1;
}

}  // namespace

int run(int argc, char** argv, const std::vector<Row>& rows) {
  std::string program = argc > 0 ? argv[0] : "gradcheck_ops";
  program.erase(0, program.find_last_of('/') + 1);
  try {
    const Options options = parse(argc, argv, rows);
    if (options.help) return std::fputs(usage(program).c_str(), stdout) < 0;
    if (options.list) return list(rows), 0;
    return check_and_report(program, options, rows);
  } catch (const UsageError& e) {
    std::fprintf(stderr, "%s: %s\n%s --help shows the options\n", program.c_str(), e.what(), program.c_str());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), e.what());
    return 1;
  }
}

}  // namespace gradcheck_ops
