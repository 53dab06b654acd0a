// Two result files, row by row: bench_compare OLD NEW [--effect SHARE] [--alpha P]. Exit status 1 when a row of tapegrad is slower.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "report/compare.h"

namespace {

[[noreturn]] void usage() {
  std::fprintf(stderr, "usage: bench_compare OLD NEW [--effect SHARE] [--alpha P]\n");
  std::exit(2);
}

double share(const char* text) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value > 0 && value < 1)) usage();
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) usage();
  bench::CompareOptions options;
  for (int i = 3; i < argc; i += 2) {
    const std::string option = argv[i];
    if (i + 1 == argc || (option != "--effect" && option != "--alpha")) usage();
    (option == "--effect" ? options.effect : options.alpha) = share(argv[i + 1]);
  }
  try {
    const bench::Comparison all = bench::compare(bench::read_results(argv[1]), bench::read_results(argv[2]), options);
    std::printf("%s", all.text().c_str());
    if (all.rows.empty()) std::fprintf(stderr, "bench_compare: the two runs have no row in common\n");
    return all.exit_status();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_compare: %s\n", e.what());
    return 2;
  }
}
