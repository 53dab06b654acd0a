// TAPEGRAD_VERBOSE=1 writes a line per launch, on every thread, in replays too; it is read once, so it needs a process.
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

int failures = 0;

void check(bool ok, const std::string& what) {
  if (ok) return;
  ++failures;
  std::printf("failed: %s\n", what.c_str());
}

std::vector<std::string> lines_of(std::FILE* file) {
  std::vector<std::string> lines;
  std::rewind(file);
  char text[1024];
  while (std::fgets(text, sizeof text, file)) lines.emplace_back(text);
  return lines;
}

}  // namespace

int main() {
  setenv("TAPEGRAD_VERBOSE", "1", 1);
  std::FILE* file = std::tmpfile();
  const int saved = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  const Tensor a = ones({4, 3}), b = ones({3, 2});
  const Tensor c = mm(a, b);
  std::thread([&] { (void)exp(c); }).join();
  setenv("TAPEGRAD_VERBOSE", "0", 1);  // too late
  const Program program = capture([&] { return tanh(c) * c; }, {.verify = 0});
  const auto before = static_cast<size_t>(lines_of(file).size());
  std::fseek(file, 0, SEEK_END);
  program();
  Profiler profiler;
  (void)(c + c);
  check(profiler.stop().calls() == 1, "a profiler beside it");
  std::fflush(stderr);
  dup2(saved, STDERR_FILENO);

  const std::vector<std::string> lines = lines_of(file);
  const std::string end = ", tiny, simd [a-z0-9]+, [0-9]+\\.[0-9]{3} us\n";
  const auto matches = [&](size_t i, const std::string& expected) {
    if (i >= lines.size()) return check(false, "line " + std::to_string(i) + " is missing");
    check(std::regex_match(lines[i], std::regex(expected)), "line " + std::to_string(i) + ": " + lines[i]);
  };
  matches(0, "tapegrad: fill -> \\[4, 3\\] float32, tiny, loop, [0-9.]+ us\n");
  matches(1, "tapegrad: fill -> \\[3, 2\\] float32, tiny, loop, [0-9.]+ us\n");
  matches(2, "tapegrad: mm \\[4, 3\\] \\[3, 2\\] -> \\[4, 2\\] float32" + end);
  matches(3, "tapegrad: exp \\[4, 2\\] -> \\[4, 2\\] float32" + end);
  check(before == 8, "a capture runs its function twice, got " + std::to_string(before) + " lines before the replay");
  matches(8, "tapegrad: fused\\(tanh, mul\\) .* float32, fused, simd [a-z0-9]+, [0-9.]+ us\n");
  matches(9, "tapegrad: add \\[4, 2\\] \\[4, 2\\] -> \\[4, 2\\] float32" + end);
  check(lines.size() == 10, "10 lines, got " + std::to_string(lines.size()));
  return failures != 0;
}
